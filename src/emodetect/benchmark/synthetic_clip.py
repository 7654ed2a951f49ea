"""Synthetic clips for benchmarks, made from a portrait."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.media.encoder import VideoEncoder
from emodetect.sources.images import read_image
from emodetect.types import Box, Image

RATE = 25.0

_FACE = 266.0, 217.0, 235.0
"""Center and side of the face in the portrait, pixels. The portrait (512x600) shows Grace Hopper and is in the public domain."""

_FACES_PER_ROW = 4
"""Number of faces in a row."""


PORTRAIT = Path(__file__).parent / "data" / "portrait.jpg"
"""A portrait, 512x600, in the public domain: Grace Hopper, 1984."""


def write_synthetic_clip(
    path: Path, *, frames: int = 250, size: tuple[int, int] = (640, 360), faces: int = 1, speed: float = 1.0
) -> list[list[Box]]:
    """Encode a clip with moving faces of varying size in front of a soft background.

    Args:
        path: file to write, .mp4.
        frames: number of frames, at 25 fps.
        size: width and height, pixels.
        faces: number of faces, 1 to 8, in rows of four.
        speed: 1 for a period of five seconds.

    Returns:
        The boxes of the faces in each frame, as a cascade would draw them.

    Raises:
        OutputError: the clip cannot be written.
    """
    truth = []
    encoder = VideoEncoder(path, size, RATE)
    try:
        for picture, boxes in _pictures(frames, size, faces, speed):
            encoder.write(picture)
            truth.append(boxes)
    finally:
        encoder.close()
    return truth


def write_walking_clip(
    path: Path, *, frames: int, speed: float, frames_per_second: float = 30.0, size: tuple[int, int] = (640, 360)
) -> list[Box]:
    """Encode a clip in which one face moves back and forth at a constant speed.

    Args:
        path: file to write, .mp4.
        frames: number of frames.
        speed: speed of the face, face widths per second.
        frames_per_second: frame rate.
        size: width and height, pixels.

    Returns:
        The box of the face in each frame, as a cascade would draw it.

    Raises:
        OutputError: the clip cannot be written.
    """
    portrait, background = read_image(PORTRAIT), _background(size)
    mask = _head_mask(portrait.shape[0], portrait.shape[1])
    width, height = size
    side = round(0.28 * height)
    reach = width - 2 * side  # of the face's center, which turns a face's width before the edge
    truth = []
    encoder = VideoEncoder(path, size, frames_per_second)
    try:
        for index in range(frames):
            way = speed * side * index / frames_per_second % (2 * reach)
            x, y = side + min(way, 2 * reach - way), 0.48 * height
            picture = background.astype(np.float32)
            _paste(picture, portrait, mask, (x, y), side)
            encoder.write(picture.astype(np.uint8))
            truth.append(Box(round(x - side / 2), round(y - side / 2), side, side))
    finally:
        encoder.close()
    return truth


def _pictures(frames: int, size: tuple[int, int], faces: int, speed: float) -> Iterator[tuple[Image, list[Box]]]:
    portrait = read_image(PORTRAIT)
    mask = _head_mask(portrait.shape[0], portrait.shape[1])
    background = _background(size)
    width, height = size
    rows = 1 if faces == 1 else math.ceil(faces / _FACES_PER_ROW)
    columns = min(faces, _FACES_PER_ROW)
    for index in range(frames):
        time = speed * index / RATE
        picture = background.astype(np.float32)
        boxes = []
        for number in range(faces):
            row, column = divmod(number, _FACES_PER_ROW)
            phase = time * 2 * math.pi / 5 + number
            side = height * (0.28 / math.sqrt(rows)) * (1 + 0.25 * math.sin(phase / 2))
            reach = width / columns / 2 - 0.8 * side
            x = width * (column + 0.5) / columns + 0.6 * reach * math.sin(phase)
            y = height * (row + 0.48) / rows + 0.05 * height * math.cos(phase)
            _paste(picture, portrait, mask, (x, y), side)
            boxes.append(Box(round(x - side / 2), round(y - side / 2), round(side), round(side)))
        yield picture.astype(np.uint8), boxes


def _paste(
    picture: npt.NDArray[np.float32], portrait: Image, mask: npt.NDArray[np.float32], center: tuple[float, float], side: float
) -> None:
    # Only around the head; otherwise a clip with eight faces would take minutes.
    height, width = picture.shape[:2]
    reach = round(1.2 * side)
    around = Box(round(center[0]) - reach, round(center[1]) - reach, 2 * reach, 2 * reach).clipped(width, height)
    scale = side / _FACE[2]
    left, top = (middle - start - scale * face for middle, start, face in zip(center, (around.x, around.y), _FACE, strict=False))
    move = np.asarray([[scale, 0, left], [0, scale, top]])
    size = around.width, around.height
    moved = cv2.warpAffine(portrait, move, size, flags=cv2.INTER_AREA).astype(np.float32)
    share = cv2.warpAffine(mask, move, size, flags=cv2.INTER_AREA)[..., np.newaxis]
    part = picture[around.y : around.y + around.height, around.x : around.x + around.width]
    part += share * (moved - part)


def _head_mask(height: int, width: int) -> npt.NDArray[np.float32]:
    """Alpha mask of the head, with a soft border so that pasting adds no edges."""
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (round(_FACE[0]), round(_FACE[1])), (150, 190), 0, 0, 360, 1.0, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 12), np.float32)


def _background(size: tuple[int, int]) -> Image:
    noise = np.random.default_rng(5).normal(0, 1, (size[1], size[0])).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 12))
    texture = 14 * soft / np.abs(soft).max() + 2 * noise
    return np.asarray(np.clip(np.asarray([150, 158, 164]) + texture[..., np.newaxis], 0, 255), np.uint8)

"""Letterboxing: fitting pictures into another size, with black bars."""

from __future__ import annotations

import cv2
import numpy as np

from emodetect.types import Image


def letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """Scale a picture to fit into a size, centered on black.

    Args:
        image: uint8 (height, width, 3) BGR.
        size: width and height, pixels.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    scaled = cv2.resize(image, (max(1, round(scale * width)), max(1, round(scale * height))), interpolation=cv2.INTER_AREA)
    top, left = (size[1] - scaled.shape[0]) // 2, (size[0] - scaled.shape[1]) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return canvas


_PIXEL_SHAPE = "if(between(sar,1/8,8),sar,1)"

SQUARE_PIXELS = f"scale='iw*max({_PIXEL_SHAPE},1)':'ih/min({_PIXEL_SHAPE},1)',setsar=1"
"""A filter of FFmpeg that makes pixels square, unless their shape is nonsense."""


def letterbox_filter(size: tuple[int, int]) -> str:
    """FFmpeg filter that letterboxes pictures to this width and height, and makes pixels square."""
    width, height = size
    return f"{SQUARE_PIXELS},scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1"

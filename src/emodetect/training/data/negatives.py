"""Negatives: images without faces, from which a network learns to reject false detections."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError, about
from emodetect.sources.image_tree import list_images
from emodetect.sources.images import read_image
from emodetect.training.data.labeled import FACE_SIZE, as_images

FACE_LABELS = ("nothing", "face")
"""Labels of an output that separates faces from other images."""

FACE = FACE_LABELS.index("face")

GrayImages = npt.NDArray[np.uint8]


@about("negatives")
def read_negatives(folder: Path, share: float, seed: int) -> tuple[GrayImages, GrayImages]:
    """Read crops without faces, ``folder/<picture>-<anything>.png`` or other image files, resized to 48x48 gray.

    Args:
        folder: the folder, subfolders included; `scripts/find_false_faces` creates one.
        share: share of the pictures whose crops are used for validation, 0 to 1; all crops of one picture stay together.
        seed: seed of the split.

    Returns:
        Crops for training and crops for validation, uint8 (n, 48, 48) each, at least one.

    Raises:
        DatasetError: the folder is missing or contains too few pictures.
        SourceError: a file cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected pictures of anything but faces, named <picture>-<number>.png")
    paths = list_images(folder).images
    pictures = sorted({_picture(path) for path in paths})
    if len(pictures) < 2:
        raise DatasetError(f"{folder}: crops of {len(pictures)} pictures; at least two are needed, one of them for validation")
    count = min(max(1, round(share * len(pictures))), len(pictures) - 1)
    held_back = set(np.random.default_rng(seed).permutation(pictures)[:count].tolist())
    training = [read_image(path) for path in paths if _picture(path) not in held_back]
    validation = [read_image(path) for path in paths if _picture(path) in held_back]
    return as_images(training), as_images(validation)


def displaced_faces(faces: GrayImages, backgrounds: GrayImages, generator: np.random.Generator) -> GrayImages:
    """Convert faces to negatives: half a face, a part of one, or one that is far too small.

    Args:
        faces: uint8 (n, 48, 48).
        backgrounds: uint8 (m, 48, 48), shown around the face.
        generator: random number generator.

    Returns:
        uint8 (n, 48, 48), a third of each kind.
    """
    result = np.empty_like(faces)
    for index, face in enumerate(faces):
        canvas = backgrounds[generator.integers(len(backgrounds))].copy()
        kind = index % 3
        zoom, shift = 1.0, np.zeros(2)
        if kind == 0:  # at least half a face's side away, in any direction
            angle = generator.uniform(0, 2 * np.pi)
            shift = generator.uniform(0.5, 0.8) * np.array([np.cos(angle), np.sin(angle)]) * FACE_SIZE
        elif kind == 1:  # an eye, a mouth, a cheek
            zoom = generator.uniform(2.2, 3.5)
            shift = generator.uniform(-0.5, 0.5, 2) * (zoom - 1) * FACE_SIZE
        else:
            zoom = generator.uniform(0.25, 0.45)
            shift = generator.uniform(-0.5, 0.5, 2) * (1 - zoom) * FACE_SIZE
        center = (FACE_SIZE - 1) / 2
        transform = np.array([[zoom, 0, center * (1 - zoom) + shift[0]], [0, zoom, center * (1 - zoom) + shift[1]]])
        size = (FACE_SIZE, FACE_SIZE)
        cv2.warpAffine(face, transform, size, dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        result[index] = canvas
    return result


def _picture(path: Path) -> str:
    return path.stem.rpartition("-")[0] or path.stem

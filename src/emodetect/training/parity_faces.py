"""Real faces for comparing two versions of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emodetect.benchmark.synthetic_clip import PORTRAIT
from emodetect.errors import about
from emodetect.faces.boxes import crop
from emodetect.faces.haar import HaarDetector
from emodetect.sources.images import read_image
from emodetect.text.printable import counted
from emodetect.training.data.dataset import read_crops
from emodetect.training.data.label_folders import check_folder, part_folder
from emodetect.training.data.label_names import WORDS, LabelNames
from emodetect.types import Box, Image

_MAX_FACES = 256


@dataclass(frozen=True)
class ParityFaces:
    """Faces for comparing two versions of a network.

    Attributes:
        crops: uint8 (height, width, 3) BGR each.
        origin: a description of their source.
        notes: sentences about skipped files of a data set.
    """

    crops: list[Image]
    origin: str
    notes: tuple[str, ...] = ()


@about("data")
def read_parity_faces(data: Path | None, names: LabelNames = WORDS) -> ParityFaces:
    """Read face crops for comparing two versions of a network.

    Args:
        data: ``<label>/*`` or a data set with ``test/<label>/*``, of which up to 256 evenly spaced faces are taken; None for
            54 crops of the portrait.
        names: meanings of the names of folders.

    Raises:
        DatasetError: the data contains no faces.
    """
    if data is None:
        return ParityFaces(_portrait_crops(), "54 crops of a portrait")
    check_folder(data, "a folder with one folder for each emotion")
    folder = part_folder(data, "test") or data
    faces = read_crops(folder, names=names, allow_missing=True)
    chosen = np.unique(np.linspace(0, len(faces.crops) - 1, _MAX_FACES).astype(int))
    return ParityFaces([faces.crops[i] for i in chosen], f"{counted(len(chosen), 'face')} of {folder}", faces.notes)


def _portrait_crops() -> list[Image]:
    portrait = read_image(PORTRAIT)
    box = HaarDetector().detect(portrait)[0].box
    crops = []
    for size in (0.8, 1.0, 1.2):
        side = round(box.width * size)
        for across in (-0.1, 0.0, 0.1):
            for down in (-0.1, 0.0, 0.1):
                x = round(box.x + box.width * (across + 0.5) - side / 2)
                y = round(box.y + box.height * (down + 0.5) - side / 2)
                face = crop(portrait, Box(x, y, side, side))
                crops += [face, np.ascontiguousarray(face[:, ::-1])]
    return crops

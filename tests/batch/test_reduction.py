"""Large photos are decoded at a reduced size, and read alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import emodetect
from emodetect.batch import reader as reader_module
from emodetect.batch.reader import Reader
from emodetect.batch.reduction import full_size, reduction_for, reduction_of_crops
from emodetect.batch.settings import BatchSettings
from emodetect.faces.detector import MinFace
from emodetect.faces.region import Region
from emodetect.settings.pipeline import CLIPS, PHOTOS
from emodetect.sources.images import decode_image, read_image_file
from emodetect.types import Box, Face
from emodetect.types import Image as Pixels
from tests.builders import make_background, place_face


@pytest.mark.parametrize(
    ("size", "smallest", "factor"),
    [((900, 1200), 0.05, 1), ((2048, 1536), 0.05, 2), ((4000, 3000), 0.05, 4), ((3000, 4000), 0.05, 4), ((8000, 6000), 0.05, 8),
     ((4000, 3000), 0.2, 8),
     ((4000, 3000), 200, 1), (None, 0.05, 1)],
)  # fmt: skip
def test_the_smallest_wanted_face_stays_large_enough(size: tuple[int, int] | None, smallest: float, factor: int) -> None:
    settings = replace(PHOTOS, detector=replace(PHOTOS.detector, min_face=MinFace.of(smallest)))
    assert reduction_for(size, settings) == factor


def test_where_pixels_are_meant_or_nothing_is_looked_for_nothing_is_reduced() -> None:
    size = (8000, 6000)
    assert reduction_for(size, replace(PHOTOS, region=Region(0, 0, 0.5, 0.5, relative=True))) == 4
    assert reduction_for(size, replace(PHOTOS, region=Region(0, 0, 4000, 4000, relative=False))) == 1
    assert reduction_for(size, replace(PHOTOS, detector=replace(PHOTOS.detector, name="none"))) == 1


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_photo_gives_the_boxes_of_the_full_one(tmp_path: Path, orientation: int) -> None:
    """Also of one that lies on its side."""
    picture, box = place_face(make_background((3001, 2501)), (1800, 1200), 700)
    stored = np.rot90(picture) if orientation == 6 else picture  # 6: to be turned by a quarter clockwise
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(cv2.cvtColor(np.ascontiguousarray(stored), cv2.COLOR_BGR2RGB)).save(tmp_path / "a.jpg", exif=exif, quality=90)
    size = full_size(read_image_file(tmp_path / "a.jpg"))
    assert reduction_for(size, PHOTOS) == 4

    reader = Reader(BatchSettings(PHOTOS, CLIPS), tmp_path)
    reading = reader.read(str(tmp_path / "a.jpg"), "photo", lambda frames: None)
    reader.close()
    rows = [json.loads(line) for line in reading.lines.splitlines()]
    [row] = [row for row in rows if row["width"] > 400]
    assert row["emotion"] == "happy"
    assert abs(row["x"] + row["width"] / 2 - (box.x + box.width / 2)) < 0.15 * box.width
    assert abs(row["y"] + row["height"] / 2 - (box.y + box.height / 2)) < 0.25 * box.width


@pytest.mark.parametrize(
    ("sides", "reduction", "model", "crops"),
    [([100, 61], 4, None, 4), ([100, 59], 4, None, 2), ([25], 4, None, 1), ([], 8, None, 8), ([100], 2, "ferplus", 2),
     ([100], 2, "model.onnx", 1), ([240], 2, "model.onnx", 2)],
)  # fmt: skip
def test_crops_keep_the_resolution_of_the_networks_input(sides: list[int], reduction: int, model: str | None, crops: int) -> None:
    faces = [Face(Box(0, 0, side, side), number) for number, side in enumerate(sides)]
    settings = replace(PHOTOS, backend=replace(PHOTOS.backend, model=model))
    assert reduction_of_crops(faces, reduction, settings) == crops


@pytest.mark.parametrize(("side", "decoded"), [(300, [2]), (90, [2, 1])])
def test_small_faces_are_cropped_from_the_full_photo(
    side: int, decoded: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, _ = place_face(make_background((2000, 1500)), (1200, 700), side)
    cv2.imwrite(str(tmp_path / "a.jpg"), picture)
    reductions = []

    def decode(path: Path, data: npt.NDArray[np.uint8], reduction: int) -> Pixels:
        reductions.append(reduction)
        return decode_image(path, data, reduction)

    monkeypatch.setattr(reader_module, "decode_image", decode)
    reader = Reader(BatchSettings(PHOTOS, CLIPS), tmp_path)
    [row] = map(json.loads, reader.read(str(tmp_path / "a.jpg"), "photo", lambda frames: None).lines.splitlines())
    reader.close()
    assert reductions == decoded
    [face] = emodetect.analyze(tmp_path / "a.jpg").readings
    assert face.scores is not None
    assert (row["emotion"], row["confidence"]) == (face.scores.dominant.value, pytest.approx(face.scores.confidence, abs=0.05))
    assert row["width"] == pytest.approx(face.box.width, abs=4)

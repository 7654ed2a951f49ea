"""Cascades that would lead OpenCV astray: each is refused in one line, and none ends the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.errors import ModelError
from emodetect.faces.cascade import default_cascade
from emodetect.faces.cascade_file import load_cascade
from emodetect.types import Image

FOLDER = Path(cv2.data.haarcascades)  # type: ignore[attr-defined]

SMALL = """<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier">
  <stageType>BOOST</stageType><featureType>HAAR</featureType><height>24</height><width>24</width>
  <stageParams><maxWeakCount>1</maxWeakCount></stageParams><featureParams><maxCatCount>0</maxCatCount></featureParams>
  <stageNum>1</stageNum>
  <stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>-1e10</stageThreshold><weakClassifiers>
    <_><internalNodes>0 -1 0 0.5</internalNodes><leafValues>1. -1.</leafValues></_></weakClassifiers></_></stages>
  <features><_><rects><_>0 0 24 24 -1.</_><_>0 0 12 24 2.</_></rects><tilted>0</tilted></_></features>
</cascade></opencv_storage>
"""
"""A cascade of one stage and one feature, to which every window is a face."""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["frontalface_alt2", "lefteye_2splits", "frontalcatface"])
def test_cascades_of_opencv_find_what_opencv_finds(kind: str, photo: Image) -> None:
    gray = cv2.cvtColor(photo[20:220, 120:320], cv2.COLOR_BGR2GRAY)

    path = FOLDER / f"haarcascade_{kind}.xml"
    ours, theirs = load_cascade(path)(), cv2.CascadeClassifier(str(path))

    np.testing.assert_array_equal(ours.detectMultiScale(gray, 1.3, 2), theirs.detectMultiScale(gray, 1.3, 2))


def test_the_small_one_is_sound(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 100), np.uint8)
    assert len(load_cascade(write(tmp_path / "c.xml", SMALL))().detectMultiScale(noise)) > 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0 -1 0 0.5", "0 -1 99999999 0.5", "a feature is missing"),
        ("0 -1 0 0.5", "0 -1 -5 0.5", "a feature is missing"),
        ("0 -1 0 0.5", "0 -7 0 0.5", "leads nowhere"),
        ("0 -1 0 0.5", "1 -1 0 0.5", "leads nowhere"),
        ("0 -1 0 0.5", "0 -1 0", "cut short"),
        ("0 -1 0 0.5", "", "cut short"),
        ("1. -1.", "1.", "cut short"),
        ("1. -1.", "1. nan", "not finite"),
        ("0 0 24 24 -1.", "0 0 24 2000000000 -1.", "out of the window"),
        ("0 0 24 24 -1.", "-1 0 24 24 -1.", "out of the window"),
        ("<tilted>0", "<tilted>1", "out of the window"),
        ("0 0 24 24 -1.", "0 0 24 -1.", "not enough values"),
        ("0 0 24 24 -1.", "0 0 24 2x -1.", "no whole number"),
        ("<width>24", "<width>2000000000", "size is out of range"),
        ("<width>24", '<width type_id="str">24', "another type"),
        ("<width>24</width>", "<width>24</width><width>9</width>", "expected one width"),
        ("<maxCatCount>0", "<maxCatCount>256", "maxCatCount"),
        ("HAAR", "LBP", "maxCatCount"),
        ("HAAR", "HOG", "Haar or LBP"),
        ('"opencv-cascade-classifier"', '"opencv-haar-classifier"', "Haar or LBP"),
        ("<opencv_storage>", '<!DOCTYPE a [<!ENTITY b "b">]><opencv_storage>', "document type"),
        ("</features>", "", "mismatched tag"),
    ],
)  # fmt: skip
def test_what_leads_astray_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    path = write(tmp_path / "c.xml", SMALL.replace(old, new, 1))

    with pytest.raises(ModelError, match=message) as caught:
        load_cascade(path)
    assert str(caught.value).startswith(f"{path}: not a cascade")


@pytest.mark.parametrize(
    ("find", "change"),
    [
        (b"<internalNodes>", lambda data, place: data[:place] + b"0 -1 99999 0. " + data[place:]),
        (b"<rects>", lambda data, place: data[:place] + b"9" * 5000 + data[place:]),
    ],
    ids=["feature", "rectangle"],
)
def test_what_once_ended_the_process_is_refused(tmp_path: Path, find: bytes, change: Callable[[bytes, int], bytes]) -> None:
    data = default_cascade().read_bytes()
    path = tmp_path / "c.xml"
    path.write_bytes(change(data, data.index(find) + len(find)))

    with pytest.raises(ModelError, match="not a cascade"):
        load_cascade(path)

"""Tiny data sets, made on the spot."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.types import EMOTIONS, Emotion


def make_face(label: int, number: int) -> npt.NDArray[np.uint8]:
    """A 48x48 picture of which the label can be learned: a bright stripe at a height of its own, and noise."""
    picture = np.random.default_rng((label, number)).integers(0, 60, (48, 48))
    picture[4 + 6 * label : 8 + 6 * label] += 180
    return picture.astype(np.uint8)


def write_data_set(folder: Path, *, train: int = 6, test: int = 3) -> Path:
    """``train/<label>/`` and ``test/<label>/`` with so many pictures a label, no two alike."""
    for part, count, first in (("train", train, 0), ("test", test, 1000)):
        for label, emotion in enumerate(EMOTIONS):
            (folder / part / emotion.value).mkdir(parents=True)
            for number in range(count):
                path = folder / part / emotion.value / f"im{number:04d}.png"
                assert cv2.imwrite(str(path), make_face(label, first + number))
    return folder


def write_fer2013_csv(path: Path, *, train: int = 6, test: int = 3) -> Path:
    """The same pictures as the original ``fer2013.csv`` has them, with rows of the private part besides."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for usage, count, first in (("Training", train, 0), ("PublicTest", test, 1000), ("PrivateTest", 1, 2000)):
            for label in range(len(EMOTIONS)):
                for number in range(count):
                    writer.writerow([label, " ".join(map(str, make_face(label, first + number).ravel())), usage])
    return path


VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def votes_for(label: int, *, contempt: bool) -> list[int]:
    """Nine votes for this label, or for contempt, and one for neutral."""
    counts = [0] * len(VOTE_COLUMNS)
    counts[7 if contempt else (4, 5, 6, 1, 3, 2, 0)[label]] += 9
    counts[0] += 1
    return counts


def write_votes(path: Path, data: Path) -> Path:
    """FER+ votes for every picture: nine for its label and one for neutral, contempt for the first angry one of each part."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *VOTE_COLUMNS])
        for label, emotion in enumerate(EMOTIONS):
            for picture in sorted(data.glob(f"*/{emotion.value}/*.png")):
                contempt = emotion.value == "angry" and picture.name == "im0000.png"
                writer.writerow([Path("somewhere", *picture.parts[-3:]).as_posix(), *votes_for(label, contempt=contempt)])
    return path


def write_fer2013new_csv(path: Path, table: Path) -> Path:
    """The same votes as the FER+ authors publish them, for `write_fer2013_csv`; the last sad training row is removed."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    of_part = [(row["Usage"], int(row["emotion"])) for row in rows]
    removed = max(n for n, row in enumerate(of_part) if row == ("Training", EMOTIONS.index(Emotion.SAD)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        for number, (usage, label) in enumerate(of_part):
            contempt = label == 0 and of_part.index((usage, 0)) == number
            name = "" if number == removed else f"fer{number:07d}.png"
            writer.writerow([usage, name, *votes_for(label, contempt=contempt)])
    return path


def write_negatives(folder: Path, *, pictures: int, crops: int) -> Path:
    """Crops that are no faces, ``<picture>-<number>.png``: noise, each picture of a brightness of its own."""
    folder.mkdir()
    for picture in range(pictures):
        for number in range(crops):
            noise = np.random.default_rng((picture, number)).integers(0, 9, (48, 48)) + 20 * picture
            assert cv2.imwrite(str(folder / f"p{picture}-{number}.png"), noise.astype(np.uint8))
    return folder

"""Labelled faces from disk: the Kaggle folder layout of FER-2013, and the FER+ votes beside it."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import DatasetError
from emodetect.types import EMOTIONS, Emotion

FACE_SIZE = 48
"""Side of a FER-2013 image in pixels."""

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}

FERPLUS_LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The eight emotions of FER+ in the order of its own file (Barsoum et al. 2016, arXiv 1608.01041)."""

_VOTE_COLUMNS = (*FERPLUS_LABELS, "unknown", "NF")


@dataclass(frozen=True)
class LabelledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: uint8 (n, 48, 48), gray.
        labels: int64 (n,), positions in `EMOTIONS`.
        keys: for each image its last three path parts, ``train/angry/im0000.png``: how votes are matched.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.keys)
        if self.images.shape != (count, FACE_SIZE, FACE_SIZE) or self.labels.shape != (count,):
            raise ValueError(
                f"expected images ({count}, {FACE_SIZE}, {FACE_SIZE}) and labels ({count},), "
                f"got {self.images.shape} and {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, indices: npt.NDArray[np.int64]) -> LabelledFaces:
        """The faces at these positions, in this order."""
        return LabelledFaces(self.images[indices], self.labels[indices], tuple(self.keys[i] for i in indices))


def read_faces(folder: Path, *, allow_missing: bool = False) -> LabelledFaces:
    """Read ``folder/<label>/*`` as gray 48x48 crops, files in sorted order.

    Args:
        folder: a directory with one sub-directory a label, named as in `EMOTIONS` (case does not matter).
        allow_missing: accept a label without a folder or without images.

    Raises:
        DatasetError: the folder is missing, a label is unknown, empty or stands twice, or an image cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected {folder.name}/<label>/ with one folder an emotion")
    folders: dict[Emotion, Path] = {}
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            emotion = Emotion(child.name.lower())
        except ValueError:
            known = ", ".join(EMOTIONS)
            raise DatasetError(f"{child}: unknown label {child.name!r}; the labels are {known}") from None
        if emotion in folders:
            raise DatasetError(f"{child}: a second folder for the label {emotion}, beside {folders[emotion].name}")
        folders[emotion] = child
    images, labels, keys = [], [], []
    for position, emotion in enumerate(EMOTIONS):
        child = folders.get(emotion, folder / emotion)
        paths = sorted(p for p in child.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES) if child.is_dir() else []
        if not paths and not allow_missing:
            raise DatasetError(f"{child}: no images for the label {emotion}")
        for path in paths:
            images.append(_read_face(path))
            labels.append(position)
            keys.append("/".join(path.resolve().parts[-3:]))
    if not images:
        raise DatasetError(f"{folder}: no images in any label's folder")
    return LabelledFaces(np.stack(images), np.asarray(labels, np.int64), tuple(keys))


def _read_face(path: Path) -> npt.NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DatasetError(f"{path}: not a readable image")
    if image.shape != (FACE_SIZE, FACE_SIZE):
        image = cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)


def group_copies(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Number pixel-identical images alike: int64 (n,), each value the position of the first such image."""
    first: dict[bytes, int] = {}
    return np.asarray([first.setdefault(image.tobytes(), i) for i, image in enumerate(images)], np.int64)


def without_copies_of(faces: LabelledFaces, others: LabelledFaces) -> LabelledFaces:
    """The faces of which no pixel-identical image is among the others."""
    seen = {image.tobytes() for image in others.images}
    return faces.take(np.asarray([i for i, image in enumerate(faces.images) if image.tobytes() not in seen], np.int64))


def split_validation(faces: LabelledFaces, share: float, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
    """Cut a stratified validation part out of a training part.

    Pixel-identical copies stay together, also where their labels differ (they then count for the first label).

    Args:
        faces: what to split.
        share: part of each label that goes to validation, 0 to 1.
        seed: the split depends on this number alone.

    Returns:
        The training part and the validation part.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(group_copies(faces.images)):
        groups[int(group)].append(index)
    generator = np.random.default_rng(seed)
    validation: list[int] = []
    for label in range(len(EMOTIONS)):
        members = [indices for first, indices in groups.items() if faces.labels[first] == label]
        order = generator.permutation(len(members))
        wanted = share * sum(map(len, members))
        taken = 0
        for position in order:
            if taken >= wanted:
                break
            validation.extend(members[position])
            taken += len(members[position])
    chosen = np.zeros(len(faces), bool)
    chosen[validation] = True
    return faces.take(np.flatnonzero(~chosen)), faces.take(np.flatnonzero(chosen))


@dataclass(frozen=True)
class Votes:
    """FER+ votes of ten people a face, matched to a set of faces.

    Attributes:
        counts: float32 (n, 10), columns as `FERPLUS_LABELS`, then unknown and not-a-face; zeros where a face
            has no votes. Votes of one are dropped already, as the FER+ authors do.
    """

    counts: npt.NDArray[np.float32]

    def majority(self) -> npt.NDArray[np.int64]:
        """The official majority label, int64 (n,): a position in `FERPLUS_LABELS`, or -1 where there is none.

        The winner needs more than half of the votes that remain; an unknown or not-a-face winner counts as none
        (`ferplus.py`, mode 'majority', of the FER+ authors).
        """
        winner = self.counts.argmax(axis=1)
        decided = self.counts.max(axis=1) > 0.5 * self.counts.sum(axis=1)
        return np.where(decided & (winner < len(FERPLUS_LABELS)), winner, -1).astype(np.int64)

    def distribution(self) -> npt.NDArray[np.float32]:
        """The votes for the eight emotions as shares, float32 (n, 8); rows of zeros where nobody voted for one."""
        emotions = self.counts[:, : len(FERPLUS_LABELS)]
        total = emotions.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(emotions, total, out=np.zeros_like(emotions), where=total > 0))

    def not_a_face(self) -> npt.NDArray[np.bool_]:
        """Where 'not a face' has the most votes, bool (n,)."""
        return np.asarray((self.counts.argmax(axis=1) == len(_VOTE_COLUMNS) - 1) & (self.counts.max(axis=1) > 0))


def read_votes(path: Path, keys: Sequence[str]) -> Votes:
    """Read a FER+ vote table for the faces with these keys.

    Raises:
        DatasetError: the file is missing, lacks a column, or names none of the faces.
    """
    table = dict(_vote_rows(path))
    nothing = np.zeros(len(_VOTE_COLUMNS), np.float32)
    if not any(key in table for key in keys):
        example = keys[0] if keys else "nothing"
        raise DatasetError(f"{path}: has votes for none of the images; they are matched by paths such as {example}")
    counts = np.stack([table.get(key, nothing) for key in keys])
    return Votes(np.where(counts > 1, counts, 0).astype(np.float32))


def _vote_rows(path: Path) -> Iterable[tuple[str, npt.NDArray[np.float32]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("image", *_VOTE_COLUMNS) if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path}: no column {missing[0]!r}; expected image, {', '.join(_VOTE_COLUMNS)}")
            for row in reader:
                key = "/".join(Path(row["image"]).parts[-3:])
                yield key, np.asarray([float(row[name]) for name in _VOTE_COLUMNS], np.float32)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as a vote table ({error})") from error
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: a row holds something that is not a number of votes") from error

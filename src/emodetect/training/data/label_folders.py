"""Labeled images in folders: the label of each file, and the files that are skipped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emodetect.backends.labels import suggest_label
from emodetect.errors import DatasetError, SourceError
from emodetect.sources.image_tree import ImageTree, in_words, is_system_file, list_images, special_kind
from emodetect.text.printable import counted
from emodetect.text.suggestions import did_you_mean_file
from emodetect.training.data.archives import unpacking_command
from emodetect.training.data.label_names import FILE_NAMES, NONE, NUMBERED, WORDS, LabelNames, is_number, label_in_file_name
from emodetect.types import EMOTIONS, Emotion

_LABELS = frozenset(emotion.value for emotion in EMOTIONS)

_PARTS = ("train", "test", "validation", "valid", "val")
"""Names of the splits of a data set."""

_DEPTH = 2
"""Levels of sub-folders that are searched for a suggestion."""

_MAX_FOLDERS = 50
"""Maximum number of folders per level that are searched for a suggestion."""


@dataclass
class LabeledFiles:
    """The labeled files of a folder.

    Attributes:
        images: images of each label, sorted.
        notes: sentences about skipped files and assumptions.
        faults: error messages.
    """

    images: dict[Emotion, list[Path]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)


def is_table(path: Path) -> bool:
    """Whether a path names a table (``.csv``, ``.tsv``) rather than a folder of images."""
    return path.suffix.lower() in {".csv", ".tsv"} and not path.is_dir()


def check_folder(path: Path, expected: str) -> None:
    """Check that a path is a folder.

    Args:
        path: path given by the user.
        expected: description of the expected folder.

    Raises:
        DatasetError: the path is no folder; for an archive, the message says how to unpack it.
    """
    if path.is_dir():
        return
    if kind := special_kind(path):
        raise DatasetError(f"{path}: is a {kind}; expected {expected}")
    if not path.exists():
        raise DatasetError(f"{path}: no such folder or file; expected {expected}{did_you_mean_file(path)}")
    if command := unpacking_command(path):
        raise DatasetError(f"{path}: is an archive; unpack it ({command}) and name what comes out of it")
    raise DatasetError(f"{path}: is a file; expected {expected}")


def part_folder(data: Path, name: str) -> Path | None:
    """Folder of a split of a data set, case-insensitive; None if there is none.

    Args:
        data: folder of the data set.
        name: ``train`` or ``test``.
    """
    return next((folder for folder in _folders(data) if folder.name.lower() == name), None)


def find_labeled(folder: Path, names: LabelNames) -> LabeledFiles:
    """Find the images of each label.

    Args:
        folder: a folder with one subfolder per label, or one whose file names contain the label (see `FILE_NAMES`).
        names: meanings of the names of folders.

    Raises:
        DatasetError: nothing in the folder has a label; the message says which folder to name instead.
    """
    found, left_out = LabeledFiles(), Counter[tuple[str, str]]()
    folders: dict[Emotion, Path] = {}
    others: list[Path] = []
    try:
        loose = list_images(folder, sub_folders=False)
        for child in _folders(folder):
            label = names.label_of(child.name)
            if label is None:
                others.append(child)
            elif label not in _LABELS:
                left_out.update(_pictures(child, "with none of the labels" if label == NONE else f"of {label}"))
            elif (emotion := Emotion(label)) in folders:
                found.faults.append(f"{child}: a second folder for the label {emotion}, beside {folders[emotion].name}")
            else:
                folders[emotion] = child
    except SourceError as error:
        raise DatasetError(str(error)) from error
    if not folders:
        return _find_by_file_name(folder, names, others, loose)
    for child in others:
        if is_number(child.name):
            found.faults.append(_unknown_number(child, names))
        elif meant := suggest_label(child.name):
            found.faults.append(f"{child}: unknown label {child.name!r}{meant}")
        else:
            left_out.update(_pictures(child, f"in {child.name}, which is no label"))
    left_out.update(loose.left_out)
    if loose.images:
        left_out["picture in no label's folder", "pictures in no label's folder"] += len(loose.images)
    for emotion, child in folders.items():
        try:
            tree = list_images(child, apart=folders.values())
        except SourceError as error:
            found.faults.append(str(error))
            continue
        found.faults += _other_labels(tree, child, emotion)
        found.images[emotion] = tree.images
        left_out.update(tree.left_out)
    found.notes = _notes(folder, left_out)
    return found


def _other_labels(tree: ImageTree, labeled: Path, emotion: Emotion) -> list[str]:
    """Error messages about subfolders of a label's folder that are named after another label."""
    faults = []
    for folder in sorted({path.parent for path in tree.images}):
        inner = {label for part in folder.relative_to(labeled).parts if (label := WORDS.label_of(part)) in _LABELS}
        if other := inner - {emotion.value}:
            faults.append(f"{folder}: a folder of the label {other.pop()} in that of {emotion}; move or rename it")
    return faults


def hint_for_parts(data: Path, names: LabelNames) -> str:
    """Suggestion for a data set without ``train`` or ``test``, for the end of a message.

    Args:
        data: folder of the data set.
        names: meanings of the names of folders.
    """
    if (nested := _nested(data, names, parts=True)) is not None:
        return f"; did you mean {nested}?"
    if _has_labels(data, names):
        return "; the labels' folders in it belong into one of these"
    other = next((folder for folder in _folders(data) if folder.name.lower() in _PARTS[2:]), None)
    return f"; is {other} what test is called there? Then rename it" if other is not None and part_folder(data, "train") else ""


def _find_by_file_name(folder: Path, names: LabelNames, others: Sequence[Path], loose: ImageTree) -> LabeledFiles:
    """Find the images of a data set whose file names contain the label."""
    try:
        tree = list_images(folder)
    except SourceError as error:
        raise DatasetError(str(error)) from error
    for data_set in FILE_NAMES:
        labels = [label_in_file_name(data_set, path.stem) for path in tree.images]
        if sum(label is not None for label in labels) <= len(labels) / 2:
            continue
        found = LabeledFiles()
        for path, label in zip(tree.images, labels, strict=True):
            if label is None:
                tree.left_out["picture whose name holds no label", "pictures whose names hold no label"] += 1
            else:
                found.images.setdefault(Emotion(label), []).append(path)
        assumed = f"{folder}: the labels are read from the names of the files, which are those of {data_set}"
        found.notes = (assumed, *_notes(folder, tree.left_out))
        return found
    raise DatasetError(_no_labels(folder, names, others, loose, tree))


def _no_labels(folder: Path, names: LabelNames, others: Sequence[Path], loose: ImageTree, tree: ImageTree) -> str:
    """Error message for a folder in which nothing has a label."""
    if numbered := [child for child in others if is_number(child.name)]:
        return _unknown_number(numbered[0], names)
    known = f"expected folders named {', '.join(EMOTIONS)} in it"
    if (nested := _nested(folder, names, parts=False)) is not None:
        return f"{folder}: no folder of a label in it; did you mean {nested}?"
    if misspelled := [child for child in others if suggest_label(child.name)]:
        return f"{misspelled[0]}: unknown label {misspelled[0].name!r}{suggest_label(misspelled[0].name)}"
    if loose.images:
        return f"{folder}: {counted(len(loose.images), 'picture')} in no label's folder; {known}"
    if others:
        shown = ", ".join(child.name for child in others[:3]) + (", ..." if len(others) > 3 else "")
        return f"{folder}: no images in any label's folder; {known}, and found {shown} (`folder_labels` says what names mean)"
    left_out = f" ({in_words(tree.left_out)} left out)" if tree.left_out else ""
    return f"{folder}: no images in any label's folder{left_out}; {known}"


def _unknown_number(child: Path, names: LabelNames) -> str:
    if names.meanings:
        return f"{child}: no label has this number; {names.name} has {names.numbers()} (`folder_labels`)"
    numberings = ", ".join(f"{name} ({LabelNames(name, NUMBERED[name]).numbers()})" for name in NUMBERED)
    return (
        f"{child}: a number for a label, and each data set numbers them in its own way; "
        f"`folder_labels` takes {numberings}, or 1=surprise,2=fear,..."
    )


def _nested(folder: Path, names: LabelNames, *, parts: bool) -> Path | None:
    """The nearest sub-folder that contains splits of a data set or, unless ``parts``, labels' folders."""
    level = [folder]
    for _ in range(_DEPTH):
        level = [child for above in level for child in _folders(above)[:_MAX_FOLDERS]][:_MAX_FOLDERS]
        for child in sorted(level, key=lambda child: child.name.lower() != "test"):
            is_data_set = part_folder(child, "train") is not None and part_folder(child, "test") is not None
            if is_data_set or (not parts and _has_labels(child, names)):
                return child
    return None


def _has_labels(folder: Path, names: LabelNames) -> bool:
    """Whether several folders in this one name labels."""
    return len({names.label_of(child.name) for child in _folders(folder)} & _LABELS) > 1


def _folders(folder: Path) -> list[Path]:
    """The direct subfolders, without hidden ones, sorted; empty if the folder cannot be read."""
    try:
        with os.scandir(folder) as found:
            names = sorted(entry.name for entry in found if not is_system_file(entry.name))
    except OSError:
        return []
    return [folder / name for name in names if os.path.isdir(folder / name)]


def _pictures(folder: Path, what: str) -> Counter[tuple[str, str]]:
    """Number of skipped images in a folder, by description."""
    try:
        count = len(list_images(folder).images)
    except SourceError:
        count = 0
    return Counter({(f"picture {what}", f"pictures {what}"): count} if count else {})


def _notes(folder: Path, left_out: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return (f"{folder}: left out: {in_words(left_out)}",) if left_out else ()

"""Files of others in the folder of the results, which a batch leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from emodetect.batch.listing import find_inputs
from emodetect.batch.parts import FOLDER
from emodetect.batch.run import Run, clear
from emodetect.batch.settings import BatchSettings
from emodetect.settings.batch import BATCH
from emodetect.settings.pipeline import CLIPS, PHOTOS
from tests.builders import PHOTO

SETTINGS = BatchSettings(PHOTOS, CLIPS)

PARTS = f"clip-{'a' * 64}.jsonl", "photos-000001.jsonl", "photos-1000000.jsonl"

OTHERS = "clip-notes.jsonl", f"clip-{'A' * 64}.jsonl", "photos-2024.jsonl", "photos-summer.jsonl"


def start(folder: Path) -> Run:
    return Run.create(folder, find_inputs([str(PHOTO)]), SETTINGS, named=[str(PHOTO)], arguments=[], results=BATCH.format)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """``parts/`` with parts of an earlier batch and files of others."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in (*PARTS, *OTHERS):
        (folder / name).write_text("{}\n")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_batch_removes_the_parts_of_an_earlier_one_and_no_other_files(tmp_path: Path, parts: Path) -> None:
    start(tmp_path).close()
    assert names(parts) == sorted(OTHERS)


def test_overwrite_removes_the_parts_of_a_batch_and_no_other_files(tmp_path: Path, parts: Path) -> None:
    clear(tmp_path)
    assert names(parts) == sorted(OTHERS)


def test_a_resumed_batch_removes_no_other_files(tmp_path: Path, parts: Path) -> None:
    start(tmp_path).close()
    (parts / "photos-000009.jsonl").write_text("{}\n")
    Run.resume(tmp_path, SETTINGS).close()
    assert names(parts) == sorted(OTHERS)

"""Comparison of training runs, from the files in their folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emodetect.errors import DatasetError
from emodetect.training.history import read_log
from emodetect.training.hyperparameters import Settings
from emodetect.training.run_folder import RunFolder

_LABEL, _VOTES = "val_fer2013", "val_ferplus"


@dataclass(frozen=True)
class RunFacts:
    """Summary of a training run; shares from 0 to 1, None if unknown.

    Attributes:
        path: the run's folder.
        settings: its hyperparameters.
        epochs: number of finished epochs.
        seconds: their duration.
        validation: highest validation accuracy by output, such as "fer2013".
        test_accuracy: accuracy on the test split; None before the run is finished.
        test_balanced: balanced accuracy on the test split.
    """

    path: Path
    settings: Settings
    epochs: int
    seconds: float
    validation: dict[str, float]
    test_accuracy: float | None
    test_balanced: float | None


def read_run(path: Path) -> RunFacts:
    """Read the files of a run.

    Raises:
        DatasetError: the folder contains no run, or one of its files cannot be read.
    """
    settings, folder = Settings.load(path), RunFolder(path)
    rows = read_log(folder.log)
    outputs = [name for name in (rows[0] if rows else ()) if name in (_LABEL, _VOTES)]
    best = {name.removeprefix("val_"): max(row.get(name, 0.0) for row in rows) for name in outputs}
    try:
        test = json.loads(folder.figures.read_text(encoding="utf-8")) if folder.figures.exists() else {}
        accuracy, balanced = (None if test.get(name) is None else float(test[name]) for name in ("accuracy", "balanced_accuracy"))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{folder.figures}: not the figures of a training run ({error})") from error
    return RunFacts(path, settings, len(rows), sum(row.get("seconds", 0.0) for row in rows), best, accuracy, balanced)


def find_runs(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the folders of runs: these, or their sub-folders, by name.

    Raises:
        DatasetError: a folder does not exist, or contains no run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
        inside = sorted(path for path in folder.iterdir() if RunFolder(path).holds_run())
        if RunFolder(folder).holds_run():
            yield folder
        elif inside:
            yield from inside
        else:
            raise DatasetError(f"{folder}: holds no training run")

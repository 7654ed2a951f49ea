"""The folder of a training run, with the files that the run writes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emodetect.errors import DatasetError, OutputError
from emodetect.system.output_files import PARTIAL_PREFIX, PARTIAL_SUFFIX, atomic_write, lock
from emodetect.training.hyperparameters import FILE, Settings

_PACKAGES = ("emodetect", "keras", "tensorflow", "torch", "jax", "numpy", "opencv-python")


class RunFolder:
    """The folder of a run.

    A run replaces only files that it has written, which are listed in its settings. Other files in the folder are unchanged.

    Attributes:
        path: the folder.
        settings: hyperparameters, and the files that the run has written, JSON.
        versions: versions of Python, packages and the Keras backend, JSON.
        weights: the weights of the best epoch by validation.
        checkpoint: the state after the last finished epoch.
        log: one row per epoch, CSV.
        events: the same for TensorBoard, a folder.
        model: the best epoch as a whole model, with metadata.
        curves: loss and accuracy by epoch, PNG.
        confusion: the confusion matrix on the test part, PNG.
        figures: all metrics of the test, JSON.
        summary: summary of the run, text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / FILE
        self.versions = path / "versions.json"
        self.weights = path / "best.weights.h5"
        self.checkpoint = path / "checkpoint.npz"
        self.log = path / "log.csv"
        self.events = path / "tensorboard"
        self.model = path / "best.keras"
        self.curves = path / "curves.png"
        self.confusion = path / "confusion.png"
        self.figures = path / "test.json"
        self.summary = path / "summary.txt"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that a run writes, except those for TensorBoard."""
        return (
            self.settings, self.versions, self.weights, self.checkpoint, self.log, self.model, self.curves, self.confusion,
            self.figures, self.summary,
        )  # fmt: skip

    def holds_run(self) -> bool:
        """Whether the folder contains a run with readable settings."""
        try:
            Settings.load(self.path)
        except DatasetError:
            return False
        return True

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other runs; create it if necessary.

        Raises:
            OutputError: another run uses the folder, or it cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.path, os.O_RDONLY) if os.name == "posix" else None
        except OSError as error:
            raise self._no_folder(error) from error
        try:
            if folder is not None and not lock(folder):
                raise OutputError(f"{self.path}: another run is going on in this folder; wait for its end, or name another one")
            yield
        finally:
            if folder is not None:
                os.close(folder)

    def check(self, *, overwrite: bool = False) -> None:
        """Check that a new run may start here, without changing anything.

        Raises:
            OutputError: the folder contains a run that may not be overwritten, or other files.
        """
        if not os.path.lexists(self.path):
            return
        try:
            foreign = sorted(name for name in os.listdir(self.path) if not name.startswith("."))
        except OSError as error:
            raise self._no_folder(error) from error
        if not foreign:
            return
        if not self.holds_run():
            raise OutputError(
                f"{self.path}: holds other files ({_abbreviated(foreign)}) and no run; name a new folder, or an empty one"
            )
        if not overwrite:
            hint = "`resume` continues it, `overwrite` starts again"
            raise OutputError(f"{self.path}: holds a run already", hint=hint)
        self.check_own()

    def check_own(self) -> None:
        """Check that each file that a run would write was written by this run.

        Raises:
            OutputError: a file was not.
        """
        own_files = self.own_files()
        if foreign := [path.name for path in (*self.files, self.events) if os.path.lexists(path) and path not in own_files]:
            raise OutputError(f"{self.path}: {_abbreviated(foreign)} was not written by this run; move it away")

    def own_files(self) -> set[Path]:
        """The files written by this run, and its folder for TensorBoard.

        Older runs have no list; all files with the name of a run's file then count as theirs.
        """
        names = self._listed()
        if names is not None:
            return {path for path in (self.path / name for name in names) if self._is_of_a_run(path)}
        events = set(self.events.glob("events.out.tfevents.*")) | {self.events}
        return {path for path in (*self.files, *events) if os.path.lexists(path)} if self.holds_run() else set()

    def start(self, *, overwrite: bool) -> None:
        """Remove the files of an earlier run.

        Its settings stay until the new ones are written, so that this can be repeated after a crash.

        Raises:
            OutputError: as for `check`, or a file cannot be deleted.
        """
        self.check(overwrite=overwrite)
        own_files = self.own_files()
        try:
            for old in sorted(own_files - {self.settings, self.events}):
                old.unlink(missing_ok=True)
            if self.events in own_files:
                with contextlib.suppress(OSError):  # the folder is missing, or contains other files
                    self.events.rmdir()
        except OSError as error:
            raise self._no_folder(error) from error

    def resume(self) -> None:
        """Prepare to resume: check that the files to write are the run's own, and remove partial files left by a crash.

        Raises:
            OutputError: a file is not the run's own.
        """
        self.check_own()
        endings = tuple(f"{PARTIAL_SUFFIX}{path.suffix}" for path in self.files)
        for partial in self.path.glob(f"{PARTIAL_PREFIX}*"):
            if partial.name.endswith(endings):
                with contextlib.suppress(OSError):
                    partial.unlink()

    def claim(self, path: Path) -> Path:
        """Register a file, or the folder for TensorBoard, as written by this run; returns it.

        Raises:
            OutputError: the file exists and is not the run's own.
        """
        own_files = self.own_files()
        if path not in own_files:
            if os.path.lexists(path):
                raise OutputError(f"{path}: was not written by this run; move it away")
            self._save(Settings.load(self.path), own_files | {path})
        return path

    @contextlib.contextmanager
    def new_events(self) -> Iterator[None]:
        """Register the files for TensorBoard that are created inside this block."""
        before = set(self.events.glob("*"))
        yield
        made = set(self.events.glob("*")) - before
        self._save(Settings.load(self.path), self.own_files() | made)

    def save_settings(self, settings: Settings) -> None:
        """Write the hyperparameters."""
        self._save(settings, {path for path in self.own_files() if os.path.lexists(path)} | {self.settings})

    def save_versions(self, keras_backend: str) -> None:
        """Write the versions of Python, packages and the Keras backend."""
        versions = {"python": platform.python_version(), "keras_backend": keras_backend}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        with atomic_write(self.claim(self.versions)) as partial:
            partial.write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")

    def _is_of_a_run(self, path: Path) -> bool:
        """Whether this is the name of a file that runs write, since a manipulated list may name any file."""
        is_event = path.parent == self.events and path.name != ".." and not self.events.is_symlink()
        return is_event or path in (*self.files, self.events)

    def _listed(self) -> list[str] | None:
        """The file names listed in the settings; None without a list."""
        try:
            values = json.loads(self.settings.read_text(encoding="utf-8"))
            return [str(name) for name in values["files"]]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def _save(self, settings: Settings, own_files: set[Path]) -> None:
        settings.save(self.path, [path.relative_to(self.path).as_posix() for path in own_files])

    def _no_folder(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: cannot be the folder of a run ({error.strerror or error})")


def _abbreviated(names: list[str]) -> str:
    """The first three names, and an ellipsis if there are more."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")

"""What a training run leaves behind, and where."""

from __future__ import annotations

import json
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emodetect.errors import OutputError
from emodetect.files import written_whole

_PACKAGES = ("emodetect", "keras", "tensorflow", "torch", "jax", "numpy", "opencv-python")


class RunFolder:
    """The folder of a run.

    Attributes:
        path: the folder.
        weights: the weights of the best epoch by validation.
        checkpoint: the state after the last finished epoch.
        log: a row an epoch, CSV.
        events: the same for TensorBoard, a folder.
        model: the best epoch as a whole model, with what it says of itself.
        curves: loss and accuracy by epoch, PNG.
        confusion: the confusion matrix on test, PNG.
        figures: all figures of the test, JSON.
        summary: the run in words.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weights = path / "best.weights.h5"
        self.checkpoint = path / "checkpoint.npz"
        self.log = path / "log.csv"
        self.events = path / "tensorboard"
        self.model = path / "best.keras"
        self.curves = path / "curves.png"
        self.confusion = path / "confusion.png"
        self.figures = path / "test.json"
        self.summary = path / "summary.txt"

    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "settings.json").is_file()

    def start(self, *, overwrite: bool) -> None:
        """Make the folder, without the files of an earlier run.

        Raises:
            OutputError: it holds a run already and may not be overwritten, or cannot be made.
        """
        if self.holds_run() and not overwrite:
            raise OutputError(f"{self.path}: holds a run already; --resume goes on with it, --overwrite starts again")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for old in (self.path / "settings.json", *(p for p in vars(self).values() if p != self.path)):
                shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made the folder of a run ({error.strerror})") from error

    def save_versions(self, keras_backend: str) -> None:
        """Write which Python, packages and Keras backend the run uses into ``versions.json``."""
        versions = {"python": platform.python_version(), "keras_backend": keras_backend}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        with written_whole(self.path / "versions.json") as partial:
            partial.write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")

"""Hyperparameters of a training run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from emodetect.errors import DatasetError, UsageError, first_line
from emodetect.system.output_files import atomic_write
from emodetect.text.suggestions import did_you_mean_file
from emodetect.training.architectures import is_architecture_name

FILE = "settings.json"
"""Name of the settings file in a run's folder."""

FORMAT = "emodetect training run"
"""Format name in the file."""

PRECISIONS = ("float32", "mixed_bfloat16")
"""Keras dtype policies to train with."""

AUGMENTATION_NAMES = ("none", "tutorial", "strong")
"""Names of `augment.AUGMENTATIONS`."""

CLASS_WEIGHTS = ("none", "balanced")
"""Weighting of the labels of folders: equal weight per face, or per label."""

LEARNING_RATES = (0.0, 10.0)
"""Range of the maximum learning rate, without 0."""

RANGES = {"epochs": (1, 10**6), "seed": (0, 2**32 - 1), "batch_size": (1, 10**6)}
"""Range of each integer; the range of seeds is NumPy's."""


@dataclass(frozen=True)
class Settings:
    """Hyperparameters and data of a training run, saved as ``settings.json`` in its folder.

    Attributes:
        data: folder that contains ``train/<label>/`` and ``test/<label>/``, or ``fer2013.csv``.
        votes: FER+ table, or None.
        architecture: as for `architecture_named`.
        epochs: number of epochs.
        seed: seed of the split, the initial weights, the order and the augmentation.
        validation_share: share of ``train`` for validation.
        precision: Keras dtype policy during training: float32, or mixed_bfloat16 (faster on processors with
            AVX-512 BF16); the saved model is always float32.
        batch_size: batch size; None for the architecture's own.
        learning_rate: maximum learning rate; None for the architecture's own.
        class_weights: "balanced" for equal weight per label of a folder, "none" for equal weight per face.
        augmentation: name in `AUGMENTATION_NAMES`; None for the architecture's own.
        output: model file to write at the end, or None.
        negatives: folder with crops without faces, or None.
        teachers: ONNX files whose scores are mixed into the labels.
        start: weights file of an earlier run to start from, or None.
        folder_labels: meanings of the names of the data's folders, as for `LabelNames.parse`, or None.
    """

    data: str
    votes: str | None
    architecture: str
    epochs: int
    seed: int = 0
    validation_share: float = 0.1
    precision: str = "float32"
    batch_size: int | None = None
    learning_rate: float | None = None
    class_weights: str = "none"
    augmentation: str | None = None
    output: str | None = None
    negatives: str | None = None
    teachers: tuple[str, ...] = ()
    start: str | None = None
    folder_labels: str | None = None

    def save(self, folder: Path, files: Iterable[str] = (FILE,)) -> None:
        """Write the settings to a run's folder.

        Args:
            folder: folder of the run.
            files: names of the files in it that the run has written.
        """
        values = {"format": FORMAT, **asdict(self), "files": sorted(files)}
        with atomic_write(folder / FILE) as partial:
            partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Read the settings of an earlier run.

        Raises:
            DatasetError: the folder contains no run, or invalid settings.
        """
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            of_the_folder = {name: values.pop(name, None) for name in ("format", "files")}
            if of_the_folder["format"] not in (FORMAT, None):  # None: written before the format had a name
                raise ValueError("not of emodetect")
            settings = cls(**values | {"teachers": tuple(values.get("teachers", ()))})
            settings._check()
            return settings
        except OSError as error:
            meant = "" if folder.is_dir() else did_you_mean_file(folder)
            raise DatasetError(f"{folder}: not the folder of a training run (no {FILE} can be read in it){meant}") from error
        except (ValueError, TypeError, AttributeError, RecursionError, UsageError) as error:
            raise DatasetError(f"{folder}: not the folder of a training run ({FILE}: {first_line(error)})") from error

    def _check(self) -> None:
        """Check the values as the command line does, since anybody may have written the file."""
        texts = (
            self.data,
            self.votes or "",
            self.output or "",
            self.negatives or "",
            self.start or "",
            self.folder_labels or "",
            *self.teachers,
        )
        if not all(isinstance(text, str) and "\0" not in text for text in texts):
            raise ValueError("expected the name of a file")
        if self.folder_labels is not None:
            from emodetect.training.data.label_names import LabelNames  # needs NumPy; the command line is parsed without it

            LabelNames.parse(self.folder_labels)
        if not is_architecture_name(self.architecture) or self.precision not in PRECISIONS:
            raise ValueError(f"unknown network {self.architecture!r} or precision {self.precision!r}")
        if self.class_weights not in CLASS_WEIGHTS or self.augmentation not in (None, *AUGMENTATION_NAMES):
            raise ValueError(f"unknown class weights {self.class_weights!r} or augmentation {self.augmentation!r}")
        rate = 1.0 if self.learning_rate is None else self.learning_rate
        if type(rate) not in (int, float) or not LEARNING_RATES[0] < rate <= LEARNING_RATES[1]:
            raise ValueError(f"learning_rate must lie between {LEARNING_RATES[0]:g} and {LEARNING_RATES[1]:g}")
        batch_size = 1 if self.batch_size is None else self.batch_size
        for name, number in (("epochs", self.epochs), ("seed", self.seed), ("batch_size", batch_size)):
            min_value, max_value = RANGES[name]
            if type(number) is not int or not min_value <= number <= max_value:
                raise ValueError(f"{name} must be a whole number from {min_value} to {max_value}")
        if type(self.validation_share) not in (int, float) or not 0 < self.validation_share <= 0.5:
            raise ValueError("validation_share must lie between 0 and 0.5")

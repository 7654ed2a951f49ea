"""Interface between the pipeline and emotion models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.description import ModelDescription
from emodetect.errors import UsageError
from emodetect.system.assumptions import warn_once
from emodetect.types import Image


class EmotionBackend(ABC):
    """Classifies batches of face crops.

    The constructor checks the options. As a context manager, the backend loads its model on entering and frees it on leaving.

    Attributes:
        name: display name, for the window and tables.
        uncertain_below: confidence, 0 to 1, below which scores are unreliable; final once loaded.
        validation_accuracy: accuracy over the seven labels, 0 to 1, on validation faces with a majority of the annotators. It is
            stated by the model file; None if not; final once loaded.
        tells_contempt: whether the model has contempt as an eighth label, as FER+ has; final once loaded.
        description: known and assumed properties of a model file; None for backends without one; final once loaded.
    """

    name: str
    uncertain_below: float = 0.5
    validation_accuracy: float | None = None
    tells_contempt: bool = False
    description: ModelDescription | None = None

    @abstractmethod
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Score a batch of crops.

        Args:
            crops: uint8 (height, width, 3) BGR, of any size, at least one pixel each; may be empty.

        Returns:
            float32 (len(crops), 7) in the order of `EMOTIONS`; rows are non-negative and sum to 1. Anything else, and any
            exception, counts as a failure of this frame only (see `emodetect.emotions.scorer`).
        """

    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Score a batch of crops with contempt as an eighth label: float32 (len(crops), 8) in the order of `labels.EIGHT_LABELS`.

        Contempt is 0 if the model does not have it; the other scores are as in `classify`.
        """
        return np.pad(self.classify(crops), ((0, 0), (0, 1)))

    def load(self) -> None:
        """Load the model; called on entering.

        Raises:
            ModelError: the model cannot be used.
            BackendUnavailableError: a required package or file is missing.
        """

    def set_conventions(self, conventions: ModelConventions) -> None:
        """Change the conventions of a loaded model without loading its file again.

        Raises:
            UsageError: the backend has no model file.
            ModelError: the conventions do not fit the model.
        """
        raise UsageError(f"{self.name}: reads no model file, so that it has no conventions")

    def close(self) -> None:
        """Free all resources; does nothing by default."""

    def cancel(self) -> None:
        """Abort a call in another thread, if possible; only `close` may follow.

        Does nothing by default, since a call in this process cannot be interrupted.
        """

    def warn_assumptions(self) -> None:
        """Log a warning, once per process, about assumptions for the model file; the logger is `emodetect.assumptions`."""
        if self.description and self.description.note:
            warn_once(self.description.note)

    def __enter__(self) -> Self:
        self.load()
        self.warn_assumptions()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

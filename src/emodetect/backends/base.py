"""The seam between the pipeline and whatever reads emotions."""

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
    """Reads emotions off face crops, a batch at a time.

    A context manager: making one checks its options at once, entering it loads what takes long, leaving it frees that.

    Attributes:
        name: what a person calls it, for the window and the tables.
        uncertain_below: confidence under which its answers should not be trusted, 0 to 1; final once loaded.
        validation_accuracy: share of right answers, 0 to 1, that the model file says it had over the seven labels on validation
            faces that most people agree about; None where it does not say; final once loaded.
        tells_contempt: whether the model has contempt as an eighth label, as FER+ has; final once loaded.
        description: what is known of a model file, and what is assumed; None where the backend reads none; final once loaded.
    """

    name: str
    uncertain_below: float = 0.5
    validation_accuracy: float | None = None
    tells_contempt: bool = False
    description: ModelDescription | None = None

    @abstractmethod
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Score each crop.

        Args:
            crops: uint8 (height, width, 3) BGR, of any size, at least one pixel each; may be empty.

        Returns:
            float32 (len(crops), 7) in the order of `EMOTIONS`; each row is at least 0 and sums to 1. Anything else, and any
            exception, counts as a failure in this frame alone (see `emodetect.emotions.scorer`).
        """

    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Score each crop over the seven and contempt: float32 (len(crops), 8) in the order of `labels.EIGHT_LABELS`.

        Contempt is 0 everywhere where the backend does not tell it; the rest is as in `classify`.
        """
        return np.pad(self.classify(crops), ((0, 0), (0, 1)))

    def load(self) -> None:
        """Load what `classify` needs; called on entering.

        Raises:
            ModelError: the model cannot be used.
            BackendUnavailableError: a package or file that it needs is missing.
        """

    def restate(self, conventions: ModelConventions) -> None:
        """Use other conventions, once it is loaded; the model file is not loaded again.

        Raises:
            UsageError: the backend reads no model file.
            ModelError: the conventions do not fit the model.
        """
        raise UsageError(f"{self.name}: reads no model file, so that it has no conventions")

    def close(self) -> None:
        """Free what the backend holds; the default holds nothing."""

    def cancel(self) -> None:
        """Make what another thread is loading or asking fail soon, where that can be done; only `close` may follow.

        The default does nothing: a call in this process cannot be broken off.
        """

    def tell_assumptions(self) -> None:
        """Warn, once in a process, of what the model file does not say and was assumed, by the logger `emodetect.assumptions`."""
        if self.description and self.description.note:
            warn_once(self.description.note)

    def __enter__(self) -> Self:
        self.load()
        self.tell_assumptions()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

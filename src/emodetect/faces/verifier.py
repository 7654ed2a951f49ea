"""Rejection of false detections: the interface, and the embedded network behind it."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.faces_input import FaceInput
from emodetect.backends.onnx_session import EMBEDDED, model_metadata, open_session
from emodetect.errors import ModelError
from emodetect.types import Image

_DOUBTFUL_ABOVE = 0.7
"""The score from which on a doubtful crop is a face."""


class FaceVerifier(ABC):
    """Tells faces from everything else."""

    @abstractmethod
    def are_faces(self, crops: Sequence[Image], doubtful: Sequence[bool] = ()) -> npt.NDArray[np.bool_]:
        """Judge crops.

        Args:
            crops: uint8 (height, width, 3) BGR.
            doubtful: for each, whether the detector is not sure itself, so that it must look more like a face; empty for no.

        Returns:
            bool (len(crops),).
        """


class EmbeddedVerifier(FaceVerifier):
    """Asks the embedded network's face output, whichever backend reads the emotions; loaded at the first question.

    A crop is a face from the network's own threshold on, which keeps nine in ten faces that are only 16 pixels wide; a doubtful
    one is from a score of 0.7 on.
    """

    def __init__(self) -> None:
        self._input = FaceInput()

    @override
    def are_faces(self, crops: Sequence[Image], doubtful: Sequence[bool] = ()) -> npt.NDArray[np.bool_]:
        if not crops:
            return np.zeros(0, bool)
        session = open_session(EMBEDDED)
        output, above = self._output
        [scores] = session.run([output], {session.get_inputs()[0].name: self._input.prepare(crops)})
        least = np.where(doubtful, max(_DOUBTFUL_ABOVE, above), above) if doubtful else above
        return np.asarray(scores[:, 1] >= least)

    @functools.cached_property
    def _output(self) -> tuple[str, float]:
        """The output that tells faces, and the score from which on one is there."""
        metadata = model_metadata(open_session(EMBEDDED), EMBEDDED)
        if metadata is None or metadata.face is None or metadata.face_above is None:
            raise ModelError(f"{EMBEDDED}: has no output that tells faces; install emodetect again")
        return metadata.face, metadata.face_above

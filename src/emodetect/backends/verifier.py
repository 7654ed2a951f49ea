"""The embedded network as a judge of what the detector has found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.faces_input import FaceInput
from emodetect.backends.onnx_session import EMBEDDED, model_metadata, open_session
from emodetect.errors import ModelError
from emodetect.faces.verifier import FaceVerifier
from emodetect.types import Image


class EmbeddedVerifier(FaceVerifier):
    """Asks the embedded network's face output, whichever backend reads the emotions; loaded at the first question.

    Args:
        above: score, 0 to 1, from which on a crop is a face; None for the network's own, which keeps nine in ten faces
            that are only 16 pixels wide.
    """

    def __init__(self, above: float | None = None) -> None:
        self._above = above
        self._input = FaceInput()

    @override
    def are_faces(self, crops: Sequence[Image]) -> npt.NDArray[np.bool_]:
        if not crops:
            return np.zeros(0, bool)
        session = open_session(EMBEDDED)
        metadata = model_metadata(session, EMBEDDED)
        if metadata is None or metadata.face is None or metadata.face_above is None:
            raise ModelError(f"{EMBEDDED}: has no output that tells faces; install emodetect again")
        [scores] = session.run([metadata.face], {session.get_inputs()[0].name: self._input.prepare(crops)})
        above = metadata.face_above if self._above is None else self._above
        return np.asarray(scores[:, 1] >= above)

"""The embedded network, which the face verifier and the emotion backend share."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emodetect.backends.onnx_session import EMBEDDED, open_session

_Values = npt.NDArray[np.float32]


class EmbeddedNetwork:
    """Runs the embedded network. It remembers the faces of its last run, since the verifier and the backend read the same crops.

    Thread-safe. The network is loaded when an object is created.

    Raises:
        ModelError: the file is missing or damaged.

    Example:
        >>> crops = np.zeros((2, 48, 48, 1), np.float32)
        >>> [faces] = EmbeddedNetwork().run(crops, ["face"])
        >>> faces.shape
        (2, 2)
    """

    def __init__(self) -> None:
        self._session = open_session(EMBEDDED)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._last: dict[bytes, tuple[_Values, ...]] = {}

    def run(self, batch: _Values, outputs: Sequence[str]) -> list[_Values]:
        """Compute outputs for a batch of faces.

        Args:
            batch: float32 (n, 48, 48, 1), as `FaceInput` prepares it.
            outputs: names of outputs.

        Returns:
            Each output, float32 (n, values).
        """
        keys, last = [face.tobytes() for face in batch], self._last
        new = {key: face for key, face in zip(keys, batch, strict=True) if key not in last}
        found = {key: last[key] for key in keys if key in last}
        if new:
            values = self._session.run(self._outputs, {self._input: np.stack([*new.values()])})
            found |= zip(new, zip(*values, strict=True), strict=True)
        self._last = found
        columns = [self._outputs.index(name) for name in outputs]
        return [np.stack([found[key][column] for key in keys]) for column in columns]


@functools.cache
def embedded_network() -> EmbeddedNetwork:
    """The one object of this process.

    Raises:
        ModelError: the file is missing or damaged.
    """
    return EmbeddedNetwork()

"""Networks in ONNX, run by ONNX Runtime: the embedded one and the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import ASSUMED_SCALING, UNSTATED, ModelConventions
from emodetect.backends.faces_input import FaceInput
from emodetect.backends.labels import EIGHT_LABELS, TUTORIAL_LABELS, LabelMap, mean_scores, mean_scores_eight
from emodetect.backends.limits import check_sides
from emodetect.backends.metadata import ModelMetadata
from emodetect.backends.onnx_session import model_metadata, open_session
from emodetect.errors import ModelError
from emodetect.types import EMOTIONS, Image


class OnnxBackend(EmotionBackend):
    """Runs an ONNX file.

    Size, channels and axis order come from the model; labels and scaling from its metadata, and where it has none from the
    common tutorial's convention: gray, x/255, the seven labels in alphabetical order.

    Args:
        path: the file.
        head: which output to use; None for the file's default.
        conventions: what the user says of it, overriding the file.
        name: what to call it; None for the file's name.
    """

    def __init__(
        self, path: Path, *, head: str | None = None, conventions: ModelConventions = UNSTATED, name: str | None = None
    ) -> None:
        self.name = name or path.name
        self._path, self._head, self._conventions = path, head or conventions.output_name, conventions

    @override
    def load(self) -> None:
        self._session = open_session(self._path)
        metadata = model_metadata(self._session, self._path)
        self._input_name, self._input, self._fixed_batch = self._read_input(metadata)
        self._outputs = self._choose_outputs(metadata)
        self._maps = [self._label_map(output, metadata) for output in self._outputs]
        self.tells_contempt = any(labels.has_contempt for labels in self._maps)
        if metadata:
            self.validation_accuracy = metadata.validation_accuracy(self._head or metadata.default)
        if metadata and metadata.uncertain_below is not None:
            self.uncertain_below = metadata.uncertain_below

    def _read_input(self, metadata: ModelMetadata | None) -> tuple[str, FaceInput, bool]:
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs) or "none"
            raise ModelError(f"{self._path}: expected one float input (n, height, width, channels), got {found}")
        channels_first = shape[3] not in (1, 3) and shape[1] in (1, 3)
        channels, height, width = (shape[1], *shape[2:]) if channels_first else (shape[3], *shape[1:3])
        if channels not in (1, 3):
            raise ModelError(f"{self._path}: expected 1 or 3 input channels, got an input of shape {shape}")
        rows, columns = (side if isinstance(side, int) and side > 0 else 48 for side in (height, width))
        check_sides(self._path, rows, columns)
        scaling = self._conventions.scaling or (metadata.scaling if metadata else ASSUMED_SCALING)
        takes = FaceInput(rows, columns, channels, channels_first, scaling, self._conventions.channels)
        return inputs[0].name, takes, shape[0] == 1

    def _choose_outputs(self, metadata: ModelMetadata | None) -> list[str]:
        names = [output.name for output in self._session.get_outputs()]
        wanted = self._head or (metadata.default if metadata else None)
        if wanted == "mean":
            return [name for name in names if metadata is None or name in metadata.labels]
        if wanted is None:
            return names[:1]
        if wanted not in names:
            raise ModelError(f"{self._path}: has no output {wanted!r}; it has {', '.join(names)}")
        return [wanted]

    def _label_map(self, output: str, metadata: ModelMetadata | None) -> LabelMap:
        shape = next(found.shape for found in self._session.get_outputs() if found.name == output)
        count = shape[-1]
        names = self._conventions.labels or (metadata.labels.get(output) if metadata else None) or TUTORIAL_LABELS
        if len(shape) != 2 or (isinstance(count, int) and count != len(names)):
            raise ModelError(
                f"{self._path}: expected an output (n, {len(names)}), got {shape}; "
                "--labels names the outputs where they are others"
            )
        return LabelMap(names)

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return mean_scores(self._maps, self._run(crops))

    @override
    def classify_eight(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EIGHT_LABELS)), np.float32)
        return mean_scores_eight(self._maps, self._run(crops))

    def _run(self, crops: Sequence[Image]) -> list[npt.NDArray[np.float32]]:
        batch = self._input.prepare(crops)
        parts = np.split(batch, len(batch)) if self._fixed_batch else [batch]
        runs = [self._session.run(self._outputs, {self._input_name: part}) for part in parts]
        return [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]

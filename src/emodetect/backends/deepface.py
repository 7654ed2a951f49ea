"""DeepFace's emotion model, called directly on face crops.

`DeepFace.analyze` detects the face again inside the crop and takes 40 ms per face; its emotion model alone takes a millisecond.
The preprocessing of `analyze` is repeated here, so that the scores are the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.backends.conventions import UNSTATED, ModelConventions, quoted
from emodetect.backends.deepface_weights import weights_cure, weights_path
from emodetect.backends.labels import LabelMap
from emodetect.errors import BackendUnavailableError, UsageError, first_line
from emodetect.system.install_hints import DEEPFACE_CURE
from emodetect.system.native_output import is_debugging, quiet_native_output
from emodetect.system.quick_import import quick_import
from emodetect.types import EMOTIONS, Image

_PADDED = 224
"""Side of the letterbox to which `deepface.modules.demography.analyze` resizes every crop first, pixels."""

_SIZE = 48
"""Side of the emotion model's input, pixels."""


class DeepFaceBackend(EmotionBackend):
    """DeepFace's emotion model in batches; scores equal `DeepFace.analyze(crop, detector_backend="skip")`."""

    name = "deepface"

    @override
    def load(self) -> None:
        with quiet_native_output():
            self._call, labels = _load()
        self._labels = LabelMap(labels)

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        if not crops:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return self._labels.apply(self._call(np.stack([_prepare(crop) for crop in crops])[..., np.newaxis]))


def create_deepface(model: str | None, conventions: ModelConventions = UNSTATED) -> EmotionBackend:
    """Create the backend. It has only one model, so that neither a model nor conventions can be given.

    Raises:
        UsageError: a model or conventions are given.
    """
    given = [*(["model"] if model is not None else []), *conventions.given]
    if given:
        hint = f"{quoted(given)} cannot be combined with `backend` deepface"
        raise UsageError("deepface has its own model", parameter=given[0], hint=hint)
    return DeepFaceBackend()


def _prepare(crop: Image) -> npt.NDArray[np.float32]:
    """Preprocess a crop as `analyze` does: letterbox to 224x224, then resize to 48x48.

    Gray conversion and scaling are linear. They are done first here, which takes a third of the time.
    """
    gray = np.asarray(cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_BGR2GRAY))
    height, width = gray.shape
    factor = min(_PADDED / height, _PADDED / width)
    fitted = cv2.resize(gray, (max(1, int(width * factor)), max(1, int(height * factor))))
    rows, columns = _PADDED - fitted.shape[0], _PADDED - fitted.shape[1]
    padded = np.pad(fitted, ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)))
    return np.asarray(cv2.resize(padded, (_SIZE, _SIZE)), np.float32)


def build_deepface() -> Any:
    """Build DeepFace's emotion model. DeepFace caches it, so that its own calls use it as well.

    Raises:
        BackendUnavailableError: a package is missing, or the weights are missing and cannot be downloaded.
    """
    path = weights_path()
    if not is_debugging():
        os.environ.setdefault("DEEPFACE_LOG_LEVEL", "50")
    try:
        with quick_import():
            from deepface import DeepFace  # first: it selects the legacy Keras that its models need
    except (ImportError, ValueError) as error:
        raise BackendUnavailableError(f"DeepFace cannot be imported ({first_line(error)}); {DEEPFACE_CURE}") from error
    try:
        return DeepFace.build_model(task="facial_attribute", model_name="Emotion")
    except Exception as error:  # gdown, requests and h5py have their own exceptions
        if path.is_file():
            raise BackendUnavailableError(
                f"{path}: DeepFace cannot read its weights; delete the file and let it be downloaded again"
            ) from error
        raise BackendUnavailableError(f"DeepFace's weights are missing and cannot be downloaded: {weights_cure()}") from error


def _load() -> tuple[Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], Sequence[str]]:
    client = build_deepface()
    import tensorflow
    from deepface.models.demography.DemographyUtils import EMOTION_LABELS

    signature = tensorflow.TensorSpec((None, _SIZE, _SIZE, 1), tensorflow.float32)
    compiled = tensorflow.function(lambda batch: client.model(batch, training=False), input_signature=[signature])

    def call(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(compiled(batch).numpy(), np.float32)

    call(np.zeros((1, _SIZE, _SIZE, 1), np.float32))  # the first call traces: not on a face
    return call, tuple(EMOTION_LABELS)

"""Loops of common tutorials, for comparison: a full scan of each frame, and one model call per face.

Run as a module, it processes one photo as a tutorial's script does: ``tutorial (deepface | MODEL) PHOTO``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np

from emodetect.backends.deepface_weights import weights_path
from emodetect.benchmark.startup import Start, measure_start
from emodetect.benchmark.synthetic_clip import PORTRAIT
from emodetect.errors import BackendUnavailableError, EmodetectError
from emodetect.types import Image

Loop = Callable[[Image], int]
"""Reads the faces of an image, uint8 (height, width, 3) BGR; returns their number."""


def open_tutorial(model: str | None) -> Loop:
    """Load a tutorial's model.

    Args:
        model: a .h5 or .keras file with an input of 48x48 gray pixels, x/255; None for DeepFace.

    Raises:
        BackendUnavailableError: DeepFace, or its weights, are missing.
    """
    return _keras_loop(model) if model else _deepface_loop()


def start_tutorial(model: str | None) -> Start:
    """Measure the start-up of a tutorial's script; ``model`` as for `open_tutorial`.

    Raises:
        BackendUnavailableError: the script failed.
    """
    return measure_start("emodetect.benchmark.tutorial", model or "deepface", PORTRAIT)


def ensure_deepface_weights() -> None:
    """Let DeepFace download missing weights before the measurements.

    Raises:
        BackendUnavailableError: the weights cannot be downloaded.
    """
    if not weights_path().is_file():
        start_tutorial(None)


def _deepface_loop() -> Loop:
    from emodetect.backends.deepface import build_deepface

    build_deepface()  # as its first call would do
    from deepface import DeepFace

    cascade = _cascade()

    def read(image: Image) -> int:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        rgb = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
        faces = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=10, minSize=(30, 30))
        for x, y, w, h in faces:
            DeepFace.analyze(rgb[y : y + h, x : x + w], actions=["emotion"], enforce_detection=False, silent=True)
        return len(faces)

    return read


def _keras_loop(path: str) -> Loop:
    import keras

    cascade, model = _cascade(), keras.models.load_model(path)

    def read(image: Image) -> int:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        faces = cascade.detectMultiScale(gray, 1.3, 3)
        for x, y, w, h in faces:
            face = cv2.resize(gray[y : y + h, x : x + w], (48, 48)) / 255.0
            model.predict(np.reshape(face, (1, 48, 48, 1)), verbose=0)
        return len(faces)

    return read


def _cascade() -> cv2.CascadeClassifier:
    from emodetect.faces.cascade import default_cascade
    from emodetect.faces.cascade_file import missing_classifier

    if missing := missing_classifier():
        raise BackendUnavailableError(f"{missing}, which the tutorials' loops use")
    return cv2.CascadeClassifier(str(default_cascade()))


if __name__ == "__main__":
    try:
        loop = open_tutorial(None if sys.argv[1] == "deepface" else sys.argv[1])
    except EmodetectError as error:
        sys.exit(str(error))
    print(loop(np.asarray(cv2.imread(sys.argv[2]), np.uint8)))

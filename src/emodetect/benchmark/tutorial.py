"""The loops of the tutorials, in a few lines, to measure beside: a full scan and a call of the model for each face and frame.

Run as a module it does for one photo what a tutorial's script does: ``tutorial (deepface | MODEL) PHOTO``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import cv2
import numpy as np

from emodetect.types import Image

Loop = Callable[[Image], int]
"""Reads the faces of a picture, uint8 (height, width, 3) BGR; returns how many there were."""


def open_tutorial(model: str | None) -> Loop:
    """Load a tutorial's model.

    Args:
        model: a .h5 or .keras file that takes 48x48 gray, x/255; None for DeepFace.
    """
    return _keras_loop(model) if model else _deepface_loop()


def _deepface_loop() -> Loop:
    os.environ.setdefault("DEEPFACE_LOG_LEVEL", "50")
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

    return cv2.CascadeClassifier(str(default_cascade()))


if __name__ == "__main__":
    print(open_tutorial(None if sys.argv[1] == "deepface" else sys.argv[1])(np.asarray(cv2.imread(sys.argv[2]), np.uint8)))

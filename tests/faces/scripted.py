"""A detector and a verifier that answer what a test wants, and a picture for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emodetect.faces.detector import MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.faces.verifier import FaceVerifier
from emodetect.types import Box, Detection, Image
from tests.builders import make_image


class Scripted:
    """A detector that finds what it is told, whatever the picture."""

    is_certain = False

    def __init__(self, *boxes: Box, confidence: float = 2.0) -> None:
        self.detections = [Detection(box, confidence) for box in boxes]
        self.shapes: list[tuple[int, ...]] = []
        self.min_face = MinFace(0.05, relative=True)

    def detect(self, image: Image) -> list[Detection]:
        self.shapes.append(image.shape)
        return list(self.detections)

    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        return self.detect(image)

    def tracker(self) -> FaceTracker:
        return FaceTracker()


class OnlyBlue(FaceVerifier):
    """Takes blue crops for faces and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    def are_faces(self, crops: Sequence[Image], doubtful: Sequence[bool] = ()) -> npt.NDArray[np.bool_]:
        self.asked += len(crops)
        return np.asarray([crop[..., 0].mean() > crop[..., 2].mean() for crop in crops], bool)


BLUE, RED = Box(300, 20, 60, 40), Box(50, 100, 40, 60)


def two_colors() -> Image:
    image = make_image(400, 200, (128, 128, 128))
    for box, color in ((BLUE, (255, 0, 0)), (RED, (0, 0, 255))):
        image[box.y : box.y + box.height, box.x : box.x + box.width] = color
    return image

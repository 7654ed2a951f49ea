from __future__ import annotations

import numpy as np
import pytest

from emodetect.emotions.scorer import EmotionScorer
from emodetect.errors import UsageError
from emodetect.faces.detector import DetectorSettings
from emodetect.faces.detectors import create_detector
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.region import Region
from emodetect.faces.whole_picture import WholePicture, look_like_crops
from emodetect.pipeline import EmotionPipeline
from emodetect.types import Box, Face
from tests.builders import FakeBackend, make_frame, make_image


@pytest.mark.parametrize("size", [(48, 48), (1, 1), (97, 31), (640, 360)])
def test_the_whole_picture_is_the_face(size: tuple[int, int]) -> None:
    backend = FakeBackend()
    pipeline = EmotionPipeline(FaceLocator(WholePicture()), EmotionScorer(backend))
    [reading] = pipeline.analyze(make_frame(make_image(*size))).readings
    assert reading.box == Box(0, 0, *size)
    assert reading.track_id == 1
    assert [crop.shape for [crop] in backend.batches] == [(size[1], size[0], 3)]


@pytest.mark.parametrize("times", [(0.0, 0.04, 0.08), (0.0, 5.0, 500.0), (0.0, 0.0, 0.0)])
def test_in_a_clip_one_person_keeps_the_number(times: tuple[float, ...]) -> None:
    detector = WholePicture()
    pipeline = EmotionPipeline(FaceLocator(detector, tracker=detector.tracker()), EmotionScorer(FakeBackend()))
    for index, time in enumerate(times):
        size = (64, 48) if index < 2 else (1920, 1080)  # a camera may come back with other pictures
        [reading] = pipeline.analyze(make_frame(make_image(*size), index, time)).readings
        assert (reading.box, reading.track_id) == (Box(0, 0, *size), 1)


def test_the_face_is_not_lost_while_the_tracker_is_late() -> None:
    tracker = WholePicture().tracker()
    tracker.update(WholePicture().detect(np.zeros((48, 64, 3), np.uint8)), 1.0, (64, 48))
    assert tracker.predictor(9.0).faces(9.0, (64, 48)) == (Face(Box(0, 0, 64, 48), 1),)


def test_of_a_region_all_of_it_is_the_face() -> None:
    region = Box(10, 20, 33, 21)
    pipeline = EmotionPipeline(FaceLocator(WholePicture(), region=Region.of(region)), EmotionScorer(FakeBackend()))
    [reading] = pipeline.analyze(make_frame()).readings
    assert reading.box == region


def test_detectors_are_made_by_name() -> None:
    assert isinstance(create_detector(DetectorSettings("haar")), HaarDetector)
    assert create_detector(DetectorSettings("none")).is_certain
    with pytest.raises(UsageError, match=r"no detector 'har'; there are both, haar, blazeface, none; did you mean 'haar'\?"):
        create_detector(DetectorSettings("har"))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(48, 48)] * 3, True),
        ([(48, 48)] * 2, False),
        ([(256, 256), (224, 224), (48, 48), (800, 600), (800, 800), (640, 480)], True),
        ([(48, 48)] * 3 + [(800, 600)] * 4, False),
        ([(257, 257)] * 5, False),
        ([(48, 47)] * 5, False),
        ([], False),
    ],
)
def test_small_squares_look_like_crops(sizes: list[tuple[int, int]], expected: bool) -> None:
    assert look_like_crops(sizes) is expected

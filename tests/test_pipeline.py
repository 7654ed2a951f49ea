from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.emotions.scorer import EmotionScorer
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import BackendError, ModelError, SourceError
from emodetect.faces.blazeface import BlazeFaceDetector
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.region import Region
from emodetect.faces.tracker import FaceTracker
from emodetect.faces.verifier import FaceVerifier
from emodetect.pipeline import EmotionPipeline
from emodetect.sources.video import VideoFile
from emodetect.types import EMOTIONS, Box, Detection, Emotion, EmotionScores, Frame, FrameResult, Image
from tests.builders import (
    PHOTO_FACE,
    FakeBackend,
    MovingClip,
    make_background,
    make_frame,
    make_image,
    make_landmarks,
    make_scores,
    place_face,
)
from tests.faces.scripted import BLUE, RED, Scripted, two_colors


class ByColor(FakeBackend):
    """Reads happy off blue crops, sad off red ones."""

    @override
    def answer(self, crop: Image) -> EmotionScores:
        blue, _, red = crop.reshape(-1, 3).mean(axis=0)
        return make_scores(Emotion.HAPPY if blue > red else Emotion.SAD, 0.9)


def test_each_face_gets_the_scores_of_its_own_crop() -> None:
    backend = ByColor()
    result = EmotionPipeline(FaceLocator(Scripted(BLUE, RED)), EmotionScorer(backend)).analyze(make_frame(two_colors(), 7, 0.28))
    assert (result.index, result.timestamp) == (7, 0.28)
    emotions = {reading.box: reading.scores.dominant for reading in result.readings if reading.scores}
    assert emotions == {BLUE: Emotion.HAPPY, RED: Emotion.SAD}
    # One batch, each crop as high and wide as its box and of one color.
    [batch] = backend.batches
    assert [crop.shape for crop in batch] == [(60, 40, 3), (40, 60, 3)]
    assert all(np.ptp(crop.reshape(-1, 3), axis=0).max() == 0 for crop in batch)


@pytest.mark.parametrize("tracks", [False, True])
@pytest.mark.parametrize("region", [None, Region(100, 50, 300, 200, relative=False)])
def test_a_tilted_face_is_read_upright_and_its_box_stays_upright(tracks: bool, region: Region | None) -> None:
    picture = make_image(500, 300, (255, 0, 0))
    x, y, side, angle = 230, 160, 80, 30
    corner = (region.x, region.y) if region else (0, 0)
    # Red inside of the tilted crop, blue outside: a crop along the box would have blue corners.
    corners = cv2.boxPoints(((x, y), (side + 12, side + 12), angle)).astype(np.int32)
    cv2.fillPoly(picture, [corners], (0, 0, 255))
    detector = Scripted(Box(round(x - corner[0]) - 40, round(y - corner[1]) - 40, 80, 80))
    [found] = detector.detections
    detector.detections = [replace(found, landmarks=make_landmarks(x - corner[0], y - corner[1], side, angle))]
    backend, verifier = ByColor(), OnlyRed()
    locator = FaceLocator(detector, verifier=verifier, tracker=FaceTracker() if tracks else None, region=region)
    [reading] = EmotionPipeline(locator, EmotionScorer(backend)).analyze(make_frame(picture)).readings
    assert reading.angle == pytest.approx(angle, abs=0.01)
    assert reading.box == Box(x - 40, y - 40, 80, 80)
    [[crop]] = backend.batches
    assert crop.shape == (82, 82, 3)
    assert (crop == (0, 0, 255)).all()
    assert verifier.asked == 1


class OnlyRed(FaceVerifier):
    """Takes crops for faces that are red all over."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    def are_faces(self, crops: Sequence[Image], doubtful: Sequence[bool] = ()) -> npt.NDArray[np.bool_]:
        self.asked += len(crops)
        return np.asarray([bool((crop == (0, 0, 255)).all()) for crop in crops], bool)


def test_without_a_tracker_faces_are_numbered_from_left_to_right_in_every_frame_anew() -> None:
    pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE, RED)), EmotionScorer(FakeBackend()))
    for timestamp in (0.0, 5.0):
        result = pipeline.analyze(make_frame(two_colors(), timestamp=timestamp))
        assert [(reading.track_id, reading.box) for reading in result.readings] == [(1, RED), (2, BLUE)]


def test_a_frame_without_faces_asks_the_backend_nothing() -> None:
    backend = FakeBackend()
    result = EmotionPipeline(FaceLocator(Scripted(), tracker=FaceTracker()), EmotionScorer(backend, ScoreSmoother(0.3))).analyze(
        make_frame()
    )
    assert result.readings == ()
    assert backend.batches == []


@pytest.mark.parametrize(
    ("confidence", "own", "given", "uncertain"),
    [
        (0.6, 0.5, None, False),
        (0.4, 0.5, None, True),
        (0.5, 0.5, None, False),
        (0.6, 0.5, 0.7, True),
        (0.6, 0.9, 0.0, False),
        (0.9999, 0.1, 1.0, True),
    ],
)
def test_uncertain_is_below_the_given_threshold_or_else_the_backends_own(
    confidence: float, own: float, given: float | None, uncertain: bool
) -> None:
    backend = FakeBackend(confidence=confidence)
    backend.uncertain_below = own
    pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(backend, uncertain_below=given))
    [reading] = pipeline.analyze(make_frame(two_colors())).readings
    assert reading.uncertain is uncertain


def test_the_time_of_each_stage_is_given() -> None:
    pipeline = EmotionPipeline(
        FaceLocator(Scripted(BLUE), tracker=FaceTracker()), EmotionScorer(FakeBackend(), ScoreSmoother(0.3))
    )
    timings = pipeline.analyze(make_frame(two_colors())).timings_ms
    assert list(timings) == ["find", "track", "crop", "classify", "smooth"]
    assert all(value >= 0 for value in timings.values())


def test_with_a_tracker_ids_last_and_doubtful_boxes_are_left_out() -> None:
    detector, backend = Scripted(BLUE), FakeBackend()
    pipeline = EmotionPipeline(FaceLocator(detector, tracker=FaceTracker()), EmotionScorer(backend))
    seen = []
    for index in range(5):
        # A weak box comes every second frame.
        detector.detections = [Detection(BLUE, 2.0)] + [Detection(RED, 0.5)] * (index % 2)
        result = pipeline.analyze(make_frame(two_colors(), index, index / 25))
        seen.append([(reading.track_id, reading.box) for reading in result.readings])
    assert seen == [[(1, BLUE)]] * 5
    assert [len(batch) for batch in backend.batches] == [1] * 5


@pytest.mark.parametrize("rate", [10, 50])
def test_scores_are_smoothed_over_media_time(rate: int) -> None:
    backend = FakeBackend(Emotion.HAPPY, 1.0)
    pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE), tracker=FaceTracker()), EmotionScorer(backend, ScoreSmoother(0.5)))
    for index in range(-10 * rate, 1):
        pipeline.analyze(make_frame(two_colors(), index + 10 * rate, index / rate + 10))
    backend.dominant = Emotion.SAD
    for index in range(10 * rate + 1, 10 * rate + rate // 2 + 1):
        [reading] = pipeline.analyze(make_frame(two_colors(), index, index / rate)).readings
    assert reading.scores is not None
    assert reading.scores.dominant is Emotion.SAD
    assert reading.scores.confidence == pytest.approx(1 - np.exp(-1), abs=1e-3)


def test_a_picture_is_named_where_the_backend_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeBackend):
        @override
        def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
            raise ModelError("broken")

    pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(Broken(), max_failures=3))
    assert [reading.scores for reading in pipeline.analyze(make_frame(two_colors()), name="a.jpg").readings] == [None]
    pipeline.analyze(make_frame(two_colors(), 7))
    assert [message.partition(":")[0] for message in caplog.messages] == ["a.jpg", "frame 7"]
    with pytest.raises(BackendError, match=r"b.jpg: the backend fake failed in 3 frames in a row \(broken\)"):
        pipeline.analyze(make_frame(two_colors()), name="b.jpg")


def test_the_photo_gives_its_face(photo: Image) -> None:
    backend = FakeBackend()
    [reading] = EmotionPipeline(FaceLocator(HaarDetector()), EmotionScorer(backend)).analyze(Frame(photo)).readings
    assert intersection_over_union([reading.box], [PHOTO_FACE])[0, 0] > 0.75
    box = reading.box
    np.testing.assert_array_equal(backend.batches[0][0], photo[box.y : box.y + box.height, box.x : box.x + box.width])


def test_two_people_are_read_in_one_batch() -> None:
    image, left = place_face(make_background((640, 360)), (160, 180), 100)
    image, right = place_face(image, (460, 170), 120)
    backend = FakeBackend()
    result = EmotionPipeline(FaceLocator(HaarDetector(min_face=MinFace(0.15, relative=True))), EmotionScorer(backend)).analyze(
        Frame(image)
    )
    assert [intersection_over_union([r.box], [b])[0, 0] > 0.7 for r, b in zip(result.readings, (left, right), strict=True)]
    assert [len(batch) for batch in backend.batches] == [2]


def clip_pipeline(backend: FakeBackend) -> EmotionPipeline:
    detector = HaarDetector(min_face=MinFace(0.15, relative=True))
    return EmotionPipeline(FaceLocator(detector, tracker=FaceTracker()), EmotionScorer(backend, ScoreSmoother(0.3)))


def rows(results: Iterable[FrameResult]) -> list[tuple[int, float, Box, list[float]]]:
    """All that a log of a clip with one face holds."""
    found = []
    for result in results:
        [reading] = result.readings
        assert reading.scores is not None
        assert reading.track_id == 1
        found.append((result.index, result.timestamp, reading.box, reading.scores.values.tolist()))
    return found


def test_a_clip_gives_the_same_results_every_time_one_by_one_or_in_threads(moving_clip: MovingClip) -> None:
    with VideoFile(moving_clip.path) as video:
        pipeline = clip_pipeline(ByBrightness())
        one_by_one = rows(pipeline.analyze(frame) for frame in video)
    assert len(one_by_one) == 75
    for _ in range(2):
        with VideoFile(moving_clip.path) as video:
            assert rows(result for _, result in clip_pipeline(ByBrightness()).analyze_all(video)) == one_by_one


class CountingNetwork(BlazeFaceDetector):
    """The real detector, counting what it is asked."""

    def __init__(self) -> None:
        super().__init__(min_face=MinFace(0.1, relative=True))
        self.scans = self.looks = self.tiles = 0

    @override
    def detect(self, image: Image) -> list[Detection]:
        self.scans += 1
        return super().detect(image)

    @override
    def detect_quick(self, image: Image, known: Sequence[Box]) -> list[Detection]:
        self.looks += 1
        return super().detect_quick(image, known)

    @override
    def _run(self, picture: Image, tiles: Sequence[tuple[int, int]], *arguments: Any) -> list[Detection]:
        self.tiles += len(tiles)
        return super()._run(picture, tiles, *arguments)


def test_a_clip_costs_a_look_in_every_third_frame_and_a_full_scan_every_half_second(moving_clip: MovingClip) -> None:
    detector, backend = CountingNetwork(), FakeBackend()
    pipeline = EmotionPipeline(FaceLocator(detector, tracker=FaceTracker()), EmotionScorer(backend))
    with VideoFile(moving_clip.path) as video:
        for _ in pipeline.analyze_all(video):
            pass
    assert [len(batch) for batch in backend.batches] == [1] * 75
    assert (detector.scans, detector.looks) == (6, 23)
    # A look takes one tile, a scan three: two tiles, and the picture with a border.
    assert detector.tiles == 23 + 6 * 3


class TestAnalyzeAll:
    def test_nothing_gives_nothing(self) -> None:
        assert list(EmotionPipeline(FaceLocator(Scripted()), EmotionScorer(FakeBackend())).analyze_all([])) == []

    def test_an_error_of_the_source_comes_after_the_frames_before_it(self) -> None:
        def source() -> Iterator[Frame]:
            yield from (make_frame(two_colors(), index, index / 25) for index in range(3))
            raise SourceError("the disk is gone")

        seen: list[int] = []
        pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(FakeBackend()))
        with pytest.raises(SourceError, match="the disk is gone"):
            seen.extend(frame.index for frame, _ in pipeline.analyze_all(source()))
        assert seen == [0, 1, 2]
        assert working() == 0

    def test_an_error_of_the_backend_ends_all_threads(self) -> None:
        class Broken(FakeBackend):
            @override
            def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
                raise ModelError("broken")

        endless = (make_frame(two_colors(), index, index / 25) for index in count())
        with pytest.raises(BackendError, match="broken"):
            list(EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(Broken())).analyze_all(endless))
        assert working() == 0

    def test_an_error_of_the_detector_ends_all_threads(self) -> None:
        class Broken(Scripted):
            @override
            def detect(self, image: Image) -> list[Detection]:
                raise ModelError("no cascade")

        endless = (make_frame(two_colors(), index, index / 25) for index in count())
        with pytest.raises(ModelError, match="no cascade"):
            list(EmotionPipeline(FaceLocator(Broken()), EmotionScorer(FakeBackend())).analyze_all(endless))
        assert working() == 0

    def test_leaving_early_ends_all_threads(self) -> None:
        endless = (make_frame(two_colors(), index, index / 25) for index in count())
        results = EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(FakeBackend())).analyze_all(endless)
        assert [next(results)[0].index for _ in range(3)] == [0, 1, 2]
        results.close()
        assert working() == 0


def working() -> int:
    """How many threads of `ahead` are alive."""
    return sum(thread.name == "ahead" for thread in threading.enumerate())


class ByBrightness(FakeBackend):
    """Scores that differ from crop to crop."""

    @override
    def answer(self, crop: Image) -> EmotionScores:
        weights = np.arange(1, len(EMOTIONS) + 1) ** (np.asarray(cv2.mean(crop))[0] / 128)
        return EmotionScores((weights / weights.sum()).astype(np.float32))

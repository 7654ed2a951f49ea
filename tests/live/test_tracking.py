from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import OutputError
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.detector import MinFace
from emodetect.faces.haar import HaarDetector
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FacePredictor, Track
from emodetect.faces.verifier import EmbeddedVerifier
from emodetect.live.classifier import Classifier
from emodetect.live.tracking import Tracked, Tracking
from emodetect.live.view import View
from emodetect.queues.latest import Latest
from emodetect.sinks.base import Sink
from emodetect.sources.video import VideoFile
from emodetect.types import Box, Detection, Emotion, Frame, FrameResult, Image
from tests.builders import FakeBackend, MovingClip, make_frame, make_image, make_reading, make_result
from tests.waiting import wait_until

PATIENCE = 180.0
"""Seconds that a test waits for what must come."""


@dataclass
class Kept(Sink):
    """Keeps what is written."""

    written: list[tuple[Frame, FrameResult]] = field(default_factory=list)

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        self.written.append((frame, result))

    @override
    def close(self) -> None:
        pass


class Full(Kept):
    """Writes nothing, as a full disk."""

    @override
    def write(self, frame: Frame, result: FrameResult) -> None:
        raise OutputError("log.csv: cannot be written (No space left on device)")


class Keeping(FakeBackend):
    """Keeps the very crops that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[Image] = []

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        self.crops += crops
        return super().classify(crops)


class Gated(HaarDetector):
    """Looks only while it is let go."""

    def __init__(self) -> None:
        super().__init__(min_face=MinFace(0.1, relative=True))
        self.go = threading.Event()
        self.go.set()

    @override
    def detect(self, image: Image) -> list[Detection]:
        assert self.go.wait(PATIENCE)
        return super().detect(image)


@dataclass
class Running:
    """A tracking thread, what feeds it and what it leaves."""

    frames: Latest[Frame]
    tracking: Tracking
    classifier: Classifier
    errors: list[BaseException]

    def track(self, frame: Frame) -> Tracked:
        """Hand a frame in and wait for its faces."""
        self.frames.put(frame)
        return self.tracking.newest(frame, PATIENCE)

    def wait_for_scores(self) -> None:
        """Wait until a face was read."""
        wait_until(lambda: self.classifier.scores)


@contextmanager
def running(locator: FaceLocator, records: Sink | None = None, backend: FakeBackend | None = None) -> Iterator[Running]:
    errors: list[BaseException] = []
    frames = Latest[Frame]()
    chosen = backend or FakeBackend(Emotion.SAD)
    classifier = Classifier(
        [lambda: chosen], ScoreSmoother(0.0), uncertain_below=None, on_error=errors.append, notify=View().notify
    )
    tracking = Tracking(frames, locator, classifier, sinks=[records] if records else [], on_error=errors.append)
    classifier.start()
    tracking.start()
    try:
        wait_until(lambda: classifier.ready)
        yield Running(frames, tracking, classifier, errors)
    finally:
        frames.close()
        classifier.close()
        tracking.close()


@pytest.fixture(scope="module")
def frames(moving_clip: MovingClip) -> Sequence[Frame]:
    """The clip's frames: one face that moves to the right."""
    with VideoFile(moving_clip.path) as clip:
        return list(clip.frames())


def locator_for(detector: HaarDetector | None = None, *, scan_every: float = 0.5) -> FaceLocator:
    detector = detector or HaarDetector(min_face=MinFace(0.1, relative=True))
    return FaceLocator(detector, verifier=EmbeddedVerifier(), tracker=detector.tracker(), scan_every=scan_every)


def overlap(result: FrameResult, truth: Box) -> float:
    return float(intersection_over_union([reading.box for reading in result.readings], [truth]).max(initial=0.0))


def test_a_face_is_followed_through_a_clip_and_read(frames: Sequence[Frame], moving_clip: MovingClip) -> None:
    records = Kept()
    with running(locator_for(), records) as run:
        tracked = [run.track(frame) for frame in frames[:-1]]
        run.wait_for_scores()
        tracked.append(run.track(frames[-1]))
        run.frames.close()
        run.tracking.finish()

    assert not run.errors
    assert [one.result.index for one in tracked] == list(range(len(frames)))
    assert all(one.frame is frame for one, frame in zip(tracked, frames, strict=True))
    faces = [one.result.readings for one in tracked]
    assert {reading.track_id for readings in faces for reading in readings} == {1}
    found = [overlap(one.result, box) for one, box in zip(tracked, moving_clip.boxes, strict=True)]
    assert np.median(found) > 0.7
    assert sum(value > 0 for value in found) > 0.9 * len(found)
    # Nothing was read at first; in the end, what the backend says.
    assert faces[-1][0].scores is not None
    assert faces[-1][0].scores.dominant is Emotion.SAD
    assert run.tracking.tracked == len(frames)
    assert run.tracking.faces == sum(map(len, faces))
    assert [written.index for _, written in records.written] == list(range(len(frames)))
    assert {"find", "verify", "track"} <= set(records.written[0][1].timings_ms)


def test_crops_are_copies_of_the_faces(frames: Sequence[Frame]) -> None:
    backend = Keeping()
    with running(locator_for(), backend=backend) as run:
        run.track(frames[0])
        run.wait_for_scores()
    [crop] = backend.crops
    assert 60 < crop.shape[0] < 160
    assert not np.shares_memory(crop, frames[0].image)


def test_faces_move_on_while_a_later_picture_is_not_tracked_yet(frames: Sequence[Frame], moving_clip: MovingClip) -> None:
    """The box of the frame that was tracked last lies behind; where the face should be by now is nearer."""
    with running(locator_for()) as run:
        for frame in frames[:30]:
            tracked = run.track(frame)
    later, truth = frames[32], moving_clip.boxes[32]
    moved = tracked.at(later)
    assert (moved.index, moved.timestamp) == (later.index, later.timestamp)
    assert moved.readings[0].track_id == tracked.result.readings[0].track_id
    assert overlap(moved, truth) > overlap(tracked.result, truth)


def test_a_face_that_moves_out_of_the_picture_is_clipped_and_then_gone() -> None:
    track = Track(x=600.0, y=100.0, width=60.0, height=60.0, seen=0.0, evidence=20, number=3, speed_x=400.0)
    tracked = Tracked(make_result(make_reading(Box(570, 70, 60, 60), 3)), FacePredictor((track,)))
    [reading] = tracked.at(make_frame(make_image(640, 360), timestamp=0.1)).readings
    assert reading.box == Box(610, 70, 30, 60)
    assert tracked.at(make_frame(make_image(600, 360), timestamp=0.1)).readings == ()


def test_what_may_be_a_face_stays_to_be_hidden() -> None:
    result = FrameResult(0, 0.0, (), (Box(10, 10, 40, 40),))
    assert Tracked(result).at(make_frame(index=4, timestamp=0.2)).seen == result.seen


def test_a_picture_does_not_wait_for_a_slow_detector(frames: Sequence[Frame]) -> None:
    detector = Gated()
    with running(locator_for(detector, scan_every=0)) as run:
        assert run.tracking.newest(frames[0], 0.0).frame is None, "nothing was tracked yet"
        run.track(frames[0])
        detector.go.clear()
        run.frames.put(frames[1])
        assert run.tracking.newest(frames[1], 0.0).frame is frames[0]
        detector.go.set()
        assert run.tracking.newest(frames[1], PATIENCE).frame is frames[1]
    assert not run.errors


def test_an_error_ends_the_thread_and_is_handed_over(frames: Sequence[Frame]) -> None:
    with running(locator_for(), Full()) as run:
        run.frames.put(frames[0])
        run.tracking.finish()
        [error] = run.errors
    assert "No space left on device" in str(error)
    assert run.tracking.tracked == 0

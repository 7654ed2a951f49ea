"""The tracking thread of a live session: it locates faces, and predicts their positions in the next frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from emodetect.emotions.scorer import readings
from emodetect.faces.alignment import aligned_crop
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import FacePredictor
from emodetect.live.classifier import Classifier, Crops
from emodetect.queues.latest import Latest
from emodetect.sinks.base import Sink
from emodetect.stopwatch import Stopwatch
from emodetect.types import Frame, FrameResult

_WAIT_SECONDS = 0.008
"""Seconds for which a frame waits for its own faces.

Tracking most frames takes less, and a quarter of a frame's time is not visible as delay. After that, the faces of an earlier
frame are extrapolated. For a face that moves by its own width per second, the error is a thirtieth of its width per frame if the
face reverses, and zero if it moves on."""


@dataclass(frozen=True)
class Tracked:
    """The result of a frame, with a prediction for the frames after it.

    Attributes:
        result: faces and scores.
        predictor: predicts the positions of the faces.
        frame: the frame; None before the first one is tracked.
    """

    result: FrameResult
    predictor: FacePredictor = FacePredictor()
    frame: Frame | None = None

    def at(self, frame: Frame) -> FrameResult:
        """Move the faces to their predicted positions in a later frame."""
        height, width = frame.image.shape[:2]
        boxes = {face.track_id: face.box for face in self.predictor.faces(frame.timestamp, (width, height))}
        moved = tuple(replace(r, box=boxes[r.track_id]) for r in self.result.readings if r.track_id in boxes)
        # Anonymization covers both: all regions in the tracked frame, and the predicted faces.
        return FrameResult(frame.index, frame.timestamp, moved, self.result.seen)


class Tracking:
    """Locates the faces of the newest frames in a separate thread.

    Args:
        frames: the newest frame; the thread ends when it is closed.
        locator: finds and tracks faces.
        classifier: receives the crops of the faces, and holds the latest scores.
        sinks: receive every tracked frame, in the thread.
        on_error: called, in the thread, with the error that ended it.

    Attributes:
        tracked: number of frames tracked.
        faces: number of faces in them, summed over frames.
        turned_away: number of these that were turned too far to the side to be read.
    """

    def __init__(
        self,
        frames: Latest[Frame],
        locator: FaceLocator,
        classifier: Classifier,
        *,
        sinks: Sequence[Sink] = (),
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._frames, self._locator, self._classifier = frames, locator, classifier
        self._sinks, self._on_error = sinks, on_error
        self.tracked = self.faces = self.turned_away = 0
        self._results: Latest[Tracked] = Latest()
        self._newest = Tracked(FrameResult(-1, 0.0, ()))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="track", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def newest(self, frame: Frame, wait: float = _WAIT_SECONDS) -> Tracked:
        """The latest result: that of this frame, if it arrives in time.

        Args:
            frame: the newest frame.
            wait: seconds to wait for its result.
        """
        until = time.monotonic() + wait
        while self._newest.result.index < frame.index:
            tracked = self._results.take(max(0.0, until - time.monotonic()))
            if tracked is None:
                break
            self._newest = tracked
        return self._newest

    def finish(self) -> None:
        """Wait until the last frame is tracked, after the end of the source."""
        self._thread.join()

    def close(self) -> None:
        """Stop the thread, and wait up to two seconds for the frame that is being tracked."""
        self._stopping.set()
        if self._thread.ident:
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and not self._frames.finished:
                frame = self._frames.take(timeout=0.1)
                if frame is not None:
                    self._track(frame)
        except BaseException as error:
            self._on_error(error)

    def _track(self, frame: Frame) -> None:
        watch, classifier = Stopwatch(), self._classifier
        located = self._locator.locate(frame, watch)
        faces = located.faces
        if faces and classifier.ready:
            images = tuple(aligned_crop(frame.image, face).copy() for face in faces)
            classifier.crops.put(Crops(faces, images, frame.index, frame.timestamp))
        found = readings(faces, classifier.scores, classifier.threshold)
        result = FrameResult(frame.index, frame.timestamp, found, located.seen, watch.laps_ms)
        self._results.put(Tracked(result, self._locator.predictor(frame.timestamp), frame))
        for sink in self._sinks:
            sink.write(frame, result)
        self.tracked += 1
        self.faces += len(faces)
        self.turned_away += sum(reading.turned_away for reading in found)

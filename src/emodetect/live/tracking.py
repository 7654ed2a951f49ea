"""The tracking thread of a live session: where the faces are, and where they will be when the next picture is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from emodetect.emotions.scorer import readings
from emodetect.faces.boxes import crop
from emodetect.faces.locator import FaceLocator
from emodetect.faces.tracker import Outlook
from emodetect.live.classifier import Classifier, Crops
from emodetect.queues.latest import Latest
from emodetect.sinks.base import Sink
from emodetect.stopwatch import Stopwatch
from emodetect.types import Frame, FrameResult

_WAIT_SECONDS = 0.008
"""How long a picture waits for its own faces: most are looked for in less, and a quarter of a frame's time is not seen as
delay. After that the faces of an earlier picture are moved on, which at a face's width a second is off by a thirtieth of the
width a frame if the face turns round, and by nothing if it goes on."""


@dataclass(frozen=True)
class Tracked:
    """What was found in a frame, and what is to be expected of the next ones.

    Attributes:
        result: faces and scores.
        outlook: where the faces will be.
        frame: the frame itself; None before the first one was tracked.
    """

    result: FrameResult
    outlook: Outlook = Outlook()
    frame: Frame | None = None

    def at(self, frame: Frame) -> FrameResult:
        """The same faces where they should be in this frame."""
        height, width = frame.image.shape[:2]
        boxes = {face.track_id: face.box for face in self.outlook.faces(frame.timestamp, (width, height))}
        moved = tuple(replace(r, box=boxes[r.track_id]) for r in self.result.readings if r.track_id in boxes)
        # What may be a face, too, must be hidden where that is asked for: where it was, and where a known one is now.
        return FrameResult(frame.index, frame.timestamp, moved, self.result.seen)


class Tracking:
    """Finds and follows the faces of the newest frames in a thread of its own.

    Args:
        frames: where the newest frame is taken from; the thread ends with it.
        locator: finds the faces, and follows them.
        classifier: gets the faces to read, and has the scores of those read last.
        records: gets every tracked frame, in the thread; None for none.
        fail: called, in the thread, with the error that ended it.

    Attributes:
        tracked: frames in which faces were looked for.
        faces: faces that were followed, frame by frame.
    """

    def __init__(
        self,
        frames: Latest[Frame],
        locator: FaceLocator,
        classifier: Classifier,
        *,
        records: Sink | None = None,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._frames, self._locator, self._classifier = frames, locator, classifier
        self._records, self._fail = records, fail
        self.tracked = self.faces = 0
        self._results: Latest[Tracked] = Latest()
        self._newest = Tracked(FrameResult(-1, 0.0, ()))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="track", daemon=True)

    def start(self) -> None:
        """Begin to track."""
        self._thread.start()

    def newest(self, frame: Frame, wait: float = _WAIT_SECONDS) -> Tracked:
        """What was tracked last: this very frame, if that is done at once.

        Args:
            frame: the newest frame.
            wait: seconds that its tracking is waited for.
        """
        until = time.monotonic() + wait
        while self._newest.result.index < frame.index:
            tracked = self._results.take(max(0.0, until - time.monotonic()))
            if tracked is None:
                break
            self._newest = tracked
        return self._newest

    def finish(self) -> None:
        """Wait until the last frame is tracked, after the source's end."""
        self._thread.join()

    def close(self) -> None:
        """Stop the thread; the frame that it is at is finished if that takes less than two seconds."""
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
            self._fail(error)

    def _track(self, frame: Frame) -> None:
        watch, classifier = Stopwatch(), self._classifier
        sighting = self._locator.locate(frame, watch)
        faces = sighting.faces
        if faces and classifier.ready:
            images = tuple(crop(frame.image, face.box).copy() for face in faces)
            classifier.crops.put(Crops(faces, images, frame.index, frame.timestamp))
        found = readings(faces, classifier.scores, classifier.threshold)
        result = FrameResult(frame.index, frame.timestamp, found, sighting.seen, watch.laps_ms)
        self._results.put(Tracked(result, self._locator.outlook(frame.timestamp), frame))
        if self._records is not None:
            self._records.write(frame, result)
        self.tracked += 1
        self.faces += len(faces)

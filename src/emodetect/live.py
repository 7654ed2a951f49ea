"""Live: capture, tracking and classifying in threads of their own, the picture on the main thread.

A slow backend makes labels late, never the boxes and never the picture: the tracking thread does not wait for the classifying
thread, and the main thread waits for neither.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from typing_extensions import Self

from emodetect.backends.base import EmotionBackend
from emodetect.faces.boxes import crop
from emodetect.faces.haar import FaceDetector
from emodetect.faces.search import SCAN_EVERY, FaceSearch
from emodetect.faces.tracker import FaceTracker
from emodetect.faces.verifier import FaceVerifier
from emodetect.latest import Latest
from emodetect.overlay import draw, mirrored
from emodetect.pipeline import locate, read, readings
from emodetect.sinks.base import Sink
from emodetect.sinks.window import Window
from emodetect.smoother import ScoreSmoother
from emodetect.sources.camera import LiveCapture
from emodetect.stopwatch import Stopwatch
from emodetect.types import EmotionScores, Face, Frame, FrameResult, Image

_POLL_SECONDS = 0.01
"""How long the main thread waits for a picture before it looks at keys and signals again."""


@dataclass(frozen=True)
class _Crops:
    """What the classifying thread gets: copies, since the frame may be drawn on meanwhile."""

    faces: tuple[Face, ...]
    images: tuple[Image, ...]
    timestamp: float


@dataclass
class LiveStatistics:
    """What a live session did.

    Attributes:
        captured: frames read from the source.
        tracked: frames in which faces were looked for.
        shown: frames handed to the window.
        classified: batches that the backend answered.
    """

    captured: int = 0
    tracked: int = 0
    shown: int = 0
    classified: int = 0


@dataclass
class _Pace:
    """Frames a second over the last second, and the last frame's age when it was shown."""

    times: deque[float] = field(default_factory=deque)
    latency: float = 0.0

    def tick(self, now: float, latency: float) -> None:
        self.times.append(now)
        while now - self.times[0] > 1.0:
            self.times.popleft()
        self.latency = latency

    def lines(self) -> list[str]:
        span = self.times[-1] - self.times[0] if len(self.times) > 1 else 0.0
        rate = (len(self.times) - 1) / span if span > 0 else 0.0
        return [f"{rate:.0f} frames/s", f"{1000 * self.latency:.0f} ms"]


class LiveSession:
    """Shows a live source with the emotions of the faces in it, until the source or the user ends it.

    Args:
        capture: where frames come from; not started yet.
        detector: finds faces.
        tracker: follows them.
        verifier: refuses what is no face, or None.
        scan_every: seconds between two scans of the whole picture; 0 scans every frame, so that no face is found late.
        backend: reads emotions; loaded in the classifying thread, so that the picture does not wait.
        smoother: steadies scores.
        uncertain_below: confidence under which a reading is marked uncertain; None for the backend's own threshold.
        records: gets every tracked frame, in the tracking thread.
        recording: gets every shown frame.
        window: shows the picture; None for none.
        mirror: show the picture as a mirror does; records and recording stay as the camera sees it.
        duration: seconds after which it ends; None for never.
    """

    def __init__(
        self,
        capture: LiveCapture,
        detector: FaceDetector,
        tracker: FaceTracker,
        backend: EmotionBackend,
        *,
        verifier: FaceVerifier | None = None,
        scan_every: float = SCAN_EVERY,
        smoother: ScoreSmoother,
        uncertain_below: float | None = None,
        records: Sink | None = None,
        recording: Sink | None = None,
        window: Window | None = None,
        mirror: bool = False,
        duration: float | None = None,
    ) -> None:
        self._capture, self._search, self._tracker = capture, FaceSearch(detector, every=scan_every), tracker
        self._backend, self._verifier = backend, verifier
        self._smoother, self._uncertain_below = smoother, uncertain_below
        self._records, self._recording, self._window = records, recording, window
        self._mirror, self._duration = mirror, duration
        self._tracked: Latest[tuple[Frame, FrameResult]] = Latest()
        self._crops: Latest[_Crops] = Latest()
        # Replaced as a whole by the classifying thread, so that readers need no lock.
        self._scores: dict[int, EmotionScores] = {}
        self._threshold = uncertain_below or 0.0
        self._loading = threading.Event()
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__.strip("_"), daemon=True)
            for work in (self._track, self._classify)
        ]
        self.statistics = LiveStatistics()

    def run(self) -> LiveStatistics:
        """Run until the end of the source, the time limit, or the user's wish.

        Raises:
            EmodetectError: the source, the backend or an output failed.
        """
        self._loading.set()
        self._capture.start()
        for thread in self._threads:
            thread.start()
        pace = _Pace()
        while not self._errors:
            tracked = self._tracked.take(_POLL_SECONDS)
            if tracked is not None:
                frame, result = tracked
                now = self._capture.elapsed
                pace.tick(now, now - frame.timestamp)
                self._show(frame, result, pace.lines())
                self.statistics.shown += 1
            elif self._tracked.finished:
                break
            if self._window is not None and self._window.wants_to_quit():
                break
            if self._duration is not None and self._capture.elapsed >= self._duration:
                break
        self.close()
        for error in self._errors:
            raise error
        self._capture.raise_error()
        return self.statistics

    def _show(self, frame: Frame, result: FrameResult, status: Sequence[str]) -> None:
        if self._recording is not None:
            self._recording.write(frame, result)
        if self._window is not None:
            banner = f"loading {self._backend.name} ..." if self._loading.is_set() else None
            image, faces = frame.image, list(result.readings)
            if self._mirror:
                image = np.ascontiguousarray(image[:, ::-1])
                faces = mirrored(faces, image.shape[1])
            self._window.show(draw(image, faces, status=status, banner=banner))

    def _track(self) -> None:
        while not self._stopping.is_set():
            frame = self._capture.frames.take(timeout=0.1)
            if frame is None:
                if self._capture.frames.finished:
                    break
                continue
            watch = Stopwatch()
            sighting = locate(frame, self._search, self._tracker, self._verifier, watch)
            faces = sighting.faces
            if faces and not self._loading.is_set():
                images = tuple(crop(frame.image, face.box).copy() for face in faces)
                self._crops.put(_Crops(faces, images, frame.timestamp))
            found = readings(faces, self._scores, self._threshold)
            result = FrameResult(frame.index, frame.timestamp, found, sighting.seen, watch.laps_ms)
            if self._records is not None:
                self._records.write(frame, result)
            self.statistics.captured = frame.index + 1
            self.statistics.tracked += 1
            self._tracked.put((frame, result))
        self._tracked.close()

    def _classify(self) -> None:
        with self._backend as backend:
            if self._uncertain_below is None:
                self._threshold = backend.uncertain_below
            self._loading.clear()
            while not self._stopping.is_set():
                crops = self._crops.take(timeout=0.1)
                if crops is None:
                    continue
                fresh = read(backend, crops.images, crops.faces, crops.timestamp, self._smoother)
                present = {face.track_id for face in crops.faces}
                kept = {track: scores for track, scores in self._scores.items() if track in present}
                self._scores = kept | fresh
                self.statistics.classified += 1

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._errors.append(error)
            self._tracked.close()

    def close(self) -> None:
        """Stop all threads; the one that is inside a backend's call is left behind if it does not return."""
        self._stopping.set()
        self._crops.close()
        self._capture.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

"""The emotion pipeline: from a frame to its result."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType

import numpy as np
from typing_extensions import Self

from emodetect.backends.base import EmotionBackend
from emodetect.emotions.scorer import EmotionScorer, readings
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.faces.alignment import aligned_crop
from emodetect.faces.detectors import create_detector
from emodetect.faces.landmarks import LandmarkRefiner
from emodetect.faces.locator import FaceLocator, LocatedFaces
from emodetect.faces.schedule import SCAN_EVERY
from emodetect.faces.verifier import EmbeddedVerifier
from emodetect.queues.prefetch import ahead
from emodetect.settings.pipeline import PipelineSettings
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Face, FaceReading, Frame, FrameResult, Image

_BATCH = 64
"""Crops per batch."""


class EmotionPipeline:
    """Finds the faces in frames and reads their emotions.

    >>> with emodetect.open_pipeline() as pipeline:
    ...     print(type(pipeline).__name__)
    EmotionPipeline

    Threads may share a pipeline that neither tracks nor smooths. A pipeline that does needs its frames in order, and belongs to
    the thread that uses it first.

    As a context manager it loads the backend on entering and closes it on leaving. It need not be entered if its backend is
    loaded already.

    Args:
        locator: finds faces. With a tracker, frames must come in order from one source.
        scorer: scores faces.

    Attributes:
        locator: as given.
        scorer: as given.
    """

    def __init__(self, locator: FaceLocator, scorer: EmotionScorer) -> None:
        self.locator, self.scorer = locator, scorer
        self._needs_order = locator.tracks or scorer.smooths
        self._owner: object = None
        self._claiming = threading.Lock()

    def __enter__(self) -> Self:
        self.scorer.backend.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.scorer.backend.__exit__(kind, error, trace)

    def analyze(self, frame: Frame, *, name: str | None = None) -> FrameResult:
        """Find, track and classify the faces of a frame.

        >>> with emodetect.open_pipeline() as pipeline:
        ...     print(pipeline.analyze(emodetect.Frame(emodetect.load_image("examples/astronaut.jpg"))))
        FrameResult(index=0, timestamp=0, 1 face: happy 100%)

        Args:
            frame: the frame; with tracking, the next one of its source.
            name: name of the frame in messages; None for its number.

        Raises:
            EmodetectError: the backend failed in too many consecutive frames.
            TypeError: ``frame`` is no `Frame`.
            RuntimeError: the pipeline tracks faces, and another thread uses it.
        """
        self._claim(threading.current_thread())
        return self.classify(self._locate(frame), name)

    def analyze_all(
        self, frames: Iterable[Frame], *, read_ahead: bool = True
    ) -> Generator[tuple[Frame, FrameResult], None, None]:
        """Analyze frames in order, as `analyze` does, with decoding, face detection and classification in separate threads.

        >>> photo = emodetect.load_image("examples/astronaut.jpg")
        >>> with emodetect.open_pipeline(track=True) as pipeline:
        ...     results = pipeline.analyze_all(emodetect.Frame(photo, index, index / 25) for index in range(3))
        ...     print([face.track_id for _, result in results for face in result.readings])
        [1, 1, 1]

        Face detection in a frame does not wait for the classification of the previous one. Close the iterator to end the threads
        early.

        Args:
            frames: the frames; with ``read_ahead`` a thread reads a few of them in advance.
            read_ahead: False to read each frame only when its result is requested, as for a camera, and without further threads.

        Raises:
            EmodetectError: the source failed, or the backend failed too often; all threads have ended.
            RuntimeError: the pipeline tracks faces, and is in use elsewhere.
        """
        starter, run = threading.current_thread(), object()
        self._claim(starter, run)
        try:
            if not read_ahead:
                yield from ((frame, self.classify(self._locate(frame))) for frame in frames)
                return
            with ahead(frames) as decoded, ahead(map(self._locate, decoded)) as located:
                for found in located:
                    yield found.frame, self.classify(found)
        finally:
            self._owner = starter

    def _claim(self, thread: threading.Thread, run: object = None) -> None:
        """Claim the pipeline for a thread, or for a run started by it, whose results other threads may consume."""
        with self._claiming:
            if self._needs_order and self._owner not in (None, thread):
                raise RuntimeError(
                    "this pipeline follows faces, so that its frames must come in order, and it is used elsewhere already; "
                    "open a pipeline for each thread, or one with track=False for all threads"
                )
            self._owner = run or thread

    def classify_faces(self, crops: Iterable[Image]) -> Iterator[FaceReading]:
        """Read the emotions of cropped faces, in batches.

        >>> face = emodetect.load_image("examples/astronaut.jpg")[66:160, 177:271]
        >>> with emodetect.open_pipeline() as pipeline:
        ...     print([reading.scores.dominant.value for reading in pipeline.classify_faces([face])])
        ['happy']

        Args:
            crops: uint8 (height, width, 3) BGR, one per face.

        Yields:
            One reading per crop, in order; its box is the whole crop, its ``track_id`` the crop's number, from 1.

        Raises:
            EmodetectError: the backend failed too often.
        """
        numbered = enumerate(crops, start=1)
        while batch := dict(islice(numbered, _BATCH)):
            faces = [Face(Box(0, 0, image.shape[1], image.shape[0]), number) for number, image in batch.items()]
            name = f"crops {faces[0].track_id} to {faces[-1].track_id}"
            scores = self.scorer.score([*batch.values()], faces, None, frame=name)
            yield from readings(faces, scores, self.scorer.uncertain_below)

    def _locate(self, frame: Frame) -> LocatedFrame:
        if not isinstance(frame, Frame):
            hint = "; Frame(image) makes one of a picture" if isinstance(frame, np.ndarray) else ""
            raise TypeError(f"expected a Frame, got {type(frame).__name__}{hint}")
        watch = Stopwatch()
        located = self.locator.locate(frame, watch)
        crops = [aligned_crop(frame.image, face) for face in located.faces]
        watch.lap("crop")
        return LocatedFrame(frame, located, crops, watch.laps_ms)

    def classify(self, found: LocatedFrame, name: str | None = None) -> FrameResult:
        """Read the emotions of located faces, the second half of `analyze`.

        >>> frame = emodetect.Frame(emodetect.load_image("examples/astronaut.jpg"))
        >>> with emodetect.open_pipeline() as pipeline:
        ...     faces = pipeline.locator.locate(frame)
        ...     located = emodetect.pipeline.LocatedFrame(frame, faces, [frame.image[66:160, 177:271]])
        ...     print(pipeline.classify(located))
        FrameResult(index=0, timestamp=0, 1 face: happy 100%)

        Args:
            found: the faces and their crops.
            name: name of the frame in messages; None for its number.

        Raises:
            EmodetectError: the backend failed in too many consecutive frames.
        """
        frame, faces, watch = found.frame, found.located.faces, Stopwatch()
        name = name or f"frame {frame.index}"
        scores = self.scorer.score(found.crops, faces, frame.timestamp, frame=name, watch=watch)
        found_readings = readings(faces, scores, self.scorer.uncertain_below)
        return FrameResult(frame.index, frame.timestamp, found_readings, found.located.seen, found.timings_ms | watch.laps_ms)


@dataclass(frozen=True)
class LocatedFrame:
    """A frame with its located faces, before classification.

    Attributes:
        frame: the frame.
        located: the faces.
        crops: uint8 (height, width, 3) BGR, one per face.
        timings_ms: durations of the stages so far, milliseconds.
    """

    frame: Frame
    located: LocatedFaces
    crops: Sequence[Image]
    timings_ms: dict[str, float] = field(default_factory=dict)


def build_pipeline(settings: PipelineSettings, backend: EmotionBackend | None = None) -> EmotionPipeline:
    """Build a pipeline; enter it to load its backend.

    Args:
        settings: the settings of the pipeline.
        backend: a loaded backend, to share it among pipelines; None to create the one of the settings.

    Raises:
        EmodetectError: the detector, backend or a file does not exist, or does not support the options.
    """
    locator = build_locator(settings)
    scorer = EmotionScorer(
        settings.backend.create() if backend is None else backend,
        ScoreSmoother(settings.smoothing) if settings.track else None,
        uncertain_below=settings.uncertain_below,
        max_failures=settings.max_failures,
    )
    return EmotionPipeline(locator, scorer)


def build_locator(settings: PipelineSettings) -> FaceLocator:
    """Build the face locator of a pipeline.

    Raises:
        EmodetectError: the detector or its file does not exist.
    """
    detector = create_detector(settings.detector)
    return FaceLocator(
        detector,
        verifier=EmbeddedVerifier() if settings.verify and not detector.is_certain else None,
        refiner=LandmarkRefiner(),
        tracker=detector.tracker() if settings.track else None,
        scan_every=0 if settings.hide_faces else SCAN_EVERY,
        region=settings.region,
    )

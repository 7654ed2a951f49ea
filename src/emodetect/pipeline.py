"""The one way from a frame to its result."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from emodetect.emotions.scorer import EmotionScorer, readings
from emodetect.faces.boxes import crop
from emodetect.faces.locator import FaceLocator, Sighting
from emodetect.queues.prefetch import ahead
from emodetect.stopwatch import Stopwatch
from emodetect.types import Box, Face, FaceReading, Frame, FrameResult, Image

_BATCH = 64
"""Crops that are classified at a time."""


class EmotionPipeline:
    """Finds the faces of frames and reads the emotions off them.

    >>> with emodetect.open_pipeline() as pipeline:
    ...     face = emodetect.load_image("examples/astronaut.jpg")[66:160, 177:271]
    ...     print([reading.scores.dominant.value for reading in pipeline.classify_faces([face])])
    ['happy']

    Args:
        locator: finds faces; where it follows them, frames must come in order from one source.
        scorer: reads emotions.
    """

    def __init__(self, locator: FaceLocator, scorer: EmotionScorer) -> None:
        self._locator, self._scorer = locator, scorer

    def analyze(self, frame: Frame, *, name: str | None = None) -> FrameResult:
        """Find, follow and read all faces of a frame.

        Args:
            frame: the next one of its source, where faces are followed.
            name: what it is called in messages; None for its number.

        Raises:
            EmodetectError: the backend failed too often.
            TypeError: it is no frame.
        """
        return self._read(self._locate(frame), name)

    def analyze_all(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, FrameResult], None, None]:
        """Analyze frames in order, as `analyze` does one by one, with decoding and locating in threads of their own.

        Finding faces in one frame does not wait for the emotions in the one before. Close the iterator, if it is left early,
        to end the threads.

        Args:
            frames: read in a thread, a few ahead.

        Raises:
            EmodetectError: the source failed, or the backend too often; all threads have ended.
        """
        with ahead(frames) as decoded, ahead(map(self._locate, decoded)) as located:
            for found in located:
                yield found.frame, self._read(found)

    def classify_faces(self, crops: Iterable[Image]) -> Iterator[FaceReading]:
        """Read the emotions off faces that are cropped already, some at a time.

        Args:
            crops: uint8 (height, width, 3) BGR, one for each face.

        Yields:
            A reading for each crop, in order; its box is the whole crop, its ``track_id`` the crop's number, from 1.

        Raises:
            EmodetectError: the backend failed too often.
        """
        numbered = enumerate(crops, start=1)
        while batch := dict(islice(numbered, _BATCH)):
            faces = [Face(Box(0, 0, image.shape[1], image.shape[0]), number) for number, image in batch.items()]
            name = f"crops {faces[0].track_id} to {faces[-1].track_id}"
            scores = self._scorer.score([*batch.values()], faces, None, frame=name)
            yield from readings(faces, scores, self._scorer.uncertain_below)

    def _locate(self, frame: Frame) -> _Located:
        if not isinstance(frame, Frame):
            hint = "; Frame(image) makes one of a picture" if isinstance(frame, np.ndarray) else ""
            raise TypeError(f"expected a Frame, got {type(frame).__name__}{hint}")
        watch = Stopwatch()
        return _Located(frame, self._locator.locate(frame, watch), watch.laps_ms)

    def _read(self, found: _Located, name: str | None = None) -> FrameResult:
        frame, faces, watch = found.frame, found.sighting.faces, Stopwatch()
        crops = [crop(frame.image, face.box) for face in faces]
        watch.lap("crop")
        name = name or f"frame {frame.index}"
        scores = self._scorer.score(crops, faces, frame.timestamp, frame=name, watch=watch)
        found_readings = readings(faces, scores, self._scorer.uncertain_below)
        return FrameResult(frame.index, frame.timestamp, found_readings, found.sighting.seen, found.timings_ms | watch.laps_ms)


@dataclass(frozen=True)
class _Located:
    """A frame whose faces are known and not yet read."""

    frame: Frame
    sighting: Sighting
    timings_ms: dict[str, float]

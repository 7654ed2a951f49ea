"""Emotion scores of the faces of a frame, from a backend that may fail occasionally."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from emodetect.backends.base import EmotionBackend
from emodetect.emotions.smoother import ScoreSmoother
from emodetect.errors import BackendError, EmodetectError, first_line
from emodetect.faces.alignment import is_turned_away, roll
from emodetect.settings.pipeline import PipelineSettings
from emodetect.stopwatch import Stopwatch
from emodetect.types import EMOTIONS, EmotionScores, Face, FaceReading, Image

_log = logging.getLogger(__name__)


class EmotionScorer:
    """Scores faces with a backend and smooths the scores.

    If the backend raises, or returns invalid scores, the faces of that frame have no scores, and the logger ``emodetect`` warns.
    After too many consecutive failures the backend is given up.

    Args:
        backend: reads emotions.
        smoother: averages scores over time, or None.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain; None for the backend's own threshold.
        max_failures: consecutive failed frames after which the backend is given up.

    Attributes:
        backend: as given.
    """

    def __init__(
        self,
        backend: EmotionBackend,
        smoother: ScoreSmoother | None = None,
        *,
        uncertain_below: float | None = None,
        max_failures: int = PipelineSettings.max_failures,
    ) -> None:
        self.backend, self._smoother, self._max_failures = backend, smoother, max_failures
        self._uncertain_below = uncertain_below
        self._failures, self._counting = 0, threading.Lock()

    @property
    def smooths(self) -> bool:
        """Whether scores are smoothed, and so depend on previous frames."""
        return self._smoother is not None

    @property
    def uncertain_below(self) -> float:
        """Confidence, 0 to 1, below which a reading is uncertain; final once the backend is loaded."""
        return self.backend.uncertain_below if self._uncertain_below is None else self._uncertain_below

    def score(
        self,
        crops: Sequence[Image],
        faces: Sequence[Face],
        timestamp: float | None,
        *,
        frame: str,
        watch: Stopwatch | None = None,
    ) -> dict[int, EmotionScores]:
        """Scores of faces by track id, classified in one batch; empty if the backend failed.

        Args:
            crops: uint8 (height, width, 3) BGR, one per face.
            faces: the faces, in the same order.
            timestamp: timestamp of the frame, seconds; None for faces without one, whose scores are not smoothed.
            frame: name of the frame in messages.
            watch: records the laps "classify" and "smooth".

        Raises:
            BackendError: the backend failed in too many consecutive frames.
        """
        if not faces:
            return {}
        watch = watch or Stopwatch()
        try:
            answers = _scores(self.backend.classify(crops), len(crops))
        except BackendError:  # not recoverable
            raise
        except Exception as error:  # plug-ins may raise anything
            self._fail(frame, error)
            return {}
        with self._counting:
            self._failures = 0
        watch.lap("classify")
        result = {face.track_id: scores for face, scores in zip(faces, answers, strict=True)}
        if self._smoother is not None and timestamp is not None:
            result = {number: self._smoother.update(number, scores, timestamp) for number, scores in result.items()}
        watch.lap("smooth")
        return result

    def _fail(self, frame: str, error: Exception) -> None:
        with self._counting:
            self._failures += 1
            failures = self._failures
        reason = str(error) if isinstance(error, EmodetectError) else f"{type(error).__name__}: {first_line(error)}"
        if failures >= self._max_failures:
            often = f" in {failures} frames in a row" if failures > 1 else ""
            raise BackendError(f"{frame}: the backend {self.backend.name} failed{often} ({reason})") from error
        _log.warning("%s: the backend %s failed; its faces have no scores (%s)", frame, self.backend.name, reason)


def _scores(answers: npt.NDArray[np.float32], count: int) -> list[EmotionScores]:
    values = np.asarray(answers, np.float32)
    if values.shape != (count, len(EMOTIONS)):
        raise ValueError(f"expected scores of shape {(count, len(EMOTIONS))}, got {values.shape}")
    return [EmotionScores(row) for row in values]


def readings(faces: Sequence[Face], scores: Mapping[int, EmotionScores], uncertain_below: float) -> tuple[FaceReading, ...]:
    """Combine faces with their scores.

    Args:
        faces: the faces of a frame; those that are turned away are uncertain.
        scores: scores by track id; faces without scores are uncertain.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain.
    """
    result = []
    for face in faces:
        known = scores.get(face.track_id)
        turned_away = is_turned_away(face.landmarks)
        uncertain = known is None or known.confidence < uncertain_below or turned_away
        result.append(
            FaceReading(
                face.box, face.track_id, known, uncertain, uncertain_below, angle=roll(face.landmarks), turned_away=turned_away
            )
        )
    return tuple(result)

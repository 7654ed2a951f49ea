"""Data types shared by all modules (NumPy only)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""An image: uint8 (height, width, 3), channels in BGR order as in OpenCV."""


class Emotion(str, Enum):
    """The seven labels of FER-2013 in their original order, the only label order inside the program.

    >>> [emotion.value for emotion in emodetect.Emotion]
    ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral']
    """

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"

    def __str__(self) -> str:
        return self.value


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)


def check_image(image: object, channels: Sequence[int] = (3,)) -> None:
    """Check that a value is an image; errors name the conversion that makes it one.

    Args:
        image: the value to check.
        channels: accepted numbers of channels; with 1, (height, width) is accepted as well.

    Raises:
        TypeError: the value is no array.
        ValueError: the array has the wrong shape or type, or is empty.
    """
    shape = "(height, width, 3)" if channels == (3,) else f"(height, width) or (height, width, {alternatives(channels)})"
    expected = f"expected a uint8 {shape} image"
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{expected}, BGR, as a NumPy array, got {kind_of(image)}")
    got = f"{expected}, got {image.dtype} {image.shape}"
    if image.dtype != np.uint8:
        raise ValueError(got + _conversion(image))
    if image.ndim == 4:
        raise ValueError(f"{got}; pictures are read one at a time")
    depth = 1 if image.ndim == 2 else image.shape[2] if image.ndim == 3 else 0
    if depth not in channels:
        raise ValueError(got + _CONVERSIONS.get(depth, _CHANNELS_FIRST if image.shape[:1] in ((1,), (3,)) else ""))
    if image.size == 0:
        raise ValueError(f"{got}, which has no pixels")


_CONVERSIONS = {
    1: "; cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) makes one of a gray picture",
    4: "; image[..., :3] leaves a fourth channel out",
}
_CHANNELS_FIRST = "; np.moveaxis(image, 0, -1) puts the channels last"


def _conversion(image: npt.NDArray[Any]) -> str:
    """Hint for an error: the conversion of this array to uint8; empty if there is none."""
    if image.dtype.kind not in "biuf" or image.size == 0 or not image.min() >= 0:
        return ""
    highest = float(image.max())
    if highest <= 1:
        return "; (255 * image).astype(np.uint8) makes one of numbers from 0 to 1"
    if highest <= 255:
        return "; image.astype(np.uint8) makes one of numbers from 0 to 255"
    return "; (image // 257).astype(np.uint8) makes one of numbers of 16 bits" if image.dtype == np.uint16 else ""


def kind_of(value: object) -> str:
    """Name the type of a value for an error message: ``a list``, ``None``."""
    noun = type(value).__name__
    return "None" if value is None else f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def alternatives(values: Sequence[object]) -> str:
    """Join values for a message: ``1, 3 or 4``."""
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True, repr=False, eq=False)
class Frame:
    """An image with its index and timestamp.

    >>> image = np.zeros((48, 64, 3), np.uint8)
    >>> emodetect.Frame(image, index=3, timestamp=0.12)
    Frame(64x48, index=3, timestamp=0.12)

    Attributes:
        Attributes:
            image: uint8 (height, width, 3), BGR.
            index: number of the frame in its source, from 0.
            timestamp: seconds; media time in a clip, time since the start for a camera.

        Raises:
            TypeError: the image is no array, or the timestamp is no number.
            ValueError: the image has the wrong shape or type or has no pixels, or the timestamp is not finite.
    """

    image: Image
    index: int = 0
    timestamp: float = 0.0

    def __post_init__(self) -> None:
        check_image(self.image)
        if not math.isfinite(self.timestamp):
            raise ValueError(f"expected a timestamp in seconds, got {self.timestamp}")

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Frame({width}x{height}, index={self.index}, timestamp={self.timestamp:g})"


@dataclass(frozen=True)
class Box:
    """A rectangle in integer pixels; (x, y) is the top left corner.

    >>> box = emodetect.Box(x=590, y=20, width=100, height=80)
    >>> box.x + box.width, box.y + box.height
    (690, 100)
    """

    x: int
    y: int
    width: int
    height: int

    def clipped(self, width: int, height: int) -> Box:
        """Clip the box to an image of this size; width or height is 0 if the box is outside.

        >>> emodetect.Box(x=-10, y=20, width=100, height=80).clipped(width=640, height=48)
        Box(x=0, y=20, width=90, height=28)
        """
        left, top = min(max(self.x, 0), width), min(max(self.y, 0), height)
        right, bottom = min(max(self.x + self.width, left), width), min(max(self.y + self.height, top), height)
        return Box(left, top, right - left, bottom - top)

    def moved(self, x: int, y: int) -> Box:
        """Translate the box by (x, y) pixels.

        >>> emodetect.Box(x=10, y=20, width=100, height=80).moved(x=5, y=-20)
        Box(x=15, y=0, width=100, height=80)
        """
        return Box(self.x + x, self.y + y, self.width, self.height)

    def lies_in(self, width: int, height: int) -> bool:
        """Whether the whole box is inside an image of this size.

        >>> emodetect.Box(x=590, y=20, width=100, height=80).lies_in(width=640, height=480)
        False
        """
        return 0 <= self.x <= width - self.width and 0 <= self.y <= height - self.height

    def as_dict(self) -> dict[str, int]:
        """Convert the box to a dictionary, as in the output format.

        >>> emodetect.Box(x=590, y=20, width=100, height=80).as_dict()
        {'x': 590, 'y': 20, 'width': 100, 'height': 80}
        """
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}


@dataclass(frozen=True)
class Detection:
    """A detected face before verification and tracking.

    Attributes:
        box: bounding box.
        confidence: confidence of the detector. In clips a face is shown once its confidence, summed over consecutive detections,
            reaches 1.
        landmarks: float32 (6, 2), pixels: right eye, left eye, nose, mouth, right ear, left ear, as seen from the person; None
            if the detector finds boxes only.
    """

    box: Box
    confidence: float
    landmarks: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def moved(self, x: int, y: int) -> Detection:
        """Translate the detection by (x, y) pixels.

        >>> emodetect.types.Detection(emodetect.Box(10, 20, 100, 80), confidence=2.0).moved(5, -20).box
        Box(x=15, y=0, width=100, height=80)
        """
        return replace(self, box=self.box.moved(x, y), landmarks=_moved(self.landmarks, x, y))


@dataclass(frozen=True, repr=False, eq=False)
class EmotionScores:
    """Scores of the seven emotions of a face: float32 (7,), 0 to 1, in the order of `EMOTIONS`, sum 1.

    >>> scores = emodetect.EmotionScores(np.float32([0, 0, 0, 0.75, 0, 0.25, 0]))
    >>> scores.dominant.value, scores.confidence, scores[emodetect.Emotion.SURPRISE]
    ('happy', 0.75, 0.25)
    """

    values: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.shape != (len(EMOTIONS),):
            raise ValueError(f"expected scores of shape ({len(EMOTIONS)},), got {self.values.shape}")
        if self.values.min() < -1e-3:
            raise ValueError(f"expected scores of at least 0, got {self.values.min():.4f}")
        if not abs(float(self.values.sum()) - 1) <= 1e-3:  # also for NaN; numpy.isclose takes twenty times as long
            raise ValueError(f"expected scores that sum to 1, got {self.values.sum():.4f}")

    def __repr__(self) -> str:
        strongest = sorted(EMOTIONS, key=self.__getitem__, reverse=True)[:3]
        return f"EmotionScores({', '.join(f'{emotion} {self[emotion]:.0%}' for emotion in strongest)}, ...)"

    @property
    def dominant(self) -> Emotion:
        """The emotion with the highest score."""
        return EMOTIONS[int(self.values.argmax())]

    @property
    def confidence(self) -> float:
        """The highest score, 0 to 1."""
        return float(self.values.max())

    def __getitem__(self, emotion: Emotion) -> float:
        """The score of one emotion."""
        return float(self.values[EMOTIONS.index(emotion)])

    def as_dict(self) -> dict[str, float]:
        """Convert the scores to a dictionary by label.

        >>> emodetect.EmotionScores(np.float32([0, 0, 0, 0.75, 0, 0.25, 0])).as_dict()["surprise"]
        0.25
        """
        return {emotion.value: float(score) for emotion, score in zip(EMOTIONS, self.values, strict=True)}


@dataclass(frozen=True)
class Face:
    """A face in a frame.

    Attributes:
        box: bounding box.
        track_id: id of the face, constant from frame to frame.
        landmarks: as in `Detection`.
    """

    box: Box
    track_id: int
    landmarks: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def moved(self, x: int, y: int) -> Face:
        """Translate the face by (x, y) pixels.

        >>> emodetect.types.Face(emodetect.Box(10, 20, 100, 80), track_id=1).moved(5, -20)
        Face(box=Box(x=15, y=0, width=100, height=80), track_id=1)
        """
        return replace(self, box=self.box.moved(x, y), landmarks=_moved(self.landmarks, x, y))


def _moved(landmarks: npt.NDArray[np.float32] | None, x: float, y: float) -> npt.NDArray[np.float32] | None:
    return None if landmarks is None else landmarks + np.asarray((x, y), np.float32)


_DIGITS = 6
"""Decimal places of numbers in the output format."""

_ANGLE_DIGITS = 1
"""Decimal places of angles, which landmarks give to about a degree."""


@dataclass(frozen=True, repr=False)
class FaceReading:
    """Emotion scores of one face in one frame.

    >>> [face] = emodetect.analyze("examples/astronaut.jpg").readings
    >>> face.shown.value, face.uncertain, face.track_id
    ('happy', False, 1)

    Attributes:
        box: bounding box of the face.
        track_id: id of the face, constant from frame to frame.
        scores: the emotion scores; None until the backend has scored the face (live only).
        uncertain: whether the scores are unreliable: the highest one is too low, or the face is turned away.
        uncertain_below: confidence threshold, 0 to 1, below which the reading is uncertain.
        held: label held by hysteresis although another one has the highest score; see `emodetect.emotions.stable_labels`.
        angle: roll of the face, degrees from -180 to 180: 0 upright, positive clockwise in the image; None without landmarks of
            eyes and mouth.
        turned_away: whether the face is turned too far to the side to be read.
    """

    box: Box
    track_id: int
    scores: EmotionScores | None
    uncertain: bool = True
    uncertain_below: float = 0.5
    held: Emotion | None = None
    angle: float | None = None
    turned_away: bool = False

    def __repr__(self) -> str:
        return f"FaceReading({self._summary}, {self.box}, track_id={self.track_id})"

    @property
    def _summary(self) -> str:
        if self.scores is None:
            return "no scores"
        return f"{self.scores.dominant} {self.scores.confidence:.0%}{'?' if self.uncertain else ''}"

    @property
    def shown(self) -> Emotion | None:
        """The label to display; None if there are no scores or the reading is uncertain."""
        if self.scores is None or self.uncertain:
            return None
        return self.held or self.scores.dominant

    def as_dict(self) -> dict[str, Any]:
        """Convert the reading to a dictionary, as in the output format for photos; missing scores are None.

        >>> emodetect.FaceReading(emodetect.Box(590, 20, 100, 80), track_id=1, scores=None).as_dict()["emotion"] is None
        True
        """
        scores = self.scores
        return {
            "box": self.box.as_dict(),
            "emotion": scores.dominant.value if scores else None,
            "confidence": round(scores.confidence, _DIGITS) if scores else None,
            "uncertain": bool(self.uncertain),
            "scores": {name: round(score, _DIGITS) for name, score in scores.as_dict().items()} if scores else None,
            "angle": None if self.angle is None else round(float(self.angle), _ANGLE_DIGITS),
        }


_MAX_SHOWN = 3
"""Maximum number of faces in the `repr` of a result."""


@dataclass(frozen=True, repr=False)
class FrameResult:
    """All readings of one frame, consumed by every sink and by the overlay.

    >>> result = emodetect.analyze("examples/astronaut.jpg")
    >>> result
    FrameResult(index=0, timestamp=0, 1 face: happy 100%)

    Attributes:
        index: number of the frame in its source.
        timestamp: seconds, as in `Frame`.
        readings: one per face, ordered by id.
        seen: all possible face regions, for anonymization: also unconfirmed and rejected detections, and the predicted places of
            lost faces.
        timings_ms: processing time of each stage, milliseconds by stage name.
    """

    index: int
    timestamp: float
    readings: tuple[FaceReading, ...]
    seen: tuple[Box, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        count = len(self.readings)
        faces = [reading._summary for reading in self.readings[:_MAX_SHOWN]] + ["..."] * (count > _MAX_SHOWN)
        found = f"{count} face{'s' * (count != 1)}{': ' if faces else ''}{', '.join(faces)}"
        return f"FrameResult(index={self.index}, timestamp={self.timestamp:g}, {found})"

    def as_dict(self) -> dict[str, Any]:
        """Convert the result to a dictionary, as in one line of a JSONL log of ``video`` and ``live``.

        >>> emodetect.FrameResult(index=3, timestamp=0.12, readings=()).as_dict()
        {'frame': 3, 'time': 0.12, 'faces': []}
        """
        faces = [{"id": reading.track_id, **reading.as_dict()} for reading in self.readings]
        return {"frame": int(self.index), "time": round(float(self.timestamp), _DIGITS), "faces": faces}

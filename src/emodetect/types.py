"""The values that flow from module to module (NumPy only)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""A picture, uint8 (height, width, 3), channels in BGR order as OpenCV has them."""


class Emotion(str, Enum):
    """The seven labels of FER-2013, in its order: the only label order inside the program."""

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


def check_image(image: object) -> None:
    """See that something is a picture, and say what makes one of it.

    Raises:
        TypeError: it is no array.
        ValueError: it is an array of another shape or type, or an empty one.
    """
    expected = "expected a uint8 (height, width, 3) image"
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{expected}, BGR, as a NumPy array, got {_article(type(image).__name__)}")
    got = f"{expected}, got {image.dtype} {image.shape}"
    if image.dtype != np.uint8:
        hint = "(255 * image).astype(np.uint8) makes one of numbers from 0 to 1"
        raise ValueError(f"{got}; {hint}" if image.dtype.kind == "f" else got)
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        raise ValueError(f"{got}; cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) makes one of a gray picture")
    if image.ndim == 3 and image.shape[2] == 4:
        raise ValueError(f"{got}; image[..., :3] leaves a fourth channel out")
    if image.ndim == 4:
        raise ValueError(f"{got}; pictures are read one at a time")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(got)
    if image.size == 0:
        raise ValueError(f"{got}, which has no pixels")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}" if noun != "NoneType" else "None"


@dataclass(frozen=True)
class Frame:
    """A picture with its place in time.

    Attributes:
        image: uint8 (height, width, 3), BGR.
        index: number of the frame in its source, from 0.
        timestamp: seconds; media time in a clip, time since the start for a camera.

    Raises:
        TypeError: the image is no array.
        ValueError: the image is an array of another shape or type, or has no pixels.
    """

    image: Image
    index: int = 0
    timestamp: float = 0.0

    def __post_init__(self) -> None:
        check_image(self.image)


@dataclass(frozen=True)
class Box:
    """A rectangle in whole pixels; (x, y) is its top left corner."""

    x: int
    y: int
    width: int
    height: int

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box inside a picture of this size; its width or height is 0 where nothing is left."""
        left, top = min(max(self.x, 0), width), min(max(self.y, 0), height)
        right, bottom = min(max(self.x + self.width, left), width), min(max(self.y + self.height, top), height)
        return Box(left, top, right - left, bottom - top)

    def lies_in(self, width: int, height: int) -> bool:
        """Whether all of the box is inside a picture of this size."""
        return 0 <= self.x <= width - self.width and 0 <= self.y <= height - self.height

    def as_dict(self) -> dict[str, int]:
        """The box as the output contract writes it."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}


@dataclass(frozen=True)
class Detection:
    """A place that looks like a face.

    Attributes:
        box: where it is.
        neighbors: how many overlapping windows of the detector agreed on it; more is surer.
    """

    box: Box
    neighbors: int


@dataclass(frozen=True, eq=False)
class EmotionScores:
    """How strongly each emotion is read off a face: float32 (7,), 0 to 1, in the order of `EMOTIONS`, sum 1."""

    values: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.shape != (len(EMOTIONS),):
            raise ValueError(f"expected scores of shape ({len(EMOTIONS)},), got {self.values.shape}")
        if self.values.min() < -1e-3:
            raise ValueError(f"expected scores of at least 0, got {self.values.min():.4f}")
        if not np.isclose(self.values.sum(), 1.0, atol=1e-3):
            raise ValueError(f"expected scores that sum to 1, got {self.values.sum():.4f}")

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
        """Scores by label."""
        return {emotion.value: float(score) for emotion, score in zip(EMOTIONS, self.values, strict=True)}


@dataclass(frozen=True)
class Face:
    """A detected face that the tracker has given an id."""

    box: Box
    track_id: int


@dataclass(frozen=True)
class FaceReading:
    """What was read off one face of one frame.

    Attributes:
        box: where the face is.
        track_id: the same number for the same face from frame to frame.
        scores: the emotion scores, or None while no backend has answered for this face yet (live only).
        uncertain: whether the highest score is too low to be trusted.
        uncertain_below: the score below which it is, 0 to 1.
        held: an emotion to show although another has the highest score by now; see `emodetect.emotions.stable_labels`.
    """

    box: Box
    track_id: int
    scores: EmotionScores | None
    uncertain: bool = True
    uncertain_below: float = 0.5
    held: Emotion | None = None

    @property
    def shown(self) -> Emotion | None:
        """The emotion to show; None where there is none yet, or none that is sure enough."""
        if self.scores is None or self.uncertain:
            return None
        return self.held or self.scores.dominant


@dataclass(frozen=True)
class FrameResult:
    """All readings of one frame; what every sink and the overlay consume.

    Attributes:
        index: number of the frame in its source.
        timestamp: seconds, as in `Frame`.
        readings: one for each face, by id.
        seen: every place that may hold a face, for what must not show one: also what is not believed yet, was refused, or is lost
            and would be there by now.
        timings_ms: what the stages cost, milliseconds by stage name.
    """

    index: int
    timestamp: float
    readings: tuple[FaceReading, ...]
    seen: tuple[Box, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)

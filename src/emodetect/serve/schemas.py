"""What the answers look like, for the description of the interface. The answers themselves come from `FrameResult`."""

from __future__ import annotations

from pydantic import BaseModel


class Error(BaseModel):
    """What went wrong, in one line."""

    error: str


class Box(BaseModel):
    """A rectangle in pixels; x and y are its top left corner."""

    x: int
    y: int
    width: int
    height: int


class Face(BaseModel):
    """What was read off a face. Emotion, confidence and scores are null where it was not read."""

    box: Box
    emotion: str | None
    confidence: float | None
    uncertain: bool
    scores: dict[str, float] | None


class TrackedFace(Face):
    """A face of a clip or stream; the same person keeps the same id."""

    id: int


class Photo(BaseModel):
    """A photo's result, or why it cannot be read."""

    path: str
    width: int
    height: int
    faces: list[Face]
    error: str | None = None


class Frame(BaseModel):
    """A frame's result."""

    frame: int
    time: float
    faces: list[TrackedFace]


class Job(BaseModel):
    """The analysis of a clip; the state is waiting, running, done, failed or canceled."""

    id: str
    name: str
    state: str
    frames: int
    progress: float | None
    error: str | None

"""Schemas of the responses, for the OpenAPI description. The responses themselves come from `FrameResult`."""

from __future__ import annotations

from pydantic import BaseModel


class Error(BaseModel):
    """An error, in one line."""

    error: str


class Box(BaseModel):
    """A rectangle in pixels; x and y are its top left corner."""

    x: int
    y: int
    width: int
    height: int


class Face(BaseModel):
    """A face. Emotion, confidence and scores are null if it could not be read."""

    box: Box
    emotion: str | None
    confidence: float | None
    uncertain: bool
    scores: dict[str, float] | None


class TrackedFace(Face):
    """A face in a clip or stream; the same person keeps the same id."""

    id: int


class Photo(BaseModel):
    """The result of a photo, or its error."""

    path: str
    width: int
    height: int
    faces: list[Face]
    error: str | None = None


class Frame(BaseModel):
    """The result of a frame."""

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

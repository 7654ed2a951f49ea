"""Frames from all kinds of sources: clips, cameras, URLs, and iterables of the caller."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import NamedTuple, TypeAlias

from emodetect.errors import UsageError
from emodetect.sources.camera import LiveCapture, LiveSource
from emodetect.sources.pictures import Color, Picture, iterate_pictures, load_named
from emodetect.sources.video import DEFAULT_RATE, ClipPart, VideoFile
from emodetect.system.assumptions import warn_once
from emodetect.text.numbers import MAX_NUMBER, check_number
from emodetect.types import Frame

Source: TypeAlias = "str | os.PathLike[str] | int | Iterable[Picture]"

_EXPECTED = "a clip, a camera's number or name, an address, or an iterable of frames or pictures"


class OpenedFrames(NamedTuple):
    """Frames in order.

    Attributes:
        frames: the frames, each once.
        can_wait: whether frames remain available, as in a file, so that they can be prefetched.
    """

    frames: Iterator[Frame]
    can_wait: bool


@contextmanager
def open_frames(source: Source, part: ClipPart, *, color: Color, frames_per_second: float | None) -> Iterator[OpenedFrames]:
    """Open a source of frames.

    Args:
        source: a clip, a camera's number or name, a URL, or an iterable of pictures, as for `load_image`.
        part: clip range and step.
        color: the order of an array's channels.
        frames_per_second: frame rate of pictures without timestamps.

    Raises:
        SourceError: the source cannot be opened.
        TypeError: the source yields no frames.
        UsageError: a frame rate is given for a source with timestamps.
    """
    if frames_per_second is not None:
        check_number("frames_per_second", frames_per_second, 1e-3, 1e4)
    if not isinstance(source, str | os.PathLike | Integral) or isinstance(source, bool):
        frames = _frames_of(iterate_pictures(source, _EXPECTED), color, frames_per_second)
        yield OpenedFrames(part.of_frames(frames), can_wait=False)
        return
    if frames_per_second is not None:
        raise UsageError(f"frames_per_second: {source} has times of its own; the rate is for pictures without any")
    opened = _opened(source)
    if isinstance(opened, Path):
        with VideoFile(opened, part) as clip:
            yield OpenedFrames(iter(clip), can_wait=True)
    else:
        with LiveCapture(opened) as capture:
            yield OpenedFrames(part.of_frames(capture), can_wait=False)


def _opened(source: str | os.PathLike[str] | Integral) -> Path | LiveSource:
    """Resolve a name to a clip or a live source."""
    if isinstance(source, os.PathLike):
        return Path(source)
    if isinstance(source, Integral):
        check_number("a camera's number", source, 0, MAX_NUMBER)
    found = LiveSource.parse(str(source))
    return Path(str(found.target)) if found.kind == "file" else found


def _frames_of(pictures: Iterable[Picture], color: Color, rate: float | None) -> Iterator[Frame]:
    """Yield frames unchanged, and other pictures at a constant frame rate."""
    for index, picture in enumerate(pictures):
        if isinstance(picture, Frame):
            if rate is not None:
                raise UsageError("frames_per_second: a Frame has a time of its own; the rate is for pictures without any")
            yield picture
            continue
        if rate is None:
            warn_once(f"pictures come without times; {DEFAULT_RATE:g} frames per second are assumed")
        yield Frame(load_named(f"frame {index}", picture, color), index, index / (rate or DEFAULT_RATE))

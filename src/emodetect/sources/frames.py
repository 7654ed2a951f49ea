"""Frames of whatever gives pictures in order: clips, cameras, addresses, and a program's own iterables."""

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
from emodetect.text.numbers import MOST_NUMBER, check_number
from emodetect.types import Frame

Source: TypeAlias = "str | os.PathLike[str] | int | Iterable[Picture]"

_EXPECTED = "a clip, a camera's number or name, an address, or an iterable of frames or pictures"


class OpenedFrames(NamedTuple):
    """Frames in order.

    Attributes:
        frames: the frames, each once.
        can_wait: whether they are there at any time, as in a file, so that some may be read ahead.
    """

    frames: Iterator[Frame]
    can_wait: bool


@contextmanager
def open_frames(source: Source, part: ClipPart, *, color: Color, frames_per_second: float | None) -> Iterator[OpenedFrames]:
    """Open what gives frames.

    Args:
        source: a clip, a camera's number or name, an address, or an iterable of pictures as `load_image` takes them.
        part: which of its frames.
        color: the order of arrays' channels.
        frames_per_second: the rate of pictures that come without times.

    Raises:
        SourceError: it cannot be opened.
        TypeError: it gives no frames.
        UsageError: there is a rate for what has times of its own.
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
    """The clip or the live source that is named."""
    if isinstance(source, os.PathLike):
        return Path(source)
    if isinstance(source, Integral):
        check_number("a camera's number", source, 0, MOST_NUMBER)
    found = LiveSource.parse(str(source))
    return Path(str(found.target)) if found.kind == "file" else found


def _frames_of(pictures: Iterable[Picture], color: Color, rate: float | None) -> Iterator[Frame]:
    """Frames as they are, other pictures at a steady rate."""
    for index, picture in enumerate(pictures):
        if isinstance(picture, Frame):
            if rate is not None:
                raise UsageError("frames_per_second: a Frame has a time of its own; the rate is for pictures without any")
            yield picture
            continue
        if rate is None:
            warn_once(f"pictures come without times; {DEFAULT_RATE:g} frames per second are assumed")
        yield Frame(load_named(f"frame {index}", picture, color), index, index / (rate or DEFAULT_RATE))

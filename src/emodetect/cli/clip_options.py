"""Options that pick a part of a clip: of its time, its frames and its picture."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from emodetect.errors import UsageError
from emodetect.text.numbers import MOST_NUMBER

if TYPE_CHECKING:
    from emodetect.faces.detector import MinFace
    from emodetect.sources.video import ClipPart
    from emodetect.types import Box

Function = TypeVar("Function", bound=Callable[..., Any])

_CLOCK = re.compile(r"(?:(?:(\d{1,6}):)?([0-5]?\d):)?(\d{1,9}(?:\.\d*)?|\.\d+)", re.ASCII)


def media_time(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds, from ``75.5``, ``1:15.5`` or ``0:01:15.5``; a callback for options."""
    if value is None:
        return None
    match = _CLOCK.fullmatch(value.strip())
    hours, minutes, seconds = match.groups() if match else ("", "", "")
    if not match or (minutes and float(seconds) >= 60):
        raise click.BadParameter(f"{value!r} is no time: seconds such as 75.5, or minutes and seconds such as 1:15.5")
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def _region(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[list[float], bool] | None:
    """Four numbers, and whether they are shares of the picture: with %, or none of them above 1."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    percent = [part.endswith("%") for part in parts]
    try:
        numbers = [float(part.removesuffix("%")) / (100 if part.endswith("%") else 1) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(0 <= number <= MOST_NUMBER for number in numbers):
        raise click.BadParameter(f"{value!r}: expected X,Y,WIDTH,HEIGHT in pixels or shares, such as 50%,0,50%,100%")
    relative = any(percent) or max(numbers) <= 1
    plain = [number for number, is_percent in zip(numbers, percent, strict=True) if not is_percent]
    mixed = any(plain) if any(percent) else not relative and any(0 < number < 1 for number in plain)
    if mixed:
        raise click.BadParameter(f"{value!r}: pixels and shares cannot be mixed")
    return numbers, relative


def part_options(function: Function) -> Function:
    """``--start``, ``--end``, ``--every`` and ``--roi``."""
    # fmt: off
    for option in (
        click.option("--roi", "region", callback=_region, metavar="X,Y,W,H",
                     help="Look for faces only in this part of the picture: pixels, or shares such as 50%,0,50%,100%."),
        click.option("--every", type=click.IntRange(1, 10**6), default=1, show_default=True, metavar="N",
                     help="Read each N-th frame only."),
        click.option("--end", callback=media_time, metavar="TIME", help="End before this time."),
        click.option("--start", callback=media_time, metavar="TIME",
                     help="Begin at this time of the clip: seconds, or m:ss."),
    ):
        function = option(function)
    # fmt: on
    return function


def make_part(start: float | None, end: float | None, every: int) -> ClipPart:
    """The part that the options describe.

    Raises:
        UsageError: it ends before it begins.
    """
    from emodetect.sources.video import ClipPart

    part = ClipPart(start or 0.0, math.inf if end is None else end, every)
    if part.end <= part.start:
        raise UsageError(f"--end: {part.end:g} s is not after --start, {part.start:g} s")
    return part


def make_region(given: tuple[list[float], bool] | None, size: tuple[int, int], min_face: MinFace | None) -> Box | None:
    """The part of a picture of this width and height that the option describes.

    Args:
        given: what `part_options` makes of the option.
        size: width and height of the picture, pixels.
        min_face: the smallest face that is looked for; None where no face is looked for.

    Raises:
        UsageError: it does not lie in the picture, or no face fits in it.
    """
    from emodetect.faces.region import Region

    if given is None:
        return None
    (x, y, width, height), relative = given
    region = Region(x, y, width, height, relative).box(size)
    smallest = min_face.found_from(region.height) if min_face is not None else 1
    if min(region.width, region.height) < smallest:
        found = f"{region.width} x {region.height} pixels hold no face; the smallest that is looked for there has {smallest:g}"
        raise UsageError(f"--roi: {found} (--min-face)", parameter="region")
    return region

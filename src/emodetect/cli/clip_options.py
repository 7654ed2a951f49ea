"""Options that select a part of a clip: a time range, a step, and a region of interest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from emodetect.text.numbers import MAX_NUMBER

if TYPE_CHECKING:
    from emodetect.faces.region import Region
    from emodetect.sources.video import ClipPart

Function = TypeVar("Function", bound=Callable[..., Any])

_CLOCK = re.compile(r"(?:(?:(\d{1,6}):)?([0-5]?\d):)?(\d{1,9}(?:\.\d*)?|\.\d+)", re.ASCII)


def media_time(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Parse a time such as ``75.5``, ``1:15.5`` or ``0:01:15.5`` to seconds; a callback for options."""
    if value is None:
        return None
    match = _CLOCK.fullmatch(value.strip())
    hours, minutes, seconds = match.groups() if match else ("", "", "")
    if not match or (minutes and float(seconds) >= 60):
        raise click.BadParameter(f"{value!r} is no time: seconds such as 75.5, or minutes and seconds such as 1:15.5")
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def _region(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Region | None:
    """Parse four numbers: fractions if they have a % or none of them exceeds 1, otherwise pixels; a callback."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    percent = [part.endswith("%") for part in parts]
    try:
        numbers = [float(part.removesuffix("%")) / (100 if part.endswith("%") else 1) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(0 <= number <= MAX_NUMBER for number in numbers):
        raise click.BadParameter(f"{value!r}: expected X,Y,WIDTH,HEIGHT in pixels or shares, such as 50%,0,50%,100%")
    relative = any(percent) or max(numbers) <= 1
    plain = [number for number, is_percent in zip(numbers, percent, strict=True) if not is_percent]
    mixed = any(plain) if any(percent) else not relative and any(0 < number < 1 for number in plain)
    if mixed:
        raise click.BadParameter(f"{value!r}: pixels and shares cannot be mixed")
    from emodetect.faces.region import Region

    return Region(numbers[0], numbers[1], numbers[2], numbers[3], relative)


def part_options(function: Function) -> Function:
    """Add ``--start``, ``--end``, ``--every`` and ``--roi``."""
    # fmt: off
    for option in (
        click.option("--roi", "region", callback=_region, metavar="X,Y,W,H",
                     help="Search for faces only in this region of interest: pixels, or shares such as 50%,0,50%,100%."),
        click.option("--every", type=click.IntRange(1, 10**6), default=1, show_default=True, metavar="N",
                     help="Analyze every N-th frame only."),
        click.option("--end", callback=media_time, metavar="TIME", help="End before this time."),
        click.option("--start", callback=media_time, metavar="TIME",
                     help="Start at this time of the clip: seconds, or m:ss."),
    ):
        function = option(function)
    # fmt: on
    return function


def make_part(start: float | None, end: float | None, every: int) -> ClipPart:
    """Create the clip range of the options.

    Raises:
        UsageError: the range ends before it begins.
    """
    from emodetect.sources.video import ClipPart

    return ClipPart.of(start or 0.0, end, every)

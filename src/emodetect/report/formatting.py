"""Formatting of times, durations and shares."""

from __future__ import annotations


def clock(seconds: float, tenths: bool = True) -> str:
    """Format a time as 1:02.5 or 1:00:02.5; without tenths as 1:02 or 1:00:02.

    Args:
        seconds: the time.
        tenths: whether to show tenths of a second.
    """
    number = round(10 * seconds) if tenths else 10 * round(seconds)
    minutes, rest = divmod(number, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02}" + (f".{rest % 10}" if tenths else "")


def duration(seconds: float) -> str:
    """Format a duration: 0.04 s, 12.5 s, 2 min 5 s or 1 h 3 min."""
    if seconds < 0.095:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def percent(share: float) -> str:
    """Format a share, 0 to 1, as a percentage: 12%, or <1% for a positive share that would be rounded to 0."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"

"""Numbers that come from outside, as options or in logs."""

from __future__ import annotations

from numbers import Integral, Real

from emodetect.errors import UsageError

MOST_NUMBER = 1e9
"""The largest number that an option or a time in a log may be: a billion seconds are 31 years. Larger ones overflow somewhere."""


def check_number(name: str, value: object, least: float, most: float, *, whole: bool = False) -> None:
    """Check that a value is a number in a range.

    Args:
        name: what it is called in the error.
        value: the value; True and False are no numbers.
        least: the smallest that it may be.
        most: the largest that it may be.
        whole: whether it must be an integer.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise UsageError(f"{name}: expected a {'whole number' if whole else 'number'}, got {value!r}", parameter=name)
    if not least <= float(value) <= most:
        raise UsageError(f"{name}: {value} is out of range, {least:g} to {most:g}", parameter=name)

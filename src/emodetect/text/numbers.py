"""Range checks of numbers from options and logs."""

from __future__ import annotations

from numbers import Integral, Real

from emodetect.errors import UsageError

MAX_NUMBER = 1e9
"""Upper limit of numbers in options and logs. A billion seconds are 31 years; larger numbers overflow somewhere."""


def check_number(name: str, value: object, min_value: float, max_value: float, *, whole: bool = False) -> None:
    """Check that a value is a number in a range.

    Args:
        name: name of the value, for the error.
        value: the value; True and False are not numbers.
        min_value: minimum.
        max_value: maximum.
        whole: whether it must be an integer.

    Raises:
        UsageError: the value is no number, or out of range.
    """
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise UsageError(f"{name}: expected a {'whole number' if whole else 'number'}, got {value!r}", parameter=name)
    if not min_value <= float(value) <= max_value:
        raise UsageError(f"{name}: {value} is out of range, {min_value:g} to {max_value:g}", parameter=name)

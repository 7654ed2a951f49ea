"""Conventions that a model file often does not state: labels, scaling, channel order, and which output to read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from emodetect.errors import UsageError

if TYPE_CHECKING:  # imported by the command line, which must work without NumPy
    from typing_extensions import Self

Channels: TypeAlias = Literal["gray", "rgb", "bgr"]

CHANNELS: tuple[Channels, ...] = get_args(Channels)

SCALING_FORMS = "0..1, -1..1, 0..255, imagenet or SCALE,OFFSET"
"""Accepted forms of `Scaling.parse`, for messages and help."""

_MIN_NUMBER, _MAX_NUMBER = 1e-6, 1e6
"""Limits of scale and offset; common input ranges are about -3 to 3 and 0 to 255."""


@dataclass(frozen=True)
class Scaling:
    """Input scaling of a network: ``pixel * scale + offset``, for pixels from 0 to 255.

    Attributes:
        scale: one factor for all channels, or one per channel in the network's order.
        offset: as many offsets.

    Raises:
        UsageError: a number is not finite, out of range, or zero as a scale.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scale) != len(self.offset) or len(self.scale) not in (1, 3):
            raise UsageError(f"expected one scale and one offset, or three each; got {len(self.scale)} and {len(self.offset)}")
        for factor in self.scale:
            if not _MIN_NUMBER <= abs(factor) <= _MAX_NUMBER:
                raise UsageError(f"the scale {factor:g} is out of range, {_MIN_NUMBER:g} to {_MAX_NUMBER:g}")
        for term in self.offset:
            if not abs(term) <= _MAX_NUMBER:
                raise UsageError(f"the offset {term:g} is out of range, {-_MAX_NUMBER:g} to {_MAX_NUMBER:g}")

    @classmethod
    def to_range(cls, low: float, high: float) -> Self:
        """Create the scaling that maps pixels from 0 to 255 to ``low`` to ``high``."""
        return cls(((high - low) / 255,), (low,))

    @classmethod
    def of_mean(cls, mean: Sequence[float], deviation: Sequence[float], *, largest: float = 1.0) -> Self:
        """Create the scaling ``(x - mean) / deviation``, where ``x`` is the pixel mapped to the range from 0 to ``largest``.

        Raises:
            UsageError: a deviation is zero, or the numbers of means and deviations differ.
        """
        if 0 in deviation:
            raise UsageError("the deviation 0 is out of range")
        scale = tuple(largest / 255 / width for width in deviation)
        return cls(scale, tuple(-center / width for center, width in zip(mean, deviation, strict=False)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a preset, a range such as ``-1..1``, ``SCALE,OFFSET``, or three scales followed by three offsets.

        Numbers may be fractions, such as ``1/127.5``.

        Raises:
            UsageError: the text has another form.
        """
        text = text.strip().lower()
        if text == "imagenet":
            return cls(IMAGENET.scale, IMAGENET.offset)
        low, range_sign, high = text.partition("..")
        try:
            if range_sign:
                return cls.to_range(_number(low), _number(high))
            numbers = tuple(map(_number, text.split(",")))
        except ValueError:
            numbers = ()
        if len(numbers) not in (2, 6):
            raise UsageError(f"{text!r} is no scaling: expected {SCALING_FORMS}, such as 1/127.5,-1")
        if numbers in ((-1, 1), (0, 1), (0, 255)):
            raise UsageError(f"{text!r} is a scale and an offset; did you mean {numbers[0]:g}..{numbers[1]:g}?")
        return cls(numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :])

    def __str__(self) -> str:
        """Format for `parse`, as the name of a preset if possible."""
        for name in ("0..1", "-1..1", "0..255", "imagenet"):
            preset = Scaling.parse(name)
            if len(preset.scale) == len(self.scale) and all(
                math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)
                for a, b in zip((*preset.scale, *preset.offset), (*self.scale, *self.offset), strict=True)
            ):
                return name
        return ",".join(f"{number:.6g}" for number in (*self.scale, *self.offset))


_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of red, green and blue, scaled to 0 to 1, as documented by torchvision."""

IMAGENET = Scaling.of_mean(_IMAGENET_MEAN, _IMAGENET_DEVIATION)

ASSUMED_SCALING = Scaling.to_range(0, 1)
"""The scaling of the common tutorials, a division by 255."""


def _number(text: str) -> float:
    """Parse a number, or a fraction such as ``1/255``.

    Raises:
        ValueError: the text is neither.
    """
    above, sign, below = text.partition("/")
    try:
        return float(above) / float(below) if sign else float(above)
    except ZeroDivisionError:
        raise ValueError(text) from None


@dataclass(frozen=True)
class ModelConventions:
    """Conventions of a model file as stated by the user. None means: read from the file if possible, otherwise assumed.

    Can be pickled.

    Attributes:
        labels: label of each output value, in order.
        scaling: input scaling.
        channels: channel order of the training images: "gray", "rgb" or "bgr".
        output_name: the output to read, for a model with several outputs.
    """

    labels: tuple[str, ...] | None = None
    scaling: Scaling | None = None
    channels: Channels | None = None
    output_name: str | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str] | None = None,
        scaling: str | Scaling | tuple[float, float] | None = None,
        channels: str | None = None,
        output_name: str | None = None,
    ) -> Self:
        """Create from the values of a caller.

        Args:
            labels: any sequence of names; empty means None.
            scaling: a text for `Scaling.parse`, or a scale and an offset.
            channels: one of `CHANNELS`.
            output_name: the name of an output.

        Raises:
            UsageError: a value is invalid.
        """
        if isinstance(labels, str) or not all(isinstance(label, str) for label in labels or ()):
            raise UsageError(f"labels: expected a sequence of names, got {labels!r}")
        if output_name is not None and not isinstance(output_name, str):
            raise UsageError(f"output_name: expected a name, got {output_name!r}")
        if channels is not None and channels not in CHANNELS:
            raise UsageError(f"channels: expected one of {', '.join(CHANNELS)}, got {channels!r}")
        if isinstance(scaling, str):
            scaling = Scaling.parse(scaling)
        elif scaling is not None and not isinstance(scaling, Scaling):
            try:
                scale, offset = map(float, scaling)
            except (TypeError, ValueError):
                raise UsageError(f"scaling: expected {SCALING_FORMS}, got {scaling!r}") from None
            scaling = Scaling((scale,), (offset,))
        return cls(
            tuple(labels) if labels else None,
            scaling,
            channels,
            output_name,
        )

    @property
    def given(self) -> list[str]:
        """Names of the attributes that are not None."""
        return [part.name for part in fields(self) if getattr(self, part.name) is not None]


def quoted(parameters: Iterable[str], separator: str = " and ") -> str:
    """Format names of parameters for the hint of an error."""
    return separator.join(f"`{name}`" for name in parameters)


UNSTATED = ModelConventions()
"""Conventions with nothing stated."""

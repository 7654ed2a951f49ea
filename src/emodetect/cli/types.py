"""Click parameter types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from emodetect.backends.conventions import Scaling
from emodetect.backends.limits import parse_size
from emodetect.errors import UsageError
from emodetect.faces.detector import MinFace
from emodetect.text.numbers import MAX_NUMBER
from emodetect.text.printable import looks_like_address


class _FilePath(click.Path):
    """A non-empty path, without further checks by Click. An unset variable in a shell gives an empty argument.

    `Path("")` would be the current folder. An unreadable file is no usage error, and other inputs are
    still processed.
    """

    def __init__(self, **limits: bool) -> None:
        super().__init__(path_type=Path, readable=False, **limits)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        if value == "":
            self.fail("is empty; expected the name of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


class _Name(click.types.StringParamType):
    """A non-empty text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        if value == "":
            self.fail("is empty; expected a name", param, ctx)
        return super().convert(value, param, ctx)


class _Clip(_FilePath):
    """A path, or - for standard input; a file of that name is ./-."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        if value == "-":
            from emodetect.media.media_file import STANDARD_INPUT

            return STANDARD_INPUT
        return super().convert(value, param, ctx)


class OutputPath(_FilePath):
    """A file that the command writes; all other paths are inputs."""


class OutputName(_Name):
    """The unchanged name of a file or folder that the command writes; a trailing / marks a folder."""


class _Photo(_FilePath):
    """A path, or an unchanged URL, since a path would lose a slash."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        return value if isinstance(value, str) and looks_like_address(value) else super().convert(value, param, ctx)


PATH, NAME, PHOTO, CLIP = _FilePath(), _Name(), _Photo(), _Clip()

OUTPUT, OUTPUT_NAME = OutputPath(), OutputName()


class NumberRange(click.FloatRange):
    """A range of finite numbers, with `MAX_NUMBER` as its default maximum.

    Click accepts NaN, which violates no limit, and infinity without a limit.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        if abs(number) > MAX_NUMBER:
            self.fail(f"{value} is more than {MAX_NUMBER:,.0f}.", param, ctx)
        return number


class MinFaceType(click.types.StringParamType):
    """A minimum face size (`MinFace`): a number of pixels (64), or a fraction of the picture's height (0.1 or 10%)."""

    name = "min-face"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        if isinstance(value, MinFace):
            return value
        text = str(value)  # a number in the configuration file
        try:
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is neither a number of pixels nor a share such as 0.1 or 10%", param, ctx)
        relative = text.endswith("%") or 0 < number < 1
        if not 0 < number <= (1 if relative else MAX_NUMBER):
            self.fail(f"{text!r} is out of range: at least 1 pixel, or a share up to 100%", param, ctx)
        return MinFace(number, relative)


class Confidence(click.FloatRange):
    """A number from 0 to 1, or a percentage."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert and check the value."""
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            self.fail(f"{text!r} is no confidence: from 0 to 1, or from 0% to 100%", param, ctx)
        return number


class LabelNamesType(click.types.StringParamType):
    """A text for `LabelNames.parse`."""

    name = "folder-labels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        from emodetect.training.data.label_names import LabelNames

        try:
            return LabelNames.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the beginning of the value."""
        from emodetect.training.data.label_names import NUMBERED

        return [CompletionItem(name) for name in NUMBERED if name.startswith(incomplete)]


class ScalingType(click.types.StringParamType):
    """A text for `Scaling.parse`."""

    name = "scaling"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        try:
            return Scaling.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the beginning of the value."""
        return [CompletionItem(name) for name in ("0..1", "-1..1", "0..255", "imagenet") if name.startswith(incomplete)]


class PictureSizeType(click.types.StringParamType):
    """Width and height, for `PictureSize.parse`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        from emodetect.sources.capture_format import PictureSize

        try:
            return PictureSize.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Size(click.types.StringParamType):
    """A number of bytes.

    Args:
        parse: converts a text, and raises `UsageError` if it is invalid.
    """

    name = "size"

    def __init__(self, parse: Callable[[str], int] = parse_size) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        try:
            return self._parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class ShardType(click.types.StringParamType):
    """A text for `Shard.parse`."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        from emodetect.batch.inputs import Shard

        try:
            return Shard.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Duration(click.types.StringParamType):
    """A duration such as 1s, 500ms, 2min or 1.5 (seconds), up to a day; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        text = str(value).strip().lower()
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*(ms|s|sec|min|h|)", text, re.ASCII)
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if not 0.001 <= seconds <= 86400:
            self.fail(f"{text!r} is no length of time from 1ms to 24h, such as 1s, 500ms or 2min", param, ctx)
        return seconds


_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "": 1.0, "min": 60.0, "h": 3600.0}


class FigureSize(click.types.StringParamType):
    """Width and height in millimeters, such as 85x60."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert and check the value."""
        match = re.fullmatch(
            r"(\d{1,4}(?:\.\d{1,3})?)\s*[x\u00d7]\s*(\d{1,4}(?:\.\d{1,3})?)\s*(?:mm)?", str(value).strip().lower()
        )
        size = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
        if not all(30 <= side <= 1000 for side in size):
            self.fail(f"{value!r} is no size of a figure: width x height in mm, 30 to 1000, such as 85x60", param, ctx)
        return size


def comma_separated(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Split a value such as ``angry,happy``; a callback for options."""
    return None if value is None else [part.strip() for part in value.split(",") if part.strip()]

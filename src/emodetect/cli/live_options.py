"""Options for live sources, and for publishing results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from emodetect.cli.types import NumberRange, PictureSizeType
from emodetect.publish.registry import PublishSettings
from emodetect.sources.capture_format import CaptureFormat

Function = TypeVar("Function", bound=Callable[..., Any])


def publish_options(function: Function) -> Function:
    """Add ``--publish`` and ``--changes-only``, passed to the command as ``publishing``."""

    @functools.wraps(function)
    def with_publishing(*arguments: Any, publish: tuple[str, ...], changes_only: bool, **named: Any) -> Any:
        return function(*arguments, publishing=PublishSettings(publish, changes_only), **named)

    decorated = cast("Function", with_publishing)
    # fmt: off
    for option in (
        click.option("--changes-only", is_flag=True,
                     help="Publish only the frames in which the label of a face changes, or a face appears or disappears."),
        click.option("--publish", multiple=True, metavar="ADDRESS",
                     help="Send the readings of every frame to other programs: ws://127.0.0.1:9001 (a server), "
                          "mqtt://broker/topic, osc://host:port, lsl:NAME, http://host/path. May be repeated."),
    ):
        decorated = option(decorated)
    # fmt: on
    return decorated


def capture_options(function: Function) -> Function:
    """Add ``--size`` and ``--fps``, passed to the command as ``form``."""

    @functools.wraps(function)
    def with_form(*arguments: Any, size: Any, fps: float | None, **named: Any) -> Any:
        return function(*arguments, form=CaptureFormat(size, fps), **named)

    decorated = cast("Function", with_form)
    # fmt: off
    for option in (
        click.option("--fps", type=NumberRange(1, 1000), metavar="NUMBER",
                     help="Requested frame rate of the camera, or frame rate of standard input.  [default: the source's]"),
        click.option("--size", type=PictureSizeType(), metavar="WIDTHxHEIGHT",
                     help="Requested frame size of the camera, or size of raw frames (bgr24) on standard input.  "
                          "[default: the source's]"),
    ):
        decorated = option(decorated)
    # fmt: on
    return decorated

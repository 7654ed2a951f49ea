"""Checks of a command's input and output files, before its work starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.configuration import configuration_in_use, key_of
from emodetect.cli.types import NAME, OutputName, OutputPath
from emodetect.errors import OutputError, UsageError
from emodetect.text.printable import public_name

if TYPE_CHECKING:
    from emodetect.system.output_files import Inputs

PICTURE_SUFFIXES = (".png", ".pdf", ".svg")
"""Suffixes of plots."""

REPORT_SUFFIXES = (".html", ".htm")

_NOUNS = {"clip": "clip", "log": "log", "source": "clip"}
"""Names of inputs in messages, by parameter; others are named by their option."""


def check_outputs(
    outputs: Sequence[tuple[Path | None, tuple[str, ...]]],
    *,
    overwrite: bool,
    streams: tuple[str, ...] = (),
    also_read: Iterable[tuple[Path, str]] = (),
) -> Inputs:
    """Check that a command can write its outputs, and that none of them is an input.

    Args:
        outputs: each file, or None, and its allowed suffixes.
        overwrite: whether the files may exist.
        streams: the suffixes of outputs that may also be a pipe or a device.
        also_read: inputs that are not named on the command line, each with its description for messages.

    Returns:
        The command's inputs, to check further outputs.

    Raises:
        OutputError: an output cannot be written, is an input, or is named twice.
    """
    from emodetect.system.output_files import Inputs, Output
    from emodetect.system.output_files import check_outputs as check

    ctx = click.get_current_context()
    inputs = Inputs([*also_read, *_named_inputs(ctx)])
    parameters = {ctx.params.get(name): name for option in ctx.command.params if _is_output(option) and (name := option.name)}
    wanted = [
        Output(path, suffixes, suffixes == streams, parameters.get(path, "output"))
        for path, suffixes in outputs
        if path is not None
    ]
    check(wanted, inputs, overwrite=overwrite)
    _check_playlist_outputs([output.path for output in wanted])
    return inputs


def check_anonymize(method: str | None, saved: object, option: str) -> None:
    """Check that an output can be anonymized.

    Raises:
        UsageError: nothing is saved; the message names ``option``.
    """
    if method is not None and saved is None:
        raise UsageError(f"--anonymize requires {option}: it hides the faces in saved images")


def _check_playlist_outputs(outputs: Iterable[Path]) -> None:
    """Check that no output exists if the clip is a playlist, whose files FFmpeg reveals only while it reads them.

    Raises:
        OutputError: an output exists, and the clip is a playlist.
    """
    from emodetect.media.playlists import allows_playlists

    existing = [path for path in outputs if path.is_file()]
    if not existing or not allows_playlists():
        return
    from emodetect.media.probe import is_playlist

    params = click.get_current_context().params
    for clip in (params.get(name) for name in _NOUNS if _NOUNS[name] == "clip"):
        if clip is not None and os.path.isfile(clip) and is_playlist(Path(clip)):
            name = public_name(str(clip))
            raise OutputError(f"{existing[0]}: exists already, and {name} may be a playlist that names it; choose another name")


def _named_inputs(ctx: click.Context) -> Iterator[tuple[Path, str]]:
    """Input files of the command line, variables and the configuration file, each with its description."""
    for parameter in ctx.command.params:
        if _is_output(parameter):
            continue
        noun = _NOUNS.get(parameter.name or "") if ctx.info_name != "export" else None
        what = f"the {noun} itself" if noun else f"read by this command{_option(parameter)}"
        # A folder in an option is a data set, of which every picture is read; one in an argument contains other files as well.
        takes_folders = isinstance(parameter, click.Option)
        takes_names = parameter.type is NAME or parameter.name == "source"
        for value in _values(ctx.params.get(parameter.name or "")):
            if isinstance(value, Path) or (isinstance(value, str) and takes_names):
                path = Path(value)
                if os.path.isfile(path) or (takes_folders and isinstance(value, Path)):
                    yield path, what
    yield configuration_in_use(ctx), "the configuration file"


def _is_output(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, OutputPath | OutputName)


def _values(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _option(parameter: click.Parameter) -> str:
    return f" (--{key_of(parameter)})" if isinstance(parameter, click.Option) else ""

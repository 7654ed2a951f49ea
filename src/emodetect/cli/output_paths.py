"""Which files a command reads and writes, looked at before its work starts."""

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
"""Endings of the files that plots are saved in."""

REPORT_SUFFIXES = (".html", ".htm")

_NOUNS = {"clip": "clip", "log": "log", "source": "clip"}
"""What an input is called in messages, by parameter; others by their option."""


def check_outputs(
    outputs: Sequence[tuple[Path | None, tuple[str, ...]]],
    *,
    overwrite: bool,
    streams: tuple[str, ...] = (),
    also_read: Iterable[tuple[Path, str]] = (),
) -> Inputs:
    """See that a command can write its outputs, and that none of them is an input of it.

    Args:
        outputs: each file, None where it is not wanted, and the endings that it may have.
        overwrite: whether the files may exist.
        streams: the endings of those that may be a pipe or a device instead.
        also_read: inputs that are not named on the command line, and what each is in a message.

    Returns:
        The command's inputs, for further outputs.

    Raises:
        OutputError: one of the outputs cannot be written, is an input, or is named twice.
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
    _refuse_parts_of_playlists([output.path for output in wanted])
    return inputs


def check_anonymize(method: str | None, saved: object, option: str) -> None:
    """See that something is saved in which faces could be hidden.

    Raises:
        UsageError: nothing is; ``option`` would.
    """
    if method is not None and saved is None:
        raise UsageError(f"--anonymize goes with {option}: it hides the faces in what is saved")


def _refuse_parts_of_playlists(outputs: Iterable[Path]) -> None:
    """See that none of the outputs may be a file that a playlist leads to: which those are, FFmpeg tells only while it reads.

    Raises:
        OutputError: one of them exists, and the clip is a playlist.
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
    """Each file that the command line, variables or the configuration file name and that is no output, and what it is."""
    for parameter in ctx.command.params:
        if _is_output(parameter):
            continue
        noun = _NOUNS.get(parameter.name or "") if ctx.info_name != "export" else None
        what = f"the {noun} itself" if noun else f"read by this command{_option(parameter)}"
        # Of a data set, which is an option, every picture is read; a folder that is an argument holds other files as well.
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

"""Finding FFmpeg, the program that reads and writes clips. The package imageio-ffmpeg contains it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from emodetect.errors import OutputError, first_line
from emodetect.system.assumptions import warn_once
from emodetect.system.child_processes import run_child
from emodetect.system.install_hints import FFMPEG_CURE

VARIABLE = "IMAGEIO_FFMPEG_EXE"
"""The environment variable that names another FFmpeg, as defined by imageio-ffmpeg."""

OLDEST = (5, 1)
"""Minimum version of FFmpeg with all options in use."""

_OLDEST_LIBAVFORMAT = (59, 27)
"""Minimum version of libavformat, for builds between releases, which have no version number."""

_VERSION_SECONDS = 10.0
"""Time-out for FFmpeg to print its version, seconds. It usually takes 0.03 s."""


@dataclass(frozen=True)
class FFmpeg:
    """A usable FFmpeg program.

    Attributes:
        program: its path or name.
        version: the version that it prints.
        refused: reason, as a clause, why the program named by the variable is not used; empty if it is used, or none is named.
    """

    program: str
    version: str
    refused: str = ""


def ffmpeg_program() -> str:
    """Path or name of FFmpeg. Call it before a clip or an output is opened. Warns once if the user named another program.

    Raises:
        OutputError: FFmpeg is missing, too old or cannot be run.
    """
    try:
        found = find_ffmpeg()
    except LookupError as error:
        raise OutputError(f"FFmpeg, which clips are read and written with, cannot be used ({error}): {FFMPEG_CURE}") from error
    if found.refused:
        warn_once(f"{found.refused}; {found.program} is used instead (FFmpeg {found.version})")
    return found.program


def find_ffmpeg() -> FFmpeg:
    """Find the FFmpeg named by the variable, or the packaged one if that cannot be used.

    Raises:
        LookupError: no usable FFmpeg was found; the message says why.
    """
    named, refused = os.environ.get(VARIABLE), ""
    if named:
        version, problem = _examined(named)
        if not problem:
            return FFmpeg(named, version)
        refused = f"{VARIABLE} names {named}, which {problem}"
    try:
        program = _packaged()
        version, problem = _examined(program)
        if problem:
            raise LookupError(f"{program} {problem}")
    except LookupError as error:
        raise LookupError(f"{refused}; {error}" if refused else str(error)) from error
    return FFmpeg(program, version, refused)


def _packaged() -> str:
    """Path of the program that imageio-ffmpeg finds: its own, or one of Conda or the system."""
    named = os.environ.pop(VARIABLE, None)
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except RuntimeError:
        raise LookupError("it is missing, or may not be executed") from None
    except (ImportError, OSError) as error:
        raise LookupError(first_line(error)) from error
    finally:
        if named is not None:
            os.environ[VARIABLE] = named


@functools.cache
def _examined(program: str) -> tuple[str, str]:
    """Version of a program, and the reason, as a clause, why it cannot be used; empty if it can."""
    if not shutil.which(program):
        return "", "is no program"
    try:
        done = run_child([program, "-version"], seconds=_VERSION_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"did not say its version within {_VERSION_SECONDS:g} s"
    except OSError as error:
        return "", f"cannot be run ({error.strerror or error})"
    output = done.stdout.decode(errors="replace")
    version = re.match(r"ffmpeg version (\S+)", output)  # "ffmpeg version 7.0.2-static https://..."
    if done.returncode or not version:
        return "", "is not FFmpeg" if not done.returncode else f"ended with exit code {done.returncode}"
    number = re.match(r"n?(\d{1,2})(?:\.(\d+))?(?!\d)", version[1])
    library = re.search(r"^libavformat +(\d+)\. *(\d+)\.", output, re.MULTILINE)
    if number:
        is_new_enough = (int(number[1]), int(number[2] or 0)) >= OLDEST
    else:
        is_new_enough = library is not None and (int(library[1]), int(library[2])) >= _OLDEST_LIBAVFORMAT
    oldest = ".".join(map(str, OLDEST))
    return version[1], "" if is_new_enough else f"is FFmpeg {version[1]}; {oldest} or newer is needed"

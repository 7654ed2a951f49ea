"""FFmpeg, the program that writes clips; the package imageio-ffmpeg brings it along."""

from __future__ import annotations

import shutil

from emodetect.cures import FFMPEG_CURE
from emodetect.errors import OutputError, first_line


def ffmpeg_program() -> str:
    """Where FFmpeg is; ask before an output is opened.

    Raises:
        OutputError: it is missing or cannot be run.
    """
    try:
        return find_ffmpeg()
    except LookupError as error:
        raise OutputError(f"FFmpeg, which writes clips, cannot be used ({error}): {FFMPEG_CURE}") from error


def find_ffmpeg() -> str:
    """Where FFmpeg is.

    Raises:
        LookupError: it is missing or cannot be run; says why.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        program = str(get_ffmpeg_exe())
    except RuntimeError:
        raise LookupError("it is missing, or may not be executed") from None
    except (ImportError, OSError) as error:
        raise LookupError(first_line(error)) from error
    if not shutil.which(program):  # what the variable IMAGEIO_FFMPEG_EXE names is taken as it is
        raise LookupError(f"{program} is no program")
    return program

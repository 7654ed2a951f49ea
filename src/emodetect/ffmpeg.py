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
        from imageio_ffmpeg import get_ffmpeg_exe

        program = str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        reason = first_line(error)
    else:
        if shutil.which(program):  # what the variable IMAGEIO_FFMPEG_EXE names is taken as it is
            return program
        reason = f"{program} is no program"
    raise OutputError(f"FFmpeg, which writes clips, cannot be used ({reason}): {FFMPEG_CURE}")

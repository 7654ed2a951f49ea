"""What FFmpeg finds in a media file that OpenCV does not tell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal

from emodetect.errors import OutputError
from emodetect.ffmpeg import ffmpeg_program


def first_time(path: Path, track: Literal["v", "a"]) -> float | None:
    """When the first picture or sound that can be decoded comes, seconds after the file's start, which is that of both together.

    Args:
        path: the file.
        track: ``v`` for the first track of pictures, ``a`` for that of sound.

    Returns:
        The time; None where there is no such track, or FFmpeg cannot be used.
    """
    # Absolute times, since FFmpeg would count those of a transport stream from where the tracks start that are used.
    options = ["-copyts", "-map", f"0:{track}:0", f"-frames:{track}", "1"]
    options += ["-fps_mode", "passthrough", "-enc_time_base", "1/90000"] if track == "v" else []
    found = _run(path, *options, "-f", "framecrc", "-")
    if found is None:
        return None
    start = re.search(r"^  Duration: .* start: (-?[\d.]+)", found.stderr, re.MULTILINE)  # not in files without times, as WAV
    unit = re.search(r"^#tb 0: (\d+)/(\d+)", found.stdout, re.MULTILINE)
    first = re.search(r"^0, +-?\d+, +(-?\d+),", found.stdout, re.MULTILINE)
    if not unit or not first:
        return None
    return int(first[1]) * int(unit[1]) / int(unit[2]) - (float(start[1]) if start else 0.0)


def decodes(path: Path) -> bool:
    """Whether FFmpeg, if it can be used, gets through all pictures of a clip without an error."""
    # Numbered anew: FFmpeg also complains of pictures whose times do not differ, or no longer do when they are rounded.
    done = _run(path, "-xerror", "-map", "0:v:0", "-vf", "setpts=N/TB", "-fps_mode", "passthrough", "-f", "null", "-",
                messages="error")  # fmt: skip
    return done is None or (done.returncode == 0 and not done.stderr)


def _run(path: Path, *output: str, messages: str = "info") -> subprocess.CompletedProcess[str] | None:
    try:
        command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-loglevel", messages, "-i", str(path.resolve())]
        return subprocess.run([*command, *output], capture_output=True, check=False, encoding="utf-8", errors="replace")
    except (OutputError, OSError):  # there is no FFmpeg, or none that runs
        return None

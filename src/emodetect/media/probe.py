"""What FFmpeg finds in a media file that OpenCV does not tell."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.media_file import MediaFile
from emodetect.system.child_processes import run_child

_SECONDS = 60.0
"""How long FFmpeg may take to find the first picture or sound. It takes 0.1 s."""

_PLAYLISTS = {".concat", ".ffconcat", ".m3u", ".m3u8", ".mpd", ".pls", ".sdp"}
"""Endings of files that name others. FFmpeg knows some of them by nothing else."""

_UNTIMED = {
    "apv", "av1", "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263", "h264", "hevc", "jpeg_pipe", "m4v",
    "mjpeg", "mpegvideo", "obu", "vc1", "vvc",
}  # fmt: skip
"""Kinds of files that are bare pictures one after the other, without times."""

_INTERLACED = re.compile(r"^  Stream .* Video: .*\b(?:top|bottom) (?:coded )?first\b|\] n: *0 .* i:[TB] ", re.MULTILINE)
"""What FFmpeg says where the container, or else the first picture, is interlaced. Not all pictures of a clip need to be."""

_ODD_RATE = "17"
"""Pictures per second that no file has: where FFmpeg answers so, it has only repeated what it was told to assume."""


@dataclass(frozen=True)
class ClipFacts:
    """What FFmpeg says of a clip.

    Attributes:
        start: when the first picture that can be decoded comes, seconds after the file's start, which is that of pictures and
            sound together; None if FFmpeg finds no picture, or none that has a time.
        matrix: how the pictures lie in the file: the display matrix, nine numbers; None if FFmpeg does not say.
        is_untimed: whether the file is bare pictures without times.
        rate: of bare pictures, how many per second there are by their own headers; None if these do not say.
        is_convertible: whether FFmpeg can convert the pictures' colors; OpenCV, which uses the same library, gives black if not.
        is_interlaced: whether pictures consist of two fields, by the first one or by what the file announces.
    """

    start: float | None = None
    matrix: tuple[int, ...] | None = None
    is_untimed: bool = False
    rate: Fraction | None = None
    is_convertible: bool = True
    is_interlaced: bool = False


def clip_facts(file: MediaFile) -> ClipFacts:
    """Ask FFmpeg for what it knows of a clip's pictures.

    Raises:
        OutputError: FFmpeg cannot be used.
    """
    found = _first_picture(file)
    if found is None:
        return ClipFacts()
    messages = found.stderr.decode(errors="replace")
    is_convertible = "Impossible to convert between the formats" not in messages
    kind = re.search(r"^Input #0, ([\w,]+), from ", messages, re.MULTILINE)
    # Both are absolute, since FFmpeg would count those of a transport stream from where the tracks start that are used.
    begin = re.search(r"^  Duration: .* start: (-?[\d.]+)", messages, re.MULTILINE)  # not in files without times
    first = _picture_time(messages)
    start = None if first is None else first - (float(begin[1]) if begin else 0.0)
    is_untimed = kind is not None and kind[1] in _UNTIMED
    rate = None
    if is_untimed:
        again = _first_picture(file, "-framerate", _ODD_RATE)
        said = again and re.search(rb"\bframe_rate: (\d+)/(\d+)", again.stderr)
        if said and int(said[2]) and said[0] != f"frame_rate: {_ODD_RATE}/1".encode():
            rate = Fraction(int(said[1]), int(said[2]))
    return ClipFacts(
        start, _matrix(found.stdout), is_untimed, rate or None, is_convertible, _INTERLACED.search(messages) is not None
    )


def first_sound(file: MediaFile) -> float | None:
    """When the first sound that can be decoded comes, seconds after the file's start; None where there is no such track.

    Raises:
        OutputError: FFmpeg cannot be used.
    """
    found = _run(file, ["-copyts"], "-map", "0:a:0", "-frames:a", "1", "-f", "framecrc", "-", seconds=_SECONDS)
    if found is None:
        return None
    unit = re.search(rb"^#tb 0: (\d+)/(\d+)", found.stdout, re.MULTILINE)
    first = re.search(rb"^0, +-?\d+, +(-?\d+),", found.stdout, re.MULTILINE)
    if not unit or not first:
        return None
    begin = re.search(rb"^  Duration: .* start: (-?[\d.]+)", found.stderr, re.MULTILINE)  # not in files without times, as WAV
    start = float(begin[1]) if begin else 0.0
    # Where the sound comes hours after the pictures, FFmpeg takes the sound's start for the file's.
    if start > 0 and (picture := _first_picture(file)) is not None:
        time = _picture_time(picture.stderr.decode(errors="replace"))
        start = start if time is None else min(start, time)
    return int(first[1]) * int(unit[1]) / int(unit[2]) - start


def _picture_time(messages: str) -> float | None:
    """The time of the first picture in what FFmpeg's ``showinfo`` says, seconds, not counted from the file's start."""
    unit = re.search(r"\bconfig in time_base: (\d+)/(\d+)", messages)
    first = re.search(r"\] n: *0 pts: *(-?\d+) ", messages)
    return int(first[1]) * int(unit[1]) / int(unit[2]) if unit and first else None


def decodes(file: MediaFile) -> bool:
    """Whether FFmpeg gets through all pictures of a clip without an error.

    Raises:
        OutputError: FFmpeg cannot be used.
    """
    # Numbered anew: FFmpeg also complains of pictures whose times do not differ, or no longer do when they are rounded.
    output = ["-map", "0:v:0", "-vf", "setpts=N/TB", "-fps_mode", "passthrough", "-f", "null", "-"]
    done = _run(file, ["-xerror"], *output, messages="error")
    return done is None or (done.returncode == 0 and not done.stderr)


def is_playlist(path: Path) -> bool:
    """Whether a file is of a kind that may make FFmpeg read other files, as far as its name and FFmpeg tell.

    Raises:
        SourceError: it cannot be opened.
        OutputError: FFmpeg cannot be used.
    """
    if path.suffix.lower() in _PLAYLISTS or "%" in path.name:
        return True
    with MediaFile(path, playlists=False) as file:
        found = _run(file, [], "-t", "0", "-f", "null", "-", seconds=_SECONDS) if file.is_regular else None
    return found is not None and b"Format not on whitelist" in found.stderr


def _first_picture(file: MediaFile, *options: str) -> subprocess.CompletedProcess[bytes] | None:
    """Decode the first picture, reduced to a few pixels, into a QuickTime file that has the display matrix in its header.

    FFmpeg knows the matrix in many containers, but prints no more of it than an angle.
    """
    return _run(
        file, ["-copyts", "-noautorotate", *options],
        "-map", "0:v:0", "-frames:v", "1", "-fps_mode", "passthrough",
        "-vf", "showinfo=checksum=0,setpts=0,scale=16:16,format=rgb24", "-c:v", "rawvideo",
        "-f", "mov", "-movflags", "empty_moov", "-",
        seconds=_SECONDS,
    )  # fmt: skip


def _matrix(film: bytes) -> tuple[int, ...] | None:
    """The display matrix in the ``tkhd`` box of a QuickTime file with one track that FFmpeg has written."""
    place = film.find(b"tkhd")
    if place < 0:
        return None
    begin = place + (56 if film[place + 4] else 44)  # in version 1 of the box, times are longer
    return struct.unpack_from(">9i", film, begin) if len(film) >= begin + 36 else None


def _run(
    file: MediaFile, options: list[str], *output: str, messages: str = "info", seconds: float | None = None
) -> subprocess.CompletedProcess[bytes] | None:
    """Run FFmpeg on a file; None if it cannot be run, or takes too long."""
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-loglevel", messages, *file.input(*options), *output]
    try:
        return run_child(command, seconds=seconds, descriptors=file.descriptors)
    except (OSError, subprocess.TimeoutExpired):
        return None

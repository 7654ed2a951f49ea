"""Properties of a media file that FFmpeg reports and OpenCV does not."""

from __future__ import annotations

import contextlib
import math
import re
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.media_file import MediaFile
from emodetect.system.assumptions import warn_once
from emodetect.system.child_processes import ended_by, finish_child, kill_child, run_child, start_child

_SECONDS = 60.0
"""Time-out for FFmpeg to find the first picture or sound, seconds. It usually takes 0.1 s."""

_PLAYLISTS = {".concat", ".ffconcat", ".m3u", ".m3u8", ".mpd", ".pls", ".sdp"}
"""Suffixes of files that refer to other files. FFmpeg recognizes some of them only by the suffix."""

_UNTIMED = {
    "apv", "av1", "avs2", "avs3", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263", "h264", "hevc", "jpeg_pipe", "m4v",
    "mjpeg", "mpegvideo", "obu", "vc1", "vvc",
}  # fmt: skip
"""Formats of raw video: pictures without timestamps."""

_INTERLACED = re.compile(r"^  Stream .* Video: .*\b(?:top|bottom) (?:coded )?first\b|\] n: *0 .* i:[TB] ", re.MULTILINE)
"""FFmpeg's message if the container, or else the first picture, is interlaced. Other pictures of the clip may not be."""

_HDR = re.compile(r"\([^()]*\b(?:smpte2084|arib-std-b67)\b")
"""The transfer functions of HDR, PQ and HLG, as FFmpeg names them among the colors of a track."""

_BIG_ENDIAN_FORMATS = re.compile(r"\b(?:rgb|bgr)(?:444|555|565)be\b")

_KEYFRAME_SIZE_CODECS = {"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vvc"}
"""Codecs whose pictures change their size at keyframes only."""

_CROPPING_CODECS = {"h264", "hevc"}
"""Codecs whose headers can crop coded columns at the left."""

_CORRUPT, _LEFT_OUT = 2, 4
"""Flags of FFmpeg for the pictures in a file: a damaged one, and one that is decoded but not shown."""

_PRIMING = 0.1
"""Seconds by which sound may begin before time 0 because of the codec's delay; AAC, Opus and MP3 need up to 0.05 s."""

_UPRIGHT = 1, 0, 0, 0, 1, 0, 0, 0, 1
"""The identity display matrix."""

_ASSUMED_RATE = 25
"""Frames per second that FFmpeg assumes of raw streams."""

_PLACEHOLDER_RATE = "17"
"""A frame rate that no file has. If FFmpeg reports it, the file states none, and FFmpeg repeats its option."""


@dataclass(frozen=True)
class ClipFacts:
    """Properties of a clip, as FFmpeg reports them.

    Attributes:
        start: timestamp of the first picture that can be decoded, seconds after the start of the file (pictures and sound
            together); None if FFmpeg finds no picture, or none with a timestamp.
        matrix: the display matrix, nine numbers, for the orientation of the pictures; None if FFmpeg does not report it.
        is_untimed: whether the file is raw video without timestamps.
        rate: frame rate of raw video according to its headers; None if they do not state it.
        is_convertible: whether FFmpeg can convert the colors; if not, OpenCV, with the same library, returns black pictures.
        is_interlaced: whether pictures consist of two fields, according to the first one or the container.
        codec: FFmpeg's name of the video codec; empty if unknown.
        has_pictures: whether there are any besides a cover image.
        size: width and height of the first picture as stored, pixels; None if FFmpeg finds none.
        is_cut_left: whether the headers crop columns at the left. OpenCV shows some of them.
        is_swapped: whether pixels are stored as big-endian 16-bit numbers. OpenCV reads them as little-endian.
        is_hdr: whether the colors are those of HDR; False for pipes. OpenCV maps some of them, the FFmpeg program none.
    """

    start: float | None = None
    matrix: tuple[int, ...] | None = None
    is_untimed: bool = False
    rate: Fraction | None = None
    is_convertible: bool = True
    is_interlaced: bool = False
    codec: str = ""
    has_pictures: bool = True
    size: tuple[int, int] | None = None
    is_cut_left: bool = False
    is_swapped: bool = False
    is_hdr: bool = False


class ClipProbe:
    """FFmpeg probes of a clip, in child processes that run concurrently with this one.

    Args:
        file: the clip, a regular file.

    Raises:
        OutputError: FFmpeg cannot be used.
    """

    def __init__(self, file: MediaFile) -> None:
        self._file = file
        self._picture, self._headers = _start_picture(file), _start_headers(file)
        self._sizes: SizeWatch | None = SizeWatch(file)

    def facts(self) -> ClipFacts:
        """Wait for FFmpeg's results, and select the track that players would show.

        Raises:
            OutputError: FFmpeg cannot be used.
        """
        file, found = self._file, self._picture.result()
        if found is None:
            return ClipFacts()
        tracks = _tracks(found.stderr.decode(errors="replace"), "Video")
        file.video_track = _default_track(file, tracks, "video")
        if file.video_track:
            self._headers.close()
            self._picture, self._headers = _start_picture(file), _start_headers(file)
            found = self._picture.result() or found
        messages = found.stderr.decode(errors="replace")
        is_hdr = bool(tracks) and _is_hdr(file, tracks[file.video_track])
        codec = "" if not tracks else tracks[file.video_track].split(maxsplit=1)[0].rstrip(",")
        is_convertible = _is_convertible(messages)
        # Both are absolute, since FFmpeg would count those of a transport stream from the start of the selected tracks.
        begin = re.search(r"^  Duration: .* start: (-?[\d.]+)", messages, re.MULTILINE)  # not in files without times
        first = _picture_time(messages)
        begins = float(begin[1]) if begin else 0.0
        if first == 0 and begins < -_PRIMING:  # FFmpeg has no times before 0 for pictures, and then says 0
            warn_once(f"{file.path}: begins before time 0 and gives its first pictures no times; they are taken to begin with it")
            begins = 0.0
        start = None if first is None else first - begins
        is_untimed = _is_untimed(messages)
        rate = None
        if is_untimed:
            again = _start_picture(file, "-framerate", _PLACEHOLDER_RATE).result()
            stated = again and re.search(rb"\bframe_rate: (\d+)/(\d+)", again.stderr)
            if stated and int(stated[2]) and stated[0] != f"frame_rate: {_PLACEHOLDER_RATE}/1".encode():
                rate = Fraction(int(stated[1]), int(stated[2]))
        shown = re.search(r"\] n: *0 .* s:(\d+)x(\d+) ", messages)
        return ClipFacts(
            start, _matrix(found.stdout), is_untimed, rate or None, is_convertible, _INTERLACED.search(messages) is not None,
            codec, not tracks or any(not _is_cover(track) for track in tracks),
            (int(shown[1]), int(shown[2])) if shown else None, codec in _CROPPING_CODECS and self._is_cut_left(),
            bool(tracks) and _BIG_ENDIAN_FORMATS.search(tracks[file.video_track]) is not None, is_hdr,
        )  # fmt: skip

    def sizes(self, codec: str, step: float | None) -> SizeWatch:
        """Create the look-ahead for pictures of another size, which the caller closes.

        Args:
            codec: FFmpeg's name of the video codec.
            step: duration of each picture, seconds, if the file has no times.

        Raises:
            OutputError: FFmpeg cannot be used.
        """
        sizes, self._sizes = self._sizes, None
        if sizes is not None and not self._file.video_track and codec in _KEYFRAME_SIZE_CODECS and step is None:
            return sizes
        if sizes is not None:
            sizes.close()
        return SizeWatch(self._file, keys_only=codec in _KEYFRAME_SIZE_CODECS and step is None, step=step)

    def _is_cut_left(self) -> bool:
        found = self._headers.result()
        return found is not None and re.search(rb" (?:frame_crop|conf_win)_left_offset .* = [1-9]", found.stderr) is not None

    def close(self) -> None:
        """End the processes that are still running; may be called twice."""
        self._picture.close()
        self._headers.close()
        if self._sizes is not None:
            self._sizes.close()
            self._sizes = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def facts_of_pipe(file: MediaFile, messages: str) -> ClipFacts:
    """Parse FFmpeg's messages about a pipe that it decodes upright; timestamps are relative to the first picture.

    Args:
        file: the pipe.
        messages: FFmpeg's messages before the first picture.
    """
    tracks = _tracks(messages, "Video")
    shown = [track for track in tracks if not _is_cover(track)]
    if shown:
        _is_hdr(file, shown[0])  # to warn; pipes are always read with the FFmpeg program
    is_untimed, rate = _is_untimed(messages), None
    if is_untimed and (found_rate := re.search(r"\bconfig in .* frame_rate: (\d+)/([1-9]\d*)", messages)):
        # FFmpeg assumes the usual rate where the headers name none.
        rate = Fraction(int(found_rate[1]), int(found_rate[2]))
        rate = None if rate == _ASSUMED_RATE else rate
    return ClipFacts(0.0, _UPRIGHT, is_untimed, rate or None, _is_convertible(messages), has_pictures=bool(shown) or not tracks)


def _is_hdr(file: MediaFile, track: str) -> bool:
    """Whether a track has the colors of HDR; warns of them."""
    is_hdr = _HDR.search(track) is not None
    if is_hdr:
        what = "is an HDR clip, which is read without tone mapping: darker and flatter than players show it"
        warn_once(f"{file.path}: {what}")
    return is_hdr


def _is_convertible(messages: str) -> bool:
    return "Impossible to convert between the formats" not in messages


def _is_untimed(messages: str) -> bool:
    kind = re.search(r"^Input #0, ([\w,]+), from ", messages, re.MULTILINE)
    return kind is not None and kind[1] in _UNTIMED


def _tracks(messages: str, kind: str) -> list[str]:
    """FFmpeg's descriptions of the input tracks of a kind."""
    inputs = messages.partition("\nOutput #")[0]
    return re.findall(rf"^  Stream #0:\d+.*?: {kind}: (.*)$", inputs, re.MULTILINE)


def _is_cover(track: str) -> bool:
    return "(attached pic)" in track


def _default_track(file: MediaFile, tracks: list[str], kind: str) -> int:
    """The track that players use: the first one marked as default, or else the first that is not a cover."""
    shown = [number for number, track in enumerate(tracks) if not _is_cover(track)]
    marked = [number for number in shown if "(default)" in tracks[number]]
    chosen = next(iter(marked or shown), 0)
    if len(shown) > 1:
        why = "the default one" if marked else "the first one"
        warn_once(f"{file.path}: has {len(shown)} {kind} tracks; {why} is used (track {shown.index(chosen) + 1})")
    return chosen


class SizeWatch:
    """Looks ahead in a clip, in a child process, for pictures whose size differs from the first one's.

    Args:
        file: the clip.
        keys_only: whether to look at keyframes only, since the others have their size.
        step: duration of each picture, seconds, if the file has no times.

    Attributes:
        first: the first size, such as "640x360"; empty until it is known.
        other: another size; empty until one was found.

    Raises:
        OutputError: FFmpeg cannot be used.
    """

    def __init__(self, file: MediaFile, *, keys_only: bool = True, step: float | None = None) -> None:
        self.first = self.other = ""
        self._path = file.path
        self._step, self._place, self._time = step, 0.0, math.nan
        keys = ["-skip_frame", "nokey"] if keys_only else []
        options = ["-vf", "showinfo=checksum=0,scale=16:16", "-fps_mode", "passthrough", "-f", "null", "-"]
        command = _command(file, ["-copyts", "-noautorotate", *keys], *file.map_video(), *options)
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            # Small, so that it does not run far ahead.
            self._process = start_child(command, stderr=subprocess.PIPE, pipe_bytes=4096, descriptors=file.descriptors)

    def changes_by(self, seconds: float) -> bool:
        """Whether a picture up to this many seconds after the first one, or shortly later, has another size.

        Decreasing timestamps are treated as repeated ones.

        Raises:
            SourceError: the process was killed.
        """
        while self._process is not None and not self.other and self._place <= seconds:
            assert self._process.stderr is not None
            line = self._process.stderr.readline()
            if not line:
                code = self._process.wait()
                self.close()
                if code < 0:
                    raise SourceError(f"{self._path}: FFmpeg, which looks ahead in it, was ended by {ended_by(-code)}")
            elif found := re.search(rb"\] n: *(\d+) pts:.* pts_time:(\S+) .* s:(\d+x\d+) ", line):
                number, time, size = (group.decode() for group in found.groups())
                self.first = self.first or size
                self.other = size if size != self.first else ""
                if self._step is not None:
                    self._place = int(number) * self._step
                elif re.fullmatch(r"-?[\d.]+", time):
                    before, self._time = self._time, float(time)
                    self._place += max(0.0, self._time - before) if math.isfinite(before) else 0.0
        return bool(self.other)

    def close(self) -> None:
        """End the process; may be called twice."""
        if self._process is not None:
            kill_child(self._process)
            self._process.communicate()
            self._process = None


def first_sound(file: MediaFile) -> float | None:
    """Timestamp of the first sound that can be decoded, seconds after the start of the file; None without a sound track.

    Raises:
        OutputError: FFmpeg cannot be used.
    """
    options = "-frames:a", "1", "-f", "framecrc", "-"
    found = _run(file, ["-copyts"], "-map", "0:a:0", *options, seconds=_SECONDS)
    if found is None:
        return None
    file.sound_track = _default_track(file, _tracks(found.stderr.decode(errors="replace"), "Audio"), "audio")
    if file.sound_track:
        found = _run(file, ["-copyts"], "-map", f"0:a:{file.sound_track}", *options, seconds=_SECONDS) or found
    unit = re.search(rb"^#tb 0: (\d+)/(\d+)", found.stdout, re.MULTILINE)
    first = re.search(rb"^0, +-?\d+, +(-?\d+),", found.stdout, re.MULTILINE)
    if not unit or not first:
        return None
    begin = re.search(rb"^  Duration: .* start: (-?[\d.]+)", found.stderr, re.MULTILINE)  # not in files without times, as WAV
    start = float(begin[1]) if begin else 0.0
    # If the sound starts hours after the pictures, FFmpeg takes the start of the sound for that of the file.
    if start > 0 and (picture := _start_picture(file).result()) is not None:
        time = _picture_time(picture.stderr.decode(errors="replace"))
        start = start if time is None else min(start, time)
    return int(first[1]) * int(unit[1]) / int(unit[2]) - start


def _picture_time(messages: str) -> float | None:
    """Absolute timestamp of the first picture, seconds, from the output of FFmpeg's ``showinfo``."""
    unit = re.search(r"\bconfig in time_base: (\d+)/(\d+)", messages)
    first = re.search(r"\] n: *0 pts: *(-?\d+) ", messages)
    return int(first[1]) * int(unit[1]) / int(unit[2]) if unit and first else None


def is_complete(file: MediaFile, count: int) -> bool:
    """Whether a clip with ``count`` decoded pictures is undamaged: FFmpeg decodes it without an error, or finds no more.

    Raises:
        OutputError: FFmpeg cannot be used.
    """
    # Renumbered, since FFmpeg also reports pictures with equal times, or times that are equal after rounding.
    output = [*file.map_video(), "-vf", "setpts=N/TB", "-fps_mode", "passthrough", "-f", "null", "-"]
    done = _run(file, ["-xerror"], *output, messages="error")
    if done is None or (done.returncode == 0 and not done.stderr):
        return True
    # Pictures left out by an edit list may lack their reference pictures: the clip was cut without re-encoding.
    done = _run(file, [], *file.map_video(), "-c", "copy", "-f", "framecrc", "-", messages="error")
    if done is None or done.returncode or done.stderr:
        return False
    flags = [int(found or b"0", 16) for found in re.findall(rb"^0,.*?(?:, F=0x([0-9A-F]+).*)?$", done.stdout, re.MULTILINE)]
    return not any(flag & _CORRUPT for flag in flags) and sum(not flag & _LEFT_OUT for flag in flags) == count


def is_playlist(path: Path) -> bool:
    """Whether a file has a format that makes FFmpeg read other files, according to its name and FFmpeg.

    Raises:
        SourceError: the file cannot be opened.
        OutputError: FFmpeg cannot be used.
    """
    if path.suffix.lower() in _PLAYLISTS or "%" in path.name:
        return True
    with MediaFile(path, playlists=False) as file:
        found = _run(file, [], "-t", "0", "-f", "null", "-", seconds=_SECONDS) if file.is_regular else None
    return found is not None and b"Format not on whitelist" in found.stderr


def _start_picture(file: MediaFile, *options: str) -> _Probing:
    """Decode the first picture, reduced to a few pixels, into a QuickTime file, whose header has the display matrix.

    FFmpeg reads the matrix from many containers, but prints only an angle.
    """
    return _Probing(
        file, ["-copyts", "-noautorotate", *options],
        *file.map_video(), "-frames:v", "1", "-fps_mode", "passthrough",
        "-vf", "showinfo=checksum=0,setpts=0,scale=16:16,format=rgb24", "-c:v", "rawvideo",
        "-f", "mov", "-movflags", "empty_moov", "-",
    )  # fmt: skip


def _start_headers(file: MediaFile) -> _Probing:
    """Print the headers of the first picture, where the codec is one whose headers FFmpeg can print."""
    return _Probing(file, [], *file.map_video(), "-c", "copy", "-bsf:v", "trace_headers", "-frames:v", "1", "-f", "null", "-")


def _matrix(film: bytes) -> tuple[int, ...] | None:
    """The display matrix in the ``tkhd`` box of a QuickTime file with one track, written by FFmpeg."""
    place = film.find(b"tkhd")
    if place < 0:
        return None
    begin = place + (56 if film[place + 4] else 44)  # in version 1 of the box, times are longer
    return struct.unpack_from(">9i", film, begin) if len(film) >= begin + 36 else None


class _Probing:
    """A running FFmpeg probe of a file."""

    def __init__(self, file: MediaFile, options: list[str], *output: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        pipe = subprocess.PIPE
        with contextlib.suppress(OSError):
            self._process = start_child(_command(file, options, *output), stdout=pipe, stderr=pipe, descriptors=file.descriptors)

    def result(self) -> subprocess.CompletedProcess[bytes] | None:
        """Wait for the probe to exit; None if it cannot be run or takes too long."""
        process, self._process = self._process, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return None if process is None else finish_child(process, _SECONDS)
        return None

    def close(self) -> None:
        """End the probe, if its result was not read; may be called twice."""
        if self._process is not None:
            kill_child(self._process)
            self._process.communicate()
            self._process = None


def _run(
    file: MediaFile, options: list[str], *output: str, messages: str = "info", seconds: float | None = None
) -> subprocess.CompletedProcess[bytes] | None:
    """Run FFmpeg on a file; None if it cannot be run or takes too long."""
    try:
        command = _command(file, options, *output, messages=messages)
        return run_child(command, seconds=seconds, descriptors=file.descriptors)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _command(file: MediaFile, options: list[str], *output: str, messages: str = "info") -> list[str]:
    quiet = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", messages]
    return [ffmpeg_program(), *quiet, *file.input(*options), *output]

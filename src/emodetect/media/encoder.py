"""H.264 encoding with FFmpeg in a child process."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from emodetect.errors import OutputError, SourceError
from emodetect.media import matroska
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.media.media_file import MediaFile
from emodetect.media.probe import first_sound
from emodetect.queues.interruption import past_one_interruption
from emodetect.system.child_processes import run_child, start_child
from emodetect.system.output_files import atomic_write, check_still_there, open_output
from emodetect.types import Image

_log = logging.getLogger(__name__)

_FRAGMENT_SECONDS = 1.0
"""Maximum duration lost at the end of a recording if the process is killed, besides the encoder's own delay."""

_MAX_SILENCE = 600.0
"""Maximum duration of silence after a sound track that ends before the pictures; without it some players would stop there.
Limited, since pictures may last for days."""


class VideoEncoder:
    """Encodes pictures as H.264, yuv420p, which browsers and phones can play.

    Pictures are not scaled; an odd width or height, which yuv420p does not allow, is padded by one row or column. The file is
    written in fragments, so that it is playable up to the last one at any time, and rewritten with an index when it is closed.

    Args:
        path: file to write.
        size: width and height of every picture, pixels.
        frames_per_second: frame rate; the average one if pictures have timestamps.
        sound_from: a media file whose sound track is copied, if it has one. It is added when the file is closed, cut at the end
            of the pictures, or padded with at most ten minutes of silence.
        sound_start: timestamp in that file at which the pictures begin, seconds.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written, or FFmpeg cannot be used.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        frames_per_second: float,
        *,
        sound_from: Path | MediaFile | None = None,
        sound_start: float = 0.0,
        overwrite: bool = False,
    ) -> None:
        self._path, self._size = path, size
        ffmpeg = ffmpeg_program()
        self._sound = None if sound_from is None else _open_sound(sound_from, sound_start)
        # FFmpeg would follow a link and replace its target. So the file is created here and passed as a descriptor.
        self._file = open_output(path, overwrite=overwrite)
        self._rate = max(Fraction(frames_per_second).limit_denominator(1001), Fraction(1, 1001))  # never 0
        self._timestamp: float | None = None
        self._begin = self._length = 0.0
        # fmt: off
        command = [
            ffmpeg, "-y", "-loglevel", "error", "-nostdin",
            "-f", "matroska", "-probesize", "32", "-analyzeduration", "0", "-i", "pipe:0",
        ]
        # Without accurate rounding, gray becomes darker and slightly green.
        command += [
            "-sws_flags", "bicubic+accurate_rnd+full_chroma_int",
            "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20",
            "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-enc_time_base", "1/90000",
        ]
        if path.suffix.lower() == ".mkv":
            command += ["-cluster_time_limit", str(round(1e3 * _FRAGMENT_SECONDS))]
        else:
            command += ["-video_track_timescale", "90000", "-movflags", "+frag_keyframe+delay_moov+default_base_moof",
                        "-frag_duration", str(round(1e6 * _FRAGMENT_SECONDS))]
        command += ["-flush_packets", "1", f"file:{path.absolute()}"]
        # fmt: on
        try:
            self._messages = tempfile.TemporaryFile()
            # If this process is killed, FFmpeg still writes its buffered pictures before it exits.
            self._process = start_child(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages, last_signal=signal.SIGTERM
            )
        except OSError as error:
            os.close(self._file)
            raise OutputError(f"{path}: cannot be written: FFmpeg cannot be started ({error.strerror or error})") from error
        self._open = True

    def write(self, image: Image, timestamp: float | None = None) -> None:
        """Add a picture.

        Args:
            image: uint8 (height, width, 3) BGR of the stated size.
            timestamp: timestamp, seconds; one frame after the previous one if None or not later.

        Raises:
            OutputError: FFmpeg has exited, for example because the disk is full, or the file was deleted.
        """
        height, width = image.shape[:2]
        if (width, height) != self._size:
            raise OutputError(f"{self._path}: the picture's size changed from {self._size} to {(width, height)}")
        start = b""
        if self._timestamp is None:
            start = matroska.head(self._size, self._rate)
            self._timestamp = self._begin = timestamp or 0.0
        elif timestamp is not None and timestamp > self._timestamp:
            self._timestamp = timestamp
        else:
            self._timestamp += float(1 / self._rate)
        self._length = self._timestamp - self._begin + float(1 / self._rate)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(start + matroska.picture_head(image.nbytes, self._timestamp))
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({self._reason()})") from error
        check_still_there(self._path, self._file)

    def close(self) -> None:
        """Finish the file; may be called twice.

        Raises:
            OutputError: FFmpeg failed.
        """
        if not self._open:
            return
        self._open = False
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        past_one_interruption(self._process.wait)
        status = self._process.returncode
        reason = self._reason()
        self._messages.close()
        try:
            check_still_there(self._path, self._file)
            if status != 0:
                raise OutputError(f"{self._path}: cannot be written ({reason})")
            _finish(self._path, self._file, self._length, self._sound)
        finally:
            os.close(self._file)  # only now: the lock on it excludes other runs
            if self._sound is not None:
                self._sound.file.close()

    def _reason(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._messages.seek(0)
        return _reason(self._messages.read(), self._path)


@dataclass(frozen=True)
class _Sound:
    """Sound to copy.

    Attributes:
        file: the media file.
        start: time in the file at which the pictures begin, seconds.
        delay: seconds from the start of the pictures to that of the sound; 0 if the sound does not start later.
    """

    file: MediaFile
    start: float
    delay: float


def _open_sound(media: Path | MediaFile, start: float) -> _Sound | None:
    """Open a file for its sound; None if it has none or no longer exists."""
    if not (media.is_regular if isinstance(media, MediaFile) else media.is_file()):  # a pipe can be read only once
        return None
    try:
        file = MediaFile(media)
    except SourceError:
        return None
    first = first_sound(file)
    if first is None:
        file.close()
        return None
    return _Sound(file, start, max(0.0, first - start))


def _finish(path: Path, descriptor: int, seconds: float, sound: _Sound | None) -> None:
    """Add the sound, and rewrite a fragmented MP4 file with a single index at its start, which more players can seek in.

    If there is no room for a second file, the first one is kept: it is playable, but has no sound.
    """
    if sound is not None:
        with sound.file:
            if sound.delay >= seconds:
                sound = None
            else:
                try:
                    _rewrite(path, descriptor, seconds, sound)
                    return
                except OutputError as error:
                    check_still_there(path, descriptor)
                    _log.warning("%s; it is left without sound", error)
    if path.suffix.lower() != ".mkv":
        try:
            _rewrite(path, descriptor, seconds, None)
        except OutputError:
            check_still_there(path, descriptor)


def _rewrite(path: Path, descriptor: int, seconds: float, sound: _Sound | None) -> None:
    """Rewrite a clip without encoding its pictures again.

    Raises:
        OutputError: the clip cannot be written; the file is unchanged.
    """
    command = [ffmpeg_program(), "-y", "-loglevel", "error", "-nostdin", "-i", f"file:{path.absolute()}"]
    if sound is not None:
        command += sound.file.input(*(["-ss", f"{sound.start:.6f}"] if sound.start else []))
        # Explicit offset: FFmpeg would count the times of a transport stream from the start of its sound.
        late = f"asetpts=PTS-STARTPTS+{sound.delay:.6f}/TB," if sound.delay else ""
        command += ["-af", f"{late}apad=pad_dur={_MAX_SILENCE:g}"]
        command += ["-map", f"1:a:{sound.file.sound_track}", "-c:a", "aac"]
    command += ["-map", "0:v:0", "-c:v", "copy", "-t", f"{seconds:.6f}"]
    # Titles, chapters and names of tracks may name the people in the clip.
    command += ["-map_chapters", "-1", "-map_metadata", "-1", "-map_metadata:s", "-1"]
    if path.suffix.lower() != ".mkv":
        command += ["-video_track_timescale", "90000", "-movflags", "+faststart"]
    with atomic_write(path) as partial:
        try:
            descriptors = sound.file.descriptors if sound is not None else ()
            done = run_child([*command, f"file:{partial.absolute()}"], descriptors=descriptors)
        except OSError as error:
            raise OutputError(f"{path}: cannot be finished ({error.strerror or error})") from error
        if done.returncode:
            raise OutputError(f"{path}: cannot be finished ({_reason(done.stderr, partial)})")
        check_still_there(path, descriptor)


def _reason(messages: bytes, path: Path) -> str:
    """Why FFmpeg failed, from its messages while it wrote to a file."""
    lines = messages.decode(errors="replace").strip().splitlines()
    # "[out#0/mp4 @ 0x55d0c8] Error closing file: No space left on device": the reason is at the end.
    reason = lines[-1].replace(str(path.absolute()), "").strip(": ").rpartition(": ")[2] if lines else "FFmpeg failed"
    return reason[:160]

"""Opening a media file safely, whatever its name and content.

FFmpeg, also the one inside OpenCV, interprets some names: ``concat:a.mp4``, ``tcp:host:1`` and ``a%03d.png`` are not opened as
files of that name. Some kinds of files name others, which FFmpeg then reads: playlists, lists of clips, session descriptions.
Therefore a file is opened once here and passed by its descriptor, where the system has names for descriptors. FFmpeg may use the
protocol for files only, and read containers of video and sound only.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from emodetect.errors import SourceError
from emodetect.media.capture_options import capture_options
from emodetect.media.pixel_limit import pixel_option
from emodetect.media.playlists import allows_playlists
from emodetect.text.printable import looks_like_address, public_name
from emodetect.text.suggestions import did_you_mean_file

_CONTAINERS = (
    "3dostr,4xm,aac,ac3,aiff,amr,amv,apng,apv,asf,asf_o,au,av1,avi,avs,avs2,avs3,bink,caf,cavsvideo,dav,dhav,dirac,dnxhd,dv,dxa,"
    "eac3,evc,film_cpk,flac,flic,flv,live_flv,gif,gxf,h261,h263,h264,hevc,idcin,ifv,ipmovie,ivf,ivr,kux,lvf,lxf,m4v,"
    "matroska,webm,mjpeg,mjpeg_2000,mm,mov,mp4,mp3,mpeg,mpegts,mpegvideo,mpjpeg,mtv,mv,mvi,mxf,mxg,nsv,nut,nuv,obu,ogg,"
    "pmp,pva,r3d,rl2,rm,roq,rpl,sdr2,siff,smjpeg,smk,swf,thp,tta,ty,vc1,vc1test,vivo,vmd,voc,vvc,w64,wav,wc3movie,webp_anim,"
    "wsvqa,wtv,wv,xmv,yop,yuv4mpegpipe,"
    "bmp_pipe,dpx_pipe,exr_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,jpegxl_anim,pam_pipe,pbm_pipe,"
    "pcx_pipe,pgm_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,tiff_pipe,webp_pipe,xbm_pipe,xpm_pipe"
)
"""FFmpeg's names of the formats that contain video, sound or a picture themselves, and never refer to other files."""

STANDARD_INPUT = Path("/dev/stdin")
"""Path of standard input, also on systems without such a file."""

_PLAYLIST_PROTOCOLS = "file,crypto,data"
"""Protocols for playlists, which may refer to other files of this machine, but no URLs."""


class MediaFile:
    """An open video or sound file for FFmpeg and OpenCV; close it when they are done.

    Args:
        media: the file, or `STANDARD_INPUT`; for a named pipe, opening waits until another process writes to it. Or a file
            that is open already, to open it again, even if another file has its name now (only on systems with names for
            descriptors).
        playlists: whether it may make FFmpeg read other files; None for the setting of the process.

    Attributes:
        path: the file.
        address: the input that FFmpeg opens.
        descriptors: file descriptors that a child process must inherit.
        standard_input: standard input for a child process: the pipe, or none.
        is_regular: whether it can be read more than once.
        video_track: the video track in use, from 0.
        sound_track: the sound track in use, from 0.

    Raises:
        SourceError: the file is missing, a folder, or cannot be read.
    """

    path: Path
    _descriptor: int
    _stamp: tuple[int, int]

    def __init__(self, media: Path | MediaFile, *, playlists: bool | None = None) -> None:
        self._playlists = allows_playlists() if playlists is None else playlists
        self.path = path = media.path if isinstance(media, MediaFile) else media
        if isinstance(media, Path) and os.path.isdir(path):
            raise SourceError(f"{path}: is a folder, not a video")
        try:
            if isinstance(media, MediaFile):
                self._descriptor = os.dup(media._descriptor)
            elif path == STANDARD_INPUT:
                self.path = Path("standard input")
                self._descriptor = os.dup(0)
            else:
                self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            if str(path).isdecimal() or looks_like_address(str(path)):
                hint = "cameras and streams are for 'emodetect live `source`'"
                raise SourceError(f"{public_name(str(path))}: no such file", hint=hint) from None
            raise SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
        except ValueError as error:  # a NUL character
            raise SourceError(f"{path}: is no name of a file ({error})") from error
        if os.isatty(self._descriptor):
            os.close(self._descriptor)
            raise SourceError(f"{self.path}: is a terminal, not a video")
        self.video_track = self.sound_track = 0
        self._stamp = media._stamp if isinstance(media, MediaFile) else self._content()
        self.is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        # By name only if descriptors have no names, and for playlists, whose entries are relative to their own name.
        self.address = f"file:{os.path.abspath(path)}"
        self.descriptors: tuple[int, ...] = ()
        self.standard_input = subprocess.DEVNULL
        by_number = f"/proc/self/fd/{self._descriptor}"
        if not self.is_regular:
            self.address, self.standard_input = "pipe:0", self._descriptor  # opening it again would wait for another writer
        elif os.path.exists(by_number) and not (self._playlists and _is_unicode(self.address)):
            self.address, self.descriptors = f"file:{by_number}", (self._descriptor,)

    def _content(self) -> tuple[int, int]:
        """Size, in bytes, and modification time, which change with the content."""
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns

    @property
    def has_changed(self) -> bool:
        """Whether the file was modified since it was first opened."""
        return self.is_regular and self._content() != self._stamp

    def input(self, *options: str) -> list[str]:
        """FFmpeg's arguments for reading the file, with further options before ``-i``."""
        limits = pixel_option()
        for name, value in self._restrictions().items():
            limits += [f"-{name}", value]
        return [*limits, *options, "-i", self.address]

    def check_lasting(self) -> None:
        """Check that the file can be read more than once.

        Raises:
            SourceError: it is a pipe.
        """
        if not self.is_regular:
            raise SourceError(f"{self.path}: is a pipe, which can be read only once; save the clip as a file")

    @property
    def is_photo(self) -> bool:
        """Whether it is a picture in HEIF or AVIF, by its first bytes."""
        return self.is_regular and re.match(rb"....ftyp(?:hei[cxms]|mif[12]|avif)", self.read(12), re.DOTALL) is not None

    def read(self, count: int = -1) -> bytes:
        """Read the first bytes of a regular file, or all of it.

        Raises:
            SourceError: it cannot be read.
        """
        try:
            with open(self._descriptor, "rb", closefd=False) as file:
                file.seek(0)
                content = file.read(count)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        return content

    def map_video(self) -> list[str]:
        """FFmpeg's arguments for selecting the video track."""
        return ["-map", f"0:v:{self.video_track}"]

    @contextlib.contextmanager
    def for_opencv(self) -> Iterator[str]:
        """The address for OpenCV. Within the block, OpenCV's FFmpeg has the same restrictions.

        Raises:
            SourceError: OpenCV cannot open a file of this name.
        """
        if not _is_unicode(self.address):  # OpenCV would crash
            raise SourceError(f"{self.path}: cannot be opened by this name, which is not Unicode; rename it")
        with capture_options("|".join(f"{name};{value}" for name, value in self._restrictions().items())):
            yield self.address

    def _restrictions(self) -> dict[str, str]:
        """FFmpeg's options that restrict it to the file."""
        if self._playlists and self.is_regular:
            return {"protocol_whitelist": _PLAYLIST_PROTOCOLS}
        return {"protocol_whitelist": "file" if self.is_regular else "pipe", "format_whitelist": _CONTAINERS}

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

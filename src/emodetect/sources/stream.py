"""Network streams, restricted to the host in their URL."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np

from emodetect.errors import SourceError
from emodetect.media.capture_options import capture_options
from emodetect.media.letterbox import letterboxed
from emodetect.sources.frozen import FrozenWatch
from emodetect.sources.http import HttpStream
from emodetect.sources.http_content import TITLE_BYTES, is_text, text_in_words
from emodetect.sources.mjpeg import JpegScanner
from emodetect.sources.piped_stream import Body, PipedStream
from emodetect.sources.rtsp import RtspRelay
from emodetect.sources.sockets import Sockets
from emodetect.text.printable import public_address
from emodetect.types import Image

STREAM_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")

RTSP_OPTIONS = "rtsp_flags;prefer_tcp|fpsprobesize;0"
"""Options for RTSP: TCP first, as is OpenCV's default, and no analysis of 20 frames to measure their rate. The analysis takes a
second at 25 fps and would add as much latency. A camera that does not state its rate gets the default one. Files state their rate
in other ways, and some need the analysis."""

_FORMATS = "mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,live_flv,matroska,mov,ogg,avi,asf,nut,mjpeg,mpjpeg,jpeg_pipe,rtsp"
"""Allowed stream formats: containers and raw video. Playlists (HLS, DASH), lists (concat) and session descriptions are excluded,
since they refer to further URLs and files."""

_NESTED = {
    "rtsp": "rtsp,tcp,udp,rtp,srtp",
    "rtsps": "rtsp,tcp,udp,rtp,srtp,tls",
    "rtmp": "rtmp,tcp",
    "udp": "udp",
    "tcp": "tcp",
    "http": "none",
    "https": "none",
}
"""Protocols that FFmpeg may use, by the scheme of the URL; HTTP is handled here instead of by FFmpeg."""

_FOLLOWED = "http,https,httpproxy,tcp,tls,crypto"
"""Protocols for playlists, if they are allowed."""

_PLAYLIST = rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|(?:<\?xml[^>]*>\s*)?<MPD)"
"""Beginning of a playlist: HLS or DASH."""

_MJPEG_RATE = 25.0
"""Frame rate of Motion JPEG, which never states one; FFmpeg's assumption."""

MAX_BYTES = 64_000_000
"""Limit of bytes that a stream may send before its next picture. One of the largest pictures of the largest cameras takes a
quarter of it."""


class StreamUnavailable(SourceError):
    """A stream is not available, possibly only now."""


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used here."""

    def get(self, number: int, /) -> float:
        """Get a property."""

    def read(self) -> tuple[bool, Image | None]:
        """Read the next picture; returns whether there is one."""

    def release(self) -> None:
        """Close the source."""


def open_stream(address: str, sockets: Sockets, *, follow_redirects: bool, seconds: float) -> Capture:
    """Open a stream.

    Args:
        address: URL with one of `STREAM_SCHEMES`.
        sockets: closing them aborts blocking calls, except where FFmpeg itself makes the connection (rtmp, udp, tcp).
        follow_redirects: whether the server may refer to other hosts, by redirects or a playlist.
        seconds: time-out where FFmpeg itself makes the connection.

    Raises:
        StreamUnavailable: the stream cannot be opened.
        SourceError: the stream refers to another host, or is too large.
    """
    scheme, name = address.partition(":")[0].lower(), public_address(address)
    if scheme in ("http", "https"):
        return _open_http(address, sockets, follow_redirects, seconds)
    if scheme in ("rtsp", "rtsps") and not follow_redirects:
        try:
            relay = RtspRelay(address, sockets, max_bytes=MAX_BYTES)
        except (OSError, ValueError) as error:
            raise _unavailable(name, str(error)) from error
        return _open_bounded(name, relay.address, relay, _NESTED["rtsp"])
    return _open_ffmpeg(name, address, _NESTED[scheme], _FORMATS, seconds=seconds)


def _open_http(address: str, sockets: Sockets, follow_redirects: bool, seconds: float) -> Capture:
    name = public_address(address)
    try:
        body = HttpStream(address, sockets, follow_redirects=follow_redirects, max_bytes=MAX_BYTES)
    except (OSError, ValueError) as error:
        raise _unavailable(name, str(error)) from error
    start = body.peek(1024)
    if re.match(_PLAYLIST, start) or "mpegurl" in body.content_type or "dash+xml" in body.content_type:
        body.close()
        if not follow_redirects:
            raise SourceError(f"{name}: is a playlist, which names further addresses", hint="`follow_redirects` allows them")
        return _open_ffmpeg(name, _with_user(body.address, address), _FOLLOWED, None, seconds=seconds)
    if start.lstrip().startswith((b"--", b"\xff\xd8\xff")):
        return _Mjpeg(name, body)
    is_multipart = body.content_type.startswith("multipart/")
    if is_text(start) and not (is_multipart and text_in_words(start) in ("text", "nothing")):
        what = text_in_words(body.peek(TITLE_BYTES))
        body.close()
        raise _no_stream(name, what, is_redirected=body.is_redirected)
    if is_multipart:
        return _Mjpeg(name, body)
    is_clip = start[4:8] == b"ftyp"
    try:
        if is_clip and body.seekable():  # its index may be at its end
            return _open_bounded(name, body, body, "none")
        return _open_piped(name, body, _FORMATS)
    except StreamUnavailable:
        cure = "; an MP4 whose index is at its end needs a server that sends parts" if is_clip and not body.seekable() else ""
        raise _no_stream(name, f"{body.content_type} that cannot be read{cure}", is_redirected=body.is_redirected) from None


def open_jpegs(name: str, body: Body) -> Capture:
    """Open a Motion JPEG stream.

    Args:
        name: name of the source in errors.
        body: its bytes.

    Raises:
        SourceError: a picture is too large.
    """
    return _Mjpeg(name, body)


def open_bytes(name: str, body: Body, kind: str) -> Capture:
    """Open a stream of this format with FFmpeg, which has access to its bytes only.

    Args:
        name: name of the source in errors.
        body: its bytes.
        kind: FFmpeg's name of the format.

    Raises:
        SourceError: the stream cannot be read.
    """
    try:
        return _open_piped(name, body, kind)
    except StreamUnavailable:
        raise SourceError(f"{name}: begins like {kind}, and cannot be read as such") from None


class _Mjpeg:
    """Motion JPEG as a capture. Pictures of another size are letterboxed to that of the first one."""

    def __init__(self, name: str, body: Body) -> None:
        self._body, self._scanner = body, JpegScanner(name, body.read)
        self._first = self._next = self._picture()

    def get(self, number: int, /) -> float:
        height, width = (0, 0) if self._first is None else self._first.shape[:2]
        sizes = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}
        return _MJPEG_RATE if number == cv2.CAP_PROP_FPS else float(sizes.get(number, 0))

    def read(self) -> tuple[bool, Image | None]:
        image, self._next = self._next if self._next is not None else self._picture(), None
        if image is not None and self._first is not None and image.shape != self._first.shape:
            image = letterboxed(image, (self._first.shape[1], self._first.shape[0]))
        return image is not None, image

    def release(self) -> None:
        self._body.close()

    def _picture(self) -> Image | None:
        """Decode the next valid picture."""
        while (data := self._scanner.next()) is not None:
            self._body.reset_byte_count()
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is not None:
                return np.asarray(image, np.uint8)
        if self._body.error is not None:
            raise self._body.error
        return None


class _Watched:
    """A capture of FFmpeg that warns of frozen pictures."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture, self._watch = capture, FrozenWatch(name)

    def get(self, number: int, /) -> float:
        return float(self._capture.get(number))

    def read(self) -> tuple[bool, Image | None]:
        found, image = self._capture.read()
        if found:
            self._watch.update(np.asarray(image, np.uint8))
        return found, image

    def release(self) -> None:
        self._capture.release()


class _Bounded:
    """A capture of FFmpeg with a limit of bytes per picture."""

    def __init__(self, capture: Capture, origin: Body | RtspRelay) -> None:
        self._capture, self._origin = capture, origin

    def get(self, number: int, /) -> float:
        return float(self._capture.get(number))

    def read(self) -> tuple[bool, Image | None]:
        found, image = self._capture.read()
        if found:
            self._origin.reset_byte_count()
        elif self._origin.error is not None:
            raise self._origin.error
        return found, image

    def release(self) -> None:
        self._capture.release()
        self._origin.close()


def _open_piped(name: str, body: Body, formats: str) -> Capture:
    capture = PipedStream(name, body, formats)
    if not capture.is_readable:
        capture.release()
        raise _unavailable(name)
    return capture


def _open_bounded(name: str, target: str | Body, origin: Body | RtspRelay, protocols: str) -> Capture:
    try:
        return _Bounded(_open_ffmpeg(name, target, protocols, _FORMATS, seconds=0), origin)
    except SourceError:
        origin.close()
        if origin.error is not None:
            raise origin.error from None
        raise


def _open_ffmpeg(name: str, target: str | Body, protocols: str, formats: str | None, *, seconds: float) -> Capture:
    """Open a capture with these protocols and formats only; ``seconds`` is FFmpeg's own time-out, 0 for none."""
    limit = round(1000 * seconds)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
    options = f"protocol_whitelist;{protocols}" + (f"|format_whitelist;{formats}" if formats else "")
    with capture_options(options, usually=RTSP_OPTIONS if "rtsp" in protocols else ""):
        # OpenCV's type stubs accept only a name.
        capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)  # type: ignore[arg-type]
    if not capture.isOpened():
        raise _unavailable(name)
    return _Watched(capture, name)


def _no_stream(name: str, what: str, *, is_redirected: bool) -> StreamUnavailable:
    after = " after a redirect" if is_redirected else ""
    hint = "name the address of the stream itself"
    return StreamUnavailable(f"{name}: is no stream: the server sends {what}{after}", hint=hint)


def _unavailable(name: str, why: str = "") -> StreamUnavailable:
    reason = f" ({why})" if why else ""
    return StreamUnavailable(f"{name}: the stream cannot be opened{reason}; is the address right and the server running?")


def _with_user(address: str, named: str) -> str:
    """Copy user and password from the original URL to a redirected one, if the host is the same."""
    parts, before = urlsplit(address), urlsplit(named)
    user = before.netloc.rpartition("@")[0]
    is_same = (parts.scheme, parts.netloc) == (before.scheme, before.netloc.rpartition("@")[2])
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}")) if user and is_same else address

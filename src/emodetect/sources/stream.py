"""Opening a stream's address so that nothing but the host that it names is reached."""

from __future__ import annotations

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
from emodetect.sources.rtsp import RtspRelay
from emodetect.sources.sockets import Sockets
from emodetect.text.printable import public_address
from emodetect.types import Image

STREAM_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")

RTSP_OPTIONS = "rtsp_flags;prefer_tcp|fpsprobesize;0"
"""Options for RTSP: by TCP, as OpenCV has it without the variable, and no 20 pictures only to measure their rate, which cost a
second at 25 a second and show that second late. What a camera does not announce counts as the default rate. Files have other
ways to tell their rate, and some need to be measured."""

_FORMATS = "mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,live_flv,matroska,mov,ogg,avi,asf,nut,mjpeg,mpjpeg,jpeg_pipe,rtsp"
"""What a stream may be: containers and bare video. Playlists (HLS, DASH), lists (concat) and session descriptions are left out:
they name further addresses and files."""

_NESTED = {
    "rtsp": "rtsp,tcp,udp,rtp,srtp",
    "rtsps": "rtsp,tcp,udp,rtp,srtp,tls",
    "rtmp": "rtmp,tcp",
    "udp": "udp",
    "tcp": "tcp",
    "http": "none",
    "https": "none",
}
"""The protocols that FFmpeg may use for an address, by its scheme; HTTP is spoken here and not by FFmpeg."""

_FOLLOWED = "http,https,httpproxy,tcp,tls,crypto"
"""The protocols for playlists, where they are allowed."""

_MJPEG_RATE = 25.0
"""Frames per second of a stream of JPEGs, which never says: what FFmpeg assumes."""

MOST_BYTES = 64_000_000
"""What a stream may send before a picture comes of it. One of the largest pictures of the largest cameras has a quarter of it."""


class StreamUnavailable(SourceError):
    """A stream that is not there, at least now."""


class Capture(Protocol):
    """What `cv2.VideoCapture` has, as far as it is used here."""

    def get(self, number: int, /) -> float:
        """A property."""

    def read(self) -> tuple[bool, Image | None]:
        """The next picture, if there is one."""

    def release(self) -> None:
        """Let go of the source."""


def open_stream(address: str, sockets: Sockets, *, follow_redirects: bool, seconds: float) -> Capture:
    """Open a stream.

    Args:
        address: one of `STREAM_SCHEMES`.
        sockets: closing them ends what is waited for, except where FFmpeg itself makes the connection (rtmp, udp, tcp).
        follow_redirects: whether the server may send its viewers to other hosts, by redirects or a playlist.
        seconds: the time limit where FFmpeg itself makes the connection.

    Raises:
        StreamUnavailable: it cannot be opened.
        SourceError: it leads elsewhere, or sends what is too large.
    """
    scheme, name = address.partition(":")[0].lower(), public_address(address)
    if scheme in ("http", "https"):
        return _open_http(address, sockets, follow_redirects, seconds)
    if scheme in ("rtsp", "rtsps") and not follow_redirects:
        try:
            relay = RtspRelay(address, sockets, most_bytes=MOST_BYTES)
        except (OSError, ValueError) as error:
            raise _unavailable(name, str(error)) from error
        return _open_bounded(name, relay.address, relay, _NESTED["rtsp"])
    return _open_ffmpeg(name, address, _NESTED[scheme], _FORMATS, seconds=seconds)


def _open_http(address: str, sockets: Sockets, follow_redirects: bool, seconds: float) -> Capture:
    name = public_address(address)
    try:
        body = HttpStream(address, sockets, follow_redirects=follow_redirects, most_bytes=MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _unavailable(name, str(error)) from error
    start = body.peek(1024)
    if start.lstrip().startswith((b"#EXTM3U", b"<MPD")) or "mpegurl" in body.content_type or "dash+xml" in body.content_type:
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
    try:
        return _open_bounded(name, body, body, "none")
    except StreamUnavailable:
        is_endless = start[4:8] == b"ftyp" and not body.seekable()
        cure = "; an MP4 whose index is at its end needs a server that sends parts" if is_endless else ""
        raise _no_stream(name, f"{body.content_type} that cannot be read{cure}", is_redirected=body.is_redirected) from None


class Body(Protocol):
    """Bytes of a stream, as FFmpeg reads them by way of OpenCV."""

    error: SourceError | None

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""

    def picture_came(self) -> None:
        """Count bytes anew, of which there is a limit."""

    def close(self) -> None:
        """Let go of the source."""


def open_jpegs(name: str, body: Body) -> Capture:
    """Open one JPEG after the other.

    Args:
        name: what to call the source.
        body: its bytes.

    Raises:
        SourceError: a picture is too large.
    """
    return _Mjpeg(name, body)


def open_bytes(name: str, body: Body, kind: str) -> Capture:
    """Open a stream of this kind with FFmpeg, which gets nothing but its bytes.

    Args:
        name: what to call the source.
        body: its bytes; an `io.BufferedIOBase`.
        kind: FFmpeg's name of the format.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return _open_bounded(name, body, body, "none", kind)
    except StreamUnavailable:
        raise SourceError(f"{name}: begins like {kind}, and cannot be read as such") from None


class _Mjpeg:
    """JPEG after JPEG as a capture. Pictures of another size are fitted into the first one's."""

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
        """The next picture that can be decoded."""
        while (data := self._scanner.next()) is not None:
            self._body.picture_came()
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is not None:
                return np.asarray(image, np.uint8)
        if self._body.error is not None:
            raise self._body.error
        return None


class _Watched:
    """A capture of FFmpeg's."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture, self._watch = capture, FrozenWatch(name)

    def get(self, number: int, /) -> float:
        return float(self._capture.get(number))

    def read(self) -> tuple[bool, Image | None]:
        found, image = self._capture.read()
        if found:
            self._watch.see(np.asarray(image, np.uint8))
        return found, image

    def release(self) -> None:
        self._capture.release()


class _Bounded:
    """A capture of FFmpeg's whose bytes come from here."""

    def __init__(self, capture: Capture, origin: Body | RtspRelay) -> None:
        self._capture, self._origin = capture, origin

    def get(self, number: int, /) -> float:
        return float(self._capture.get(number))

    def read(self) -> tuple[bool, Image | None]:
        found, image = self._capture.read()
        if found:
            self._origin.picture_came()
        elif self._origin.error is not None:
            raise self._origin.error
        return found, image

    def release(self) -> None:
        self._capture.release()
        self._origin.close()


def _open_bounded(name: str, target: str | Body, origin: Body | RtspRelay, protocols: str, formats: str = _FORMATS) -> Capture:
    try:
        return _Bounded(_open_ffmpeg(name, target, protocols, formats, seconds=0), origin)
    except SourceError:
        origin.close()
        if origin.error is not None:
            raise origin.error from None
        raise


def _open_ffmpeg(name: str, target: str | Body, protocols: str, formats: str | None, *, seconds: float) -> Capture:
    """A capture that uses these protocols and formats only; ``seconds`` limits what FFmpeg itself waits for, 0 not at all."""
    limit = round(1000 * seconds)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
    options = f"protocol_whitelist;{protocols}" + (f"|format_whitelist;{formats}" if formats else "")
    with capture_options(options, usually=RTSP_OPTIONS if "rtsp" in protocols else ""):
        # The stubs of OpenCV know no target but a name.
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
    """An address with the user and password of the one that was named, where the host is the same."""
    parts, before = urlsplit(address), urlsplit(named)
    user = before.netloc.rpartition("@")[0]
    is_same = (parts.scheme, parts.netloc) == (before.scheme, before.netloc.rpartition("@")[2])
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}")) if user and is_same else address

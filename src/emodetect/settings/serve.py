"""Settings of the server; imported without NumPy and a web framework, which the command line's options do not need."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from emodetect.errors import UsageError
from emodetect.settings.pipeline import CLIPS, LIVE, PHOTOS, PipelineSettings
from emodetect.text.numbers import check_number

MIN_TOKEN_LENGTH = 16
"""Characters. At a thousand guesses per second, 16 random characters are not found in a lifetime."""

_TOKEN = re.compile(rf"[!-~]{{{MIN_TOKEN_LENGTH},256}}")


@dataclass(frozen=True)
class ServedPipelines:
    """Pipeline settings by kind of input.

    Attributes:
        photos: settings for uploaded photos.
        clips: settings for uploaded clips.
        streams: settings for clients' streams and the server's own source.
    """

    photos: PipelineSettings = PHOTOS
    clips: PipelineSettings = CLIPS
    streams: PipelineSettings = LIVE


@dataclass(frozen=True)
class ServerSettings:
    """Address, access control and limits of the server.

    Attributes:
        host: the address to bind.
        port: the port; 0 for a free one.
        token: access token; None for no authentication.
        allow_anyone: whether a non-loopback address may be served without a token.
        origins: allowed origins of other sites (CORS), such as ``https://example.org``.
        hosts: allowed host names, besides IP addresses and localhost.
        clients: maximum number of concurrent streaming clients.
        requests: maximum number of photos and uploads analyzed at a time.
        jobs: maximum number of clips in progress or in the queue, and of finished ones whose results are kept.
        upload: maximum size of a request body, bytes.
        frame: maximum size of a frame of a stream, bytes.
        frame_pixels: maximum number of pixels of a frame of a stream.
        max_pixels: maximum number of pixels of a photo, or of a frame of a clip.

    Raises:
        UsageError: a number is out of range, the token is too short, or a non-loopback address has no token.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    allow_anyone: bool = False
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    clients: int = 32
    requests: int = 8
    jobs: int = 4
    upload: int = 200 * 2**20
    frame: int = 4_000_000
    frame_pixels: int = 3840 * 2160
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        check_number("port", self.port, 0, 65535, whole=True)
        for name in ("clients", "requests", "jobs", "upload", "frame", "frame_pixels", "max_pixels"):
            check_number(name, getattr(self, name), 1, 10**12, whole=True)
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise UsageError(f"`token` needs at least {MIN_TOKEN_LENGTH} letters, digits and signs, no spaces", parameter="token")
        if self.token is not None and self.allow_anyone:
            raise UsageError("`token` and `allow_anyone` cannot be combined")
        if not self.is_local and self.token is None and not self.allow_anyone:
            reached = f"{self.host}: other machines could reach the server there"
            raise UsageError(reached, parameter="host", hint="`token` lets in those who know it, `allow_anyone` everybody")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host == "localhost" or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback IP address.

    Args:
        host: an address or a name.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The settings of the server; found without NumPy and without a web framework, for the options of a command line."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from emodetect.errors import UsageError
from emodetect.settings.pipeline import CLIPS, LIVE, PHOTOS, PipelineSettings
from emodetect.text.numbers import check_number

SHORTEST_TOKEN = 16
"""Characters. At a thousand guesses per second, 16 random ones are not found in a lifetime."""

_TOKEN = re.compile(rf"[!-~]{{{SHORTEST_TOKEN},256}}")


@dataclass(frozen=True)
class ServedPipelines:
    """What reads each kind of input.

    Attributes:
        photos: reads photos.
        clips: reads uploaded clips.
        streams: reads the frames of clients, and the server's own source.
    """

    photos: PipelineSettings = PHOTOS
    clips: PipelineSettings = CLIPS
    streams: PipelineSettings = LIVE


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens, whom it answers, and how much it takes.

    Attributes:
        host: the address to listen at.
        port: the port; 0 for a free one.
        token: what clients must show; None for none.
        allow_anyone: whether another address than this machine's own may do without a token.
        origins: the origins of other sites whose pages may use the server, such as ``https://example.org``.
        hosts: the names, besides IP addresses and localhost, by which clients may call the server.
        clients: clients of streams at a time.
        requests: photos and uploads that are analyzed at a time.
        jobs: clips that are analyzed or wait, and finished ones whose results are kept.
        upload: bytes of a request's body.
        frame: bytes of a frame of a stream.
        frame_pixels: pixels of a frame of a stream.
        max_pixels: pixels of a photo or of a clip's picture.

    Raises:
        UsageError: a number is out of range, the token is too short, or another address than this machine's own has none.
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
            raise UsageError(f"`token` needs at least {SHORTEST_TOKEN} letters, digits and signs, no spaces", parameter="token")
        if self.token is not None and self.allow_anyone:
            raise UsageError("`token` and `allow_anyone` contradict each other; give one of them")
        if not self.is_local and self.token is None and not self.allow_anyone:
            reached = f"{self.host}: other machines could reach the server there"
            raise UsageError(reached, parameter="host", hint="`token` lets in those who know it, `allow_anyone` everybody")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        return self.host == "localhost" or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether this is an IP address of the machine itself, which no other one reaches.

    Args:
        host: an address or a name.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

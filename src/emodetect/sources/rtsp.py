"""RTSP through a relay of our own: FFmpeg would follow a camera that answers with another address."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
from urllib.parse import SplitResult, urlsplit, urlunsplit

from emodetect.errors import SourceError
from emodetect.sources.http import HOW_TO_FOLLOW
from emodetect.sources.sockets import CONNECT_SECONDS, Sockets, unchecked_context
from emodetect.text.printable import public_address

_PORTS = {"rtsp": 554, "rtsps": 322}

_MOST_HEAD, _MOST_BODY = 1 << 16, 1 << 20
"""Bytes of an answer: its head, and the description of a stream."""

_PACKET = b"$"


class RtspRelay:
    """Hands on what FFmpeg and one RTSP server say, and nothing that would lead FFmpeg to another host.

    With pictures by TCP, which is tried first, all comes through here; by UDP they come straight from the server.

    Args:
        address: rtsp or rtsps. TLS ends here; certificates are not checked: cameras sign their own.
        sockets: what the connection to the server is made through; closing them ends the relay.
        most_bytes: how many bytes may come until `picture_came`.

    Attributes:
        address: what FFmpeg shall open instead.
        error: why it ended, where that was not its normal end.
    """

    def __init__(self, address: str, sockets: Sockets, *, most_bytes: int) -> None:
        self.error: SourceError | None = None
        self._name = public_address(address)
        parts = urlsplit(address)
        self._host, self._port, self._secure = parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme == "rtsps"
        self._sockets, self._most_bytes, self._bytes = sockets, most_bytes, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.address = _elsewhere(parts, self._listener.getsockname()[1])
        self._closing = threading.Event()
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    def picture_came(self) -> None:
        """Count bytes anew."""
        self._bytes = 0

    def close(self) -> None:
        """End it; does not wait."""
        self._closing.set()

    def _run(self) -> None:
        with self._listener:
            while not self._closing.is_set() and not self._sockets.is_closed and self.error is None:
                with contextlib.suppress(OSError):
                    viewer, _ = self._listener.accept()
                    with viewer:
                        self._serve(viewer)

    def _serve(self, viewer: socket.socket) -> None:
        with self._connect() as server:
            messages = Messages(self._name, {self._host.lower(), server.getpeername()[0]})
            viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            viewer.settimeout(CONNECT_SECONDS)
            self._sockets.add(viewer)
            while not self._closing.is_set():
                for speaker in select.select([viewer, server], [], [], 0.1)[0]:
                    if not (data := speaker.recv(65536)):
                        return
                    if speaker is viewer:
                        server.sendall(data)
                        continue
                    if isinstance(server, ssl.SSLSocket) and (pending := server.pending()):
                        data += server.recv(pending)
                    self._bytes += len(data)
                    if self._bytes > self._most_bytes:
                        self.error = SourceError(f"{self._name}: has sent {self._most_bytes / 1e6:.0f} MB without a picture")
                        return
                    try:
                        viewer.sendall(messages.passed(data))
                    except SourceError as error:
                        self.error = error
                        return

    def _connect(self) -> socket.socket:
        server = self._sockets.connect(self._host, self._port)
        if self._secure:
            server.settimeout(CONNECT_SECONDS)
            server = unchecked_context().wrap_socket(server, server_hostname=self._host)
            self._sockets.add(server)
        return server


class Messages:
    """What a server says, looked at before it is handed on: answers as a whole, packets of pictures one by one.

    Args:
        name: what to call the server in errors.
        hosts: its names and addresses.
    """

    def __init__(self, name: str, hosts: set[str]) -> None:
        self._name, self._hosts = name, hosts
        self._buffer = bytearray()

    def passed(self, data: bytes) -> bytes:
        """What can be handed on once this has come.

        Raises:
            SourceError: the server names another host, or talks no RTSP.
        """
        self._buffer += data
        end = 0
        while length := self._length(end):
            end += length
        passed = bytes(self._buffer[:end])
        del self._buffer[:end]
        return passed

    def _length(self, start: int) -> int:
        """How long the message or packet is that begins there; 0 where it is not whole yet."""
        left = len(self._buffer) - start
        if self._buffer[start : start + 1] == _PACKET:
            length = 4 + int.from_bytes(self._buffer[start + 2 : start + 4], "big")
            return length if left >= max(4, length) else 0
        found = re.compile(rb"\r?\n\r?\n").search(self._buffer, start, start + _MOST_HEAD)
        if found is None:
            if left > _MOST_HEAD:
                raise SourceError(f"{self._name}: what the server says is no RTSP")
            return 0
        head = self._buffer[start : found.end()].decode("latin-1")
        said = re.search(r"^content-length\s*:\s*(\d{1,20})\s*$", head, re.IGNORECASE | re.MULTILINE)
        body = int(said[1]) if said else 0
        if body > _MOST_BODY:
            raise SourceError(f"{self._name}: the server announces an answer of {body / 1e6:.0f} MB")
        self._check(head)
        length = found.end() - start + body
        return length if left >= length else 0

    def _check(self, head: str) -> None:
        if re.match(r"\s*RTSP/\S+\s+3\d\d", head):
            said = re.search(r"^location\s*:\s*(\S+)", head, re.IGNORECASE | re.MULTILINE)
            where = public_address(said[1]) if said else "another address"
            raise SourceError(f"{self._name}: the server sends viewers on to {where}", hint=HOW_TO_FOLLOW)
        for transport in re.findall(r"^transport\s*:(.*)$", head, re.IGNORECASE | re.MULTILINE):
            if "/tcp" in transport.lower():
                continue
            for other in re.findall(r"\bsource\s*=\s*\"?([^;,\"\s]+)", transport, re.IGNORECASE):
                if other.lower() not in self._hosts:
                    raise SourceError(f"{self._name}: the pictures would come from {other}", hint=HOW_TO_FOLLOW)


def _elsewhere(parts: SplitResult, port: int) -> str:
    """The same address at a port of this machine."""
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(scheme="rtsp", netloc=f"{user}{at}127.0.0.1:{port}"))

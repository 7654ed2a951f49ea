"""RTSP through a local relay, since FFmpeg would follow a redirect to any host."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
from urllib.parse import SplitResult, urlsplit, urlunsplit

from emodetect.errors import SourceError
from emodetect.sources.http import REDIRECT_HINT
from emodetect.sources.sockets import CONNECT_SECONDS, Sockets, unchecked_context
from emodetect.text.printable import public_address

_PORTS = {"rtsp": 554, "rtsps": 322}

_MAX_HEAD, _MAX_BODY = 1 << 16, 1 << 20
"""Maximum size of a response's header, and of its body, a stream description, bytes."""

_PACKET = b"$"


class RtspRelay:
    """Forwards messages between FFmpeg and an RTSP server, and rejects those that would redirect FFmpeg to another host.

    Pictures over TCP, which is tried first, pass through the relay; over UDP they come directly from the server.

    Args:
        address: rtsp or rtsps URL. The relay terminates TLS; certificates are not verified, since cameras have self-signed ones.
        sockets: creates the connection to the server; closing them ends the relay.
        max_bytes: limit of bytes that are received until `reset_byte_count`.

    Attributes:
        address: URL of the relay, for FFmpeg.
        error: why the relay failed; None after its normal end.
    """

    def __init__(self, address: str, sockets: Sockets, *, max_bytes: int) -> None:
        self.error: SourceError | None = None
        self._name = public_address(address)
        parts = urlsplit(address)
        self._host, self._port, self._secure = parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme == "rtsps"
        self._sockets, self._max_bytes, self._bytes = sockets, max_bytes, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.address = _elsewhere(parts, self._listener.getsockname()[1])
        self._closing = threading.Event()
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    def reset_byte_count(self) -> None:
        """Reset the byte count."""
        self._bytes = 0

    def close(self) -> None:
        """Close the relay, without waiting for its thread."""
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
                    if self._bytes > self._max_bytes:
                        self.error = SourceError(f"{self._name}: has sent {self._max_bytes / 1e6:.0f} MB without a picture")
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
    """Checks the server's messages before they are forwarded: responses as a whole, media packets one by one.

    Args:
        name: name of the server in errors.
        hosts: its names and addresses.
    """

    def __init__(self, name: str, hosts: set[str]) -> None:
        self._name, self._hosts = name, hosts
        self._buffer = bytearray()

    def passed(self, data: bytes) -> bytes:
        """Add received data; returns what can be forwarded now.

        Raises:
            SourceError: the server names another host, or does not speak RTSP.
        """
        self._buffer += data
        end = 0
        while length := self._length(end):
            end += length
        passed = bytes(self._buffer[:end])
        del self._buffer[:end]
        return passed

    def _length(self, start: int) -> int:
        """Length of the message or packet at this position; 0 if it is incomplete."""
        left = len(self._buffer) - start
        if self._buffer[start : start + 1] == _PACKET:
            length = 4 + int.from_bytes(self._buffer[start + 2 : start + 4], "big")
            return length if left >= max(4, length) else 0
        found = re.compile(rb"\r?\n\r?\n").search(self._buffer, start, start + _MAX_HEAD)
        if found is None:
            if left > _MAX_HEAD:
                raise SourceError(f"{self._name}: what the server says is no RTSP")
            return 0
        head = self._buffer[start : found.end()].decode("latin-1")
        header = re.search(r"^content-length\s*:\s*(\d{1,20})\s*$", head, re.IGNORECASE | re.MULTILINE)
        body = int(header[1]) if header else 0
        if body > _MAX_BODY:
            raise SourceError(f"{self._name}: the server announces an answer of {body / 1e6:.0f} MB")
        self._check(head)
        length = found.end() - start + body
        return length if left >= length else 0

    def _check(self, head: str) -> None:
        if re.match(r"\s*RTSP/\S+\s+3\d\d", head):
            header = re.search(r"^location\s*:\s*(\S+)", head, re.IGNORECASE | re.MULTILINE)
            where = public_address(header[1]) if header else "another address"
            raise SourceError(f"{self._name}: the server sends viewers on to {where}", hint=REDIRECT_HINT)
        for transport in re.findall(r"^transport\s*:(.*)$", head, re.IGNORECASE | re.MULTILINE):
            if "/tcp" in transport.lower():
                continue
            for other in re.findall(r"\bsource\s*=\s*\"?([^;,\"\s]+)", transport, re.IGNORECASE):
                if other.lower() not in self._hosts:
                    raise SourceError(f"{self._name}: the pictures would come from {other}", hint=REDIRECT_HINT)


def _elsewhere(parts: SplitResult, port: int) -> str:
    """Replace the host and port of a URL by a port of this machine."""
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(scheme="rtsp", netloc=f"{user}{at}127.0.0.1:{port}"))

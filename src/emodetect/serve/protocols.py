"""Time-outs of connections below HTTP and WebSocket, and a limit of their number."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEAD_SECONDS = 10.0
"""Time-out for the header of a request."""

STALL_SECONDS = 30.0
"""Time-out of a client that reads or acknowledges nothing while data is sent to it."""

MAX_CONNECTIONS = 256

_BAD_REQUEST = b'{"error":"not a valid HTTP request"}'
_BAD_REQUEST_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(_BAD_REQUEST), _BAD_REQUEST)
)


class _StallTimeout(asyncio.Protocol):
    """Closes a connection whose client does not read. A mixin, to precede the protocol in the list of base classes.

    Attributes:
        read_timeout: time-out of what the client must send next, a header or a handshake; ends with the connection.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    read_timeout: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_stall_timeout()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_stall_timeout()
        self.cancel_read_timeout()
        super().connection_lost(exc)

    def cancel_read_timeout(self) -> None:
        """Cancel the time-out of what the client must send."""
        if self.read_timeout is not None:
            self.read_timeout.cancel()
            self.read_timeout = None

    def _cancel_stall_timeout(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class HttpProtocol(_StallTimeout, H11Protocol):
    """HTTP with time-outs and a limit of the number of connections."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        _set_user_timeout(transport)
        self._watch_head()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    @override
    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # no response has begun
            self.transport.write(_BAD_REQUEST_ANSWER)
        self.transport.close()

    @property
    def _awaits_head(self) -> bool:
        is_http = self.transport.get_protocol() is self  # not upgraded to a WebSocket
        return is_http and (self.cycle is None or self.cycle.response_complete)

    def _watch_head(self) -> None:
        """Start the time-out of a header, if that comes next; a header that arrives byte by byte gets no more time."""
        if not self._awaits_head:
            self.cancel_read_timeout()
        elif self.read_timeout is None:
            self.read_timeout = self.loop.call_later(HEAD_SECONDS, self._end_without_head)

    def _end_without_head(self) -> None:
        self.read_timeout = None
        if self._awaits_head:
            self.transport.abort()


class SocketProtocol(_StallTimeout, WebSocketsSansIOProtocol):
    """WebSocket with time-outs for the handshake and for clients that do not read."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.read_timeout = self.loop.call_later(HEAD_SECONDS, self._end_without_handshake)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            # A request with a body, or with a head that is too large: it would be waited for ever.
            self.transport.write(_BAD_REQUEST_ANSWER)
            self.transport.close()

    @override
    def shutdown(self) -> None:
        if self.handshake_initiated:
            super().shutdown()
        else:
            self.transport.abort()

    def _end_without_handshake(self) -> None:
        if not self.handshake_initiated:
            self.transport.abort()


def _set_user_timeout(transport: Any) -> None:
    """Let the system close a connection without acknowledgments, as after a cable was unplugged."""
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(1000 * STALL_SECONDS))

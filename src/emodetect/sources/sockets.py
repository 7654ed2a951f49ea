"""Connections that another thread can abort."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from typing import Any

CONNECT_SECONDS = 10.0
"""Time-out for connecting to one address of a host."""

_POLL_SECONDS = 0.1
"""Interval at which a connection attempt checks whether it was aborted."""


class Sockets:
    """Sockets of one attempt to read a stream; closing them aborts all blocking calls on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.is_closed = False

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to a host.

        Raises:
            OSError: the connection failed, or `close` was called.
        """
        error: OSError = ConnectionError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                self._connect(connection, address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.add(connection)
                return connection
            except OSError as reason:
                connection.close()
                error = reason
        raise error

    def _connect(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.connect(address)
        until = time.monotonic() + CONNECT_SECONDS
        while not self.is_closed and time.monotonic() < until:
            if any(select.select([], [connection], [connection], _POLL_SECONDS)):
                if code := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(code, "cannot connect")
                connection.setblocking(True)
                return
        raise TimeoutError("cannot connect in time")

    def add(self, connection: socket.socket) -> None:
        """Register a socket that was opened elsewhere.

        Raises:
            OSError: `close` was called.
        """
        with self._lock:
            self._open = {one for one in self._open if one.fileno() >= 0}
            if self.is_closed:
                raise ConnectionAbortedError("closed meanwhile")
            self._open.add(connection)

    def close(self) -> None:
        """Shut down all connections and prevent further ones; the owner of a socket still closes it."""
        with self._lock:
            self.is_closed = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    # Not the method of the TLS socket, which changes state that the reading thread uses.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def unchecked_context() -> ssl.SSLContext:
    """TLS without certificate verification, since cameras have self-signed certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

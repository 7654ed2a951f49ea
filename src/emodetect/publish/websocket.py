"""A WebSocket server: each client receives every result as one JSON text message."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import re
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus

from typing_extensions import override
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from emodetect.errors import OutputError
from emodetect.publish.address import Address, invalid_address
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message
from emodetect.system.assumptions import warn_once

_LOCAL = "127.0.0.1"

_LOCAL_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?")
"""Origins of pages on this machine. Browsers let pages of any site connect, and send their origin."""

_MAX_CLIENTS = 64

_CAPACITY = 64
"""Capacity of a client's queue, messages; newer ones replace the oldest."""

_SEND_BYTES = 1 << 16
"""Size of the system's send buffer. A large one would hold seconds of results for a slow client."""

_MAX_RECEIVED = 4096
"""Maximum size of a message from a client, bytes. None is expected, and all are ignored."""

_SHUTDOWN_SECONDS = 1.0
"""Time-out for sending the remaining messages to clients at the end, seconds."""

_SILENT = logging.getLogger("emodetect.silent.websockets")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
"""Logger that discards the library's messages about invalid or lost clients."""


class WebSocketPublisher(Publisher):
    """Listens for clients. One that connects gets the newest result at once.

    Args:
        text: ``ws://host:port``; without a host, or with localhost, it is 127.0.0.1. With port 0 the system chooses a free one.
            ``?origin=https://example.org`` allows web pages of another site than this machine's.

    Raises:
        UsageError: the address is invalid.
    """

    def __init__(self, text: str) -> None:
        address = Address.parse(text, options=("origin",))
        if address.port is None:
            raise invalid_address(f"{address.name}: names no port to listen on, as in ws://{address.host or _LOCAL}:9001")
        if address.path or address.user is not None:
            raise invalid_address(f"{address.name}: clients connect to ws://host:port, without a user or a path")
        self._host = _LOCAL if address.host in ("", "localhost") else address.host
        self._port = address.port
        self._origins = [None, _LOCAL_ORIGIN, *(Origin(one.rstrip("/")) for one in address.options.get("origin", ()))]
        self._clients: set[_Client] = set()
        self._newest: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready, self._stopping = threading.Event(), asyncio.Event()
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._set_name()

    def _set_name(self) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.name = f"ws://{host}:{self._port}"

    @override
    def open(self) -> None:
        try:
            family, _, _, _, place = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
                0
            ]
            self._socket = socket.create_server(place[:2], family=family)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise OutputError(f"{self.name}: cannot listen ({reason})", parameter="publish") from error
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)  # connections inherit it
        self._port = self._socket.getsockname()[1]
        self._set_name()
        if not ipaddress.ip_address(place[0]).is_loopback:
            warn_once(f"{self.name}: other machines can connect, too, without a password")
        self._thread = threading.Thread(target=self._run, name="websocket", daemon=True)
        self._thread.start()
        self._ready.wait()

    @override
    def send(self, messages: Sequence[Message]) -> None:
        assert self._loop is not None
        for message in messages:
            self._loop.call_soon_threadsafe(self._broadcast, message.json)

    @override
    def close(self) -> None:
        if self._loop is not None and self._thread is not None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed already
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(2 * _SHUTDOWN_SECONDS)
        elif self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await serve(
            self._serve_client, sock=self._socket, origins=self._origins, process_request=self._admit, logger=_SILENT,
            compression=None, max_size=_MAX_RECEIVED, write_limit=_SEND_BYTES, server_header="emodetect",
            close_timeout=_SHUTDOWN_SECONDS,
        )  # fmt: skip
        self._ready.set()
        await self._stopping.wait()
        await self._end(server)

    async def _end(self, server: Server) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(client.wait_sent() for client in self._clients)), _SHUTDOWN_SECONDS)
        server.close()
        await server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if len(self._clients) < _MAX_CLIENTS:
            return None
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"There are {_MAX_CLIENTS} clients already.\n")

    async def _serve_client(self, connection: ServerConnection) -> None:
        """Serve one client until it disconnects."""
        client = _Client(connection)
        if self._newest is not None:
            client.put(self._newest)
        self._clients.add(client)
        sending = asyncio.create_task(client.send_all())
        try:
            async for _ in connection:
                pass
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sending

    def _broadcast(self, text: str) -> None:
        self._newest = text
        for client in self._clients:
            self.dropped += client.put(text)


class _Client:
    """A client with its queue, used only by the event loop's thread."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._waiting: list[str] = []
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()

    def put(self, text: str) -> int:
        """Queue a message; returns the number of messages that were dropped for it."""
        self._waiting.append(text)
        dropped = self._waiting[:-_CAPACITY]
        del self._waiting[:-_CAPACITY]
        self._changed.set()
        self._empty.clear()
        return len(dropped)

    async def send_all(self) -> None:
        """Send queued messages as fast as the client reads them."""
        while True:
            if not self._waiting:
                self._empty.set()
                await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                await self._connection.send(self._waiting.pop(0))

    async def wait_sent(self) -> None:
        """Wait until all messages are sent."""
        await self._empty.wait()

"""The running server: its socket, its thread, its shutdown."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from emodetect.errors import EmodetectError, UsageError, first_line
from emodetect.queues.interruption import Task
from emodetect.serve.protocols import HttpProtocol, SocketProtocol
from emodetect.settings.serve import ServerSettings

_PING_SECONDS = 20.0
"""Interval of WebSocket pings, seconds."""

_END_SECONDS = 3
"""Time-out of clients' connections at the shutdown, seconds."""

_POLL_SECONDS = 0.5


class ServerError(EmodetectError):
    """The server cannot be started."""


@dataclass(frozen=True)
class Certificate:
    """Certificate for HTTPS.

    Attributes:
        certificate: a PEM file with the certificate chain.
        key: a PEM file with the private key.
    """

    certificate: Path
    key: Path


class Server:
    """Serves an application in a thread, so that signals reach the main thread as in all commands.

    Args:
        app: the application.
        settings: address of the server.
        certificate: certificate for HTTPS; None for HTTP.

    Raises:
        ServerError: the address is in use or not on this machine, or the certificate is invalid.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, certificate: Certificate | None = None) -> None:
        self._socket = _bound(settings)
        self._scheme = "https" if certificate else "http"
        config = uvicorn.Config(
            app,
            http=HttpProtocol,
            ws=SocketProtocol,
            ws_max_size=settings.frame,
            ws_ping_interval=_PING_SECONDS,
            ws_ping_timeout=_PING_SECONDS,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=_END_SECONDS,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level="critical",
            ssl_certfile=certificate.certificate if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._socket.close()
            raise ServerError(f"the certificate or its key cannot be used ({first_line(error)})") from error
        self._server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """URL of the server."""
        host, port = self._socket.getsockname()[:2]
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @contextlib.contextmanager
    def running(self, end: Callable[[], None] | None = None) -> Iterator[None]:
        """Serve for the duration of a block. Leaving it closes the clients' connections.

        Args:
            end: ends infinite responses.

        Raises:
            ServerError: the server did not start.
        """
        self._task = Task(lambda: self._server.run([self._socket]), name="server")
        try:
            while not self._server.started and not self._task.is_done:
                self._task.wait(0.01)
            if not self._server.started:
                raise ServerError("the server did not start")
            yield
        finally:
            if end is not None:
                end()
            self._server.should_exit = True
            self._task.wait()
            self._socket.close()

    def wait(self) -> None:
        """Wait until the server ends, usually by a signal."""
        while not self._task.is_done:
            self._task.wait(_POLL_SECONDS)


def _bound(settings: ServerSettings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except socket.gaierror as error:
        raise UsageError(f"{host}: no such address ({error.strerror})", parameter="host") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(f"port {port} of {host} is in use; `port` takes another", parameter="port") from error
        raise ServerError(f"{host}: cannot be listened at ({error.strerror or error})", parameter="host") from error

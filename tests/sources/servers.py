"""Servers that answer as they please: what a stream's viewer may meet."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

Answer = Callable[[bytes, socket.socket], None]
"""Says something to a viewer who has sent a request, and then hangs up."""


@dataclass
class Server:
    """A TCP server on this machine.

    Attributes:
        port: where it listens.
        requests: what viewers have asked for, one request after the other.
        open_now: how many connections stand open.
        max_open: how many stood open at once.
    """

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    open_now: int = 0
    max_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def address(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that answers each request like this; of a connection's further requests, each again."""
    running = Server()

    class Handler(BaseRequestHandler):
        def setup(self) -> None:
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True)

        def finish(self) -> None:
            self.request.close()

        def handle(self) -> None:
            with running.lock:
                running.open_now += 1
                running.max_open = max(running.max_open, running.open_now)
            try:
                with suppress(OSError):
                    self.converse()
            finally:
                with running.lock:
                    running.open_now -= 1

        def converse(self) -> None:
            asked = b""
            while not running.ended.is_set():
                while b"\r\n\r\n" not in asked:
                    if not (data := self.request.recv(65536)):
                        return
                    asked += data
                request, _, asked = asked.partition(b"\r\n\r\n")
                running.requests.append(request)
                answer(request, self.request)
                if not request.split(b"\r\n")[0].endswith(b"RTSP/1.0"):
                    return

    class Listener(ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        request_queue_size = 50
        block_on_close = False

    with Listener(("127.0.0.1", 0), Handler) as server:
        running.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield running
        finally:
            running.ended.set()
            server.shutdown()
            thread.join()


def path_of(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def http(body: bytes, kind: str = "application/octet-stream", *headers: str, status: str = "200 OK") -> bytes:
    """An answer as a whole."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(data: bytes) -> Answer:
    """Always the same."""
    return lambda request, viewer: viewer.sendall(data)


def redirect(to: str, status: str = "302 Found") -> bytes:
    return http(b"", "text/html", f"Location: {to}", status=status)


def flood(viewer: socket.socket, data: bytes) -> None:
    """The same again and again, until the viewer has enough."""
    with contextlib.suppress(OSError):
        while True:
            viewer.sendall(data)

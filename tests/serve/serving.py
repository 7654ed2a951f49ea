"""A server in this process, and ways to talk to it over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.client import ClientConnection, connect

from emodetect.serve.run import SourceSettings, serving
from emodetect.serve.security import SUBPROTOCOL
from emodetect.serve.server import Certificate
from emodetect.settings.serve import ServedPipelines, ServerSettings

TIMEOUT = 60.0
"""Seconds after which a test gives up waiting; a loaded machine may take long."""

TOKEN = "correct-horse-battery"


@dataclass(frozen=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one line of an error."""
        said = self.json["error"]
        assert isinstance(said, str)
        assert "\n" not in said
        return said


@dataclass
class Client:
    """Talks to a server at a port of this machine."""

    port: int
    said: list[str] = field(default_factory=list)

    def open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)

    def request(self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str) -> Answer:
        connection = self.open()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, **headers)

    def post(self, path: str, body: bytes | Iterator[bytes], **headers: str) -> Answer:
        return self.request("POST", path, body, **headers)

    def post_files(self, path: str, files: Sequence[tuple[str, bytes]]) -> Answer:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
            for name, content in files
        ]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self.post(path, body, Content_Type=f"multipart/form-data; boundary={boundary}")

    def metric(self, name: str) -> float:
        """The value of a series, such as ``emodetect_frames_read_total``."""
        lines = self.get("/metrics").body.decode().splitlines()
        [value] = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name]
        return float(value)

    @contextmanager
    def stream(self, query: str = "", **options: Any) -> Iterator[ClientConnection]:
        options = {"subprotocols": [SUBPROTOCOL], "max_size": None, "compression": None, "open_timeout": TIMEOUT} | options
        with connect(f"ws://127.0.0.1:{self.port}/v1/stream{query}", **options) as connection:
            yield connection


def answer_of(connection: ClientConnection) -> dict[str, Any]:
    """The next answer of a stream."""
    answer: dict[str, Any] = json.loads(connection.recv(timeout=TIMEOUT))
    return answer


@contextmanager
def served(
    settings: ServerSettings | None = None,
    source: SourceSettings | None = None,
    certificate: Certificate | None = None,
    **limits: Any,
) -> Iterator[Client]:
    """A server at a free port, for the time of a block."""
    said: list[str] = []
    settings = settings or ServerSettings(**({"port": 0} | limits))
    with serving(settings, ServedPipelines(), source=source, certificate=certificate, report=said.append) as server:
        yield Client(int(server.address.rpartition(":")[2]), said)

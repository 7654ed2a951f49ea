"""Programs that results are published to: each can be ended, and started again on the same port."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from typing_extensions import override
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.cli.running import TIMEOUT
from tests.waiting import wait_until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port on which nobody listens."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Consumer(ABC):
    """A program that gets what is published.

    Attributes:
        address: what to publish to.
        received: what it has got.
    """

    address: str

    def __init__(self) -> None:
        self.received: list[Any] = []

    @abstractmethod
    def start(self) -> None:
        """Begin to listen."""

    @abstractmethod
    def kill(self) -> None:
        """End it without a word."""

    @abstractmethod
    def frames(self) -> list[int]:
        """The numbers of the frames that it has got."""


class OscReceiver(Consumer):
    """An OSC server."""

    def __init__(self) -> None:
        super().__init__()
        self._port = free_port(socket.SOCK_DGRAM)
        self.address = f"osc://127.0.0.1:{self._port}"

    @override
    def start(self) -> None:
        dispatcher = Dispatcher()
        dispatcher.set_default_handler(lambda address, *values: self.received.append((address, *values)))
        self._server = BlockingOSCUDPServer(("127.0.0.1", self._port), dispatcher)
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)  # as much as may wait for a busy machine
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @override
    def kill(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @override
    def frames(self) -> list[int]:
        return [values[0] for address, *values in self.received if address == "/emodetect/frame"]


class WebServer(Consumer):
    """A web server that takes POST requests.

    Attributes:
        status: what it answers.
        headers: of the last request.
        path: of the last request.
    """

    def __init__(self, path: str = "/hook") -> None:
        super().__init__()
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}{path}"
        self.status, self.headers, self.path = 204, dict[str, str](), ""

    @override
    def start(self) -> None:
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ours.headers, ours.path = dict(self.headers), self.path
                if ours.status < 300:
                    ours.received.append(json.loads(body))
                self.send_response(ours.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @override
    def kill(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @override
    def frames(self) -> list[int]:
        return [frame["frame"] for batch in self.received for frame in batch]


class Broker(Consumer):
    """Mosquitto, with a subscriber.

    Args:
        folder: for its settings.
        path: topic and options of the address.
        password: the password of the user emo; None lets anybody in.
    """

    def __init__(self, folder: Path, path: str = "", password: str | None = None) -> None:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed")
        super().__init__()
        self._program, self._port = MOSQUITTO, free_port()
        self.address = f"mqtt://127.0.0.1:{self._port}{path}"
        self._settings = folder / "mosquitto.conf"
        access = "allow_anonymous true"
        if password is not None:
            passwords = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "emo", password], check=True, capture_output=True)
            passwords.chmod(0o644)
            access = f"allow_anonymous false\npassword_file {passwords}"
        self._settings.write_text(f"listener {self._port} 127.0.0.1\n{access}\nuser {getpass.getuser()}\n")
        self._password = password
        self._client: paho.Client | None = None

    @override
    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        if self._password is not None:
            client.username_pw_set("emo", self._password)
        client.on_message = lambda _client, _data, message: self.received.append(message)
        is_subscribed = threading.Event()
        client.on_subscribe = lambda *_: is_subscribed.set()
        wait_until(lambda: self._connects(client))
        client.loop_start()
        client.subscribe("#", qos=1)
        assert is_subscribed.wait(TIMEOUT)

    def _connects(self, client: paho.Client) -> bool:
        with suppress(OSError):
            return client.connect("127.0.0.1", self._port) == paho.MQTT_ERR_SUCCESS
        return False

    @override
    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._client is not None:
            self._client.loop_stop()

    def bodies(self, topic: str = "emodetect") -> list[dict[str, Any]]:
        """The objects that came on a topic."""
        return [json.loads(message.payload) for message in self.received if message.topic == topic]

    @override
    def frames(self) -> list[int]:
        return [body["frame"] for body in self.bodies()]


class WebSocketClient(Consumer):
    """A client of the server that emodetect is."""

    def __init__(self) -> None:
        super().__init__()
        self.address = f"ws://127.0.0.1:{free_port()}"
        self._connection: ClientConnection | None = None

    @override
    def start(self) -> None:
        wait_until(self._connects)
        assert self._connection is not None
        threading.Thread(target=self._receive, args=(self._connection,), daemon=True).start()

    def _connects(self) -> bool:
        with suppress(OSError):
            self._connection = connect(self.address, open_timeout=TIMEOUT)
        return self._connection is not None

    def _receive(self, connection: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            for text in connection:
                self.received.append(json.loads(text))

    @override
    def kill(self) -> None:
        assert self._connection is not None
        self._connection.socket.shutdown(socket.SHUT_RDWR)  # no close frame
        self._connection = None

    @override
    def frames(self) -> list[int]:
        return [body["frame"] for body in self.received]


@contextmanager
def listening(*consumers: Consumer) -> Iterator[None]:
    """Consumers that are started, and killed at the end."""
    for consumer in consumers:
        consumer.start()
    try:
        yield
    finally:
        for consumer in consumers:
            with suppress(Exception):  # one may be dead already
                consumer.kill()

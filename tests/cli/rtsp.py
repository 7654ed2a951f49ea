"""A network camera as most are: H.264 over RTSP, by GStreamer's server, behind a wire that can fail."""

from __future__ import annotations

import random
import select
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import cv2
import pytest

from emodetect.types import Image

SERVER = ("/usr/bin/python3", str(Path(__file__).with_name("rtsp_server.py")))
"""Debian's Python is the one that has the bindings of Debian's GStreamer."""

NOT_INSTALLED = 3
"""What the server ends with where there is no GStreamer."""


class RtspCamera:
    """Shows a picture, on one address, as long as it is started.

    Attributes:
        silent: whether connections are kept open and get no more bytes; one that was silent once stays so.
        garbage: whether random bytes are sent in place of what the server says.
    """

    def __init__(self, server_port: int, file: Path) -> None:
        self.silent = False
        self.garbage = False
        self._server_port, self._file = server_port, file
        self._port = 0
        self._wire: ThreadingTCPServer | None = None
        self._stopping = threading.Event()

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/video"

    def show(self, picture: Image) -> None:
        """Show this from now on; it may have another size."""
        partial = self._file.with_suffix(".partial.jpg")
        cv2.imwrite(str(partial), picture)
        partial.replace(self._file)

    def start(self) -> None:
        camera, self._stopping = self, threading.Event()
        stopping = self._stopping

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", camera._server_port)) as server:
                    camera.forward(self.request, server, stopping)

        self._wire = ThreadingTCPServer(("127.0.0.1", self._port), Handler, bind_and_activate=False)
        self._wire.allow_reuse_address = True
        self._wire.server_bind()
        self._wire.server_activate()
        self._port = self._wire.server_address[1]
        threading.Thread(target=self._wire.serve_forever, args=(0.05,)).start()

    def stop(self) -> None:
        """Close all connections; new ones are refused."""
        if self._wire is not None:
            self._stopping.set()
            self._wire.shutdown()
            self._wire.server_close()
            self._wire = None

    def forward(self, viewer: socket.socket, server: socket.socket, stopping: threading.Event) -> None:
        """Hand on what both say, until one of them leaves."""
        silent = False
        while not stopping.is_set():
            silent = silent or self.silent
            for speaker in select.select([viewer] if silent else [viewer, server], [], [], 0.05)[0]:
                data = speaker.recv(65536)
                if not data:
                    return
                if speaker is viewer:
                    server.sendall(data)
                else:
                    viewer.sendall(random.Random(0).randbytes(len(data)) if self.garbage else data)


@contextmanager
def rtsp_camera(picture: Image, *user_and_password: str) -> Iterator[RtspCamera]:
    """A camera that runs, open to all or to one user; skips the test where GStreamer is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.jpg"
        cv2.imwrite(str(file), picture)
        with subprocess.Popen([*SERVER, str(file), *user_and_password], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            port = server.stdout.readline()
            if not port and server.wait() == NOT_INSTALLED:
                pytest.skip("GStreamer's RTSP server is not installed (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0)")
            camera = RtspCamera(int(port), file)
            camera.start()
            try:
                yield camera
            finally:
                camera.stop()
                server.kill()

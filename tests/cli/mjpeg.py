"""A network camera on this machine: an HTTP server that sends JPEG after JPEG, as cheap cameras do, and can fail as they do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from emodetect.types import Image


class NetworkCamera:
    """Serves pictures over and over, on one address, as long as it is started.

    Attributes:
        silent: whether connections are kept open and get no more bytes; one that was silent once stays so.
        garbage: whether random bytes are sent in place of pictures.
    """

    def __init__(self, pictures: Sequence[Image], frames_per_second: float = 25.0) -> None:
        self.silent = False
        self.garbage = False
        self._pictures = pictures
        self._rate = frames_per_second
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._stopping = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/video.mjpg"

    def show(self, picture: Image) -> None:
        """Show this from now on; it may have another size."""
        self._pictures = [picture]

    def start(self) -> None:
        camera, self._stopping = self, threading.Event()
        stopping = self._stopping

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    camera.send(self, stopping)
                except OSError:
                    return  # the viewer has left

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()

    def stop(self) -> None:
        """Close all connections; new ones are refused."""
        if self._server is not None:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def send(self, handler: BaseHTTPRequestHandler, stopping: threading.Event) -> None:
        if self.silent:
            stopping.wait()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        started, sent = time.monotonic(), 0
        while not stopping.wait(max(0.0, started + sent / self._rate - time.monotonic())):
            if self.silent:
                stopping.wait()
                return
            part = cv2.imencode(".jpg", self._pictures[sent % len(self._pictures)])[1].tobytes()
            if self.garbage:
                part = random.Random(sent).randbytes(len(part))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
            handler.wfile.write(head.encode() + part + b"\r\n")
            sent += 1


@contextmanager
def network_camera(pictures: Sequence[Image]) -> Iterator[NetworkCamera]:
    """A camera that runs."""
    camera = NetworkCamera(pictures)
    camera.start()
    try:
        yield camera
    finally:
        camera.stop()


@contextmanager
def serve_mjpeg(pictures: Sequence[Image]) -> Iterator[str]:
    """Serve the pictures over and over; yields the address."""
    with network_camera(pictures) as camera:
        yield camera.address

"""A network camera on this machine: an HTTP server that sends JPEG after JPEG, as cheap cameras do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from emodetect.types import Image


@contextmanager
def serve_mjpeg(pictures: Sequence[Image], frames_per_second: float = 25.0) -> Iterator[str]:
    """Serve the pictures over and over; yields the address."""
    parts = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started, sent = time.monotonic(), 0
            try:
                while not stopping.wait(max(0.0, started + sent / frames_per_second - time.monotonic())):
                    part = parts[sent % len(parts)]
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                    self.wfile.write(head.encode() + part + b"\r\n")
                    sent += 1
            except OSError:
                return  # the viewer has left

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/video.mjpg"
        finally:
            stopping.set()
            server.shutdown()
            thread.join()

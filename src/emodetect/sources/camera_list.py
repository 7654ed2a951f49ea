"""Cameras of the system, by number and name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2

from emodetect.system.native_output import quiet_native_output

_BACKENDS = {
    cv2.CAP_V4L2: "V4L2",
    cv2.CAP_DSHOW: "DirectShow",
    cv2.CAP_MSMF: "Media Foundation",
    cv2.CAP_AVFOUNDATION: "AVFoundation",
}
"""Names of camera backends, by OpenCV's number; without GStreamer, which would list V4L2's cameras a second time."""

_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
"""Sizes to try, width and height in pixels, since OpenCV cannot list a camera's sizes."""


@dataclass(frozen=True)
class Camera:
    """A camera.

    Attributes:
        index: its number, as in `LiveSource`.
        name: name in the system.
        backend: camera backend: V4L2, DirectShow, Media Foundation or AVFoundation.
        number: OpenCV's number of the camera for this backend.
    """

    index: int
    name: str
    backend: str
    number: int


def list_cameras() -> list[Camera]:
    """List all cameras, by number, without opening them."""
    from cv2_enumerate_cameras import enumerate_cameras, supported_backends

    with quiet_native_output():
        found = [
            Camera(info.index, info.name, _BACKENDS[backend], backend + info.index)
            for backend in supported_backends
            if backend in _BACKENDS
            for info in enumerate_cameras(backend)
        ]
    return sorted(found, key=lambda camera: (camera.index, camera.number))


def camera_sizes(camera: Camera) -> list[tuple[int, int]]:
    """Sizes that a camera supports, among the usual ones, width and height in pixels; empty if it cannot be opened."""
    with quiet_native_output():
        capture = cv2.VideoCapture(camera.number)
        try:
            return sorted(set(_accepted(capture))) if capture.isOpened() else []
        finally:
            capture.release()


def _accepted(capture: cv2.VideoCapture) -> Iterator[tuple[int, int]]:
    for width, height in _SIZES:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        yield int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def cameras_named(text: str, cameras: Sequence[Camera]) -> list[Camera]:
    """Cameras whose names contain this text, case-insensitive; only exact matches if there are any.

    A camera with several backends, as on Windows, is listed once.
    """
    wanted = text.lower()
    whole = [camera for camera in cameras if camera.name.lower() == wanted]
    matches = whole or [camera for camera in cameras if wanted in camera.name.lower()]
    one_each = len({camera.name for camera in matches}) == 1 and len({camera.backend for camera in matches}) == len(matches)
    return matches[:1] if one_each else matches

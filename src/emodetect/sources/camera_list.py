"""The cameras that the system knows, by number and name."""

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
"""What reads cameras, by OpenCV's number; GStreamer would name each of V4L2's a second time."""

_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
"""Sizes that are tried, width and height in pixels: OpenCV can only ask for one and look what comes."""


@dataclass(frozen=True)
class Camera:
    """A camera.

    Attributes:
        index: its number, as `LiveSource` takes it.
        name: what the system calls it.
        backend: what reads it: V4L2, DirectShow, Media Foundation or AVFoundation.
        number: OpenCV's number for this camera by this backend.
    """

    index: int
    name: str
    backend: str
    number: int


def list_cameras() -> list[Camera]:
    """All cameras, by number; none of them is opened."""
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
    """The sizes that a camera gives, of the usual ones, width and height in pixels; none where it cannot be opened."""
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
    """The cameras whose names hold this text; case does not matter, and a whole name goes before a part of one.

    One that several backends read, as on Windows, is given once.
    """
    wanted = text.lower()
    whole = [camera for camera in cameras if camera.name.lower() == wanted]
    matches = whole or [camera for camera in cameras if wanted in camera.name.lower()]
    one_each = len({camera.name for camera in matches}) == 1 and len({camera.backend for camera in matches}) == len(matches)
    return matches[:1] if one_each else matches

"""The files that travel in the package, and FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emodetect.checksums import checksum, recorded_checksum
from emodetect.doctor.check import Check, Status
from emodetect.errors import ModelError

_REINSTALL = "install emodetect again: pip install --force-reinstall --no-deps . in its folder"


def check_cascade() -> Iterator[Check]:
    """The cascade that finds faces."""
    from emodetect.faces.cascade import default_cascade

    try:
        yield _checked("cascade", default_cascade())
    except ModelError as error:
        yield Check("cascade", Status.FAULT, str(error), _REINSTALL)


def check_network() -> Iterator[Check]:
    """The embedded network."""
    from emodetect.backends.onnx_session import EMBEDDED

    yield _checked("network", EMBEDDED)


def check_ffmpeg() -> Iterator[Check]:
    """The program that writes annotated clips."""
    from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

    try:
        path = get_ffmpeg_exe()
    except RuntimeError:
        cure = "pip install --force-reinstall imageio-ffmpeg, which brings it along"
        yield Check("FFmpeg", Status.FAULT, "not found; clips cannot be written", cure)
        return
    yield Check("FFmpeg", Status.OK, f"{get_ffmpeg_version()}, {path}")


def _checked(name: str, path: Path) -> Check:
    if not path.is_file():
        return Check(name, Status.FAULT, f"{path} is missing", _REINSTALL)
    found, recorded = checksum(path), recorded_checksum(path)
    if found != recorded:
        return Check(name, Status.FAULT, f"{path} is damaged: SHA-256 {found[:12]}..., not {recorded[:12]}...", _REINSTALL)
    return Check(name, Status.OK, f"{path}, SHA-256 {found[:12]}...")

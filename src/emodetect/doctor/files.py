"""The files that travel in the package, and FFmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from emodetect.checksums import checksum, recorded_checksum
from emodetect.cures import EMODETECT_CURE, FFMPEG_CURE
from emodetect.doctor.check import Check, Status
from emodetect.errors import ModelError, first_line
from emodetect.ffmpeg import find_ffmpeg


def check_cascade() -> Iterator[Check]:
    """The cascade that finds faces."""
    from emodetect.faces.cascade import default_cascade

    try:
        yield _checked("cascade", default_cascade())
    except ModelError as error:
        yield Check("cascade", Status.FAULT, str(error), EMODETECT_CURE)


def check_network() -> Iterator[Check]:
    """The embedded network."""
    from emodetect.backends.onnx_session import EMBEDDED

    yield _checked("network", EMBEDDED)


def check_ffmpeg() -> Iterator[Check]:
    """The program that writes annotated clips."""
    try:
        path = find_ffmpeg()
        done = subprocess.run([path, "-version"], capture_output=True, check=True)
    except (LookupError, OSError, subprocess.CalledProcessError) as error:
        yield Check("FFmpeg", Status.FAULT, f"clips cannot be written: {first_line(error)}", FFMPEG_CURE)
        return
    # "ffmpeg version 7.0.2-static https://..."
    number = done.stdout.decode(errors="replace").partition("version ")[2].partition(" ")[0]
    yield Check("FFmpeg", Status.OK, f"{number or 'of no known version'}, {path}")


def _checked(name: str, path: Path) -> Check:
    if not path.is_file():
        return Check(name, Status.FAULT, f"{path} is missing", EMODETECT_CURE)
    try:
        recorded = recorded_checksum(path)
    except (OSError, ValueError):
        return Check(name, Status.FAULT, f"{path}.sha256, its checksum, is missing or damaged", EMODETECT_CURE)
    try:
        found = checksum(path)
    except OSError as error:
        return Check(name, Status.FAULT, f"{path} cannot be read ({error.strerror or error})", EMODETECT_CURE)
    if found != recorded:
        return Check(name, Status.FAULT, f"{path} is damaged: SHA-256 {found[:12]}..., not {recorded[:12]}...", EMODETECT_CURE)
    return Check(name, Status.OK, f"{path}, SHA-256 {found[:12]}...")

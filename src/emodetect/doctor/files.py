"""Checks of the files in the package, and of FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emodetect.doctor.check import Check, Status
from emodetect.errors import ModelError
from emodetect.media.ffmpeg import OLDEST, VARIABLE, find_ffmpeg
from emodetect.system.checksums import checksum, recorded_checksum
from emodetect.system.install_hints import EMODETECT_CURE, FFMPEG_CURE


def check_cascade() -> Iterator[Check]:
    """Whether the cascade is undamaged."""
    from emodetect.faces.cascade import default_cascade

    try:
        yield _checked("cascade", default_cascade())
    except ModelError as error:
        yield Check("cascade", Status.FAULT, str(error), EMODETECT_CURE)


def check_network() -> Iterator[Check]:
    """Whether the embedded network is undamaged."""
    from emodetect.backends.onnx_session import EMBEDDED

    yield _checked("network", EMBEDDED)


def check_face_network() -> Iterator[Check]:
    """Whether the network that finds faces is undamaged."""
    from emodetect.faces.models import BLAZEFACE

    yield _checked("face network", BLAZEFACE)


def check_ffmpeg() -> Iterator[Check]:
    """Whether FFmpeg, which reads and writes clips, can be used."""
    try:
        found = find_ffmpeg()
    except LookupError as error:
        yield Check("FFmpeg", Status.FAULT, f"clips can be neither read nor written: {error}", FFMPEG_CURE)
        return
    detail = f"{found.version}, {found.program}"
    if found.refused:
        oldest = ".".join(map(str, OLDEST))
        cure = f"unset {VARIABLE}, or name FFmpeg {oldest} or newer"
        yield Check("FFmpeg", Status.WARNING, f"{found.refused}; used instead: {detail}", cure)
    else:
        yield Check("FFmpeg", Status.OK, detail)


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

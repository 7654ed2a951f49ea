"""``parts/``: the readings of a run before they are merged in order."""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from emodetect.batch.manifest import Entry, Manifest, sync_folder
from emodetect.errors import OutputError
from emodetect.system.output_files import PARTIAL_PREFIX, atomic_write

FOLDER = "parts"

_SEAL_COUNT, _SEAL_BYTES, _SEAL_SECONDS = 1000, 8_000_000, 2.0
"""Photos, bytes and age at which a part is sealed; the maximum loss if the machine crashes."""

_PHOTOS = re.compile(r"photos-(\d{6,})\.jsonl", re.ASCII)
_CLIP = re.compile(r"clip-[0-9a-f]{64}\.jsonl")

_OPEN_FILES = 32
"""Maximum number of parts that are open at a time during the merge."""


def clip_part(content: bytes) -> str:
    """Name of the part with a clip's readings.

    Args:
        content: SHA-256 of the clip.
    """
    return f"clip-{content.hex()}.jsonl"


def own_parts(folder: Path) -> list[Path]:
    """The parts in ``parts/``, by their names, without other files there.

    Args:
        folder: folder of the results.
    """
    files = (path for path in (folder / FOLDER).glob("*") if path.is_file())
    return [path for path in files if _PHOTOS.fullmatch(path.name) or _CLIP.fullmatch(path.name)]


class PhotoParts:
    """Collects the readings of photos and writes many of them to one sealed part.

    Args:
        manifest: receives the states of the photos once their part is on the disk.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._folder = manifest.folder / FOLDER
        numbers = (int(match[1]) for name in os.listdir(self._folder) if (match := _PHOTOS.fullmatch(name)))
        self._next = max(numbers, default=0) + 1
        self._held: list[tuple[int, Entry, bytes]] = []
        self._bytes, self._since = 0, 0.0

    def add(self, number: int, entry: Entry, readings: bytes) -> None:
        """Add a photo's readings.

        Args:
            number: number of the input.
            entry: its state.
            readings: its lines.
        """
        if not self._held:
            self._since = time.monotonic()
        self._held.append((number, entry, readings))
        self._bytes += len(readings)

    @property
    def is_due(self) -> bool:
        """Whether the part should be sealed."""
        is_full = len(self._held) >= _SEAL_COUNT or self._bytes >= _SEAL_BYTES
        return is_full or (bool(self._held) and time.monotonic() - self._since >= _SEAL_SECONDS)

    def seal(self) -> list[int]:
        """Write the part, then the states of its photos; may be called again after an interruption.

        Returns:
            Numbers of the inputs that are now done.

        Raises:
            OutputError: the part cannot be written.
        """
        if not self._held:
            return []
        name, numbers, offset = f"photos-{self._next:06}.jsonl", [], 0
        with atomic_write(self._folder / name) as partial:
            partial.write_bytes(b"".join(readings for _, _, readings in self._held))
        sync_folder(self._folder)
        for number, entry, readings in self._held:
            entry.state, entry.part, entry.offset, entry.length = "done", name, offset, len(readings)
            offset += len(readings)
            numbers.append(number)
        self._manifest.append(numbers)
        self._held, self._bytes, self._next = [], 0, self._next + 1
        return numbers


def remove_leftovers(folder: Path, entries: list[Entry]) -> None:
    """Remove leftovers of killed runs in ``parts/``, and reset inputs whose part is missing or too short.

    The parts of clips stay unless they are too short: they are complete, and named by the hash of the clip.

    Args:
        folder: folder of the results.
        entries: states of all inputs; changed in place.
    """
    parts = folder / FOLDER
    used = {entry.part for entry in entries if entry.state == "done"}
    sizes: dict[str, int] = {}
    for path in filter(Path.is_file, sorted(parts.iterdir())):
        if path.name.startswith(PARTIAL_PREFIX) or (_PHOTOS.fullmatch(path.name) and path.name not in used):
            path.unlink(missing_ok=True)
        else:
            sizes[path.name] = path.stat().st_size
    for path in filter(Path.is_file, folder.glob(f"{PARTIAL_PREFIX}*")):
        path.unlink(missing_ok=True)
    for entry in entries:
        if entry.state == "done" and sizes.get(entry.part, -1) < entry.offset + entry.length:
            entry.state = "waiting"
            if entry.kind == "clip" and entry.part in sizes:
                (parts / entry.part).unlink(missing_ok=True)  # else it would be taken for complete


class SpanReader:
    """Reads the lines of inputs from the parts of one or more runs, with a limited number of open files."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, BinaryIO] = OrderedDict()

    def lines(self, folder: Path, entry: Entry) -> Iterator[bytes]:
        """Yield the lines of a finished input.

        Args:
            folder: folder of its results.
            entry: state of the input.

        Raises:
            OutputError: the part is missing, or shorter than recorded.
        """
        path = folder / FOLDER / entry.part
        try:
            file = self._open(path)
            file.seek(entry.offset)
            left = entry.length
            while left > 0:
                line = file.readline()
                if not line.endswith(b"\n"):
                    raise OutputError(f"{path}: is shorter than it was; `resume` reads its inputs again")
                left -= len(line)
                yield line
        except OSError as error:
            raise OutputError(f"{path}: cannot be read ({error.strerror or error}); `resume` reads its inputs again") from error

    def _open(self, path: Path) -> BinaryIO:
        if path in self._files:
            self._files.move_to_end(path)
            return self._files[path]
        if len(self._files) >= _OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        file = self._files[path] = path.open("rb")
        return file

    def close(self) -> None:
        """Close all files."""
        while self._files:
            self._files.popitem()[1].close()

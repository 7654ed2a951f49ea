"""``manifest.jsonl``: all inputs of a run with their states, as an append-only log of whole lines.

The first line is the header. Then comes one line per input, and one per change of its state; the last one counts. An incomplete
last line, as after a kill, is dropped. A finished or resumed run compacts the file to one line per input.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

from typing_extensions import Self

from emodetect.batch.inputs import Input, Kind, Shard
from emodetect.errors import OutputError, SourceError, UsageError
from emodetect.system.output_files import atomic_write, lock

NAME = "manifest.jsonl"

_VERSION = 1
"""Version of the file format."""

State = Literal["waiting", "done", "failed"]


@dataclass(slots=True)
class Entry:
    """State of an input.

    Attributes:
        path: its name.
        kind: "photo" or "clip".
        size: size of the file, bytes; -1 if unknown.
        state: "waiting", "done" or "failed".
        hash: SHA-256 of its content; empty if unknown.
        part: file in ``parts/`` with its readings.
        offset: start of the readings in that file, bytes.
        length: length of the readings, bytes.
        frames: number of frames read.
        faces: number of faces read in them.
        deaths: number of workers that have died of it.
        reason: why it failed.
    """

    path: str
    kind: Kind
    size: int = -1
    state: State = "waiting"
    hash: bytes = b""
    part: str = ""
    offset: int = 0
    length: int = 0
    frames: int = 0
    faces: int = 0
    deaths: int = 0
    reason: str = ""

    def as_line(self, number: int) -> bytes:
        """Format the entry as a line of the manifest."""
        record: dict[str, Any] = {"input": number, "path": self.path, "kind": self.kind, "size": self.size, "state": self.state}
        if self.hash:
            record["sha256"] = self.hash.hex()
        if self.state == "done":
            record |= {name: getattr(self, name) for name in ("part", "offset", "length", "frames", "faces")}
        if self.deaths:
            record["deaths"] = self.deaths
        if self.state == "failed":
            record["reason"] = self.reason
        return json.dumps(record).encode() + b"\n"

    @classmethod
    def from_record(cls, record: dict[str, Any], parts: dict[str, str]) -> Self:
        """Parse the entry of a line; ``parts`` interns the names of parts."""
        part = record.get("part", "")
        return cls(
            record["path"], record["kind"], record["size"], record["state"], bytes.fromhex(record.get("sha256", "")),
            parts.setdefault(part, part), record.get("offset", 0), record.get("length", 0), record.get("frames", 0),
            record.get("faces", 0), record.get("deaths", 0), record.get("reason", ""),
        )  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Properties of a run.

    Attributes:
        folder: the folder that names of inputs are relative to.
        named: names on the command line.
        arguments: options on the command line.
        results: format of the readings.
        settings: result of `BatchSettings.as_dict`.
        fingerprint: fingerprint of the settings.
        shard: shard of the inputs, such as "3/16"; None for all.
        listed: number of inputs of all shards together.
        listing: digest of the list of inputs.
        formats: further formats of the readings, each recorded before its file is written.
    """

    folder: str
    named: Sequence[str]
    arguments: Sequence[str]
    results: str
    settings: dict[str, Any]
    fingerprint: str
    shard: str | None
    listed: int
    listing: str
    formats: Sequence[str] = field(default_factory=list)

    @property
    def written(self) -> Sequence[str]:
        """Formats of the readings that the run has written, or is about to write."""
        return [self.results, *self.formats]

    @property
    def share(self) -> Shard:
        """The shard of the inputs; of one shard if there are no others."""
        return Shard.parse(self.shard or "1/1")

    def as_line(self) -> bytes:
        """Format the header as the first line of the manifest."""
        return json.dumps({"manifest": _VERSION, **vars(self)}).encode() + b"\n"


class Manifest:
    """The manifest of an active run, locked against other runs; a context manager.

    Attributes:
        folder: folder of the results.
        header: properties of the run.
        entries: states of the inputs, by number.
    """

    def __init__(self, folder: Path, header: Header, entries: list[Entry]) -> None:
        self.folder, self.header, self.entries = folder, header, entries
        self._path = folder / NAME
        self._lock = _locked(folder)
        self._file: int | None = None
        self._end = 0

    @classmethod
    def create(cls, folder: Path, header: Header, inputs: Iterable[Input]) -> Self:
        """Start a run.

        Raises:
            OutputError: the folder contains a run already, or the file cannot be written.
        """
        entries = [_listed(one) for one in inputs]
        made = cls(folder, header, entries)
        try:
            if made._path.exists():
                raise OutputError(f"{folder}: already contains a batch", hint="`resume` continues it, `overwrite` starts again")
            made.compact()
        except BaseException:
            made.close()
            raise
        return made

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Resume a run.

        Raises:
            SourceError: there is no run, or its manifest cannot be read.
            OutputError: the run is active in another process.
        """
        header, entries = read_manifest(folder)
        made = cls(folder, header, entries)
        try:
            made.header, made.entries = read_manifest(folder)  # read while locked
        except BaseException:
            made.close()
            raise
        return made

    def compact(self) -> None:
        """Rewrite the file with one line per input."""
        self._close_file()
        with atomic_write(self._path) as partial, partial.open("wb") as file:
            file.write(self.header.as_line())
            file.writelines(entry.as_line(number) for number, entry in enumerate(self.entries))
        try:
            sync_folder(self.folder)
            self._file = os.open(self._path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
            self._end = os.fstat(self._file).st_size
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error

    def append(self, numbers: Iterable[int]) -> None:
        """Append the current states of these inputs, and wait until they are on the disk."""
        assert self._file is not None, "compact comes first"
        data = b"".join(self.entries[number].as_line(number) for number in numbers)
        try:
            # Remove what an interrupted call has left, so that no line follows half of another.
            os.ftruncate(self._file, self._end)
            os.lseek(self._file, self._end, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror or error})") from error
        self._end += len(data)

    def remove(self) -> None:
        """Remove the file."""
        self._close_file()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._close_file()
        if self._lock is not None:
            lock_file, self._lock = self._lock, None
            os.close(lock_file)

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def has_batch(folder: Path) -> bool:
    """Whether a folder contains a batch."""
    return os.path.exists(folder / NAME)  # unlike pathlib, os.path does not raise if a name is too long


def read_header(folder: Path) -> Header:
    """Read the header of a run.

    Raises:
        SourceError: there is no run, or its header cannot be read.
    """
    with _opened(folder) as file:
        return _header(folder / NAME, file.readline())


def read_manifest(folder: Path) -> tuple[Header, list[Entry]]:
    """Read the header and the entries of a run.

    Raises:
        SourceError: there is no run, or its manifest cannot be read.
    """
    path = folder / NAME
    try:
        with _opened(folder) as file:
            header = _header(path, file.readline())
            entries: list[Entry] = []
            parts: dict[str, str] = {}
            for record in _records(file):
                number, entry = record["input"], Entry.from_record(record, parts)
                if number == len(entries):
                    entries.append(entry)
                else:
                    entries[number] = entry
            if len(entries) != header.share.size(header.listed):
                raise ValueError("entries are missing")
    except (KeyError, IndexError, TypeError, ValueError, UsageError) as error:
        raise SourceError(f"{path}: is damaged; start a new batch in another folder") from error
    return header, entries


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[BinaryIO]:
    try:
        with (folder / NAME).open("rb") as file:
            yield file
    except FileNotFoundError:
        raise SourceError(f"{folder}: contains no batch to resume: there is no {NAME}") from None
    except OSError as error:
        raise SourceError(f"{folder / NAME}: cannot be read ({error.strerror or error})") from error


def _header(path: Path, line: bytes) -> Header:
    try:
        record = json.loads(line)
        version = record.pop("manifest")
        if version == _VERSION:
            return Header(**record)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SourceError(f"{path}: is not the manifest of a batch") from None
    raise SourceError(f"{path}: was written by another version of emodetect; start a new batch in another folder")


def _records(file: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Parse the complete lines; the last one may be truncated."""
    for line in file:
        if line.endswith(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record


def _listed(one: Input) -> Entry:
    if one.problem is None:
        return Entry(one.path, one.kind, one.size)
    return Entry(one.path, one.kind, one.size, "failed", reason=one.problem)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    Raises:
        OutputError: another run is writing there, or the folder cannot be opened.
    """
    descriptor = _locked(folder)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """Lock the results until the descriptor is closed; None on systems that cannot lock folders."""
    if os.name != "posix":
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be opened ({error.strerror or error})") from error
    if not lock(descriptor):
        os.close(descriptor)
        raise OutputError(f"{folder}: another run is writing there; wait for its end")
    return descriptor


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, if the system can open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Scheduler: assigns inputs to workers, and records their results."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emodetect.batch.engine import Answer, Death, Engine, Event, Progress, Task
from emodetect.batch.manifest import Entry, Manifest
from emodetect.batch.parts import PhotoParts, clip_part
from emodetect.batch.reader import Reading
from emodetect.queues.interruption import past_one_interruption

_MAX_DEATHS = 2
"""Number of workers that may die of an input before it is given up."""

_PHOTOS_AHEAD = 4
"""Number of photos in a worker's queue, so that it need not wait for the next one. Clips are assigned one by one."""

_WAIT_SECONDS = 0.5

_Content = tuple[str, bytes]
"""Kind and SHA-256 of an input, which are equal for copies under several names."""


@dataclass
class Totals:
    """Progress of a run.

    Attributes:
        inputs: number of inputs.
        done: number of inputs that were read.
        failed: number of inputs that cannot be read.
        frames: number of frames read, including those of incomplete clips.
        faces: number of faces read in them.
        bytes: size of all inputs.
        bytes_done: size of the done and failed inputs.
        bytes_before: size of those that were done or failed before this run.
        done_before: number of those that were done or failed before this run.
    """

    inputs: int = 0
    done: int = 0
    failed: int = 0
    frames: int = 0
    faces: int = 0
    bytes: int = 0
    bytes_done: int = 0
    bytes_before: int = 0
    done_before: int = 0

    @classmethod
    def from_entries(cls, entries: list[Entry]) -> Totals:
        """Progress of these inputs."""
        totals = cls(len(entries), bytes=sum(max(0, entry.size) for entry in entries))
        for entry in entries:
            if entry.state != "waiting":
                totals.count(entry)
        totals.bytes_before, totals.done_before = totals.bytes_done, totals.done + totals.failed
        return totals

    @property
    def left(self) -> int:
        """Number of inputs that are neither done nor failed."""
        return self.inputs - self.done - self.failed

    @property
    def share(self) -> float:
        """Progress by bytes, 0 to 1, since a clip takes longer than a photo."""
        if self.bytes:
            return self.bytes_done / self.bytes
        return (self.done + self.failed) / self.inputs if self.inputs else 1.0

    def seconds_left(self, seconds: float) -> float:
        """Estimated remaining time at the speed of this run so far, which has taken ``seconds``."""
        before = self.bytes_before / self.bytes if self.bytes else self.done_before / max(1, self.inputs)
        passed = self.share - before
        return seconds * (1 - self.share) / passed if passed > 0 else 0.0

    def count(self, entry: Entry) -> None:
        """Count an input that is done or failed."""
        self.done += entry.state == "done"
        self.failed += entry.state == "failed"
        self.bytes_done += max(0, entry.size)
        if entry.state == "done":
            self.frames += entry.frames
            self.faces += entry.faces


@dataclass
class Schedule:
    """Reads all waiting inputs of a manifest.

    Long clips come first, so that none of them is left over at the end. Of files with the same content only one is read.

    Args:
        manifest: the inputs.
        engine: runs the tasks.
        on_progress: called with the progress, several times per second.
        note: called with an input's path and an assumption about it.
        totals: progress of the run; updated in place.
    """

    manifest: Manifest
    engine: Engine[Any]
    on_progress: Callable[[Totals], object]
    note: Callable[[str, str], object]
    totals: Totals

    def __post_init__(self) -> None:
        entries = self.manifest.entries
        self._photos = PhotoParts(self.manifest)
        waiting = [number for number, entry in enumerate(entries) if entry.state == "waiting"]
        clips = sorted((n for n in waiting if entries[n].kind == "clip"), key=lambda n: (-entries[n].size, entries[n].path))
        self._waiting = {"clip": deque(clips), "photo": deque(n for n in waiting if entries[n].kind == "photo")}
        self._left = len(waiting)
        # Only files of equal size can have the same content, which is hashed before one of them is read.
        sizes = Counter((entry.kind, entry.size) for entry in entries if entry.state == "waiting" or entry.hash)
        self._twins = {size for size, count in sizes.items() if count > 1}
        self._hashes: dict[int, bytes] = {}
        self._known: dict[_Content, int] = {}
        self._leaders: dict[_Content, int] = {}
        self._followers: dict[_Content, list[int]] = {}
        for number, entry in enumerate(entries):
            if entry.state != "waiting" and entry.hash and (entry.kind, entry.size) in self._twins:
                self._known.setdefault((entry.kind, entry.hash), number)
        self._unwritten: list[int] = []
        self._running: dict[int, int] = {}

    def run(self) -> None:
        """Read until no input is left; finished inputs are kept however this ends."""
        try:
            while self._left:
                self._assign_tasks()
                for event in self.engine.wait(_WAIT_SECONDS):
                    self._handle_event(event)
                if self._photos.is_due or self._is_idle():
                    self._seal()
                self._write()
                self.on_progress(self._progress())
        finally:
            self.engine.close()
            past_one_interruption(self._seal)
            past_one_interruption(self._write)

    def _is_idle(self) -> bool:
        """Whether no task is left to assign or to wait for."""
        return not any(self._waiting.values()) and not any(self.engine.load(worker) for worker in self.engine.workers())

    def _write(self) -> None:
        """Write the changed states to the disk."""
        if self._unwritten:
            self.manifest.append(self._unwritten)
            self._unwritten = []

    def _progress(self) -> Totals:
        frames = self.totals.frames + sum(self._running.values())
        return Totals(**{**vars(self.totals), "frames": frames})

    def _assign_tasks(self) -> None:
        for worker in self.engine.workers():
            load = self.engine.load(worker)
            while len(load) < _PHOTOS_AHEAD and not any(task.kind == "clip" for task in load):
                kind = "clip" if self._waiting["clip"] and not load else "photo"
                if not self._waiting[kind]:
                    break
                number = self._waiting[kind].popleft()
                if (task := self._task(number)) is not None:
                    self.engine.send(worker, task)
                    load = self.engine.load(worker)

    def _task(self, number: int) -> Task | None:
        """Next task of an input; None while it waits for another one with the same content."""
        entry = self.manifest.entries[number]
        if (entry.kind, entry.size) not in self._twins:
            return Task(number, entry.path, entry.kind)
        if number not in self._hashes:
            return Task(number, entry.path, entry.kind, "hash")
        content = entry.kind, self._hashes[number]
        if content in self._known:
            self._copy(number, self._known[content])
            return None
        if self._leaders.setdefault(content, number) != number:
            self._followers.setdefault(content, []).append(number)
            return None
        return Task(number, entry.path, entry.kind)

    def _handle_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._running[event.task.number] = event.frames
        elif isinstance(event, Death):
            self._handle_death(event)
        else:
            self._handle_answer(event)

    def _handle_answer(self, answer: Answer) -> None:
        task, reading = answer.task, answer.reading
        for line in reading.notes:
            self.note(task.path, line)
        if task.do == "hash" and reading.error is None:
            self._hashes[task.number] = bytes.fromhex(reading.hash)
            self._waiting[task.kind].appendleft(task.number)
        else:
            self._finish(task.number, reading)

    def _finish(self, number: int, reading: Reading) -> None:
        """Record the result of an input, and of those with the same content."""
        entry = self.manifest.entries[number]
        self._running.pop(number, None)
        entry.hash = bytes.fromhex(reading.hash) or self._hashes.get(number, b"")
        if reading.error is not None:
            entry.state, entry.reason = "failed", reading.error
            self._close(number)
        elif entry.kind == "photo":
            entry.frames, entry.faces = reading.frames, reading.faces
            self._photos.add(number, entry, reading.lines.encode())
        else:
            entry.state, entry.part, entry.length = "done", clip_part(entry.hash), reading.length
            entry.frames, entry.faces = reading.frames, reading.faces
            self._close(number)

    def _seal(self) -> None:
        for number in self._photos.seal():
            self._close(number, is_written=True)

    def _close(self, number: int, *, is_written: bool = False) -> None:
        """Count a finished input, and give its result to those with the same content."""
        entry = self.manifest.entries[number]
        if not is_written:
            self._unwritten.append(number)
        self.totals.count(entry)
        self._left -= 1
        expected = self._hashes.pop(number, entry.hash)
        content = entry.kind, expected
        if (entry.kind, entry.size) in self._twins and expected:
            self._leaders.pop(content, None)
            followers = self._followers.pop(content, [])
            if entry.hash == expected:
                self._known[content] = number
                for follower in followers:
                    self._copy(follower, number)
            else:  # the file has changed since it was hashed
                self._waiting[entry.kind].extendleft(followers)

    def _copy(self, number: int, known: int) -> None:
        """Copy the result of another input with the same content."""
        entry, other = self.manifest.entries[number], self.manifest.entries[known]
        for name in ("state", "hash", "part", "offset", "length", "frames", "faces", "reason"):
            setattr(entry, name, getattr(other, name))
        self._close(number)

    def _handle_death(self, death: Death) -> None:
        """Reassign the tasks of a dead worker; the first one is the cause."""
        for task in reversed(death.tasks[1:]):
            self._waiting[task.kind].appendleft(task.number)
        if not death.tasks:
            return
        first = death.tasks[0]
        entry = self.manifest.entries[first.number]
        self._running.pop(first.number, None)
        entry.deaths += not (death.is_final or death.is_blameless)
        if death.is_final or entry.deaths >= _MAX_DEATHS:
            often = "" if death.is_final else f", {entry.deaths} times"
            self._finish(first.number, Reading(error=f"{death.cause}{often}"))
        else:
            if not death.is_blameless:
                self._unwritten.append(first.number)
            self._waiting[first.kind].appendleft(first.number)

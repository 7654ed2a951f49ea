"""Hands out inputs to workers, and notes what becomes of each."""

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

_MOST_DEATHS = 2
"""Workers that an input may end; it is not tried again after that."""

_PHOTOS_AHEAD = 4
"""Photos that a worker is given at a time, so that it need not wait for the next one. Clips it is given one by one."""

_WAIT_SECONDS = 0.5

_Content = tuple[str, bytes]
"""Kind and SHA-256 of an input: what is the same under several names."""


@dataclass
class Totals:
    """How far a run is.

    Attributes:
        inputs: how many there are.
        done: how many of them were read.
        failed: how many of them cannot be read.
        frames: how many frames were read, also of clips that are not complete.
        faces: how many faces were read in them.
        bytes: the size of all inputs.
        bytes_done: the size of those that are done or failed.
        bytes_before: the size of those that were so when this run began.
        done_before: how many were.
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
    def of(cls, entries: list[Entry]) -> Totals:
        """How far these inputs are."""
        totals = cls(len(entries), bytes=sum(max(0, entry.size) for entry in entries))
        for entry in entries:
            if entry.state != "waiting":
                totals.count(entry)
        totals.bytes_before, totals.done_before = totals.bytes_done, totals.done + totals.failed
        return totals

    @property
    def left(self) -> int:
        """How many inputs are neither done nor failed."""
        return self.inputs - self.done - self.failed

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1: by bytes, since a clip takes longer than a photo."""
        if self.bytes:
            return self.bytes_done / self.bytes
        return (self.done + self.failed) / self.inputs if self.inputs else 1.0

    def seconds_left(self, seconds: float) -> float:
        """How long the rest takes at the pace of this run, which has taken so many seconds."""
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
    """Reads all inputs of a manifest that are still waiting.

    Long clips come first, so that none of them is left over at the end. Of files with the same content one is read.

    Args:
        manifest: the inputs.
        engine: reads them.
        tell: called with how far the run is, some times per second.
        note: called with an input's path and what had to be assumed of it.
        totals: how far the run is; kept up to date.
    """

    manifest: Manifest
    engine: Engine[Any]
    tell: Callable[[Totals], object]
    note: Callable[[str, str], object]
    totals: Totals

    def __post_init__(self) -> None:
        entries = self.manifest.entries
        self._photos = PhotoParts(self.manifest)
        waiting = [number for number, entry in enumerate(entries) if entry.state == "waiting"]
        clips = sorted((n for n in waiting if entries[n].kind == "clip"), key=lambda n: (-entries[n].size, entries[n].path))
        self._waiting = {"clip": deque(clips), "photo": deque(n for n in waiting if entries[n].kind == "photo")}
        self._left = len(waiting)
        # Only files of one size can be the same; their content is looked at before one of them is read.
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
        """Read until no input is left; what was read so far is kept however this ends."""
        try:
            while self._left:
                self._hand_out()
                for event in self.engine.wait(_WAIT_SECONDS):
                    self._take(event)
                if self._photos.is_due or self._is_idle():
                    self._seal()
                self._write()
                self.tell(self._progress())
        finally:
            self.engine.close()
            past_one_interruption(self._seal)
            past_one_interruption(self._write)

    def _is_idle(self) -> bool:
        """Whether nothing is left to hand out or to wait for."""
        return not any(self._waiting.values()) and not any(self.engine.load(worker) for worker in self.engine.workers())

    def _write(self) -> None:
        """Put the states that have changed on the disk."""
        if self._unwritten:
            self.manifest.append(self._unwritten)
            self._unwritten = []

    def _progress(self) -> Totals:
        frames = self.totals.frames + sum(self._running.values())
        return Totals(**{**vars(self.totals), "frames": frames})

    def _hand_out(self) -> None:
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
        """What is to be done for an input now; None where it waits for another one that has the same content."""
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

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._running[event.task.number] = event.frames
        elif isinstance(event, Death):
            self._bury(event)
        else:
            self._take_answer(event)

    def _take_answer(self, answer: Answer) -> None:
        task, reading = answer.task, answer.reading
        for line in reading.notes:
            self.note(task.path, line)
        if task.do == "hash" and reading.error is None:
            self._hashes[task.number] = bytes.fromhex(reading.hash)
            self._waiting[task.kind].appendleft(task.number)
        else:
            self._finish(task.number, reading)

    def _finish(self, number: int, reading: Reading) -> None:
        """Note what became of an input, and of those that have the same content."""
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
        """Count an input whose fate is known, and give the same to those that have the same content."""
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
            else:  # the file has changed in between
                self._waiting[entry.kind].extendleft(followers)

    def _copy(self, number: int, known: int) -> None:
        """Report for an input what was read off another one with the same content."""
        entry, other = self.manifest.entries[number], self.manifest.entries[known]
        for name in ("state", "hash", "part", "offset", "length", "frames", "faces", "reason"):
            setattr(entry, name, getattr(other, name))
        self._close(number)

    def _bury(self, death: Death) -> None:
        """Give back what a dead worker had still to do; it died of the first."""
        for task in reversed(death.tasks[1:]):
            self._waiting[task.kind].appendleft(task.number)
        if not death.tasks:
            return
        first = death.tasks[0]
        entry = self.manifest.entries[first.number]
        self._running.pop(first.number, None)
        entry.deaths += not (death.is_final or death.is_blameless)
        if death.is_final or entry.deaths >= _MOST_DEATHS:
            often = "" if death.is_final else f", {entry.deaths} times"
            self._finish(first.number, Reading(error=f"{death.cause}{often}"))
        else:
            if not death.is_blameless:
                self._unwritten.append(first.number)
            self._waiting[first.kind].appendleft(first.number)

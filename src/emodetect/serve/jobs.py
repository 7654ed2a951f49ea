"""Jobs: uploaded clips that are analyzed one after the other, with results that expire."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emodetect.errors import EmodetectError, SourceError
from emodetect.pipeline import EmotionPipeline
from emodetect.serve.limits import Refused, Upload
from emodetect.sources.video import VideoFile
from emodetect.system.temporary_folders import scratch_file

_log = logging.getLogger(__name__)

KEPT_SECONDS = 900.0
"""Seconds after which a finished job expires."""

_MAX_RESULT_BYTES = 100_000_000
"""Maximum size of a result, bytes."""


@dataclass
class Job:
    """Analysis of a clip.

    Attributes:
        name: the client's name of the clip.
        number: random id of the job, which cannot be guessed.
        state: "waiting", "running", "done", "failed" or "canceled".
        frames: number of frames read.
        expected: number of frames stated by the clip; 0 if unknown.
        error: why it failed.
        result: JSON lines, one per frame.
        stopping: set to end the job.
        work: the analysis in the thread of jobs; None before it is submitted.
        finished: time of the end, seconds on `time.monotonic`; None before it.
    """

    name: str
    number: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    state: str = "waiting"
    frames: int = 0
    expected: int = 0
    error: str | None = None
    result: bytearray = field(default_factory=bytearray)
    stopping: threading.Event = field(default_factory=threading.Event)
    work: Future[None] | None = None
    finished: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the job is done, failed or canceled."""
        return self.state in ("done", "failed", "canceled")

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary, as in responses."""
        progress = 1.0 if self.state == "done" else min(self.frames / self.expected, 1.0) if self.expected else None
        return {
            "id": self.number,
            "name": self.name,
            "state": self.state,
            "frames": self.frames,
            "progress": None if progress is None else round(progress, 4),
            "error": self.error,
        }


class Jobs:
    """Queue of jobs, which are analyzed one at a time in a thread. Use it in the event loop only.

    Args:
        max_jobs: maximum number of waiting, running and finished jobs.
        format_error: formats an error as one line.
    """

    def __init__(self, max_jobs: int, format_error: Callable[[EmodetectError], str]) -> None:
        self._max_jobs, self._format_error = max_jobs, format_error
        self._jobs: dict[str, Job] = {}
        self._thread = ThreadPoolExecutor(1, "clip")

    async def add(self, upload: Upload, pipeline: Callable[[], EmotionPipeline]) -> Job:
        """Queue a clip.

        Args:
            upload: the clip.
            pipeline: creates the pipeline; called in the thread.

        Raises:
            Refused: the queue is full (503).
        """
        self.check()
        job = Job(upload.name)
        self._jobs[job.number] = job
        files = ExitStack()
        try:
            path = files.enter_context(scratch_file("clip")).path
            await asyncio.to_thread(path.write_bytes, upload.content)
        except (OSError, MemoryError):
            files.close()
            del self._jobs[job.number]
            raise Refused(503, "the server has no room for the clip; try again later", retry=10) from None
        job.work = self._thread.submit(self._run, job, path, pipeline)
        job.work.add_done_callback(lambda _: files.close())  # also if it is canceled before its turn
        return job

    def check(self) -> None:
        """Check that there is room for another job; the oldest finished one is deleted if necessary.

        Raises:
            Refused: the queue is full (503).
        """
        self._remove_old()
        if len(self._jobs) < self._max_jobs:
            return
        finished = [job for job in self._jobs.values() if job.is_finished]
        if not finished:
            raise Refused(503, f"the server takes {self._max_jobs} clips at a time; try again later", retry=10)
        del self._jobs[min(finished, key=lambda job: job.finished or 0.0).number]

    def get(self, number: str) -> Job:
        """Look up a job.

        Raises:
            Refused: the job does not exist, or has expired (404).
        """
        self._remove_old()
        if number not in self._jobs:
            raise Refused(404, f"no such job; finished ones are kept for {KEPT_SECONDS / 60:g} minutes")
        return self._jobs[number]

    def cancel(self, number: str) -> Job:
        """Cancel a job and delete it.

        Raises:
            Refused: the job does not exist (404).
        """
        job = self.get(number)
        job.stopping.set()
        if job.work is not None:
            job.work.cancel()  # frees the memory of a job that waits
        if not job.is_finished:
            job.state = "canceled"
        del self._jobs[number]
        return job

    def close(self) -> None:
        """Cancel all jobs."""
        for job in self._jobs.values():
            job.stopping.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _remove_old(self) -> None:
        now = time.monotonic()
        old = [job.number for job in self._jobs.values() if job.finished is not None and now - job.finished > KEPT_SECONDS]
        for number in old:
            del self._jobs[number]

    def _run(self, job: Job, path: Path, pipeline: Callable[[], EmotionPipeline]) -> None:
        state = "failed"
        try:
            if not job.stopping.is_set():
                job.state = "running"
                self._analyze(job, path, pipeline())
            state = "canceled" if job.stopping.is_set() else "done"
        except EmodetectError as error:
            job.error = self._format_error(error)
        except Exception as error:
            job.error = "an internal error"
            _log.exception("a clip cannot be analyzed", exc_info=error)
        finally:
            job.state, job.finished = state, time.monotonic()

    def _analyze(self, job: Job, path: Path, pipeline: EmotionPipeline) -> None:
        try:
            with VideoFile(path) as clip, closing(pipeline.analyze_all(clip)) as results:
                job.expected = clip.expected_count
                for _, result in results:
                    job.result += json.dumps(result.as_dict()).encode() + b"\n"
                    job.frames += 1
                    if job.stopping.is_set():
                        return
                    if len(job.result) > _MAX_RESULT_BYTES:
                        raise SourceError(f"{job.name}: its result is larger than {_MAX_RESULT_BYTES // 1_000_000} MB")
        except SourceError as error:
            raise SourceError(str(error).replace(str(path), job.name)) from error

"""Worker process: ``python -m emodetect.batch.worker``. Tasks and readings are lines of JSON.

The first line contains the settings. It comes from the parent process only.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import pickle
import signal
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from emodetect.errors import BackendUnavailableError, EmodetectError, OutputError
from emodetect.system.environment import prepare_own_process, remove_caches
from emodetect.system.native_output import silence_libraries

_OOM_SCORE_ADJ = "500"
"""OOM score: if memory runs out, the system kills a worker rather than its parent."""


def main() -> None:
    """Run tasks until standard input is closed."""
    for name in ("SIGINT", "SIGHUP"):  # only the parent handles the terminal's signals
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    prepare_own_process()
    silence_libraries()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE_ADJ)
    # Native code may write to standard output, which would corrupt the messages.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        _run_tasks(sys.stdin.buffer, answers)
    except BrokenPipeError:  # the parent has exited
        pass
    finally:
        remove_caches()


def _run_tasks(tasks: BinaryIO, answers: BinaryIO) -> None:
    first = json.loads(tasks.readline())
    settings, parts = pickle.loads(base64.b64decode(first["settings"])), Path(first["parts"])
    os.chdir(first["folder"])
    try:
        from emodetect.batch.reader import Reader

        reader = Reader(settings, parts)
    except EmodetectError as error:
        _send(answers, {"error": str(error), "parameter": error.parameter, "kind": type(error).__name__})
        return
    _send(answers, {"ready": True})
    for line in tasks:
        task = json.loads(line)
        number = task["number"]
        try:
            if task["do"] == "hash":
                reading = reader.hash(task["path"])
            else:
                reading = reader.read(task["path"], task["kind"], partial(_send_progress, answers, number))
        except (BackendUnavailableError, OutputError) as error:  # a package is missing, or the disk is full
            _send(answers, {"error": str(error), "parameter": error.parameter, "kind": type(error).__name__})
            return
        _send(answers, {"number": number, "reading": dataclasses.asdict(reading)})


def _send_progress(answers: BinaryIO, number: int, frames: int) -> None:
    _send(answers, {"number": number, "frames": frames})


def _send(answers: BinaryIO, message: dict[str, object]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[answers.write(data) :]


if __name__ == "__main__":
    main()

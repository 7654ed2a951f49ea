from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from emodetect.backends import isolated
from emodetect.backends.conventions import ModelConventions
from emodetect.backends.isolated import IsolatedBackend
from emodetect.backends.keras_cnn import KerasBackend
from emodetect.backends.onnx_cnn import OnnxBackend
from emodetect.backends.registry import create_backend
from emodetect.errors import BackendError, BackendUnavailableError, ModelError, UsageError
from emodetect.types import Image
from tests.builders import write_plugin
from tests.waiting import wait_until

PLUGIN = '''
import ctypes, os, signal, subprocess, sys, time
import numpy as np
from emodetect import EmodetectError
from emodetect.backends.base import EmotionBackend
from emodetect.errors import BackendUnavailableError

class OwnError(BackendUnavailableError):
    """A class that exists in this module alone."""

class Odd(EmotionBackend):
    name = "odd one"

    def __init__(self, model):
        self.model = model

    def load(self):
        if self.model == "unavailable":
            raise OwnError("get the odd package")
        if self.model == "bug":
            raise ZeroDivisionError("by naught")
        if self.model == "exits while loading":
            sys.exit(0)
        if self.model == "speechless":
            class Speechless(Exception):
                def __str__(self):
                    raise ValueError("no words")
            raise Speechless
        if self.model == "threshold":
            self.uncertain_below = 1e300
            return
        if self.model == "slow to load":
            time.sleep(60)
        self.uncertain_below, self.tells_contempt = np.float32(0.125), np.bool_(True)

    def classify(self, crops):
        if self.model == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.model == "leaves":
            os._exit(3)
        if self.model == "holds":
            ctypes.PyDLL(None).usleep(60_000_000)
        if self.model == "sleeps":
            time.sleep(60)
        if self.model == "exits":
            sys.exit(0)
        if self.model == "interrupts":
            raise KeyboardInterrupt
        if self.model == "own end":
            class End(BaseException): ...
            raise End("gone")
        if self.model == "prints":
            print("one for standard output")
            os.write(1, b"and one past Python\\n")
            subprocess.run(["echo", "and a child"], check=True)
        if self.model == "forks":
            os.fork()
        if self.model == "faults":
            ctypes.string_at(0)
        if self.model == "wrong shape":
            return np.zeros((len(crops), 3), np.float32)
        if self.model == "words":
            return np.asarray(["happy"] * len(crops))
        if self.model == "reads past an end":
            raise EOFError("no more bytes")
        scores = [[crop.mean() / 255, *[(1 - crop.mean() / 255) / 6] * 6] for crop in crops]
        return np.asarray(scores, np.float32).reshape(-1, 7)

    def close(self):
        if str(self.model).endswith("mark"):
            open(self.model, "w").write("closed")

def create(model, labels):
    if labels:
        from emodetect import errors
        raise errors.UsageError("odd takes no labels")
    return "no backend" if model == "text" else None if model == "nothing" else Odd(model)
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a backend that misbehaves as its model's name says; returns the folder it is installed in."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    write_plugin(folder, "odd_backend", PLUGIN, {"odd": "odd_backend:create"})
    monkeypatch.syspath_prepend(str(folder))
    return folder


def is_running(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked how does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_answers_and_tells_of_itself_as_the_backend_does(gray_levels: list[Image], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    backend = create_backend("odd", str(mark))
    assert backend.name == "odd"

    with backend:
        assert (backend.name, backend.uncertain_below, backend.tells_contempt) == ("odd one", 0.125, True)
        scores = backend.classify(gray_levels)
        eight = backend.classify_eight(gray_levels)
        assert backend.classify([]).shape == (0, 7)

    np.testing.assert_allclose(scores[:, 0], [5 / 255, 250 / 255], atol=1e-6)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(eight, np.pad(scores, ((0, 0), (0, 1))))
    assert mark.read_text() == "closed"  # the backend itself was closed, too


def test_a_keras_file_gives_the_same_scores_as_in_this_process(tutorial_h5: Path, face_crops: list[Image]) -> None:
    with KerasBackend(tutorial_h5) as here:
        expected = here.classify(face_crops)

    backend = create_backend("cnn", str(tutorial_h5))
    assert isinstance(backend, IsolatedBackend)
    with backend:
        assert backend.name == "model.h5"
        np.testing.assert_allclose(backend.classify(face_crops), expected, atol=1e-6)


def test_what_leaves_the_interpreter_alone_stays_in_this_process() -> None:
    assert isinstance(create_backend("cnn"), OnnxBackend)


@pytest.mark.parametrize(
    ("name", "model", "labels", "kind", "message"),
    [
        ("none", None, None, UsageError, "no backend 'none'; there are cnn, deepface, odd"),
        ("cnn", "none.h5", None, ModelError, "none.h5: no such model file"),
        ("deepface", "a.h5", None, UsageError, "cannot be combined with `backend` deepface"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_started(
    name: str, model: str | None, labels: list[str] | None, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        create_backend(name, model, ModelConventions.of(labels))


@pytest.mark.parametrize(
    ("model", "labels", "kind", "message"),
    [
        ("exits while loading", None, BackendError, r"^the backend odd ended its process by sys\.exit\(0\)$"),
        ("threshold", None, ModelError, "uncertain below 1e\\+300 .* shares from 0 to 1"),
        (None, ["happy"], UsageError, "^odd takes no labels$"),
        ("unavailable", None, BackendUnavailableError, "^get the odd package$"),
        ("bug", None, ModelError, r"^the backend odd cannot be loaded \(ZeroDivisionError: by naught\)$"),
        ("speechless", None, ModelError, r"^the backend odd cannot be loaded \(Speechless: Speechless\)$"),
        ("text", None, BackendError, "^the backend odd made a str, which is no EmotionBackend$"),
        ("nothing", None, BackendError, "^the backend odd made a NoneType, which is no EmotionBackend$"),
    ],
)
def test_errors_in_loading_arrive_as_they_are(
    model: str | None, labels: list[str] | None, kind: type[Exception], message: str
) -> None:
    backend = create_backend("odd", model, ModelConventions.of(labels))
    with pytest.raises(kind, match=message):
        backend.load()
    backend.close()


def test_a_copy_has_a_name_that_is_not_too_long(tmp_path: Path) -> None:
    path = tmp_path / f"{'ü' * 126}.h5"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with isolated._place_of_copy(path) as (content, copy):
        assert copy is not None
        isolated._write(copy, content, "model")
        assert copy.read_bytes() == content


def test_a_keras_file_that_is_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bad.h5"
    path.write_text("no network")
    backend = create_backend("cnn", str(path))
    with pytest.raises(ModelError, match=r"bad\.h5: not a Keras model file"):
        backend.load()
    backend.close()


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("dies", BackendError, "the backend odd one: its process was ended by SIGKILL, perhaps for want of memory"),
        ("faults", BackendError, "the backend odd one: its process was ended by a segmentation fault"),
        ("exits", BackendError, r"^the backend odd ended its process by sys\.exit\(0\)$"),
        ("interrupts", BackendError, "^the backend odd raised KeyboardInterrupt"),
        ("own end", BackendError, "^the backend odd raised End"),
        ("wrong shape", ModelError, r"expected scores of shape \(2, 7\), got \(2, 3\)"),
        ("words", ModelError, r"^the backend odd failed \(ValueError: could not convert string to float: .*'happy'.*\)$"),
        ("leaves", BackendError, "ended by itself .exit code 3."),
        ("reads past an end", ModelError, r"the backend odd failed \(EOFError: no more bytes\)"),
    ],
)
def test_its_end_or_failure_is_one_line(model: str, kind: type[Exception], message: str, gray_levels: list[Image]) -> None:
    backend = create_backend("odd", model)
    with backend, pytest.raises(kind, match=message) as caught:
        backend.classify(gray_levels)
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_plug_in_prints_is_no_result(gray_levels: list[Image], capfd: pytest.CaptureFixture[str]) -> None:
    with create_backend("odd", "prints") as backend:
        assert backend.classify(gray_levels).shape == (2, 7)
        assert backend.classify(gray_levels).shape == (2, 7)

    printed = capfd.readouterr()
    assert printed.out == ""
    for text in ("one for standard output", "and one past Python", "and a child"):
        assert text in printed.err


def test_a_plug_in_that_forks_is_told_and_leaves_no_copy(gray_levels: list[Image]) -> None:
    backend = create_backend("odd", "forks")
    assert isinstance(backend, IsolatedBackend)
    with backend:
        process = backend._process
        assert process is not None
        with pytest.raises(BackendError, match="the backend odd forked"):
            [backend.classify(gray_levels) for _ in range(3)]  # which of the two answers first is not certain
    groups = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and is_running(int(path.name))]
    assert process.pid not in {os.getpgid(other) for other in groups if is_running(other)}


def test_a_crowd_is_read_in_parts(gray_levels: list[Image]) -> None:
    with create_backend("odd") as backend:
        assert backend.classify([gray_levels[0]] * 33)[:, 0].tolist() == pytest.approx([5 / 255] * 33)


def test_a_script_without_a_main_guard_is_not_run_again(plugin: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from emodetect.backends.registry import create_backend\n"
        "print('once')\n"
        "with create_backend('odd', 'fine') as backend: print(backend.name)\n"
    )
    path = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["once", "odd one"]


def test_a_failure_in_one_call_leaves_the_next_ones_alone(gray_levels: list[Image]) -> None:
    with create_backend("odd", "reads past an end") as backend:
        for _ in range(2):
            with pytest.raises(ModelError, match="no more bytes"):
                backend.classify(gray_levels)


@pytest.mark.parametrize("model", ["holds", "sleeps"])
def test_a_call_holds_up_nothing_here_and_can_be_broken_off(model: str, gray_levels: list[Image]) -> None:
    backend = create_backend("odd", model)
    backend.load()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            backend.classify(gray_levels)
        except BackendError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()  # and this thread runs: the lock is not held here

    backend.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert len(errors) == 1
    backend.close()


def test_loading_can_be_broken_off() -> None:
    backend = create_backend("odd", "slow to load")
    timer = threading.Timer(0.5, backend.cancel)
    timer.start()
    with pytest.raises(BackendError):
        backend.load()
    backend.close()


PARENT = """
import sys, threading, time
import numpy as np
from emodetect.backends.registry import create_backend

if __name__ == "__main__":
    backend = create_backend("odd", sys.argv[1])
    backend.load()
    threading.Thread(target=backend.classify, args=([np.zeros((9, 9, 3), np.uint8)],), daemon=True).start()
    time.sleep(0.5)
    print(backend._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("model", ["holds", "sleeps"])
def test_it_ends_with_its_parent_even_when_that_is_killed(model: str, plugin: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, sys.path)])}
    with subprocess.Popen([sys.executable, str(script), model], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(child), "the end of the process")


def test_an_interrupt_from_the_terminal_leaves_it_alone(gray_levels: list[Image]) -> None:
    backend = create_backend("odd")
    with backend:
        assert isinstance(backend, IsolatedBackend)
        assert backend._process is not None
        assert backend._process.pid is not None
        os.kill(backend._process.pid, signal.SIGINT)
        assert backend.classify(gray_levels).shape == (2, 7)
        if hasattr(os, "getsid"):
            assert os.getsid(backend._process.pid) != os.getsid(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_after_a_fork_each_process_asks_one_of_its_own(face_crops: list[Image]) -> None:
    model = Path(__file__).parents[1] / "data/models/imagenet.onnx"
    with create_backend("cnn", str(model)) as backend:
        expected = backend.classify(face_crops)
        child = os.fork()
        if child == 0:  # asks at the same time, about fewer faces, and closes what it has
            code = 1
            with contextlib.suppress(BaseException):
                ours = [np.allclose(backend.classify(face_crops[:1]), expected[:1], atol=1e-5) for _ in range(30)]
                backend.close()
                code = 0 if all(ours) else 2
            os._exit(code)
        for _ in range(30):
            np.testing.assert_allclose(backend.classify(face_crops), expected, atol=1e-5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        np.testing.assert_allclose(backend.classify(face_crops), expected, atol=1e-5)

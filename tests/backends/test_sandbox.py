"""Attacks from inside the process of a foreign model; they stand for a model that has found a fault in a library."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emodetect.backends.isolated import IsolatedBackend
from emodetect.backends.sandbox import landlock_version
from emodetect.backends.worker import Bounds
from emodetect.errors import BackendError, ModelError
from tests.backends.test_isolated import is_running
from tests.builders import write_plugin
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has a sandbox")

MB = 2**20

ATTACKER = """
import ctypes, fcntl, json, mmap, os, resource, signal, socket, subprocess, threading, time
import numpy as np
from emodetect.backends.base import EmotionBackend

def attempt(what):
    try:
        what()
    except BaseException as error:
        return type(error).__name__
    return "done"

def in_a_thread(what):
    found = []
    thread = threading.Thread(target=lambda: found.append(attempt(what)))
    thread.start()
    thread.join()
    if found != ["done"]:
        raise PermissionError(found)

def connect(family, kind, address):
    with socket.socket(family, kind) as client:
        client.connect(address)

def own_signals(process):
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, process)

def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")

class Attacker(EmotionBackend):
    def __init__(self, what, folder, port):
        self.what, self.folder, self.port = what, folder, port
        self.name = "attacker"

    def load(self):
        secret = self.folder + "/secret"
        attempts = {
            "read": lambda: open(secret).read(),
            "read in a thread": lambda: in_a_thread(lambda: open(secret).read()),
            "passwords": lambda: open("/etc/passwd").read(),
            "list": lambda: os.listdir(self.folder),
            "write": lambda: open(self.folder + "/new", "w"),
            "append": lambda: open(secret, "a"),
            "remove": lambda: os.unlink(secret),
            "rename": lambda: os.rename(secret, secret + "2"),
            "link": lambda: os.link(secret, secret + "3"),
            "folder": lambda: os.mkdir(self.folder + "/folder"),
            "environment of the parent": lambda: open(f"/proc/{os.getppid()}/environ", "rb").read(),
            "connect": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", self.port)),
            "send": lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
            "local": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, self.folder + "/socket"),
            "program": lambda: subprocess.run(["/bin/true"]),
            "exec": lambda: os.execv("/bin/true", ["true"]),
            "fork": os.fork,
            "kill": lambda: os.kill(os.getppid(), 9),
            "kill a thread": lambda: call({"x86_64": 234, "aarch64": 131}[os.uname().machine], os.getppid(), os.getppid(), 0),
            "signals of a file": lambda: own_signals(os.getppid()),
            "limits": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0)),
            "priority": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
            "rights": lambda: os.chmod(secret, 0o777),
            "rights of a folder": lambda: os.chmod(self.folder, 0),
            "owner": lambda: os.chown(secret, os.getuid(), os.getgid()),
            "time": lambda: os.utime(secret, (0, 0)),
            "attribute": lambda: os.setxattr(secret, "user.mark", b"1"),
            "pair": socket.socketpair,
            "shared memory": lambda: call({"x86_64": 29, "aarch64": 194}[os.uname().machine], 0, 2**20, 0o1600),
            "message queue": lambda: call({"x86_64": 68, "aarch64": 186}[os.uname().machine], 0, 0o1600),
            "ring": lambda: call(425, 1, bytes(200)),
            "processors": lambda: os.sched_setaffinity(os.getppid(), {0}),
            "connections": lambda: open("/proc/self/net/tcp").read(),
            "clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
            "host name": lambda: socket.sethostname(socket.gethostname()),
            "log of the kernel": lambda: call({"x86_64": 103, "aarch64": 116}[os.uname().machine], 10, 0, 0),
            "user": lambda: os.setuid(65534) if not os.getuid() else os.setuid(0),
            "trace": lambda: call({"x86_64": 101, "aarch64": 117}[os.uname().machine], 16, os.getppid(), 0, 0),
        }
        if self.what == "everything":
            own_signals(os.getpid())
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.raise_signal(signal.SIGUSR1)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self.name = json.dumps({name: attempt(what) for name, what in attempts.items()})
        if self.what == "has another thread act":
            leave_really = os._exit

            def leave(code):
                attempt(lambda: os.unlink(secret))
                if threading.current_thread() is threading.main_thread():
                    for other in threading.enumerate():
                        if other.name == "parent":
                            other.join()
                    leave_really(code)

            os._exit = leave
        if self.what == "hangs while loading":
            ctypes.PyDLL(None).usleep(10**9)

    def classify(self, crops):
        if self.what == "loops":
            while True: pass
        if self.what == "sleeps":
            time.sleep(1000)
        if self.what == "grows":
            kept = []
            while True:
                kept.append(np.ones(2**20, np.uint8))
        if self.what == "shares":
            kept = []
            while True:
                kept.append(mmap.mmap(-1, 2**24))
                kept[-1].write(bytes(2**24))
        if self.what == "asks for all":
            np.ones(2**33, np.uint8)
        return np.full((len(crops), 7), 1 / 7, np.float32)

create = Attacker
"""


def attacker(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str, bounds: Bounds, port: int = 0) -> IsolatedBackend:
    place = folder / "installed"
    if not place.exists():
        place.mkdir()
        write_plugin(place, "attacker", ATTACKER, {"attacker": "attacker:create"})
    monkeypatch.syspath_prepend(str(place))
    return IsolatedBackend("attacker", "attacker:create", (what, str(folder / "home"), port), bounds=bounds)


PLENTY = Bounds(memory=2048 * MB, load_seconds=600, call_seconds=600)


@pytest.mark.skipif(landlock_version() < 1, reason="this kernel has no Landlock")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="calls are not filtered on this processor")
def test_it_reaches_no_file_no_network_and_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("mine")
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        os.chdir(home)  # a socket's path may only be short
        local.bind("socket")
        local.listen()
        os.chdir("/")
        with attacker(tmp_path, monkeypatch, "everything", PLENTY, listener.getsockname()[1]) as backend:
            found = json.loads(backend.name)
            assert backend.classify([np.zeros((9, 9, 3), np.uint8)]).shape == (1, 7)

    assert len(found) == 38
    assert {name for name, end in found.items() if end not in ("PermissionError", "OSError")} == set()
    assert (home / "secret").read_text() == "mine"
    assert sorted(path.name for path in home.iterdir()) == ["secret", "socket"]


LEAVING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from emodetect.backends.isolated import IsolatedBackend
from emodetect.backends.worker import Bounds

arguments = ("has another thread act", sys.argv[2], 0)
backend = IsolatedBackend("attacker", "attacker:create", arguments, bounds=Bounds(2**31, 600, 600))
backend.load()
print(backend._process.pid, flush=True)
os._exit(0)
"""


@pytest.mark.skipif(landlock_version() < 1, reason="this kernel has no Landlock")
def test_none_of_its_threads_is_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attacker(tmp_path, monkeypatch, "", PLENTY)  # installs it
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("mine")
    command = [sys.executable, "-c", LEAVING, str(tmp_path / "installed"), str(home)]
    process = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    wait_until(lambda: not is_running(process), "the end of the model's process")
    assert (home / "secret").exists()


@pytest.mark.parametrize("what", ["grows", "shares", "asks for all"])
def test_what_takes_too_much_memory_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with (
        attacker(tmp_path, monkeypatch, what, Bounds(512 * MB, 600, 600)) as backend,
        pytest.raises(BackendError) as caught,
    ):
        backend.classify([np.zeros((9, 9, 3), np.uint8)])
    assert str(caught.value) == (
        "the backend attacker: reading faces with it takes more memory than it may (512 MB, `max_model_memory`)"
    )


@pytest.mark.parametrize("what", ["loops", "sleeps"])
def test_a_call_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with (
        attacker(tmp_path, monkeypatch, what, Bounds(2048 * MB, 600, 0.25)) as backend,
        pytest.raises(BackendError) as caught,
    ):
        backend.classify([np.zeros((9, 9, 3), np.uint8)])
    assert str(caught.value) == "the backend attacker: reading faces with it took more than 0.25 s, and was ended"


def test_loading_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"^the backend attacker: loading it took more than 1 s, and was ended$"):
        attacker(tmp_path, monkeypatch, "hangs while loading", Bounds(2048 * MB, 1, 600)).load()


def test_the_system_ends_a_process_that_computes_too_long() -> None:
    """Also where the program that watches it is stopped."""
    script = "from emodetect.backends.sandbox import processor_seconds\nprocessor_seconds(0)\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGXCPU

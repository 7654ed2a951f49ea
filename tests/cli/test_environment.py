"""Machines as they come: variables of other programs, no home, no terminal, full disks. Commands work or say why."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import cv2
import pytest

from emodetect.backends.deepface_weights import weights_path
from emodetect.drawing.fonts import _folders
from emodetect.system import environment
from tests.builders import PHOTO, MovingClip
from tests.cli.running import TIMEOUT, assert_one_line, command, run
from tests.cli.running import environment as changed
from tests.model_files import tutorial_model
from tests.training.data_sets import write_data_set

NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}

RESULT = re.compile(r"astronaut.jpg +1 +happy +100%")


def shell(script: str, *arguments: str | Path, env: dict[str, str | None] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command (``$RUN`` in the script) by a shell, which sets limits and closes streams."""
    line = shlex.join(command(*arguments))
    return subprocess.run(
        ["bash", "-c", script.replace("$RUN", line)], env=changed(env), capture_output=True, timeout=TIMEOUT, check=False
    )


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"HOME": None, "USER": None, "LOGNAME": None}, id="no home"),
        pytest.param({"HOME": "/dev/null/none", "XDG_CONFIG_HOME": "/dev/null", "XDG_CACHE_HOME": "relative"}, id="no folders"),
        pytest.param({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "garbage/.."}, id="POSIX"),
        pytest.param({"PYTHONIOENCODING": "ascii", "LC_ALL": "xx_YY.garbage", "LANGUAGE": ":", "PATH": "/none"}, id="garbage"),
        pytest.param({"TERM": "dumb", "COLUMNS": "abc", "LINES": "-1", "NO_COLOR": "1", "FORCE_COLOR": "1"}, id="terminal"),
        pytest.param({"COLUMNS": "1", "TMPDIR": "/dev/null/none", "MPLBACKEND": "abc", "PYTHONWARNINGS": "error"}, id="others"),
    ],
)
def test_a_strange_environment_changes_no_result(env: dict[str, str | None]) -> None:
    done = run("image", PHOTO, "--language", "ko", env=env)

    assert (done.returncode, done.stderr) == (0, "")
    assert RESULT.search(done.stdout)


@pytest.mark.parametrize("script", ["ulimit -n 64; $RUN", "$RUN <&-", "$RUN 2>&-", "$RUN <&- 2>/dev/full"])
def test_limits_and_closed_streams_change_no_result(script: str) -> None:
    done = shell(script, "image", "missing.jpg", PHOTO)

    assert done.returncode == 1
    assert RESULT.search(done.stdout.decode())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit the address space")
def test_too_small_an_address_space_is_one_line() -> None:
    done = shell("ulimit -v 900000; $RUN", "image", PHOTO)

    assert done.returncode == 1
    assert done.stderr.decode() == "emodetect: this process may address 0.9 GB (ulimit -v); at least 1 GB are needed\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems limit another kind of memory by it")
def test_too_little_memory_is_one_line() -> None:
    small, enough = (shell(f"ulimit -d {kilobytes}; $RUN", "image", PHOTO) for kilobytes in (150_000, 700_000))

    assert small.returncode == 1
    assert small.stderr.decode() == "emodetect: this process may hold 0.2 GB (ulimit -d); at least 0.6 GB are needed\n"
    assert (enough.returncode, enough.stderr) == (0, b"")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems limit the processor time in another way")
def test_processor_time_that_is_used_up_is_one_line(tmp_path: Path) -> None:
    pipe, log = tmp_path / "pipe", tmp_path / "a.jsonl"
    os.mkfifo(pipe)
    endless = "import os\nwith open(os.sys.argv[1], 'wb') as pipe:\n while True: pipe.write(bytes(3 * 640 * 480))"
    with subprocess.Popen([sys.executable, "-c", endless, pipe], stderr=subprocess.DEVNULL):
        done = shell(
            f"ulimit -t 3; $RUN < {pipe}", "live", "--source", "-", "--size", "640x480", "--no-window", "--log", log, "--quiet"
        )

    assert done.returncode == 128 + signal.SIGXCPU
    assert done.stderr.decode() == "emodetect: the processor time that this process may use (ulimit -t) is used up\n"
    assert log.read_text().endswith("}\n")


def test_without_the_null_device_there_is_one_line() -> None:
    script = "import os; os.devnull = '/none/null'; from emodetect.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "--version"], capture_output=True, text=True, check=False)

    assert_one_line(done, 1, "/none/null: No such file or directory")


def test_a_full_standard_error_costs_no_output(moving_clip: MovingClip, tmp_path: Path) -> None:
    log, report = tmp_path / "a.jsonl", tmp_path / "a.html"

    done = shell("$RUN 2>/dev/full", "video", moving_clip.path, "--end", "0.4", "--log", log, "--report", report, "--verbose")

    assert done.returncode == 0
    assert len(log.read_text().splitlines()) == 10
    assert "</html>" in report.read_text()


def test_a_reader_of_messages_who_goes_away_costs_no_result() -> None:
    done = shell("exec 3>&1; { $RUN 2>&1 >&3; } | true", "image", "missing.jpg", "other.jpg", PHOTO, "--verbose")

    assert RESULT.search(done.stdout.decode())


@lru_cache
def opencv_variables() -> list[str]:
    """The variables that this build of OpenCV reads, by the texts in it."""
    (library,) = Path(cv2.__file__).parent.glob("cv2*.so")
    return sorted({name.decode() for name in re.findall(rb"\bOPENCV_[A-Z0-9_]+[A-Z0-9]\b", library.read_bytes())})


@pytest.mark.parametrize("value", ["abc", "5", "-1", "9" * 30])
def test_no_variable_of_opencv_ends_the_process(value: str, moving_clip: MovingClip, tmp_path: Path) -> None:
    """Most of them do, by themselves: a value that is no number or switch is an abort where cv2 is imported."""
    small = {"OPENCV_IO_MAX_IMAGE_WIDTH", "OPENCV_IO_MAX_IMAGE_HEIGHT", "OPENCV_IO_MAX_IMAGE_PIXELS"} if value == "5" else set()
    env: dict[str, str | None] = {name: value for name in opencv_variables() if name not in small}

    photo, clip = run("image", PHOTO, env=env), run("video", moving_clip.path, "--end", "0.2", env=env)

    assert len(env) > 50
    assert photo.returncode == clip.returncode == 0
    assert RESULT.search(photo.stdout)
    assert "the variable OPENCV_TRACE is not used" in photo.stderr
    assert "5 frames, 1 face" in clip.stderr


def test_a_variable_that_is_not_used_is_named_once_and_not_with_quiet() -> None:
    env: dict[str, str | None] = {
        "OPENCV_IO_MAX_IMAGE_WIDTH": "abc",
        "OMP_NUM_THREADS": "\x1b[31m",
        "TF_NUM_INTEROP_THREADS": "9999",
    }

    loud, quiet = run("image", PHOTO, env=env), run("image", PHOTO, "--quiet", env=env)

    assert sorted(loud.stderr.splitlines()) == [
        "emodetect: the variable OMP_NUM_THREADS is not used: it cannot have the value '\\x1b[31m' here",
        "emodetect: the variable OPENCV_IO_MAX_IMAGE_WIDTH is not used: it cannot have the value 'abc' here",
        "emodetect: the variable TF_NUM_INTEROP_THREADS is not used: it cannot have the value '9999' here",
    ]
    assert quiet.stderr == ""


def test_values_that_are_right_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    right = {
        "TF_NUM_INTRAOP_THREADS": "0",
        "OPENCV_IO_MAX_IMAGE_PIXELS": "1000000",
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;udp",
        "OPENCV_LOG_LEVEL": "INFO",
        "OPENCV_VIDEOIO_PRIORITY_V4L2": "900",
        "OPENCV_VIDEOIO_DEBUG": "1",
        "OMP_NUM_THREADS": "4,2",
        "TF_NUM_INTEROP_THREADS": "256",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=false",
    }
    monkeypatch.setattr(os, "environ", dict(right))
    monkeypatch.setattr(environment, "_folder", None)
    monkeypatch.setattr(atexit, "register", lambda function: None)

    environment.prepare_own_process()

    assert {name: os.environ[name] for name in right} == right
    assert environment.ignored_variables() == []
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_program_of_the_users_keeps_its_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"MPLBACKEND": "module://json"})
    environment.prepare()
    assert os.environ["MPLBACKEND"] == "module://json"

    monkeypatch.setattr(os, "environ", {"MPLBACKEND": "module://not_installed.backend"})
    environment.prepare()
    assert os.environ["MPLBACKEND"] == "agg"


def test_a_program_of_the_users_keeps_all_but_what_the_documentation_names(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
    theirs = {"OPENCV_LOG_LEVEL": "INFO", "PATH": os.environ["PATH"]}
    monkeypatch.setattr(os, "environ", dict(theirs))
    environment.prepare()

    added = dict(os.environ.items() - theirs.items())
    assert set(added) == {"ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "OPENCV_FFMPEG_READ_ATTEMPTS"}
    assert all(name in page for name in added)


def test_a_user_whom_the_system_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in many a container: no HOME, and no entry in /etc/passwd."""
    import pwd

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "DEEPFACE_HOME"):
        monkeypatch.delenv(name, raising=False)

    assert weights_path().name.endswith(".h5")
    assert _folders()


def test_a_notebooks_matplotlib_is_no_hindrance(tmp_path: Path) -> None:
    write_data_set(tmp_path, train=0, test=2)
    tutorial_model().save(tmp_path / "m.keras")
    plot = tmp_path / "plot.png"

    photo = run("image", PHOTO, "--model", tmp_path / "m.keras", env=NOTEBOOK)
    judged = run("evaluate", "--data", tmp_path / "test", "--plot", plot, env=NOTEBOOK)

    assert photo.returncode == judged.returncode == 0, photo.stderr + judged.stderr
    assert plot.stat().st_size > 1000


NO_FOLDER = """
import sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/dev/null/none"]
from emodetect.cli.main import main
sys.argv = ["emodetect", *sys.argv[1:]]
main()
"""
"""The program where no folder for temporary files can be written to; a full disk for them cannot be had in a test."""


def test_no_folder_for_temporary_files(moving_clip: MovingClip, tmp_path: Path) -> None:
    line = [sys.executable, "-c", NO_FOLDER, "video", str(moving_clip.path), "--end", "0.1", "--plot=p.png"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=TIMEOUT, check=False)

    assert_one_line(done, 1, "no folder for temporary files can be written to; name one in the variable TMPDIR")


@pytest.mark.parametrize(
    "text",
    [
        '[video]\nlog = "a\\u0000b.jsonl"',
        'model = "a\\u0000"',
        "[video]\nsmoothing = inf",
        "[video]\nsmoothing = nan",
        "[video]\nsmoothing = 1e400",
        "[video]\nstart = 2024-05-01T10:30:00Z",
        "[video]\nstart = 10:30:00",
        "[video]\nevery = 1.5",
        "[video]\nmin-face = inf",
        "[video]\nroi = [0, 0, 1, 1]",
        "[video.log]\nx = 1",
        "[video]\nlog = {a = 1}",
        "video = 5",
        "[[video]]\nlog = 'a'",
        "[video]\nuncertain = true",
        "[video]\nevery = 99999999999999999999999",
        "every = [[[[]]]]",
        '"\\u001b[31m" = 1',
        '["\\u0000"]\nx = 1',
        "[video]\noverwrite = 'yes'",
        "x = " + "[" * 5000,
        "\x00",
        "a" * 10**6 + " = 1",
        "[video]\nend = -1",
        "[video]\nmax-pixels = 0",
        "[video]\nlanguage = 'xx'",
        "[video]\nmin-neighbors = -0.0",
    ],
)
def test_a_configuration_of_any_kind_is_refused_in_a_line(
    text: str, tmp_path: Path, moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from emodetect.cli import main as program

    path = tmp_path / "c.toml"
    path.write_bytes(text.encode())
    monkeypatch.setattr(program, "handle_signals", lambda: None)
    for arguments in (["video", str(moving_clip.path)], ["config"]):
        monkeypatch.setattr("sys.argv", ["emodetect", *arguments, "--config", str(path)])
        with patch.dict(os.environ):
            code = program._run()
        printed = capsys.readouterr()
        if arguments[0] == "video":
            assert code in (1, 2)
        last = printed.err.splitlines()[-1] if code else ""
        assert "unexpected" not in last
        assert "\x1b" not in printed.out + printed.err
        assert "\0" not in printed.out + printed.err


@pytest.mark.parametrize(
    "value",
    ["1e308", "-1e308", "1e9999", "-1e9999", "NaN", "Infinity", "9" * 400, '"1"', "null", "[]", "{}", '"\\u0000"'],
)
@pytest.mark.parametrize("key", ["frame", "time", "faces", "id", "x", "score"])
def test_a_log_with_any_value_is_refused_or_read(
    key: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from emodetect.cli import main as program

    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

    def record(number: int, **changes: str) -> str:
        values = {"frame": str(number), "time": str(0.04 * number), "id": "1", "x": "5", "score": "0.1", "faces": "", **changes}
        scores = ", ".join(f'"{name}": {values["score"] if name == "happy" else "0.0"}' for name in names)
        box = f'{{"x": {values["x"]}, "y": 5, "width": 50, "height": 50}}'
        face = f'{{"id": {values["id"]}, "box": {box}, "emotion": "happy", "uncertain": false, "scores": {{{scores}}}}}'
        return f'{{"frame": {values["frame"]}, "time": {values["time"]}, "faces": {values["faces"] or f"[{face}]"}}}\n'

    log = tmp_path / "l.jsonl"
    log.write_text(record(0) + record(1) + record(2, **{key: value}))
    monkeypatch.setattr(program, "handle_signals", lambda: None)
    monkeypatch.setattr("sys.argv", ["emodetect", "report", str(log)])

    with patch.dict(os.environ):
        code = program._run()

    said = capsys.readouterr().err
    assert code in (0, 1)
    assert "unexpected" not in said
    assert "\0" not in said
    assert len(said.splitlines()) == 1

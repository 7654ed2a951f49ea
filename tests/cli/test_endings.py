"""However the program ends, what it has started ends with it, and no picture of anybody stays in a temporary folder."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.types import Image
from tests.builders import make_background, place_face, write_clip
from tests.cli.mjpeg import serve_mjpeg
from tests.cli.running import TIMEOUT, command, command_line, end, environment, is_running, log_lines, started
from tests.cli.test_faults import count_frames, whole_records
from tests.waiting import wait_until

if not Path("/proc/self/task").is_dir():
    pytest.skip("there is no /proc here", allow_module_level=True)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [make_background((640, 360), seed=seed) for seed in range(7)]
    return write_clip(tmp_path_factory.mktemp("endings") / "long.mp4", (pictures[index % 7] for index in range(700)))


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bare H.264."""
    folder = tmp_path_factory.mktemp("endings")
    clip = write_clip(folder / "short.mp4", [make_background((640, 360))] * 20)
    bare = folder / "short.h264"
    line = [ffmpeg_program(), "-loglevel", "error", "-i", str(clip), "-c", "copy", "-bsf:v", "h264_mp4toannexb", str(bare)]
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    return bare


@pytest.fixture(scope="module")
def still_picture() -> Image:
    return place_face(make_background((320, 240)), (150.0, 120.0), 90.0)[0]


def ffmpegs_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes of FFmpeg that a run has started."""
    numbers = [
        int(number) for file in Path(f"/proc/{process.pid}/task").glob("*/children") for number in file.read_text().split()
    ]
    return [number for number in numbers if b"ffmpeg" in command_line(number).partition(b"\0")[0]]


@pytest.mark.parametrize(
    "words",
    [
        ["video", "PIPE", "--log", "new.jsonl"],
        ["live", "--source", "PIPE", "--no-window"],
        ["report", "log.jsonl", "--clip", "PIPE"],
        ["bench", "--source", "PIPE"],
        ["video", "SPARSE", "--log", "new.jsonl"],
        ["batch", "SPARSE", "-o", "results"],
    ],
    ids=" ".join,
)
def test_one_signal_is_enough_while_no_picture_comes(words: list[str], short_clip: Path, tmp_path: Path) -> None:
    pipe, sparse = tmp_path / "pipe", tmp_path / "sparse.h264"
    os.mkfifo(pipe)
    (tmp_path / "log.jsonl").write_text("")
    writer = os.open(pipe, os.O_RDWR)  # nothing is written, and it does not end
    sparse.write_bytes(short_clip.read_bytes())
    os.truncate(sparse, 100_000_000_000)
    arguments = [{"PIPE": str(pipe), "SPARSE": str(sparse)}.get(word, word) for word in words]
    try:
        with started(*arguments, folder=tmp_path) as process:
            wait_until(
                lambda: ffmpegs_of(process) or log_lines(tmp_path / "new.jsonl") or (tmp_path / "results").exists(), "work"
            )
            process.send_signal(signal.SIGTERM)
            end(process)
    finally:
        os.close(writer)

    assert process.returncode == 128 + signal.SIGTERM


class TestVideo:
    @pytest.mark.parametrize(
        "numbers", [[signal.SIGKILL], [signal.SIGQUIT], [signal.SIGSEGV], [signal.SIGHUP], [signal.SIGTERM] * 9]
    )
    def test_the_encoder_ends_with_it(self, numbers: list[signal.Signals], long_clip: Path, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with started("video", long_clip, "--log", log, "--output", output) as process:
            wait_until(lambda: len(log_lines(log)) > 100, "frames")
            encoders = ffmpegs_of(process)
            assert encoders
            for number in numbers:
                process.send_signal(number)
                if number != numbers[-1] or len(numbers) > 1:
                    try:
                        process.wait(0.3)
                        break
                    except subprocess.TimeoutExpired:
                        continue
            process.wait(TIMEOUT)
            end(process)
        wait_until(lambda: not any(map(is_running, encoders)), "the encoder's end")
        assert process.returncode in (129, 143) or process.returncode == -numbers[0]
        size = output.stat().st_size
        assert len(whole_records(log)) > 100
        assert count_frames(output) > 0
        assert output.stat().st_size == size

    def test_a_hang_up_leaves_it_whole(self, long_clip: Path, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with started("video", long_clip, "--log", log, "--output", output) as process:
            wait_until(lambda: len(log_lines(log)) > 50, "frames")
            process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            process.send_signal(signal.SIGHUP)  # the shell's, after the system's
            errors = end(process)
        assert (process.returncode, errors) == (129, "")
        records = len(whole_records(log))
        assert records - 1 <= count_frames(output) <= records

    def test_a_signal_while_it_is_finished_waits_for_the_end(self, long_clip: Path, tmp_path: Path) -> None:
        log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with started("video", long_clip, "--log", log, "--output", output, "--end", "8") as process:
            wait_until(lambda: len(log_lines(log)) >= 200, "the last frame")
            process.send_signal(signal.SIGINT)
            end(process)
            assert count_frames(output) >= 199
        # On a fast machine it may have ended already.
        assert process.returncode in (130, 0)


class TestReport:
    @pytest.fixture
    def temporary(self, tmp_path: Path) -> Path:
        folder = tmp_path / "temporary"
        folder.mkdir()
        return folder

    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.jsonl"
        path.write_text("".join(f'{{"frame": {n}, "time": {n / 25}, "faces": []}}\n' for n in range(700)))
        return path

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])
    def test_of_the_copy_of_the_clip_nothing_stays(
        self, number: signal.Signals, long_clip: Path, log: Path, temporary: Path
    ) -> None:
        with started("report", log, "--clip", long_clip, changes={"TMPDIR": str(temporary)}) as process:
            wait_until(lambda: any(b"libx264" in line for line in map(command_line, ffmpegs_of(process))), "the copy")
            copying = ffmpegs_of(process)
            process.send_signal(number)
            end(process)
        wait_until(lambda: not any(map(is_running, copying)), "the end of the copy")
        assert process.returncode == {signal.SIGHUP: 129, signal.SIGTERM: 143}.get(number, -number)
        assert list(temporary.rglob("*")) == []
        assert not log.with_suffix(".html").exists()


class TestLive:
    @pytest.fixture
    def address(self, still_picture: Image) -> Iterator[str]:
        with serve_mjpeg([still_picture]) as address:
            yield address

    def test_the_terminal_is_closed(self, address: str, tmp_path: Path) -> None:
        log, recording = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        arguments = command("live", "--source", address, "--no-window", "--log", log, "--record", recording)
        ours, its = pty.openpty()
        # A session whose controlling terminal it is, as a terminal's window makes one.
        script = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        line = [arguments[0], "-c", script, *arguments]
        with subprocess.Popen(line, stdin=its, stdout=its, stderr=its, start_new_session=True, env=environment()) as process:
            os.close(its)
            try:
                wait_until(lambda: len(log_lines(log)) > 10 and recording.exists(), "readings")
            finally:
                os.close(ours)
            try:
                assert process.wait(TIMEOUT) == 129
            finally:
                process.kill()
        assert len(whole_records(log)) > 10
        assert count_frames(recording) > 0

    def test_nohup_goes_on(self, address: str, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        line = ["nohup", *command("live", "--source", address, "--no-window", "--log", log)]
        with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: bool(log_lines(log)), "readings")
            process.send_signal(signal.SIGHUP)
            seen = len(log_lines(log))
            wait_until(lambda: len(log_lines(log)) > seen + 20, "more readings")
            process.terminate()
            process.communicate(timeout=TIMEOUT)
        assert process.returncode == 143

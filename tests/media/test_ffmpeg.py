from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import imageio_ffmpeg
import pytest

from emodetect.media import ffmpeg
from emodetect.media.ffmpeg import VARIABLE, ffmpeg_program, find_ffmpeg
from emodetect.system.child_processes import run_child
from tests.builders import MovingClip
from tests.cli.running import assert_one_line, run

CASES = [
    ("echo ffmpeg version 4.2.7 Copyright", "is FFmpeg 4.2.7; 5.1 or newer is needed"),
    ("echo ffmpeg version n5.0.3-2-gabc", "is FFmpeg n5.0.3-2-gabc; 5.1 or newer is needed"),
    ("echo ffmpeg version N-100000-gabc; echo 'libavformat    58. 29.100 / 58. 29.100'", "is FFmpeg N-100000-gabc"),
    ("echo ffmpeg version 2020-01-01-git-abc", "is FFmpeg 2020-01-01-git-abc"),
    ("echo hello", "is not FFmpeg"),
    ("exit 3", "ended with exit code 3"),
    ("sleep 60 & sleep 60", "did not say its version within 1 s"),
]


def script(folder: Path, text: str) -> str:
    """A program that a shell runs."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> str:
    """The FFmpeg that imageio-ffmpeg brings along."""
    monkeypatch.delenv(VARIABLE, raising=False)
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def test_the_packaged_one_is_used_if_none_is_named(packaged: str, caplog: pytest.LogCaptureFixture) -> None:
    assert ffmpeg_program() == packaged
    assert find_ffmpeg().version
    assert caplog.messages == []


@pytest.mark.skipif(os.name != "posix", reason="the programs are scripts")
@pytest.mark.parametrize(("text", "reason"), CASES)
def test_one_that_cannot_be_used_is_named_once_and_the_packaged_one_used(
    text: str, reason: str, packaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ffmpeg, "_VERSION_SECONDS", 1.0)
    named = script(tmp_path, text)
    monkeypatch.setenv(VARIABLE, named)
    assert [ffmpeg_program(), ffmpeg_program()] == [packaged] * 2
    assert len(caplog.messages) == 1
    assert f"IMAGEIO_FFMPEG_EXE names {named}, which {reason}" in caplog.messages[0]
    assert f"{packaged} is used instead" in caplog.messages[0]
    assert os.environ[VARIABLE] == named


@pytest.mark.skipif(os.name != "posix", reason="the programs are scripts")
@pytest.mark.parametrize("version", ["5.1", "5.1.9-0+deb12u1", "7.0.2-static", "n9.0.2-17-gabc", "10.0", "N-113000-gabc"])
def test_versions_that_can_be_used(version: str, packaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = script(tmp_path, f"echo ffmpeg version {version}; echo 'libavformat    59. 27.100 / 59. 27.100'")
    monkeypatch.setenv(VARIABLE, named)
    assert (find_ffmpeg().program, find_ffmpeg().version) == (named, version)


def test_a_clip_is_written_and_its_times_are_right_though_an_old_one_is_named(tmp_path: Path) -> None:
    """An existing clip is replaced by a whole one, not emptied."""
    packaged = str(imageio_ffmpeg.get_ffmpeg_exe())
    text = f'case "$*" in -version) echo ffmpeg version 4.2.7;; *-fps_mode*) exit 1;; *) exec "{packaged}" "$@";; esac'
    clip, output, log = tmp_path / "late.mp4", tmp_path / "keep.mp4", tmp_path / "log.jsonl"
    command = [packaged, "-loglevel", "error", "-itsoffset", "1", "-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.2",
               "-f", "lavfi", "-i", "sine=duration=1.5", "-pix_fmt", "yuv420p", str(clip)]  # fmt: skip
    run_child(command)
    output.write_text("keep")
    done = run("video", clip, "--output", output, "--log", log, "--overwrite", env={VARIABLE: script(tmp_path, text)})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("IMAGEIO_FFMPEG_EXE names") == 1
    assert '"time": 1.0' in log.read_text().splitlines()[0]
    assert output.stat().st_size > 1000


def test_without_any_nothing_is_opened_or_created(tmp_path: Path, moving_clip: MovingClip) -> None:
    folder = tmp_path / "imageio_ffmpeg"
    folder.mkdir()
    (folder / "__init__.py").write_text("def get_ffmpeg_exe():\n    raise RuntimeError\n")
    log = tmp_path / "log.jsonl"
    path = os.pathsep.join([str(tmp_path), str(Path(ffmpeg.__file__).parents[2])])
    done = run("video", moving_clip.path, "--log", log, env={"PYTHONPATH": path, VARIABLE: "/nowhere"})
    assert_one_line(done, 1, "IMAGEIO_FFMPEG_EXE names /nowhere, which is no program; it is missing", "pip")
    assert not log.exists()


def test_a_program_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run_child([script(tmp_path, f"(sleep 3; touch {mark}) & sleep 60")], seconds=0.2)
    assert time.monotonic() - started < 50
    time.sleep(3.5)
    assert not mark.exists()

"""Clips whose names, or whose way of lying in the file, are unusual, through every command that opens clips."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import median

import pytest

from emodetect.media.media_file import MediaFile
from emodetect.media.orientation import Orientation
from emodetect.media.probe import ClipProbe
from emodetect.sources.video import VideoFile
from tests.builders import MovingClip, write_clip
from tests.cli.running import run
from tests.media.test_orientation import MATRICES, ONE
from tests.sources.test_video import with_matrix

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not have files of all these names")


@linux
@pytest.mark.parametrize("name", ["2024-05-01T10:30:00.mp4", os.fsdecode(b"Mich\xe8le%03d.mp4")])
def test_every_command_opens_a_clip_of_any_name(tmp_path: Path, moving_clip: MovingClip, name: str) -> None:
    clip, log = tmp_path / "fold:er" / name, tmp_path / "log.jsonl"
    clip.parent.mkdir()
    clip.hardlink_to(moving_clip.path)
    lived, output = tmp_path / "live.jsonl", tmp_path / "out:%d.mp4"
    runs: list[list[str | Path]] = [
        ["video", clip, "--end", "0.4", "--log", log, "--output", output, "--report", tmp_path / "video.html"],
        ["live", "--source", clip, "--no-window", "--log", lived, "--record", tmp_path / "live.mp4"],
        ["report", log, "--clip", clip],
        ["bench", "--source", clip, "--frames", "3", "--rounds", "1"],
    ]
    for arguments in runs:
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
    assert len(log.read_text().splitlines()) == 10
    assert lived.read_text()
    assert "data:video/mp4" in (tmp_path / "log.html").read_text()
    with VideoFile(output) as video:
        assert len(list(video)) == 10


@pytest.mark.parametrize("command", ["video", "live", "report", "bench"])
def test_playlists_are_an_option_of_every_command_that_opens_clips(command: str) -> None:
    assert "--allow-playlists" in run(command, "--help").stdout


def test_a_playlist_is_read_if_asked_for_and_refused_otherwise(tmp_path: Path, moving_clip: MovingClip) -> None:
    (tmp_path / "private.mp4").hardlink_to(moving_clip.path)
    clip, log = tmp_path / "holiday.mp4", tmp_path / "log.jsonl"
    clip.write_text("ffconcat version 1.0\nfile private.mp4\n")
    arguments: list[str | Path] = ["video", clip, "--end", "0.2", "--log", log, "--output", tmp_path / "out.mp4"]
    refused = run(*arguments)
    assert refused.returncode == 1
    assert "--allow-playlists" in refused.stderr
    assert not log.exists()
    assert run(*arguments, "--allow-playlists").returncode == 0
    assert len(log.read_text().splitlines()) == 5
    # Which files a playlist names, FFmpeg tells only while it reads: none that exists is replaced.
    before = moving_clip.path.read_bytes()
    for output in ("private.mp4", "out.mp4"):
        arguments = ["video", clip, "--output", tmp_path / output, "--overwrite", "--allow-playlists"]
        refused = run(*arguments)
        assert refused.returncode == 1
        assert f"{output}: exists already, and {clip} may be a playlist that names it; choose another name" in refused.stderr
    assert moving_clip.path.read_bytes() == before
    arguments = ["video", moving_clip.path, "--end", "0.2", "--output", tmp_path / "out.mp4", "--overwrite", "--allow-playlists"]
    assert run(*arguments).returncode == 0


@pytest.mark.parametrize("matrix", [[ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30], [0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30]])
def test_a_mirrored_clip_is_read_and_written_upright(tmp_path: Path, moving_clip: MovingClip, matrix: list[int]) -> None:
    """The picture stands on its head, or lies on its side, and what its header says makes it upright again."""
    assert matrix in MATRICES
    with VideoFile(moving_clip.path) as video:
        orientation, _ = Orientation.from_matrix(matrix)  # both are their own inverse
        stored = write_clip(tmp_path / "stored.mp4", [orientation.upright(frame.image) for frame in video])
    clip = with_matrix(stored, tmp_path / "clip.mp4", matrix)
    logs = [tmp_path / "video.jsonl", tmp_path / "live.jsonl"]
    outputs = [tmp_path / "video.mp4", tmp_path / "live.mp4"]
    done = run("video", clip, "--log", logs[0], "--output", outputs[0], "--anonymize", "box")
    assert done.returncode == 0, done.stderr
    done = run("live", "--source", clip, "--no-window", "--log", logs[1], "--record", outputs[1])
    assert done.returncode == 0, done.stderr
    for log, output in zip(logs, outputs, strict=True):
        records = [json.loads(line) for line in log.read_text().splitlines()]
        found = [(record["frame"], record["faces"][0]["box"]) for record in records if record["faces"]]
        assert len(found) > 0.8 * len(records)
        errors = [
            abs(box["x"] + box["width"] / 2 - moving_clip.boxes[index].x - moving_clip.boxes[index].width / 2)
            for index, box in found
        ]
        # On a busy machine, boxes of a live session may be late for a moment.
        assert max(errors) < (25 if log.stem == "video" else 50)
        assert median(errors) < 10
        with VideoFile(output) as video, MediaFile(output) as file, ClipProbe(file) as probe:
            assert video.size == moving_clip.size
            assert probe.facts().matrix == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)

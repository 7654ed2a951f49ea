from __future__ import annotations

import base64
import csv
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from emodetect.faces.boxes import intersection_over_union
from emodetect.sources.images import read_image
from emodetect.types import EMOTIONS, Box
from tests.builders import PHOTO, MovingClip, as_network, make_image, shared_data, write_clip
from tests.cli.running import TIMEOUT, assert_one_line, command, environment, run, run_here, run_on_terminal


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_video(path: Path) -> list[np.ndarray[Any, Any]]:
    capture = cv2.VideoCapture(str(path))
    frames: list[np.ndarray[Any, Any]] = []
    while True:
        ok, frame = capture.read()
        if not ok:
            capture.release()
            return frames
        frames.append(frame)


@pytest.fixture(scope="module")
def analyzed(moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the annotated clip and both logs of one run each."""
    folder = tmp_path_factory.mktemp("video")
    done = run("video", moving_clip.path, "--output", folder / "a.mp4", "--log", folder / "a.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "75 frames, 1 face: happy" in done.stderr
    return folder


@pytest.fixture(scope="module")
def still_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames without a face."""
    return write_clip(tmp_path_factory.mktemp("still") / "still.mp4", [make_image()] * 3)


def test_every_frame_is_in_the_log(analyzed: Path, moving_clip: MovingClip) -> None:
    records = read_log(analyzed / "a.jsonl")

    assert [record["frame"] for record in records] == list(range(75))
    np.testing.assert_allclose([record["time"] for record in records], np.arange(75) / 25, atol=1e-3)
    assert list(records[0]) == ["frame", "time", "faces"]
    assert list(records[-1]["faces"][0]) == ["id", "box", "emotion", "confidence", "uncertain", "scores", "angle"]
    assert list(records[-1]["faces"][0]["scores"]) == [emotion.value for emotion in EMOTIONS]


def test_the_box_is_on_the_face_and_the_id_stays(analyzed: Path, moving_clip: MovingClip) -> None:
    overlaps = []
    for record, truth in zip(read_log(analyzed / "a.jsonl"), moving_clip.boxes, strict=True):
        assert {face["id"] for face in record["faces"]} <= {1}
        overlaps += [intersection_over_union([Box(**face["box"])], [as_network(truth)])[0, 0] for face in record["faces"]]

    assert len(overlaps) >= 73
    assert np.median(overlaps) > 0.8
    assert min(overlaps) > 0.5


def test_the_annotated_clip_has_every_frame_and_the_box(analyzed: Path, moving_clip: MovingClip) -> None:
    before, after = read_video(moving_clip.path), read_video(analyzed / "a.mp4")

    assert len(after) == len(before) == 75
    assert after[0].shape == before[0].shape
    face = read_log(analyzed / "a.jsonl")[40]["faces"][0]["box"]
    changed = np.abs(after[40].astype(int) - before[40]).sum(axis=2) > 80
    bottom = face["y"] + face["height"] - 1
    assert changed[bottom - 3 : bottom + 4, face["x"] + 8 : face["x"] + face["width"] - 8].max(axis=0).mean() > 0.9


def test_two_runs_give_the_same_log(analyzed: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    assert run_here("video", moving_clip.path, "--log", tmp_path / "b.jsonl").returncode == 0

    assert (tmp_path / "b.jsonl").read_bytes() == (analyzed / "a.jsonl").read_bytes()


def test_csv_says_the_same_as_jsonl(analyzed: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    assert run_here("video", moving_clip.path, "--log", tmp_path / "b.csv").returncode == 0

    with (tmp_path / "b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    faces = [(record, face) for record in read_log(analyzed / "a.jsonl") for face in record["faces"]]
    assert len(rows) == len(faces)
    for row, (record, face) in zip(rows, faces, strict=True):
        assert int(row["frame"]) == record["frame"]
        assert float(row["time"]) == record["time"]
        assert {name: int(row[name]) for name in ("id", "x", "y", "width", "height")} == {"id": face["id"], **face["box"]}
        assert {name: float(row[name]) for name in face["scores"]} == face["scores"]
        assert (row["emotion"], float(row["confidence"])) == (face["emotion"], face["confidence"])
        assert row["uncertain"] == str(face["uncertain"]).lower()


def test_the_development_clip(tmp_path: Path) -> None:
    done = run_here("video", shared_data("media/clip-596x336.mp4"), "--output", tmp_path / "a.mp4", "--log", tmp_path / "a.jsonl")

    assert done.returncode == 0, done.stderr
    records, frames = read_log(tmp_path / "a.jsonl"), read_video(tmp_path / "a.mp4")
    assert len(records) == len(frames) == 115
    assert frames[0].shape == (336, 596, 3)
    assert {face["id"] for record in records for face in record["faces"]} == {1}
    assert sum(bool(record["faces"]) for record in records) >= 112


def test_the_summary_tells_how_much_of_it_is_uncertain(moving_clip: MovingClip) -> None:
    done = run_here("video", moving_clip.path, "--end", "0.4", "--uncertain", "100%")

    assert done.stderr.splitlines()[-1] == "10 frames, 1 face: happy 100%; 100% uncertain"


def test_progress_is_shown_on_a_terminal(moving_clip: MovingClip, tmp_path: Path) -> None:
    shown = run_on_terminal("video", moving_clip.path, "--log", tmp_path / "a.jsonl")

    assert "/75" in shown
    assert "moving.mp4" in shown
    assert "75 frames, 1 face" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_whole_outputs(
    moving_clip: MovingClip, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    log, output = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    arguments = command("video", moving_clip.path, "--output", output, "--log", log, "--scale-factor", "1.02")
    with subprocess.Popen(arguments, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + TIMEOUT
        while not (log.exists() and len(log.read_text().splitlines()) > 5) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == code, errors
    assert "Traceback" not in errors
    written = len(read_log(log))
    assert 5 < written < 75
    assert abs(len(read_video(output)) - written) <= 1


class TestBadInput:
    @pytest.mark.parametrize("content", [b"", b"no video at all"], ids=["empty", "text"])
    def test_a_file_that_is_no_video(self, tmp_path: Path, content: bytes) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(content)

        assert_one_line(run_here("video", clip, "--log", tmp_path / "a.jsonl"), 1, "clip.mp4: not a video")
        assert not (tmp_path / "a.jsonl").exists()

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        assert_one_line(run_here("video", tmp_path / "none.mp4", "--log", log), 1, "none.mp4: no such file")
        assert_one_line(run_here("video", tmp_path, "--log", log), 1, "is a folder")

    @pytest.mark.parametrize(
        ("option", "name", "message"),
        [
            ("--log", "a.txt", "unknown kind of file"),
            ("--output", "a.gif", "unknown kind of file"),
            ("--log", "none/a.jsonl", "does not exist"),
            ("--output", "none/a.mp4", "does not exist"),
        ],
    )
    def test_an_output_that_cannot_be_written(
        self, moving_clip: MovingClip, tmp_path: Path, option: str, name: str, message: str
    ) -> None:
        assert_one_line(run_here("video", moving_clip.path, option, tmp_path / name), 1, name, message)

    def test_outputs_are_not_overwritten_unasked(self, moving_clip: MovingClip, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        log.write_text("precious")

        assert_one_line(run_here("video", moving_clip.path, "--log", log), 1, "a.jsonl: exists already", "--overwrite")
        assert log.read_text() == "precious"
        assert run_here("video", moving_clip.path, "--log", log, "--overwrite").returncode == 0
        assert len(read_log(log)) == 75

    def test_a_pipe_takes_the_log(self, still_clip: Path, tmp_path: Path) -> None:
        pipe = tmp_path / "log"
        os.mkfifo(pipe)
        with subprocess.Popen(command("video", still_clip, "--log", pipe), env=environment(), stderr=subprocess.PIPE) as process:
            lines = pipe.read_text().splitlines()
            _, errors = process.communicate(timeout=TIMEOUT)

        assert process.returncode == 0, errors
        assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2]

    def test_a_link_is_not_followed(self, still_clip: Path, tmp_path: Path) -> None:
        (tmp_path / "precious.csv").write_text("precious")
        (tmp_path / "link.csv").symlink_to(tmp_path / "precious.csv")

        done = run_here("video", still_clip, "--log", tmp_path / "link.csv", "--overwrite")

        assert_one_line(done, 1, "link.csv: is a symbolic link")
        assert (tmp_path / "precious.csv").read_text() == "precious"

    def test_a_clip_of_more_pixels_than_allowed(self, still_clip: Path, tmp_path: Path) -> None:
        done = run("video", still_clip, "--log", tmp_path / "a.jsonl", "--max-pixels", "3000")

        assert_one_line(done, 1, "still.mp4: pictures of 64 x 48 are more than 3000 pixels", "--max-pixels")
        assert not (tmp_path / "a.jsonl").exists()

    def test_the_clip_itself_is_never_replaced(self, tmp_path: Path, moving_clip: MovingClip) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(moving_clip.path.read_bytes())

        assert_one_line(run_here("video", clip, "--output", clip, "--overwrite"), 1, "is the clip itself")
        assert clip.read_bytes() == moving_clip.path.read_bytes()

    def test_a_photo_is_a_clip_of_one_frame(self, tmp_path: Path) -> None:
        assert run_here("video", PHOTO, "--log", tmp_path / "a.jsonl").returncode == 0
        assert len(read_log(tmp_path / "a.jsonl")) == 1


class TestParts:
    def test_a_part_of_time_and_picture_is_that_part_of_the_whole(
        self, analyzed: Path, moving_clip: MovingClip, tmp_path: Path
    ) -> None:
        options = ["--start", "0:01", "--end", "2.0", "--every", "2", "--roi", "25%,0,75%,100%"]
        done = run_here("video", moving_clip.path, *options, "--log", tmp_path / "b.jsonl", "--output", tmp_path / "b.mp4")

        assert done.returncode == 0, done.stderr
        whole, part = read_log(analyzed / "a.jsonl"), read_log(tmp_path / "b.jsonl")
        assert [(r["frame"], r["time"]) for r in part] == [(r["frame"], r["time"]) for r in whole[25:50:2]]
        overlaps = [
            intersection_over_union([Box(**face["box"])], [moving_clip.boxes[record["frame"]]])[0, 0]
            for record in part
            for face in record["faces"]
        ]
        assert len(overlaps) >= 11
        assert min(overlaps) > 0.5
        frames = read_video(tmp_path / "b.mp4")
        assert len(frames) == 13
        assert frames[0].shape == (360, 640, 3)

    def test_a_face_outside_the_region_is_not_seen(self, moving_clip: MovingClip, tmp_path: Path) -> None:
        done = run_here("video", moving_clip.path, "--end", "0.4", "--roi", "320,0,320,360", "--log", tmp_path / "b.jsonl")

        assert done.returncode == 0, done.stderr
        assert [record["faces"] for record in read_log(tmp_path / "b.jsonl")] == [[]] * 10

    @pytest.mark.parametrize(
        ("options", "code", "parts"),
        [
            (["--start", "soon"], 2, ["--start", "'soon' is no time"]),
            (["--start", "2", "--end", "1"], 2, ["--end: 1 s is not after --start, 2 s"]),
            (["--start", "9"], 1, ["still.mp4: has no frame from 9 s"]),
            (["--roi", "0,0,100,20"], 2, ["--roi: 100 x 20 pixels at 0, 0 do not lie in the picture of 64 x 48"]),
            (["--roi", "1,2,3"], 2, ["--roi", "expected X,Y,WIDTH,HEIGHT"]),
            (["--roi", "10%,0,20,50%"], 2, ["--roi", "cannot be mixed"]),
            (["--roi", "0.5,0,0.5,48"], 2, ["--roi", "cannot be mixed"]),
            (["--roi", "0,0,40,2"], 2, ["--roi: 40 x 2 pixels hold no face; the smallest that is looked for there has 24"]),
            (["--roi", "0,0,30,48", "--min-face", "32"], 2, ["there has 32 (--min-face)"]),
        ],
    )
    def test_a_part_that_is_none(self, still_clip: Path, tmp_path: Path, options: list[str], code: int, parts: list[str]) -> None:
        new, old = tmp_path / "new.jsonl", tmp_path / "old.jsonl"
        old.write_text("of an earlier run\n")

        done = run_here("video", still_clip, *options, "--log", new)
        again = run_here("video", still_clip, *options, "--log", old, "--overwrite")

        assert (done.returncode, again.returncode) == (code, code)
        assert not new.exists()
        assert old.read_text() == "of an earlier run\n"
        for part in parts:
            assert part in done.stderr.splitlines()[-1]


class TestPicturesThatStartLater:
    @pytest.fixture(scope="class")
    def late_clip(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A clip with a second of sound before its pictures, which turn bright 3 s after its start."""
        folder = tmp_path_factory.mktemp("late")
        levels = [20] * 50 + [220] * 25
        pictures = write_clip(folder / "pictures.mp4", [make_image(color=(level, level, level)) for level in levels])
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-itsoffset", "1", "-i", str(pictures)]
        command += ["-f", "lavfi", "-i", "sine=duration=4", "-c:v", "copy", str(folder / "late.mp4")]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return folder / "late.mp4"

    def test_log_and_report_have_the_times_of_the_clip(self, late_clip: Path, tmp_path: Path) -> None:
        done = run_here("video", late_clip, "--log", tmp_path / "a.jsonl", "--report", tmp_path / "a.html")

        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(
            [record["time"] for record in read_log(tmp_path / "a.jsonl")], 1 + np.arange(75) / 25, atol=1e-3
        )
        shown = read_video(copy_in(tmp_path / "a.html"))
        assert [frame.mean() > 128 for frame in shown] == [False] * 50 + [True] * 25

    def test_a_copy_that_holds_only_sound_is_none(self, late_clip: Path, tmp_path: Path) -> None:
        """What an older version logged counts from the first picture."""
        log = tmp_path / "a.jsonl"
        log.write_text("".join(json.dumps({"frame": n, "time": n / 25, "faces": []}) + "\n" for n in range(20)))

        assert run_here("report", log, "--clip", late_clip, "--output", tmp_path / "a.html").returncode == 0
        page = (tmp_path / "a.html").read_text()
        assert "data:video/mp4" not in page
        assert "data:image/jpeg" in page


def test_pixels_that_are_not_square_are_shown_as_they_are_meant(moving_clip: MovingClip, tmp_path: Path) -> None:
    clip = tmp_path / "narrow.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(moving_clip.path), "-frames:v", "20"]
    subprocess.run([*command, "-vf", "scale=320:360,setsar=2", str(clip)], check=True, stdin=subprocess.DEVNULL)

    outputs = {"--log": "a.jsonl", "--output": "a.mp4", "--report": "a.html"}
    done = run_here("video", clip, *(part for option, name in outputs.items() for part in (option, tmp_path / name)))

    assert done.returncode == 0, done.stderr
    overlaps = [
        intersection_over_union([Box(**face["box"])], [truth])[0, 0]
        for record, truth in zip(read_log(tmp_path / "a.jsonl"), moving_clip.boxes, strict=False)
        for face in record["faces"]
    ]
    assert len(overlaps) >= 18
    assert min(overlaps) > 0.5
    for path in (tmp_path / "a.mp4", copy_in(tmp_path / "a.html")):
        capture = cv2.VideoCapture(str(path))
        assert capture.read()[1].shape == (360, 640, 3)
        assert capture.get(cv2.CAP_PROP_SAR_NUM) == capture.get(cv2.CAP_PROP_SAR_DEN)


def copy_in(page: Path) -> Path:
    """The clip's copy in a report, as a file."""
    (text,) = re.findall(r'"data:video/mp4;base64,([^"]*)"', page.read_text())
    path = page.with_suffix(".copy.mp4")
    path.write_bytes(base64.b64decode(text))
    return path


def test_the_report_and_the_plot(moving_clip: MovingClip, tmp_path: Path) -> None:
    clip = tmp_path / "<script>.mp4"
    clip.write_bytes(moving_clip.path.read_bytes())

    done = run_here("video", clip, "--end", "1", "--report", tmp_path / "r.html", "--plot", tmp_path / "p.png")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "<title>Emotions in &lt;script&gt;.mp4</title>" in page
    assert "data:video/mp4" in page
    assert "from 0 s to 1 s" in page
    assert "25 frames" in page
    assert read_image(tmp_path / "p.png").shape[1] == 1100


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_a_report_of_a_pipe_has_a_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", [make_image(320, 240)] * 5)
    pipe, page = tmp_path / "pipe", tmp_path / "page.html"
    os.mkfifo(pipe)
    with subprocess.Popen(
        command("video", pipe, "--report", page), env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        pipe.write_bytes(clip.read_bytes())
        _, errors = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 0, errors
    assert "data:video/mp4;base64," in page.read_text()

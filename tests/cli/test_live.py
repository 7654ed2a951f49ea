from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.drawing.overlay import COLORS
from emodetect.types import Emotion, Image
from tests.builders import make_background, place_face, write_clip, write_plugin
from tests.cli.desktop import Desktop, open_desktop
from tests.cli.mjpeg import serve_mjpeg
from tests.cli.running import assert_one_line, end, run, started
from tests.model_files import save_deepface_weights, tutorial_model
from tests.waiting import wait_until

SLOW_BACKEND = '''
import os
import re
import time
import numpy as np
import numpy.typing as npt
from emodetect.backends.base import EmotionBackend

class SlowBackend(EmotionBackend):
    """Loads until a file is there, answers once, and is busy from then on."""
    name = "slow"
    answered = False
    def load(self):
        while not os.path.exists(os.environ["SLOW_BACKEND_MAY_GO_ON"]):
            time.sleep(0.05)
    def classify(self, crops):
        if self.answered:
            time.sleep(600)
        self.answered = True
        return np.tile(np.float32([0, 0, 0, 0, 0, 1, 0]), (len(crops), 1))

class BrokenBackend(EmotionBackend):
    """Fails when it is used."""
    name = "broken"
    def classify(self, crops):
        from emodetect import EmodetectError
        raise EmodetectError("the broken backend broke")

def create_slow(model, labels):
    return SlowBackend()

def create_broken(model, labels):
    return BrokenBackend()
'''


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    with open_desktop() as opened:
        yield opened


@pytest.fixture(scope="module")
def still_picture() -> Image:
    """640x360 with one face on the left half."""
    return place_face(make_background((640, 360)), (200.0, 190.0), 110.0)[0]


@pytest.fixture(scope="module")
def still_clip(still_picture: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds in which nothing moves, so that a picture of the screen can be compared with the log."""
    return write_clip(tmp_path_factory.mktemp("still") / "still.mp4", [still_picture] * 50, 25.0)


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, on the path, adds backends by entry point as an installed package does."""
    folder = tmp_path_factory.mktemp("plugins")
    factories = {"slow": "slow_backend:create_slow", "broken": "slow_backend:create_broken"}
    write_plugin(folder, "slow_backend", SLOW_BACKEND, factories)
    return folder


def read_log(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log that may still be written."""
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def has_scores(log: Path) -> bool:
    return any(face["emotion"] for record in read_log(log) for face in record["faces"])


@contextmanager
def live(
    desktop: Desktop | None,
    *arguments: str | Path,
    changes: Mapping[str, str | None] | None = None,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A live run in a window; killed if the test fails."""
    display = {"DISPLAY": desktop.name if desktop else None}
    with started("live", *arguments, changes={**display, **(changes or {})}, folder=folder) as process:
        yield process


def near(picture: Image, color: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(picture.astype(int) - color).max(axis=2) < 30)


def last_face(log: Path) -> dict[str, Any]:
    """The face of the last frame in the log that has one with an emotion."""
    face: dict[str, Any] = [face for record in read_log(log) for face in record["faces"] if face["emotion"]][-1]
    return face


def is_framed(screen: Image, face: Mapping[str, Any], *, mirrored: bool = False) -> bool:
    """Whether a face of the log has a frame in its emotion's color, and a label of that color with letters over it."""
    box = face["box"]
    left, top, right, bottom = box["x"], box["y"], box["x"] + box["width"] - 1, box["y"] + box["height"] - 1
    if mirrored:
        left, right = 639 - right, 639 - left
    drawn = near(screen, COLORS[Emotion(face["emotion"])])
    edges = (
        drawn[top - 2 : top + 3, left:right].any(axis=0),
        drawn[bottom - 2 : bottom + 3, left:right].any(axis=0),
        drawn[top:bottom, left - 2 : left + 3].any(axis=1),
        drawn[top:bottom, right - 2 : right + 3].any(axis=1),
    )
    empty = drawn[top + 10 : bottom - 10, left + 10 : right - 10].mean() < 0.1
    label = drawn[top - 14 : top - 4, left + 2 : left + 60].mean()
    return bool(all(edge.mean() > 0.95 for edge in edges) and empty and 0.4 < label < 0.98)


class TestWindow:
    def test_the_box_and_its_label_are_on_the_screen_and_q_ends_it(
        self, desktop: Desktop, still_clip: Path, tmp_path: Path
    ) -> None:
        log = tmp_path / "a.jsonl"
        with live(desktop, "--source", still_clip, "--loop", "--log", log) as process:
            wait_until(lambda: has_scores(log) and desktop.window("emodetect"), "a labeled face")
            # The log may be a frame ahead of the screen, and a box settles only with time.
            wait_until(lambda: is_framed(desktop.screenshot("emodetect"), last_face(log)), "the face's frame and label")
            desktop.quit("emodetect", process)
            assert f"saved {log}" in end(process)
        assert process.returncode == 0

    def test_the_mirror_shows_the_face_on_the_other_side(self, desktop: Desktop, still_clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        with live(desktop, "--source", still_clip, "--loop", "--mirror", "--log", log) as process:
            wait_until(lambda: has_scores(log) and desktop.window("emodetect"), "a labeled face")
            face = last_face(log)
            assert face["box"]["x"] < 200  # the log stays as the camera sees it
            wait_until(lambda: is_framed(desktop.screenshot("emodetect"), last_face(log), mirrored=True), "the mirror image")
            desktop.quit("emodetect", process, "Escape")
            end(process)
        assert process.returncode == 0

    def test_the_close_button_ends_it(self, desktop: Desktop, still_clip: Path) -> None:
        with live(desktop, "--source", still_clip, "--loop") as process:
            wait_until(lambda: desktop.window("emodetect"), "the window")
            desktop.close("emodetect", process)
            end(process)
        assert process.returncode == 0

    @pytest.mark.parametrize(("backend", "source"), [("cnn", "stream"), ("tutorial", "clip"), ("deepface", "stream")])
    def test_every_backend_from_a_clip_or_a_network_camera(
        self,
        desktop: Desktop,
        still_clip: Path,
        still_picture: Image,
        tmp_path: Path,
        models: dict[str, list[str]],
        backend: str,
        source: str,
    ) -> None:
        log = tmp_path / "a.jsonl"
        with serve_mjpeg([still_picture]) as address:
            origin = ["--source", str(still_clip), "--loop"] if source == "clip" else ["--source", address]
            with live(desktop, *origin, *models[backend], "--log", log) as process:
                wait_until(lambda: has_scores(log) and desktop.window("emodetect"), "a labeled face")
                desktop.quit("emodetect", process)
                end(process)
        assert process.returncode == 0

    def test_a_slow_backend_delays_neither_the_picture_nor_the_boxes(
        self, desktop: Desktop, still_clip: Path, tmp_path: Path, plugins: Path
    ) -> None:
        log, mark = tmp_path / "a.jsonl", tmp_path / "go on"
        path = f"{plugins}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        changes = {"PYTHONPATH": path, "SLOW_BACKEND_MAY_GO_ON": str(mark)}
        with live(desktop, "--source", still_clip, "--loop", "--backend", "slow", "--log", log, changes=changes) as process:
            wait_until(lambda: len(read_log(log)) > 10 and desktop.window("emodetect"), "pictures while it loads")
            loading = []
            for _ in range(10):  # not in the first picture of all, perhaps: a thread begins to load
                loading.append(desktop.screenshot("emodetect"))
                time.sleep(0.3)
            assert not has_scores(log)
            mark.touch()
            wait_until(lambda: has_scores(log), "the first answer")
            answered = len(read_log(log))
            wait_until(lambda: len(read_log(log)) > answered + 30, "more frames, for which nobody waited")

            # While it loads, a banner near the lower edge says so.
            def banner_has_gone() -> bool:
                now = desktop.screenshot("emodetect")
                return any(differs_at_the_banner(before, now) for before in loading)

            wait_until(banner_has_gone, "the banner's end")
            desktop.quit("emodetect", process)
            end(process)
        assert process.returncode == 0

        records = read_log(log)
        assert any(face["scores"] is None and face["uncertain"] for record in records for face in record["faces"])
        assert records[-1]["faces"][0]["emotion"] == "surprise"


def differs_at_the_banner(first: Image, second: Image) -> bool:
    """Whether two pictures of the window differ where the banner is."""
    return bool((np.abs(first[334:358, 260:380].astype(int) - second[334:358, 260:380]).max(axis=2) > 40).mean() > 0.2)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Options for each backend, with files that it can use."""
    folder = tmp_path_factory.mktemp("models")
    tutorial_model().save(folder / "model.h5")
    save_deepface_weights(folder)
    return {
        "cnn": [],
        "tutorial": ["--backend", "cnn", "--model", str(folder / "model.h5")],
        "deepface": ["--backend", "deepface"],
    }


class TestWithoutWindow:
    def test_a_clip_plays_to_its_end_at_its_own_rate(self, still_clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "a.csv"

        done = run("live", "--source", still_clip, "--no-window", "--log", log, env={"DISPLAY": None})

        assert done.returncode == 0, done.stderr
        rows = log.read_text().splitlines()
        assert rows[0].startswith("frame,time,id,x,y,width,height,emotion")
        assert re.fullmatch(rf"\d+ frames in \d+\.\d s; saved {re.escape(str(log))}\n", done.stderr)
        times = [float(row.split(",")[1]) for row in rows[1:]]
        assert times == sorted(times)
        assert times[-1] > 1.5

    def test_one_frame_is_one_frame(self, still_picture: Image, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "one.mp4", [still_picture])

        done = run("live", "--source", clip, "--no-window", env={"DISPLAY": None})

        note, summary, *unread, hint = done.stderr.splitlines()
        assert "no --log, --record or --publish is given" in note
        assert re.fullmatch(r"1 frame in \d+\.\d s", summary)
        assert "one.mp4: holds one picture; --loop shows it for longer" in hint
        assert unread in ([], ["emodetect: no face was read: it ended before the backend was loaded"])

    def test_duration_and_record(self, still_clip: Path, tmp_path: Path) -> None:
        recording = tmp_path / "a.mp4"

        done = run(
            "live", "--source", still_clip, "--loop", "--no-window", "--duration", "3", "--record", recording,
            env={"DISPLAY": None},
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        capture = cv2.VideoCapture(str(recording))
        seconds = capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS)
        ok, picture = capture.read()
        capture.release()
        assert ok
        assert picture is not None
        assert picture.shape == (360, 640, 3)
        assert 2 < seconds < 4

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_signals_leave_whole_outputs(self, still_clip: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
        log, recording = tmp_path / "a.jsonl", tmp_path / "a.mp4"
        with live(None, "--source", still_clip, "--loop", "--no-window", "--log", log, "--record", recording) as process:
            wait_until(lambda: len(read_log(log)) > 20, "frames")
            process.send_signal(number)
            end(process)

        assert process.returncode == code
        assert log.read_text().endswith("}\n")
        capture = cv2.VideoCapture(str(recording))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) > 10
        capture.release()

    def test_a_network_camera(self, still_picture: Image, tmp_path: Path) -> None:
        log = tmp_path / "a.jsonl"
        with (
            serve_mjpeg([still_picture]) as address,
            live(None, "--source", address, "--no-window", "--log", log) as process,
        ):
            wait_until(lambda: has_scores(log), "readings")
            process.terminate()
            errors = end(process)

        assert (process.returncode, errors) == (143, "")

    def test_a_backend_that_always_fails_ends_it(self, still_clip: Path, plugins: Path) -> None:
        path = {"PYTHONPATH": f"{plugins}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

        done = run("live", "--source", still_clip, "--loop", "--no-window", "--backend", "broken", env=path)

        assert done.returncode == 1
        assert "the broken backend broke" in done.stderr.splitlines()[-1]


class TestBadInput:
    def test_no_display_is_said_before_qt_aborts(self, still_clip: Path) -> None:
        assert_one_line(run("live", "--source", still_clip, env={"DISPLAY": None}), 1, "no display", "--no-window")

    def test_a_display_that_does_not_answer(self, still_clip: Path) -> None:
        done = run("live", "--source", still_clip, env={"DISPLAY": ":4711"})

        assert_one_line(done, 1, "display :4711 does not answer", "--no-window")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("97", "camera 97 cannot be opened"),
            ("none.mp4", "none.mp4: no such file or device"),
            ("http://127.0.0.1:9/video", "stream cannot be opened"),
            ("rtsp://127.0.0.1:9/video", "stream cannot be opened"),
            ("/dev/null", "cannot be opened"),
        ],
    )
    def test_a_source_that_is_not_there(self, source: str, message: str) -> None:
        assert_one_line(run("live", "--source", source, "--no-window"), 1, message)

    def test_a_model_that_is_not_there(self, still_clip: Path) -> None:
        done = run("live", "--source", still_clip, "--no-window", "--backend", "cnn", "--model", "none.h5")

        assert_one_line(done, 1, "none.h5: no such model file")

    def test_a_model_that_is_none(self, still_clip: Path, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        path.write_text("no network")

        done = run("live", "--source", still_clip, "--no-window", "--model", path, "--log", tmp_path / "a.jsonl")

        assert_one_line(done, 1, "model.onnx: not a model")

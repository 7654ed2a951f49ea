"""The keys of the live window, pressed in a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.drawing.overlay import COLORS, draw
from emodetect.drawing.palette import BLACK
from emodetect.live.hud import draw_help
from emodetect.types import Emotion, Image
from tests.builders import make_background, make_image, place_face, write_clip, write_plugin
from tests.cli.desktop import Desktop, open_desktop
from tests.cli.running import end
from tests.cli.test_live import live, near, read_log
from tests.drawing.test_lettering import style_for
from tests.waiting import wait_until

BACKENDS = '''
import ctypes
import os
import signal
import time
import numpy as np
from emodetect.backends.base import EmotionBackend
from emodetect.errors import BackendUnavailableError

class Sad(EmotionBackend):
    """Busy for 250 ms a call, holding the interpreter's lock; loads as TensorFlow does."""
    name = "sad one"
    def load(self):
        ctypes.PyDLL(None).usleep(2_000_000)
    def classify(self, crops):
        ctypes.PyDLL(None).usleep(250_000)
        return np.tile(np.float32([0, 0, 0, 0, 1, 0, 0]), (len(crops), 1))

class Dying(Sad):
    def classify(self, crops):
        os.kill(os.getpid(), signal.SIGKILL)

def create_sad(model, labels):
    return Sad()

def create_dying(model, labels):
    return Dying()
'''

FACE = 133, 126, 272, 265
"""Left, top, right and bottom of the clip's face, pixels."""


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    with open_desktop() as opened:
        yield opened


@pytest.fixture(scope="module")
def still_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with one happy face on the left half, in which nothing moves."""
    picture = place_face(make_background((640, 360)), (200.0, 190.0), 110.0)[0]
    return write_clip(tmp_path_factory.mktemp("still") / "still.mp4", [picture] * 50, 25.0)


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The environment in which these backends are installed; DeepFace has no weights and cannot download any."""
    folder = tmp_path_factory.mktemp("plugins")
    write_plugin(folder, "key_backends", BACKENDS, {"sad": "key_backends:create_sad", "dying": "key_backends:create_dying"})
    dead = "http://127.0.0.1:9"
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "DEEPFACE_HOME": str(folder), "https_proxy": dead, "http_proxy": dead}


@pytest.fixture
def press(desktop: Desktop) -> Callable[..., Image]:
    """Presses a key and waits for a screen on which something is to be seen; returns the screen."""

    def press_and_wait(key: str, condition: Callable[[Image], object]) -> Image:
        desktop.press("emodetect", key)
        return wait_for_screen(desktop, condition, f"what {key} does")

    return press_and_wait


def wait_for_screen(desktop: Desktop, condition: Callable[[Image], object], what: str) -> Image:
    screens: list[Image] = []

    def is_there() -> bool:
        screens[:] = [desktop.screenshot("emodetect")]
        return bool(condition(screens[0]))

    wait_until(lambda: desktop.window("emodetect"), "the window")
    wait_until(is_there, what)
    return screens[0]


def frame_is(emotion: Emotion, *, mirrored: bool = False) -> Callable[[Image], bool]:
    """Whether there is a frame of this emotion's color down the face's left side."""

    def look(screen: Image) -> bool:
        left = 640 - FACE[2] if mirrored else FACE[0]
        drawn = near(screen, COLORS[emotion])
        return bool(drawn[FACE[1] + 25 : FACE[3] - 25, left - 12 : left + 12].any(axis=1).mean() > 0.95)

    return look


def has_label(screen: Image) -> bool:
    """Whether a bar of the color of happiness stands over the face."""
    return bool(near(screen, COLORS[Emotion.HAPPY])[FACE[1] - 25 : FACE[1] - 5, FACE[0] + 10 : FACE[0] + 60].mean() > 0.3)


def has_bars(screen: Image) -> bool:
    """Whether a panel stands beside the face, whose longest bar has the color of happiness."""
    return bool(near(screen, COLORS[Emotion.HAPPY])[FACE[1] : FACE[3], FACE[2] + 15 : FACE[2] + 140].mean() > 0.01)


def has_numbers(screen: Image) -> bool:
    return is_dark(screen[2:10, 2:40])


def says(message: str) -> Callable[[Image], bool]:
    """Whether this is all that the line at the bottom says."""
    plain = make_image(640, 360, (128, 128, 128))
    drawn = draw(plain, [], banner=[message])
    rows, columns = np.nonzero((drawn != plain).any(axis=2))
    # Without the rounded ends, in which the picture is seen.
    inside = np.s_[rows.min() : rows.max() + 1, columns.min() + 5 : columns.max() - 4]

    def look(screen: Image) -> bool:
        return bool((np.abs(screen[inside].astype(int) - drawn[inside]).max(axis=2) < 12).mean() > 0.98)

    return look


def has_banner(screen: Image) -> bool:
    return is_dark(screen[300:355, 300:340])


def has_help(screen: Image) -> bool:
    return is_dark(screen[60:300, 330:420])


def is_red(screen: Image) -> bool:
    """Whether the dot of the recording is in the top right corner."""
    blue, green, red = (screen[:40, 480:, channel].astype(int) for channel in range(3))
    return bool(((red > 180) & (green < 100) & (blue < 100)).sum() > 20)


def is_dark(area: Image) -> bool:
    """Whether a part of the picture, whose background is light, has a dark ground; letters may be on it."""
    return bool(area.size and (area.max(axis=2) < 60).mean() > 0.15)


def test_what_is_seen_changes(desktop: Desktop, press: Callable[..., Image], still_clip: Path) -> None:
    with live(desktop, "--source", still_clip, "--loop") as process:
        wait_for_screen(desktop, lambda s: frame_is(Emotion.HAPPY)(s) and has_label(s) and has_bars(s), "a labeled face")
        press("b", lambda s: not has_bars(s) and has_label(s))
        press("l", lambda s: not has_label(s) and frame_is(Emotion.HAPPY)(s))
        press("n", lambda s: not has_numbers(s))
        press("m", frame_is(Emotion.HAPPY, mirrored=True))
        press("question", has_help)
        press("h", lambda s: not has_help(s))
        press("bracketright", has_banner)
        wait_for_screen(desktop, lambda s: not has_banner(s), "the message's end")
        for key in ("Left", "udiaeresis", "ntilde", "EuroSign"):  # they have no meaning
            press(key, lambda s: not has_banner(s))
        press("h", has_help)
        press("Escape", lambda s: not has_help(s))  # what is open is closed first
        press("b", has_bars)
        desktop.quit("emodetect", process, "Escape")
        end(process)
    assert process.returncode == 0


def test_a_key_that_is_held_down_is_obeyed_once(
    desktop: Desktop, press: Callable[..., Image], still_clip: Path, tmp_path: Path
) -> None:
    with live(desktop, "--source", still_clip, "--loop", "--snapshots", tmp_path) as process:
        wait_for_screen(desktop, has_label, "a labeled face")
        desktop.hold("emodetect", "s", seconds=1.5)
        press("b", lambda s: not has_bars(s))
        # Of some twenty events: the desktop waits for a moment before it repeats a key, and again where it is busy.
        assert 1 <= len(list(tmp_path.glob("*.png"))) < 10
        desktop.hold("emodetect", "bracketright", seconds=1.0)
        desktop.quit("emodetect", process)
        assert "in " + str(tmp_path) in end(process)
    assert process.returncode == 0


def test_a_recording_that_cannot_be_written_ends_itself_only(
    desktop: Desktop, press: Callable[..., Image], still_clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with live(desktop, "--source", still_clip, "--loop", folder=folder) as process:
        wait_for_screen(desktop, has_label, "a labeled face")
        folder.rmdir()  # where recordings would go
        press("r", lambda s: has_banner(s) and not is_red(s))
        press("b", lambda s: not has_bars(s))
        desktop.quit("emodetect", process)
        errors = end(process)
    assert process.returncode == 0
    assert "cannot be written (No such file or directory)" in errors


@pytest.mark.parametrize("size", [(3840, 2160), (480, 1600)])
def test_a_picture_larger_than_the_screen_is_seen_whole(desktop: Desktop, tmp_path: Path, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "large.mp4", [make_background(size)] * 25)
    with live(desktop, "--source", clip, "--loop", "--no-verify") as process:

        def is_whole(screen: Image) -> bool:
            """With numbers whose letters are as large as always."""
            return abs(screen.shape[1] / screen.shape[0] - size[0] / size[1]) < 0.02 and bool(has_numbers(screen))

        screen = wait_for_screen(desktop, is_whole, "the picture")
        assert screen.shape[0] < 0.9 * 700  # of the screen's 1000 x 700
        assert screen.shape[1] < 0.9 * 1000
        desktop.quit("emodetect", process)
        end(process)
    assert process.returncode == 0


def test_the_help_speaks_the_windows_language(desktop: Desktop, press: Callable[..., Image], still_clip: Path) -> None:
    def letters(language: str) -> npt.NDArray[np.bool_]:
        canvas = make_image(640, 360, BLACK)
        draw_help(canvas, style_for(language))
        return np.asarray(canvas.min(axis=2) > 190)

    korean, english = letters("ko"), letters("en")
    with live(desktop, "--source", still_clip, "--loop", "--language", "ko") as process:
        wait_for_screen(desktop, frame_is(Emotion.HAPPY), "a face")
        screen = press("h", lambda s: (s.min(axis=2)[korean] > 180).all())
        assert (screen.min(axis=2)[english & ~korean] > 180).mean() < 0.5
        desktop.quit("emodetect", process)
        end(process)
    assert process.returncode == 0


def test_smaller_faces_can_be_left_out(press: Callable[..., Image], desktop: Desktop, still_clip: Path) -> None:
    found = frame_is(Emotion.HAPPY)
    with live(desktop, "--source", still_clip, "--loop", "--min-face", "30%") as process:
        wait_for_screen(desktop, found, "a labeled face")
        press("plus", has_banner)
        press("plus", lambda s: not found(s))  # 47 % of the height, and the face has 31 %
        wait_for_screen(desktop, says("no face found: key - finds smaller faces"), "that a key helps where nobody is found")
        press("minus", has_banner)
        press("minus", found)
        wait_for_screen(desktop, lambda s: not has_banner(s), "that somebody is found")
        press("space", says("paused"))
        time.sleep(3)  # nobody is missed while the picture stands still
        assert says("paused")(desktop.screenshot("emodetect"))
        desktop.quit("emodetect", process)
        end(process)
    assert process.returncode == 0


def test_pause_snapshot_and_recording(
    press: Callable[..., Image], desktop: Desktop, still_clip: Path, moving_clip_path: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "r.mp4"
    arguments: list[str | Path] = ["--source", moving_clip_path, "--loop", "--record", recording, "--snapshots", tmp_path]
    with live(desktop, *arguments) as process:
        wait_for_screen(desktop, lambda s: is_red(s) and has_numbers(s), "the mark of the recording")
        press("r", lambda s: not is_red(s))
        press("r", is_red)
        press("n", lambda s: not has_numbers(s))  # its figures change
        press("r", lambda s: not is_red(s))
        press("space", has_banner)
        still = wait_for_screen(desktop, says("paused"), "the other messages' end")
        assert (desktop.screenshot("emodetect")[:280] == desktop.screenshot("emodetect")[:280]).all()
        press("s", lambda _: list(tmp_path.glob("emodetect-*.png")))
        [first] = tmp_path.glob("emodetect-*.png")
        press("space", lambda s: np.abs(s[:280].astype(int) - still[:280]).max() > 60)
        press("s", lambda _: len(list(tmp_path.glob("emodetect-*.png"))) == 2)
        assert min(tmp_path.glob("emodetect-*.png")) == first, "names sort by time"
        desktop.quit("emodetect", process)
        end(process)
    assert process.returncode == 0

    snapshot = cv2.imread(str(first))
    assert snapshot is not None
    # As it was seen, without the messages, for which labels and bars make room.
    assert (snapshot[40:280, :440] == still[40:280, :440]).mean() > 0.8
    for path in (recording, tmp_path / "r-2.mp4"):
        capture = cv2.VideoCapture(str(path))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) >= 1
        capture.release()


def test_a_saved_picture_shows_no_face_where_faces_are_hidden(
    press: Callable[..., Image], desktop: Desktop, still_clip: Path, tmp_path: Path
) -> None:
    arguments: list[str | Path] = ["--source", still_clip, "--loop", "--anonymize", "box", "--snapshots", tmp_path]
    with live(desktop, *arguments) as process:
        wait_for_screen(desktop, frame_is(Emotion.HAPPY), "a labeled face, which the window shows")
        press("s", lambda _: list(tmp_path.glob("emodetect-*.png")))
        desktop.quit("emodetect", process)
        end(process)

    [path] = tmp_path.glob("emodetect-*.png")
    snapshot = cv2.imread(str(path))
    assert snapshot is not None
    inside = snapshot[FACE[1] + 20 : FACE[3] - 20, FACE[0] + 20 : FACE[2] - 20]
    assert (inside == inside[0, 0]).mean() > 0.9


@pytest.fixture(scope="module")
def moving_clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second in which a face walks to the right."""
    background = make_background((640, 360))
    pictures = [place_face(background, (150.0 + 4 * index, 190.0), 110.0)[0] for index in range(25)]
    return write_clip(tmp_path_factory.mktemp("moving") / "moving.mp4", pictures, 25.0)


def test_the_next_backend_is_loaded_while_the_picture_goes_on(
    press: Callable[..., Image], desktop: Desktop, still_clip: Path, plugins: dict[str, str | None], tmp_path: Path
) -> None:
    """From the plug-in to the embedded network, to DeepFace, which has no weights, and round to the plug-in."""
    log = tmp_path / "a.jsonl"
    with live(desktop, "--source", still_clip, "--loop", "--backend", "sad", "--log", log, changes=plugins) as process:
        wait_for_screen(desktop, has_banner, "the message that it is loading")
        # Its load holds the interpreter's lock for two seconds; here frames are tracked meanwhile.
        wait_for_screen(desktop, frame_is(Emotion.SAD), "the first backend's answer")
        records = read_log(log)
        unread = [record for record in records if any(face["emotion"] is None for face in record["faces"])]
        assert len(unread) > 5
        press("Tab", frame_is(Emotion.HAPPY))
        wait_until(lambda: not children(process.pid), "the end of the plug-in's process")
        press("Tab", has_banner)
        wait_until(lambda: children(process.pid), "DeepFace's start")
        wait_until(lambda: not children(process.pid), "DeepFace's end")
        screen = wait_for_screen(desktop, says("deepface cannot be loaded; the terminal says why"), "that it failed")
        assert frame_is(Emotion.HAPPY)(screen)
        press("Tab", frame_is(Emotion.SAD))
        desktop.quit("emodetect", process)
        why, *_ = end(process).splitlines()
        assert why.startswith("emodetect: DeepFace's weights are missing and cannot be downloaded: put ")
    assert process.returncode == 0


def test_a_backend_that_dies_ends_it_with_one_line(desktop: Desktop, still_clip: Path, plugins: dict[str, str | None]) -> None:
    with live(desktop, "--source", still_clip, "--loop", "--backend", "dying", changes=plugins) as process:
        errors = end(process)
    assert process.returncode == 1
    [line] = errors.splitlines()
    assert line.startswith("emodetect: the backend sad one: its process was ended by SIGKILL")


def test_an_interrupt_of_all_processes_ends_it_without_a_word_of_the_backends(
    desktop: Desktop, still_clip: Path, plugins: dict[str, str | None]
) -> None:
    with live(desktop, "--source", still_clip, "--loop", "--backend", "sad", changes=plugins) as process:
        wait_for_screen(desktop, has_banner, "the window")
        for number in (*children(process.pid), process.pid):
            os.kill(number, signal.SIGINT)
        errors = end(process)
    assert process.returncode == 130
    assert errors.strip() == "emodetect: interrupted"


def children(process: int) -> list[int]:
    """The backends' processes of a run."""
    found = subprocess.run(
        ["pgrep", "-P", str(process), "-f", "emodetect.backends.worker"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def test_the_window_fills_the_screen_and_leaves_it(desktop: Desktop, still_clip: Path, tmp_path: Path) -> None:
    def has_width(width: int) -> Callable[[Image], bool]:
        return lambda screen: screen.shape[1] == width

    with live(desktop, "--source", still_clip, "--loop", "--fullscreen", "--log", tmp_path / "a.jsonl") as process:
        wait_for_screen(desktop, has_width(1000), "a full screen")
        for width in (640, 1000):
            time.sleep(1)  # a key that is pressed again at once counts as held down
            desktop.press("emodetect", "f")
            wait_for_screen(desktop, has_width(width), f"a width of {width}")
        desktop.quit("emodetect", process)
        assert "frames in" in end(process)

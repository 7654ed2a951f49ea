"""What people do wrong, and what they are told: what happened, to what, and what to do."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from emodetect.cli.main import _end_process
from emodetect.errors import EmodetectError, OutputError, SourceError
from emodetect.sources.camera import LiveSource
from emodetect.sources.images import read_image
from emodetect.sources.result_log import read_log
from emodetect.sources.video import VideoFile
from emodetect.system.output_files import check_output
from tests.builders import PHOTO, MovingClip
from tests.cli.parsing import parse
from tests.cli.running import run


@pytest.fixture
def folder(tmp_path: Path, moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a photo, a clip, a file of text, a file that calls itself a log, a folder."""
    shutil.copy(PHOTO, tmp_path / "a.jpg")
    shutil.copy(moving_clip.path, tmp_path / "c.mp4")
    (tmp_path / "t.txt").write_text("text")
    (tmp_path / "l.jsonl").write_text("text")
    (tmp_path / "d").mkdir()
    shutil.copy(PHOTO, tmp_path / "d" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("read", "name", "said"),
    [
        (read_image, "c.mp4", "c.mp4: not an image that can be read, or cut short; clips are for 'emodetect video'"),
        (read_image, "l.jsonl", "logs are for 'emodetect report'"),
        (read_image, "t.txt", "t.txt: not an image that can be read, or cut short"),
        (read_image, "http://x.org/a.jpg", "is an address, not a file; download the photo first"),
        (VideoFile, "l.jsonl", "l.jsonl: not a video that can be read, or without frames; logs are for 'emodetect report'"),
        (VideoFile, "0", "0: no such file; cameras and streams are for 'emodetect live `source`'"),
        (VideoFile, "rtsp://x.org/a", "cameras and streams are for 'emodetect live `source`'"),
        (lambda path: list(read_log(path)), "c.mp4", "c.mp4: not a log; clips are for 'emodetect video'"),
        (lambda path: list(read_log(path)), "m.jsonl", "m.jsonl: no such file; did you mean 'l.jsonl'?"),
        (lambda path: list(read_log(path)), "d", "d: is a folder, not a log"),
        (lambda path: list(read_log(path)), "t.txt", "t.txt, line 1: not a frame of an emodetect log (no JSON)"),
        (lambda path: LiveSource.parse(str(path)), " ", "`source` is empty"),
    ],
)
def test_what_is_no_input(read: object, name: str, said: str) -> None:
    assert callable(read)
    with pytest.raises(SourceError) as caught:
        read(Path(name))

    assert str(caught.value).endswith(said) or str(caught.value).startswith(said)


def test_a_folder_is_no_output_whatever_is_expected(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; expected a file name"):
        check_output(tmp_path, overwrite=True, suffixes=(".png",))


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("option", ["--record", "--log"])
def test_the_clip_that_is_played_is_never_written_to(folder: Path, option: str, overwrite: list[str]) -> None:
    clip = folder / ("c.mp4" if option == "--record" else "l.jsonl")
    before = clip.read_bytes()

    with (
        pytest.raises(EmodetectError, match=r"is the clip itself|exists already"),
        parse("live", "--no-window", "--source", str(clip), option, str(clip), *overwrite) as ctx,
    ):
        ctx.command.invoke(ctx)
    assert clip.read_bytes() == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["image", "a.jpg", "t.txt", "--output", "o.png"], 1, ["o.png: is the name of one photo", "ends in /"]),
        (["image", "a.jpg", "a", "a.png", "--output", "o"], 1, ["o: several of the photos would be a.png there"]),
        (["image", "a.jpg", "-o", "o.png", "--sheet", "o.png"], 1, ["o.png: is named by --output, too"]),
        (["image", "a.jpg", "--font", "d/b.ttf", "-o", "o.png"], 1, ["d/b.ttf: no such file", "--font"]),
        (["version"], 2, ["no command 'version'; did you mean 'emodetect --version'?"]),
    ],
)
def test_one_line_says_it_all(arguments: list[str], code: int, parts: list[str]) -> None:
    done = run(*arguments)

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr.splitlines()[-1]
    assert not Path("o.png").exists()
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["image", "a.jpg", "--uncertain", "50"], "'50' is no confidence: from 0 to 1, or from 0% to 100%"),
        (["image", "a.jpg", "--uncertain", "much"], "'much' is no confidence"),
        (["video", "c.mp4", "--every", "1.5"], "Invalid value for '--every': '1.5' is no whole number."),
        (["video", "c.mp4", "--smoothing", "much"], "Invalid value for '--smoothing': 'much' is no number."),
        (["live", "--camera", "1"], "No such option '--camera'; did you mean --source?"),
        (["video", "--source", "a.mp4"], "No such option '--source'; CLIP is named without an option"),
        (["image", "a.jpg", "--json"], "No such option '--json'; did you mean --format json?"),
        (["live", "--json"], "No such option '--json'; did you mean --log?"),
        (["live", "--headless"], "No such option '--headless'; did you mean --no-window?"),
        (["train", "--epoch", "3"], "No such option '--epoch'; did you mean '--epochs'?"),
    ],
)
def test_values_and_options_that_are_none(arguments: list[str], said: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("text", "value"), [("0.35", 0.35), ("35%", 0.35), (" 100 % ", 1.0), ("0", 0.0)])
def test_a_confidence_is_a_share_or_a_percentage(text: str, value: float) -> None:
    with parse("image", "a.jpg", "--uncertain", text) as ctx:
        assert ctx.params["uncertain"] == pytest.approx(value)


@pytest.mark.parametrize("name", ["reader", "classify", "load"])
def test_the_end_does_not_pull_the_ground_from_under_native_calls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would take itself down; a network that is being loaded meanwhile aborts the process."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    goes_on = threading.Event()
    thread = threading.Thread(target=goes_on.wait, name=name, daemon=True)
    thread.start()

    with pytest.raises(SystemExit):
        _end_process(3)
    goes_on.set()
    assert left == [3]

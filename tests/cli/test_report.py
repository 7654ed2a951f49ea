from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from emodetect.backends.metadata import ModelMetadata
from emodetect.backends.onnx_session import EMBEDDED, model_metadata, open_session
from emodetect.cli.group import cli
from emodetect.report.pictures import CopyError
from tests.builders import MovingClip, make_reading, make_result
from tests.cli.running import assert_one_line, run, run_here, run_on_terminal
from tests.summary.logs import A, H, N, frames, write_log


@pytest.fixture
def log(tmp_path: Path, moving_clip: MovingClip) -> Path:
    """A log of the clip's first ten frames."""
    records = [
        make_result(make_reading(box), index=index, timestamp=index / 25).as_dict()
        for index, box in enumerate(moving_clip.boxes[:10])
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_log_becomes_a_page_beside_it(log: Path) -> None:
    done = run("report", log)

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    page = log.with_suffix(".html").read_text()
    assert "Emotions in log.jsonl" in page
    assert "10 frames" in page
    assert "<video" not in page
    metadata = model_metadata(open_session(EMBEDDED), EMBEDDED)
    assert isinstance(metadata, ModelMetadata)
    share = metadata.validation_accuracy(metadata.default)
    assert share is not None
    assert f"on {share:.0%} of validation faces" in page
    assert_one_line(run_here("report", log), 1, "log.html: exists already", "--overwrite")


def test_the_clip_is_shown_where_it_is_given(log: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    done = run_here("report", log, "--clip", moving_clip.path, "-o", tmp_path / "page.html")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Emotions in moving.mp4" in page
    assert 'src="data:video/mp4;base64,' in page
    assert "Face of person 1" in page


def test_details_say_what_is_used(log: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    done = run_here("report", log, "--clip", moving_clip.path, "-o", tmp_path / "page.html", "--verbose")

    assert f"{moving_clip.path}: 640x360 pixels, 75 frames" in done.stderr
    assert f"{log}: 10 frames from 0 s to 0.4 s, 1 person" in done.stderr


def test_progress_over_the_log_is_shown_on_a_terminal(log: Path) -> None:
    shown = run_on_terminal("report", log)

    assert "log.jsonl" in shown.split("written")[0]
    assert "kB" in shown or "bytes" in shown


def test_a_log_that_was_cut_off_is_used_as_far_as_it_goes(log: Path) -> None:
    log.write_text(log.read_text()[:-20])
    done = run_here("report", log)

    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"emodetect: {log}: the last line is cut off; what is whole was read, 9 frames",
        f"emodetect: {log.with_suffix('.html')}: written",
    ]


def test_a_page_of_few_frames_ends_with_the_clip(moving_clip: MovingClip, tmp_path: Path) -> None:
    arguments = "video", moving_clip.path, "--every", "20", "--report", tmp_path / "video.html", "--log", tmp_path / "log.jsonl"
    assert run_here(*arguments).returncode == 0
    assert run_here("report", tmp_path / "log.jsonl", "--clip", moving_clip.path).returncode == 0

    for name in ("video.html", "log.html"):
        assert "4 frames from 0:00.0 to 0:03.0," in (tmp_path / name).read_text()


def test_the_page_of_a_run_says_how_it_was_made(moving_clip: MovingClip, tmp_path: Path) -> None:
    arguments = "video", moving_clip.path, "--end", "0.1", "--roi", "0,0,300,300", "--min-face", "20%", "--model", "ferplus"
    assert run_here(*arguments, "--report", tmp_path / "page.html").returncode == 0

    page = (tmp_path / "page.html").read_text()
    assert "scale factor 1.1, 5 neighbors, smallest face 20% of the height" in page
    assert "(cnn: ferplus)" in page


def test_the_terminal_says_why_there_are_stills(
    log: Path, moving_clip: MovingClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise CopyError("it is too long")

    monkeypatch.setattr("emodetect.report.page.playable_copy", refuse)
    for arguments in (["report", log, "--clip"], ["video", "--end", "0.1", "--report", tmp_path / "video.html"]):
        done = CliRunner().invoke(cli, [*map(str, arguments), str(moving_clip.path)])

        assert done.exit_code == 0, done.output
        assert "html: The page shows stills, since it is too long." in done.stderr


def test_what_cannot_be_done_is_one_line(log: Path, tmp_path: Path) -> None:
    assert_one_line(run_here("report", tmp_path / "none.jsonl"), 1, "none.jsonl: no such file")
    assert_one_line(run_here("report", log, "-o", tmp_path / "page.txt"), 1, "page.txt: unknown kind of file", ".html")
    assert_one_line(run_here("report", log, "--clip", tmp_path / "none.mp4"), 1, "none.mp4: no such file")
    assert not log.with_suffix(".html").exists()


def test_a_csv_log_makes_the_same_page(tmp_path: Path) -> None:
    """Frames without faces have rows, so the absence is the same."""
    session = [H, H, H, None, None, A, A, None, A, N, N, N]
    for name in ("log.jsonl", "log.csv"):
        write_log(tmp_path / name, frames(session))
        cli.main(["report", str(tmp_path / name), "-o", str(tmp_path / f"{name}.html")], standalone_mode=False)

    pages = [(tmp_path / f"{name}.html").read_text().replace(name, "LOG") for name in ("log.jsonl", "log.csv")]
    assert pages[0] == pages[1]
    assert "2.2 s" in pages[0], "9 frames of 0.25 s"

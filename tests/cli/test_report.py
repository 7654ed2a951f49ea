from __future__ import annotations

import json
from pathlib import Path

import pytest

from emodetect.backends.metadata import ModelMetadata
from emodetect.backends.onnx_session import EMBEDDED, model_metadata, open_session
from emodetect.sinks.records import frame_as_dict
from tests.builders import MovingClip, make_reading, make_result
from tests.cli.running import assert_one_line, run


@pytest.fixture
def log(tmp_path: Path, moving_clip: MovingClip) -> Path:
    """A log of the clip's first ten frames."""
    records = [
        frame_as_dict(make_result(make_reading(box), index=index, timestamp=index / 25))
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
    assert f"gave {share:.1%} the" in page
    assert_one_line(run("report", log), 1, "log.html: exists already", "--overwrite")


def test_the_clip_is_shown_where_it_is_given(log: Path, moving_clip: MovingClip, tmp_path: Path) -> None:
    done = run("report", log, "--clip", moving_clip.path, "-o", tmp_path / "page.html")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Emotions in moving.mp4" in page
    assert 'src="data:video/mp4;base64,' in page
    assert "Face of person 1" in page


def test_what_cannot_be_done_is_one_line(log: Path, tmp_path: Path) -> None:
    assert_one_line(run("report", tmp_path / "none.jsonl"), 1, "none.jsonl: no such file")
    assert_one_line(run("report", log, "-o", tmp_path / "page.txt"), 1, "page.txt: unknown kind of file", ".html")
    assert_one_line(run("report", log, "--clip", tmp_path / "none.mp4"), 1, "none.mp4: no such file")
    assert not log.with_suffix(".html").exists()

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from emodetect.errors import OutputError
from emodetect.sinks.recorder import Recorder
from tests.builders import make_frame, make_result


def write(recorder: Recorder, start: float, frames: int = 10) -> None:
    for index in range(frames):
        recorder.write(make_frame(index=index, timestamp=start + index / 25), make_result(index=index))


def count(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return frames


def test_each_section_is_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with Recorder(lambda: path, 25.0) as recorder:
        write(recorder, 0.0)  # off: nothing
        assert recorder.path is None
        recorder.start()
        assert recorder.path == path
        write(recorder, 1.0)
        recorder.stop()
        assert recorder.path is None
        write(recorder, 2.0)
        # While the first is still being finished.
        recorder.start()
        write(recorder, 3.0, 5)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a-2.mp4", "a.mp4"]
    assert (count(path), count(tmp_path / "a-2.mp4")) == (10, 5)


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    for name in ("a.mp4", "a-2.mp4"):
        (tmp_path / name).write_text("mine")
    with Recorder(lambda: tmp_path / "a.mp4", 25.0) as recorder:
        recorder.start(tmp_path / "a.mp4", overwrite=True)  # asked for
        write(recorder, 0.0)
        recorder.stop()
        recorder.start()
        write(recorder, 1.0)
    assert count(tmp_path / "a.mp4") == count(tmp_path / "a-3.mp4") == 10
    assert (tmp_path / "a-2.mp4").read_text() == "mine"


def test_a_section_that_cannot_be_written_is_said_at_the_end(tmp_path: Path) -> None:
    recorder = Recorder(lambda: tmp_path / "none" / "a.mp4", 25.0)
    recorder.start()
    write(recorder, 0.0, 1)
    recorder.stop()
    with pytest.raises(OutputError, match=r"a\.mp4: cannot be written"):
        recorder.close()
    recorder.close()


def test_two_recorders_never_share_a_file(tmp_path: Path) -> None:
    """A name belongs to a section from its start on, though the file is written later."""
    with Recorder(lambda: tmp_path / "a.mp4", 25.0) as first, Recorder(lambda: tmp_path / "a.mp4", 25.0) as second:
        assert (first.start(), second.start()) == (tmp_path / "a.mp4", tmp_path / "a-2.mp4")
        write(second, 0.0, 5)
        write(first, 0.0)
    assert (count(tmp_path / "a.mp4"), count(tmp_path / "a-2.mp4")) == (10, 5)


def test_a_section_without_pictures_leaves_no_file(tmp_path: Path) -> None:
    with Recorder(lambda: tmp_path / "a.mp4", 25.0) as recorder:
        recorder.start()
    assert (recorder.files, list(tmp_path.iterdir())) == ([], [])

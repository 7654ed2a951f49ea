from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.cli.group import cli
from emodetect.errors import DatasetError, EmodetectError, SourceError
from emodetect.training.data.negatives import displaced_faces, read_negatives
from tests.training.data_sets import write_fer2013_csv, write_fer2013new_csv, write_negatives


def test_crops_of_one_picture_stay_on_one_side(tmp_path: Path) -> None:
    folder = write_negatives(tmp_path / "negatives", pictures=10, crops=3)
    training, validation = read_negatives(folder, 0.2, seed=1)
    assert (len(training), len(validation)) == (24, 6)
    assert training.shape[1:] == (48, 48)
    assert training.dtype == np.uint8
    # All crops of a picture have its brightness here.
    assert not set(brightness(training)) & set(brightness(validation))


def test_the_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    folder = write_negatives(tmp_path / "negatives", pictures=10, crops=1)
    first, again, other = (brightness(read_negatives(folder, 0.3, seed=seed)[1]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def brightness(images: npt.NDArray[np.uint8]) -> list[int]:
    return [round(float(image.mean())) // 10 for image in images]


def test_color_pictures_of_any_size_are_taken(tmp_path: Path) -> None:
    for number, size in enumerate(((20, 30, 3), (200, 100, 3), (48, 48))):
        cv2.imwrite(str(tmp_path / f"p{number}-0.jpg"), np.full(size, 90, np.uint8))
    training, validation = read_negatives(tmp_path, 0.1, seed=0)
    assert training.shape == (2, 48, 48)
    assert validation.shape == (1, 48, 48)


def test_a_folder_without_pictures_an_unreadable_one_and_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_negatives(tmp_path / "none", 0.1, 0)
    with pytest.raises(DatasetError, match="crops of 0 pictures"):
        read_negatives(tmp_path, 0.1, 0)
    (tmp_path / "a-0.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "b-0.png"), np.zeros((48, 48), np.uint8))
    with pytest.raises(SourceError, match=r"a-0\.png: not an image that can be read"):
        read_negatives(tmp_path, 0.1, 0)


def test_displaced_faces_show_half_a_face_a_part_of_one_or_a_small_one() -> None:
    faces = np.full((30, 48, 48), 255, np.uint8)
    backgrounds = np.zeros((2, 48, 48), np.uint8)
    moved = displaced_faces(faces, backgrounds, np.random.default_rng(0))
    shares = (moved > 127).mean(axis=(1, 2))
    assert (shares[0::3] < 0.6).all()  # half a side away and further
    assert (shares[1::3] == 1).all()  # a part of the face fills the picture
    assert (shares[2::3] < 0.25).all()  # a small one
    assert (shares > 0.02).all()


@pytest.mark.usefixtures("eager")
def test_compact_learns_a_third_output_and_the_exported_file_carries_it(
    data_set: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnxruntime

    from emodetect.backends.onnx_session import model_metadata

    negatives = write_negatives(tmp_path / "negatives", pictures=8, crops=2)
    folder, file = tmp_path / "run", tmp_path / "model.onnx"
    call("train", "--data", data_set, "--votes", votes, "--negatives", negatives, "--epochs", 1, "--run-dir", folder)
    assert "pictures of something else" in capsys.readouterr().err
    call("export", folder, file)
    session = onnxruntime.InferenceSession(str(file))
    metadata = model_metadata(session, file)
    assert [output.name for output in session.get_outputs()] == ["fer2013", "ferplus", "face"]
    assert metadata is not None
    assert metadata.face == "face"
    assert 0 <= (metadata.face_above or -1) <= 1
    assert set(metadata.labels) == {"fer2013", "ferplus"}
    assert set(metadata.facts["calibration"]) == {"fer2013", "ferplus"}
    # Every emotion output still answers by name, and the mean of all is one of emotions.
    for name in ("--model", file), ("--model", file, "--model", file):
        call("evaluate", "--data", data_set / "test", *name)

    # A later run starts from these weights and learns from that file; its faces are in the original table.
    again, table = tmp_path / "again", write_fer2013_csv(tmp_path / "fer2013.csv")
    published = write_fer2013new_csv(tmp_path / "fer2013new.csv", table)
    start = folder / "best.weights.h5"
    call("train", "--data", table, "--votes", published, "--teacher", file, "--start", start, "--epochs", 1, "--run-dir", again)
    assert (again / "best.keras").is_file()
    assert "say not a face: 1 image." in (again / "summary.txt").read_text()


def call(*arguments: object) -> None:
    cli.main([str(argument) for argument in arguments], standalone_mode=False)


def test_what_cannot_teach_or_start_is_named(data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    for option, name, message in (
        ("--teacher", "broken.onnx", r"broken\.onnx: not a model"),
        ("--start", "broken.h5", r"broken\.h5: not a Keras model file"),
    ):
        with pytest.raises(EmodetectError, match=message):
            call("train", "--data", data_set, "--epochs", 1, "--run-dir", tmp_path / option, option, tmp_path / name)

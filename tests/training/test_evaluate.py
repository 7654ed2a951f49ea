from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emodetect.backends.base import EmotionBackend
from emodetect.cli.group import cli
from emodetect.errors import DatasetError
from emodetect.training.evaluation import EvaluationSet, evaluate_backend
from emodetect.types import EMOTIONS
from tests.builders import shared_data
from tests.cli.running import assert_one_line, run
from tests.training.data_sets import write_data_set, write_fer2013_csv, write_fer2013new_csv, write_votes

CONTRACT = {
    *("model", "accuracy", "balanced_accuracy", "macro_f1", "ece", "count", "per_class", "confusion", "labels"),
    "seconds_per_1000",
}


class StripeReader(EmotionBackend):
    """Tells the label of a picture of `data_sets.make_face` from where its stripe is; calls every angry face contempt."""

    name = "stripes"

    def __init__(self, *, contempt: bool = False) -> None:
        self.tells_contempt = contempt

    def classify(self, crops: Any) -> npt.NDArray[np.float32]:
        scores = np.full((len(crops), 7), 0.05, np.float32)
        for row, crop in zip(scores, crops, strict=True):
            row[(int(crop[..., 0].mean(axis=1).argmax()) - 4) // 6] = 0.7
        return scores

    def classify_eight(self, crops: Any) -> npt.NDArray[np.float32]:
        scores = super().classify_eight(crops)
        scores[:, 7] = 2 * scores[:, 0]
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    cli.main(["evaluate", *map(str, arguments), "--format", "json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_the_embedded_network_is_judged_by_the_contract(data_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = evaluate(capsys, "--data", data_set / "test")
    assert set(record) == CONTRACT | {"without_train_copies"}
    assert record["model"] == "embedded"
    assert record["labels"] == [emotion.value for emotion in EMOTIONS]
    assert record["count"] == np.sum(record["confusion"]) == 21
    assert record["accuracy"] == pytest.approx(np.trace(record["confusion"]) / 21)


def test_a_perfect_reader_and_the_votes(data_set: Path, votes: Path) -> None:
    test_set = EvaluationSet.read(data_set / "test", votes)
    seven = evaluate_backend(StripeReader(), "seven", test_set).as_dict(test_set)
    assert seven["accuracy"] == seven["balanced_accuracy"] == seven["macro_f1"] == 1
    # Twenty pictures have their folder's emotion as the majority, the first angry one contempt.
    scores = evaluate_backend(StripeReader(), "", test_set).scores
    doubt = 1 - float(scores.max(axis=1).mean())  # always right, and not quite sure
    error = pytest.approx(doubt, abs=1e-6)
    assert seven["votes"] == {"accuracy": 1, "count": 20, "accuracy_7": 1, "count_7": 20, "ece": error}
    eight = evaluate_backend(StripeReader(contempt=True), "eight", test_set).as_dict(test_set)
    # Calling all angry faces contempt is right once and wrong twice of 21.
    expected = {"accuracy": pytest.approx(19 / 21), "count": 21, "accuracy_7": 1, "count_7": 20}
    assert {name: eight["votes"][name] for name in expected} == expected
    assert 0 < eight["votes"]["ece"] < 1


def test_copies_of_train_are_left_out_of_the_second_figure(tmp_path: Path) -> None:
    data = write_data_set(tmp_path, train=2, test=2)
    for place, emotion in enumerate(("angry", "sad")):
        copied = (data / "train" / emotion / "im0000.png").read_bytes()
        (data / "test" / emotion / f"copy{place}.png").write_bytes(copied)
    test_set = EvaluationSet.read(data / "test", write_votes(data / "votes.csv", data))
    record = evaluate_backend(StripeReader(), "stripes", test_set).as_dict(test_set)
    assert record["count"] == 16
    assert record["without_train_copies"]["count"] == 14
    assert record["without_train_copies"]["votes"]["count"] == 13


def test_a_folder_with_nothing_beside_it_and_labels_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data_set(tmp_path / "set", train=1, test=2)
    faces = tmp_path / "faces"
    faces.mkdir()
    for name in ("happy", "sad"):
        (data / "test" / name).rename(faces / name)
    (record,) = evaluate(capsys, "--data", faces, "--model", "ferplus")
    assert "without_train_copies" not in record
    assert record["per_class"]["fear"]["support"] == 0
    recalls = [record["per_class"][name]["recall"] for name in ("happy", "sad")]
    assert record["balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_several_models_are_compared_with_the_first(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, calibration = tmp_path / "confusion.svg", tmp_path / "calibration.png"
    models = ["--model", "embedded", "--model", "fer2013", "--model", "ferplus"]
    pictures = "--plot", picture, "--plot-calibration", calibration
    records = evaluate(capsys, "--data", data_set / "test", *models, *pictures)
    assert "difference" not in records[0]
    for record in records[1:]:
        difference = record["difference"]
        assert difference["to"] == "embedded"
        assert difference["accuracy"] == pytest.approx(record["accuracy"] - records[0]["accuracy"])
        low, high = difference["interval_95"]
        assert low <= difference["accuracy"] <= high
    assert "predicted label, % of each label's faces" in picture.read_text()
    assert calibration.stat().st_size > 1000


def test_the_table_shows_all_models_and_fits_a_narrow_terminal(
    data_set: Path, votes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--data", data_set / "test", "--model", "embedded", "--model", "fer2013", "--votes", votes]
    cli.main([str(argument) for argument in arguments], standalone_mode=False)
    text = capsys.readouterr().out
    for part in ("balanced accuracy", "accuracy by votes", "without copies of train", "fer2013 against embedded", "surprise"):
        assert part in text
    assert "…" not in text
    names = [line.partition("  ")[0] for line in text.split("\n\n")[0].splitlines()]
    assert len(set(names)) == len(names)


def test_the_original_table_is_judged_as_the_same_faces_in_folders(
    data_set: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_fer2013_csv(tmp_path / "fer2013.csv")
    published = write_fer2013new_csv(tmp_path / "fer2013new.csv", table)
    (in_table,) = evaluate(capsys, "--data", table, "--votes", published)
    (in_folders,) = evaluate(capsys, "--data", data_set / "test", "--votes", votes)
    for record in (in_table, in_folders):
        record.pop("seconds_per_1000")
    assert in_table == in_folders


def test_a_table_with_a_test_part_alone_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_fer2013_csv(tmp_path / "fer2013.csv", train=0)
    (record,) = evaluate(capsys, "--data", table)
    assert record["count"] == 21
    assert "without_train_copies" not in record


def test_of_a_whole_data_set_the_test_part_is_judged_on(data_set: Path) -> None:
    test_set, part = EvaluationSet.read(data_set, None), EvaluationSet.read(data_set / "test", None)
    assert test_set.faces.keys == part.faces.keys
    assert test_set.faces.notes == (f"{data_set / 'test'}: this part is judged on",)
    assert test_set.copies is not None


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "faces.txt").write_text("")
    with pytest.raises(DatasetError, match=r"faces.txt: is a file; expected a folder"):
        EvaluationSet.read(tmp_path / "faces.txt", None)


def test_what_cannot_be_judged_on_gives_one_line(data_set: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--data", tmp_path / "nothing")
    assert_one_line(done, 1, "nothing: no such folder")
    with pytest.raises(DatasetError, match=r"votes\.csv: no such file"):
        cli.main(["evaluate", "--data", str(data_set / "test"), "--votes", str(tmp_path / "votes.csv")], standalone_mode=False)


def test_votes_for_other_images_are_named(tmp_path: Path) -> None:
    first, second = write_data_set(tmp_path / "a", train=1, test=1), write_data_set(tmp_path / "b", train=1, test=1)
    (second / "test").rename(second / "other")
    with pytest.raises(DatasetError, match="has votes for none of the images"):
        EvaluationSet.read(second / "other", write_votes(tmp_path / "votes.csv", first))


def test_votes_of_the_development_data_match_its_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import tarfile

    archive, votes = shared_data("fer2013/fer2013.tar.gz"), shared_data("fer2013/ferplus.csv")
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if member.name.startswith("fer2013/test/happy/im00")]
        tar.extractall(tmp_path, wanted, filter="data")
    (record,) = evaluate(capsys, "--data", tmp_path / "fer2013" / "test", "--votes", votes)
    assert record["count"] == 100
    assert 80 <= record["votes"]["count"] <= 100
    assert record["votes"]["accuracy"] > 0.8

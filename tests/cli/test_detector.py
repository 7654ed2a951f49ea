"""``--detector``: what finds the faces."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import emodetect
from emodetect.cli.group import cli
from emodetect.errors import UsageError
from tests.builders import PHOTO, PHOTO_FACE, shared_data, write_clip
from tests.cli.running import run
from tests.training.data_sets import make_face


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real face, tightly cropped, and pictures of stripes, 48x48, in which a cascade sees nothing."""
    folder = tmp_path_factory.mktemp("crops")
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    box = PHOTO_FACE
    face = photo[box.y + 10 : box.y + box.height - 5, box.x + 10 : box.x + box.width - 10]
    assert cv2.imwrite(str(folder / "a.png"), cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA))
    for number in range(3):
        assert cv2.imwrite(str(folder / f"b{number}.png"), make_face(number, 0))
    return folder


def test_cropped_faces_are_read_without_a_detector(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["image", str(crops), "--detector", "none", "--format", "json"], standalone_mode=False)
    output, errors = capsys.readouterr()
    records = json.loads(output)
    assert [[face["box"] for face in record["faces"]] for record in records] == [
        [{"x": 0, "y": 0, "width": 48, "height": 48}]
    ] * 4
    assert records[0]["faces"][0]["emotion"] == "happy"
    assert errors == ""


def test_small_squares_without_faces_bring_a_hint(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["image", str(crops)], standalone_mode=False)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("emodetect: no face was found in")
    assert line.endswith("--detector none treats each whole image as a face")
    cli.main(["image", str(PHOTO)], standalone_mode=False)
    assert capsys.readouterr().err == ""


def test_in_a_clip_each_whole_frame_is_one_person(tmp_path: Path, crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    face = cv2.resize(np.asarray(cv2.imread(str(crops / "a.png")), np.uint8), (96, 96))
    clip, log = write_clip(tmp_path / "face.mp4", [np.asarray(face, np.uint8)] * 5, 0.5), tmp_path / "log.jsonl"
    cli.main(["video", str(clip), "--log", str(log), "--detector", "none", "--roi", "0,0,50,50"], standalone_mode=False)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [[face["id"] for face in row["faces"]] for row in rows] == [[1]] * 5
    assert {tuple(face["box"].values()) for row in rows for face in row["faces"]} == {(0, 0, 50, 50)}
    assert "5 frames, 1 face:" in capsys.readouterr().err


def test_live_takes_each_whole_picture_for_a_face(tmp_path: Path, crops: Path) -> None:
    face = np.asarray(cv2.resize(np.asarray(cv2.imread(str(crops / "a.png")), np.uint8), (96, 96)), np.uint8)
    clip, log = write_clip(tmp_path / "face.mp4", [face] * 25), tmp_path / "log.jsonl"
    done = run("live", "--source", clip, "--no-window", "--log", log, "--detector", "none")
    assert done.returncode == 0, done.stderr
    faces = [json.loads(line)["faces"] for line in log.read_text().splitlines()]
    assert faces
    assert all([face["id"] for face in found] == [1] and found[0]["box"]["width"] == 96 for found in faces)


@pytest.mark.parametrize("option", ["--min-face 20%", "--min-neighbors 3", "--scale-factor 1.2", "--verify", "--cascade x.xml"])
def test_options_of_the_cascade_are_refused_beside_none(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option.split()[0]} cannot be combined with --detector none"):
        cli.main(["image", str(PHOTO), "--detector", "none", *option.split()], standalone_mode=False)


def test_options_from_elsewhere_and_no_verify_do_no_harm(crops: Path) -> None:
    done = run("image", crops / "b0.png", "--detector", "none", "--no-verify", env={"EMODETECT_MIN_NEIGHBORS": "3"})
    assert done.returncode == 0
    assert done.stderr == ""


def test_python_takes_the_detector_too(crops: Path) -> None:
    [reading] = emodetect.analyze(crops / "a.png", detector="none").readings
    assert (reading.box.width, reading.box.height) == (48, 48)
    assert reading.scores is not None
    assert reading.scores.dominant is emodetect.Emotion.HAPPY
    with pytest.raises(UsageError, match="no detector 'nobody'"):
        emodetect.analyze(crops / "a.png", detector="nobody")
    with pytest.raises(UsageError, match="min_face cannot be combined with detector='none'"):
        emodetect.analyze(crops / "a.png", detector="none", min_face=64)


def test_bench_measures_without_a_detector(tmp_path: Path, crops: Path) -> None:
    face = np.asarray(cv2.resize(np.asarray(cv2.imread(str(crops / "a.png")), np.uint8), (96, 96)), np.uint8)
    clip = write_clip(tmp_path / "face.mp4", [face] * 12)
    done = run("bench", "--source", clip, "--detector", "none", "--rounds", "1", "--frames", "12", "--format", "json")
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)
    assert record["faces"] == record["frames"] == 12


def test_a_face_turned_far_to_the_side_is_uncertain_and_verbose_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, log = shared_data("media/head-pose-female.gif"), tmp_path / "log.jsonl"
    cli.main(["image", str(clip), "--verbose", "--format", "json"], standalone_mode=False)
    output, errors = capsys.readouterr()
    [face] = json.loads(output)[0]["faces"]
    assert face["uncertain"]
    assert face["confidence"] > 0.7
    assert f"{clip}: face 1 is uncertain: turned too far to the side to be read" in errors
    cli.main(["video", str(clip), "--verbose", "--log", str(log)], standalone_mode=False)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    doubtful = [row["frame"] for row in rows for face in row["faces"] if face["uncertain"]]
    assert min(doubtful) <= 1
    assert max(doubtful) < 8, "she looks into the camera from then on"
    assert f"face 1: turned too far to the side to be read in {len(doubtful)} of" in capsys.readouterr().err


def test_a_leaning_face_has_an_upright_box_and_its_angle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    turn = cv2.getRotationMatrix2D((256, 256), -35, 1.0)
    leaning = tmp_path / "leaning.png"
    assert cv2.imwrite(str(leaning), cv2.warpAffine(photo, turn, (512, 512)))
    cli.main(["image", str(PHOTO), str(leaning), "--format", "json"], standalone_mode=False)
    [upright], [tilted] = (record["faces"] for record in json.loads(capsys.readouterr().out))
    assert tilted["angle"] - upright["angle"] == pytest.approx(35, abs=3)
    assert tilted["box"]["width"] == tilted["box"]["height"]
    assert (tilted["emotion"], tilted["uncertain"]) == ("happy", False)
    cli.main(["image", str(PHOTO), "--detector", "haar", "--format", "json"], standalone_mode=False)
    [face] = json.loads(capsys.readouterr().out)[0]["faces"]
    assert face["angle"] is None

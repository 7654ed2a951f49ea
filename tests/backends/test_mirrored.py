from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import emodetect
from emodetect.backends.base import EmotionBackend
from emodetect.backends.isolated import IsolatedBackend
from emodetect.backends.keras_cnn import KerasBackend
from emodetect.backends.mirrored import MirroredBackend
from emodetect.backends.registry import BackendSettings, create_backend, with_views
from emodetect.cli.commands.bench import options_of
from emodetect.cli.group import cli
from emodetect.errors import UsageError
from emodetect.types import EMOTIONS, Image
from tests.builders import write_clip


class Sides(EmotionBackend):
    """Says angry as far as the left half of a crop is bright, and keeps what it was asked."""

    name = "sides"

    def __init__(self) -> None:
        self.asked: list[list[Image]] = []
        self.closed = False

    def load(self) -> None:
        self.name, self.uncertain_below, self.validation_accuracy, self.tells_contempt = "sides, loaded", 0.4, 0.9, True

    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        assert all(crop.flags.c_contiguous for crop in crops)
        self.asked.append(list(crops))
        angry = np.asarray([crop[:, : crop.shape[1] // 2].mean() / 255 for crop in crops], np.float32).reshape(-1, 1)
        return np.concatenate([angry, np.tile((1 - angry) / 6, (1, 6))], axis=1)

    def close(self) -> None:
        self.closed = True


def half_lit(width: int = 20) -> Image:
    image = np.zeros((10, width, 3), np.uint8)
    image[:, : width // 2] = 255
    return image


def test_scores_are_the_mean_of_the_crop_and_its_mirror_image() -> None:
    backend = Sides()
    with with_views(backend, 2) as mirrored:
        scores = mirrored.classify([half_lit(), np.full((4, 7, 3), 255, np.uint8)])
        eight = mirrored.classify_eight([half_lit()])
    np.testing.assert_allclose(scores[:, 0], [0.5, 1])
    assert eight.shape == (1, 8)
    assert eight[0, 0] == pytest.approx(0.5)
    [batch, _] = backend.asked  # one batch, whatever it holds
    assert [crop.shape for crop in batch] == [(10, 20, 3), (4, 7, 3)] * 2
    assert backend.closed


def test_what_a_backend_says_of_itself_holds_for_it_mirrored() -> None:
    mirrored = with_views(Sides(), 2)
    assert mirrored.name == "sides"
    with mirrored:
        assert (mirrored.name, mirrored.uncertain_below, mirrored.validation_accuracy) == ("sides, loaded", 0.4, 0.9)
        assert mirrored.tells_contempt


def test_nobody_needs_no_view() -> None:
    with create_backend("cnn", views=2) as mirrored:
        assert mirrored.classify([]).shape == (0, len(EMOTIONS))


def test_scores_of_another_number_of_crops_are_no_scores() -> None:
    class Short(Sides):
        def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
            return super().classify(crops)[:-1]

    with pytest.raises(ValueError, match="expected scores of 4 crops, got 3"):
        MirroredBackend(Short()).classify([half_lit()] * 2)


@pytest.mark.parametrize("views", [0, 3, -1])
def test_there_are_one_and_two_views(views: int) -> None:
    with pytest.raises(UsageError, match=f"views: {views} is out of range, 1 to 2"):
        create_backend("cnn", views=views)
    with pytest.raises(UsageError, match="out of range"):
        emodetect.analyze(half_lit(), views=views)
    assert create_backend("cnn", views=1).__class__ is create_backend("cnn").__class__


def test_the_embedded_network_reads_a_face_and_its_mirror_image_alike(face_crops: list[Image]) -> None:
    turned = [np.ascontiguousarray(crop[:, ::-1]) for crop in face_crops]
    with create_backend("cnn") as single, create_backend("cnn", views=2) as both:
        expected = (single.classify(face_crops) + single.classify(turned)) / 2
        found = both.classify(face_crops)
        np.testing.assert_allclose(found, expected, atol=0.02)  # 8 bits; batches of other sizes are rounded otherwise
        np.testing.assert_allclose(both.classify(turned), found, atol=1e-6)
        assert np.abs(single.classify(face_crops) - found).max() > 0.01
        assert both.classify_eight(face_crops).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_backend_in_its_own_process_is_asked_about_both_views(tutorial_h5: Path, face_crops: list[Image]) -> None:
    separate = create_backend("cnn", str(tutorial_h5), views=2)
    assert isinstance(separate, MirroredBackend)
    assert isinstance(separate._backend, IsolatedBackend)
    with separate, MirroredBackend(KerasBackend(tutorial_h5)) as here:
        np.testing.assert_allclose(separate.classify(face_crops), here.classify(face_crops), atol=1e-6)


def test_every_command_reads_a_face_and_its_mirror_image_alike(
    photo: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face = photo[300:500, 100:300]  # none, of which the network is unsure
    call = partial(cli.main, standalone_mode=False)
    answers: dict[str, dict[str, list[Any]]] = {"1": {}, "2": {}}
    for views, found in answers.items():
        for name, image in (("plain", face), ("mirrored", face[:, ::-1])):
            picture = tmp_path / "faces" / name / "happy" / f"{views}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(picture), image)
            options = "--detector", "none", "--views", views
            call(["image", str(picture), "--format", "json", *options])
            [shown] = json.loads(capsys.readouterr().out)
            scores = [shown["faces"][0]["scores"]]
            clip = write_clip(tmp_path / f"{name}-{views}.mp4", [image] * 3)
            log = tmp_path / f"{name}-{views}.jsonl"
            call(["video", str(clip), "--log", str(log), *options])
            scores.append(json.loads(log.read_text().splitlines()[-1])["faces"][0]["scores"])
            live = tmp_path / f"{name}-{views}-live.jsonl"
            call(["live", "--source", str(clip), "--loop", "--duration", "2", "--no-window", "--log", str(live), *options])
            scores.append(json.loads(live.read_text().splitlines()[-1])["faces"][0]["scores"])
            found[name] = scores
            capsys.readouterr()
    for plain, mirrored in zip(answers["2"]["plain"], answers["2"]["mirrored"], strict=True):
        assert plain == pytest.approx(mirrored, abs=0.03)  # the encoder sees another picture
    assert answers["2"]["plain"][0] == pytest.approx(answers["2"]["mirrored"][0], abs=1e-4)
    assert answers["1"]["plain"][0] != pytest.approx(answers["1"]["mirrored"][0], abs=0.01)
    errors: list[float] = []
    for name in ("plain", "mirrored"):
        call(["evaluate", "--data", str(tmp_path / "faces" / name), "--views", "2", "--format", "json"])
        [record] = json.loads(capsys.readouterr().out)
        errors.append(record["ece"])
    assert errors[0] == pytest.approx(errors[1], abs=1e-4)


def test_bench_measures_the_views() -> None:
    assert options_of(BackendSettings(views=2)) == ["--backend", "cnn", "--views", "2"]
    assert options_of(BackendSettings()) == ["--backend", "cnn"]

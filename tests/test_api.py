from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import GeneratorType
from typing import Any

import numpy as np
import pytest

import emodetect
from emodetect.api import analyze, open_pipeline, stream
from emodetect.backends import registry
from emodetect.backends.verifier import EmbeddedVerifier
from emodetect.errors import ModelError, SourceError, UsageError
from emodetect.faces.boxes import intersection_over_union
from emodetect.types import Emotion, Image
from tests.builders import PHOTO, PHOTO_FACE, FakeBackend, MovingClip, make_background, make_frame, make_image, place_face

MADE: list[FakeBackend] = []


def create_fake(model: str | None, labels: Sequence[str] | None) -> FakeBackend:
    MADE.append(FakeBackend(Emotion(model or "happy"), 0.9))
    return MADE[-1]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[FakeBackend]:
    """A backend named "fake"; the list holds those that were made."""
    MADE.clear()
    monkeypatch.setitem(registry._BUILT_IN, "fake", f"{__name__}:create_fake")
    return MADE


@pytest.mark.parametrize("picture", [str(PHOTO), PHOTO], ids=["text", "path"])
def test_analyze_takes_a_file(picture: str | Path, fake: list[FakeBackend]) -> None:
    result = analyze(picture, backend="fake")
    [reading] = result.readings
    assert reading.scores is not None
    assert reading.scores.dominant is Emotion.HAPPY
    assert (reading.track_id, result.index, result.timestamp) == (1, 0, 0.0)
    assert intersection_over_union([reading.box], [PHOTO_FACE])[0, 0] > 0.75


def test_analyze_takes_a_picture_in_memory(photo: Image, fake: list[FakeBackend]) -> None:
    assert analyze(photo, backend="fake").readings[0].box == analyze(PHOTO, backend="fake").readings[0].box


def test_analyze_of_a_picture_of_nobody_finds_nobody(fake: list[FakeBackend]) -> None:
    assert analyze(make_image(), backend="fake").readings == ()


def test_the_backend_is_given_the_model_and_closed_at_the_end(fake: list[FakeBackend]) -> None:
    [reading] = analyze(PHOTO, backend="fake", model="sad").readings
    assert reading.scores is not None
    assert reading.scores.dominant is Emotion.SAD
    assert [backend.closed for backend in fake] == [1]


def test_the_embedded_network_reads_a_smile() -> None:
    [reading] = emodetect.analyze(PHOTO).readings
    assert reading.scores is not None
    assert reading.scores.dominant is Emotion.HAPPY
    assert reading.scores.values.sum() == pytest.approx(1, abs=1e-3)


def test_a_pipeline_is_loaded_once_for_many_pictures(fake: list[FakeBackend], photo: Image) -> None:
    with open_pipeline(backend="fake") as pipeline:
        for _ in range(3):
            assert len(pipeline.analyze(make_frame(photo)).readings) == 1
        assert [backend.closed for backend in fake] == [0]
    assert [backend.closed for backend in fake] == [1]


def test_a_pipeline_is_closed_when_its_block_fails(fake: list[FakeBackend]) -> None:
    with pytest.raises(KeyboardInterrupt), open_pipeline(backend="fake"):
        raise KeyboardInterrupt
    assert [backend.closed for backend in fake] == [1]


@pytest.mark.parametrize("track", [False, True])
def test_only_a_tracking_pipeline_remembers_a_face(track: bool, fake: list[FakeBackend], photo: Image) -> None:
    with open_pipeline(backend="fake", track=track) as pipeline:
        pipeline.analyze(make_frame(photo, 0, 0.0))
        result = pipeline.analyze(make_frame(make_image(512, 512), 1, 0.04))
    assert len(result.readings) == (1 if track else 0)


@pytest.mark.parametrize(("smoothing", "confidence"), [(0.0, 0.9), (10.0, 0.45)])
def test_a_tracking_pipeline_smooths_over_so_many_seconds(
    smoothing: float, confidence: float, fake: list[FakeBackend], photo: Image
) -> None:
    with open_pipeline(backend="fake", track=True, smoothing=smoothing) as pipeline:
        pipeline.analyze(make_frame(photo, 0, 0.0))
        fake[0].dominant = Emotion.SAD
        [reading] = pipeline.analyze(make_frame(photo, 1, 0.04)).readings
    assert reading.scores is not None
    assert reading.scores.as_dict()["sad"] == pytest.approx(confidence, abs=0.05)


def test_small_faces_count_in_photos(fake: list[FakeBackend]) -> None:
    image, _ = place_face(make_background((1280, 720)), (600, 300), 58)
    with open_pipeline(backend="fake") as photos, open_pipeline(backend="fake", track=True) as clips:
        assert len(photos.analyze(make_frame(image)).readings) == 1
        assert clips.analyze(make_frame(image)).readings == ()


def test_stream_gives_every_frame_with_its_result(moving_clip: MovingClip, fake: list[FakeBackend]) -> None:
    pairs = list(stream(moving_clip.path, backend="fake"))
    assert [frame.index for frame, _ in pairs] == list(range(75))
    for (frame, result), box in zip(pairs, moving_clip.boxes, strict=True):
        assert (result.index, result.timestamp) == (frame.index, frame.timestamp)
        [reading] = result.readings
        assert reading.track_id == 1
        assert intersection_over_union([reading.box], [box])[0, 0] > 0.6
    assert [backend.closed for backend in fake] == [1]


def test_a_stream_that_is_left_early_is_closed(moving_clip: MovingClip, fake: list[FakeBackend]) -> None:
    frames = stream(str(moving_clip.path), backend="fake")
    next(frames)
    assert isinstance(frames, GeneratorType)
    frames.close()
    assert [backend.closed for backend in fake] == [1]


def test_a_clip_that_is_missing_is_an_error_and_no_backend_is_loaded(tmp_path: Path, fake: list[FakeBackend]) -> None:
    with pytest.raises(SourceError, match="no such file"):
        next(stream(tmp_path / "missing.mp4", backend="fake"))
    assert fake == []


def test_errors_of_pictures_backends_and_models_come_through(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        analyze(tmp_path / "missing.jpg")
    with pytest.raises(UsageError, match="no backend 'nobody'"):
        analyze(PHOTO, backend="nobody")
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        analyze(PHOTO, model=tmp_path / "missing.onnx")


@pytest.mark.parametrize("name", emodetect.__all__)
def test_what_the_package_offers_is_there(name: str) -> None:
    assert getattr(emodetect, name).__name__ == name


def test_what_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        emodetect.nothing  # noqa: B018


def test_the_options_of_the_commands(fake: list[FakeBackend]) -> None:
    assert not analyze(PHOTO, backend="fake", uncertain_below=0.8).readings[0].uncertain
    assert analyze(PHOTO, backend="fake", uncertain_below=0.95).readings[0].uncertain
    assert len(analyze(PHOTO, backend="fake", min_face=0.15).readings) == 1  # the face has 18 % of the height
    assert len(analyze(PHOTO, backend="fake", min_face=0.3).readings) == 0
    assert len(analyze(PHOTO, backend="fake", min_face=200).readings) == 0
    assert len(analyze(PHOTO, backend="fake", min_neighbors=1000).readings) == 0


def test_faces_that_are_none_can_be_kept(fake: list[FakeBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedVerifier, "are_faces", lambda self, crops: np.zeros(len(crops), bool))
    assert analyze(PHOTO, backend="fake").readings == ()
    assert len(analyze(PHOTO, backend="fake", verify=False).readings) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uncertain_below", 7),
        ("min_face", 0),
        ("min_face", -1),
        ("min_face", float("nan")),
        ("min_neighbors", 0),
        ("smoothing", -1),
        ("smoothing", None),
        ("smoothing", "0.3"),
        ("min_face", "10%"),
        ("min_neighbors", 5.5),
        ("views", "2"),
        ("views", 3),
        ("max_failures", 0),
        ("uncertain_below", True),
        ("backend", None),
        ("detector", 5),
        ("model", b"model.onnx"),
        ("labels", [1, 2]),
        ("output_name", 5),
    ],
)
def test_options_out_of_range_or_of_another_type_are_refused(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=name), open_pipeline(**options):
        pass


def test_a_name_that_no_file_can_have_is_refused(fake: list[FakeBackend]) -> None:
    with pytest.raises(SourceError, match="is no name of a file"):
        analyze("a\0b.jpg", backend="fake")


def test_the_version_is_the_packages() -> None:
    assert emodetect.__version__ == version("emodetect")


@pytest.mark.parametrize("picture", [None, [[1, 2, 3]], b"photo.jpg", 5])
def test_a_picture_is_a_name_or_an_array(picture: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a uint8 \(height, width, 3\) image, BGR, as a NumPy array, got"):
        emodetect.analyze(picture)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3)])
def test_a_picture_may_have_any_shape(shape: tuple[int, int, int]) -> None:
    assert emodetect.analyze(np.zeros(shape, np.uint8)).readings == ()


def test_a_photo_of_the_web_is_named_without_its_secrets() -> None:
    with pytest.raises(
        emodetect.EmodetectError, match=r"^https://\*\*\*@host\.example/a\.jpg\?\*\*\*: is an address, not a file"
    ):
        emodetect.analyze("https://me:secret@host.example/a.jpg?token=abc")


@pytest.mark.parametrize("frame", [np.zeros((48, 64, 3), np.uint8), None])
def test_a_pipeline_takes_frames(frame: Any) -> None:
    with emodetect.open_pipeline(verify=False) as pipeline:
        with pytest.raises(TypeError, match="expected a Frame, got"):
            pipeline.analyze(frame)
        with pytest.raises(TypeError, match="expected a Frame, got"):
            list(pipeline.analyze_all([frame]))


@pytest.mark.parametrize("clip", [None, np.zeros((48, 64, 3), np.uint8), 0])
def test_a_clip_is_named(clip: Any) -> None:
    with pytest.raises(TypeError, match="expected the name of a video file, got"):
        next(emodetect.stream(clip))

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from itertools import count
from pathlib import Path
from types import GeneratorType
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

import emodetect
from emodetect.api import analyze, classify_faces, draw, open_pipeline, stream
from emodetect.backends import registry
from emodetect.drawing import overlay
from emodetect.errors import ModelError, SourceError, UsageError
from emodetect.faces.boxes import intersection_over_union
from emodetect.faces.verifier import EmbeddedVerifier
from emodetect.types import Box, Emotion, Image
from tests.builders import (
    NETWORK_FACE,
    PHOTO,
    FakeBackend,
    MovingClip,
    as_network,
    make_background,
    make_frame,
    make_image,
    make_reading,
    place_face,
)

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
    assert intersection_over_union([reading.box], [NETWORK_FACE])[0, 0] > 0.75


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
        assert intersection_over_union([reading.box], [as_network(box)])[0, 0] > 0.6
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
    assert len(analyze(PHOTO, backend="fake", min_face=0.15).readings) == 1  # the face has 24 % of the height
    assert len(analyze(PHOTO, backend="fake", min_face=0.3).readings) == 0
    assert len(analyze(PHOTO, backend="fake", min_face=200).readings) == 0
    assert len(analyze(PHOTO, backend="fake", detector="haar", min_neighbors=1000).readings) == 0


def test_faces_that_are_none_can_be_kept(fake: list[FakeBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedVerifier, "are_faces", lambda self, crops, doubtful=(): np.zeros(len(crops), bool))
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


@pytest.mark.parametrize("picture", [None, [[1, 2, 3]], 5])
def test_a_picture_is_a_name_bytes_or_an_array(picture: Any) -> None:
    with pytest.raises(TypeError, match="expected a file's name, its bytes, a PIL image, or a uint8 array, got"):
        emodetect.analyze(picture)


def test_a_picture_has_the_same_faces_whatever_it_comes_as(photo: Image, fake: list[FakeBackend]) -> None:
    rgb = np.ascontiguousarray(photo[..., ::-1])
    expected = analyze(photo, backend="fake").readings[0].box
    for picture in (PHOTO, PHOTO.read_bytes(), PIL.Image.fromarray(rgb), cv2.cvtColor(photo, cv2.COLOR_BGR2BGRA)):
        assert [face.box for face in analyze(picture, backend="fake").readings] == [expected]
    assert [face.box for face in analyze(rgb, color="rgb", backend="fake").readings] == [expected]
    assert len(analyze(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), backend="fake").readings) == 1


def test_of_a_frame_number_and_time_stay(photo: Image, fake: list[FakeBackend]) -> None:
    result = analyze(make_frame(photo, 7, 1.5), backend="fake")
    assert (result.index, result.timestamp, len(result.readings)) == (7, 1.5, 1)


def test_cropped_faces_are_classified_as_they_are(photo: Image, fake: list[FakeBackend]) -> None:
    crops: list[Any] = [photo[66:160, 177:271], PIL.Image.new("L", (30, 20)), PHOTO]
    readings = classify_faces(crops, backend="fake", model="sad")
    assert [reading.box for reading in readings] == [Box(0, 0, 94, 94), Box(0, 0, 30, 20), Box(0, 0, 512, 512)]
    assert [reading.track_id for reading in readings] == [1, 2, 3]
    assert [reading.shown for reading in readings] == [Emotion.SAD] * 3
    assert [backend.closed for backend in fake] == [1]
    np.testing.assert_array_equal(fake[0].batches[0][0], photo[66:160, 177:271])


def test_many_crops_are_classified_some_at_a_time(fake: list[FakeBackend]) -> None:
    readings = classify_faces((make_image() for _ in range(150)), backend="fake", uncertain_below=0.95)
    assert [reading.track_id for reading in readings] == [*range(1, 151)]
    assert all(reading.uncertain for reading in readings)
    assert [len(batch) for batch in fake[0].batches] == [64, 64, 22]
    assert classify_faces([], backend="fake") == []


def test_crops_leave_the_faces_that_are_followed_alone(photo: Image, fake: list[FakeBackend]) -> None:
    with open_pipeline(backend="fake", track=True, smoothing=10) as pipeline:
        pipeline.analyze(make_frame(photo, 0, 0.0))
        fake[0].dominant = Emotion.SAD
        [crop] = pipeline.classify_faces([photo])
        [followed] = pipeline.analyze(make_frame(photo, 1, 0.04)).readings
    assert crop.shown is Emotion.SAD
    assert followed.scores is not None
    assert followed.scores.as_dict()["sad"] == pytest.approx(0.45, abs=0.05)


@pytest.mark.parametrize("crops", ["face.jpg", make_image(), make_frame(), b"face", None])
def test_crops_are_several(crops: Any) -> None:
    with pytest.raises(TypeError, match="expected an iterable of cropped faces, got"):
        classify_faces(crops)


def test_an_error_says_which_crop_it_was(fake: list[FakeBackend]) -> None:
    with pytest.raises(ValueError, match="crop 2: expected a uint8"):
        classify_faces([make_image(), np.zeros((4, 6, 5), np.uint8)], backend="fake")


def test_frames_of_an_iterable_are_taken_one_at_a_time(photo: Image, fake: list[FakeBackend]) -> None:
    taken = []

    def pictures() -> Iterator[Image]:
        try:
            for number in count():
                taken.append(number)
                yield photo
        finally:
            taken.append(-1)

    with closing(stream(pictures(), frames_per_second=25, backend="fake")) as results:
        for expected in range(3):
            frame, result = next(results)
            assert (frame.index, result.index, result.timestamp) == (expected, expected, expected / 25)
            assert [face.track_id for face in result.readings] == [1]
    assert taken == [0, 1, 2, -1]
    assert [backend.closed for backend in fake] == [1]


def test_the_error_of_an_iterable_comes_through_after_its_frames(photo: Image, fake: list[FakeBackend]) -> None:
    def pictures() -> Iterator[Image]:
        yield photo
        raise RuntimeError("out of film")

    results = stream(pictures(), frames_per_second=25, backend="fake")
    assert len(next(results)[1].readings) == 1
    with pytest.raises(RuntimeError, match="out of film"):
        next(results)
    assert [backend.closed for backend in fake] == [1]


def test_pictures_of_another_size_begin_anew(photo: Image, fake: list[FakeBackend]) -> None:
    small = cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA)
    pictures = [photo, photo, small, small, small]
    found = [result.readings for _, result in stream(pictures, frames_per_second=5, backend="fake")]
    for [face], scale in zip(found, (1, 1, 0.5, 0.5, 0.5), strict=True):
        expected = Box(*(round(scale * side) for side in NETWORK_FACE.as_dict().values()))
        assert intersection_over_union([face.box], [expected])[0, 0] > 0.7
    assert [face.track_id for [face] in found] == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("times", [(0.0, 0.0), (1.0, 0.5)])
def test_frames_that_are_followed_have_times_in_order(times: tuple[float, ...], photo: Image, fake: list[FakeBackend]) -> None:
    frames = [make_frame(photo, index, time) for index, time in enumerate(times)]
    with pytest.raises(ValueError, match="frame 1: expected a timestamp after"):
        list(stream(frames, backend="fake"))
    with open_pipeline(backend="fake", track=True) as pipeline, pytest.raises(ValueError, match="frame 1: expected a timestamp"):
        list(pipeline.analyze_all(frames))


@pytest.mark.parametrize(
    ("region", "faces"),
    [((100, 0, 300, 300), 1), (Box(100, 0, 300, 300), 1), ((0.2, 0, 0.6, 0.6), 1), ((0, 0.5, 1, 0.5), 0), ((0, 0, 1, 1), 1)],
)
def test_faces_are_looked_for_in_a_region(region: Any, faces: int, photo: Image, fake: list[FakeBackend]) -> None:
    [(frame, result)] = stream([photo], frames_per_second=25, region=region, backend="fake")
    assert frame.image.shape == photo.shape
    assert len(result.readings) == faces
    assert all(intersection_over_union([face.box], [NETWORK_FACE])[0, 0] > 0.75 for face in result.readings)


@pytest.mark.parametrize(
    "region", ["abcd", (1, 2, 3), 5, (0, 0.5, 600, 300), (0, 0, 600, 300), (-1, 0, 5, 5), (0, 0, float("nan"), 1), (0, 0, 8, 8)]
)
def test_regions_that_make_no_sense(region: Any, fake: list[FakeBackend]) -> None:
    with pytest.raises(UsageError, match=r"`?region"):
        next(stream([make_image()], frames_per_second=25, region=region, backend="fake"))


def test_a_photo_has_a_region_too(fake: list[FakeBackend]) -> None:
    assert len(analyze(PHOTO, backend="fake", region=(0, 0, 1, 0.5)).readings) == 1
    assert analyze(PHOTO, backend="fake", region=(0, 0.5, 1, 0.5)).readings == ()


def test_a_region_holds_for_pictures_of_each_size(photo: Image, fake: list[FakeBackend]) -> None:
    pictures = [photo, photo[:256, :256]]
    with pytest.raises(UsageError, match="do not lie in the picture of 256 x 256"):
        list(stream(pictures, frames_per_second=5, backend="fake", region=(0, 0, 300, 300)))
    assert len(list(stream(pictures, frames_per_second=5, backend="fake", region=(0, 0, 0.5, 0.5)))) == 2


def test_a_part_of_a_clip(moving_clip: MovingClip, fake: list[FakeBackend]) -> None:
    results = stream(moving_clip.path, start=0.4, end=0.8, every=3, backend="fake")
    assert [frame.index for frame, _ in results] == [10, 13, 16, 19]


def test_a_result_is_drawn_on_a_copy(photo: Image, fake: list[FakeBackend]) -> None:
    result = analyze(photo, backend="fake")
    drawn = draw(photo, result)
    np.testing.assert_array_equal(drawn, overlay.draw(photo, result.readings))
    np.testing.assert_array_equal(draw(PHOTO, result), drawn)
    np.testing.assert_array_equal(draw(PHOTO, result, color="rgb"), drawn[..., ::-1])
    np.testing.assert_array_equal(draw(make_frame(photo), result), drawn)


@pytest.mark.parametrize("result", [None, (), make_reading()])
def test_only_a_result_is_drawn(result: Any) -> None:
    with pytest.raises(TypeError, match="expected a FrameResult, got"):
        draw(make_image(), result)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import emodetect, sys; dir(emodetect); print([name for name in sys.modules if '.' not in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "cv2", "onnxruntime", "PIL", "pandas", "scipy", "tensorflow", "matplotlib", "click", "asyncio", "logging"}
    assert "'emodetect'" in done.stdout
    assert heavy.isdisjoint(ast.literal_eval(done.stdout))


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


@pytest.mark.parametrize("source", [None, np.zeros((48, 64, 3), np.uint8), 0.5])
def test_a_stream_has_frames(source: Any) -> None:
    with pytest.raises(TypeError, match="expected a clip, a camera's number or name, an address, or an iterable of frames"):
        next(emodetect.stream(source))

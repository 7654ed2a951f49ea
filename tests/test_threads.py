"""Pipelines and threads: what may be shared, and what is refused."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.api import open_pipeline, stream
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.emotions.scorer import EmotionScorer
from emodetect.errors import BackendError, ModelError
from emodetect.faces.locator import FaceLocator
from emodetect.pipeline import EmotionPipeline
from emodetect.types import Frame, FrameResult, Image
from tests.builders import ROOT, FakeBackend, MovingClip, make_background, make_frame, make_image, place_face
from tests.faces.scripted import BLUE, Scripted, two_colors

THREADS, CALLS = 4, 200


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Pictures of nobody, of one face and of two, of different sizes."""
    pictures = [make_background((180, 140))]
    for side in (60, 70, 80, 90):
        picture, _ = place_face(make_background((150 + side, 140), seed=side), (60, 70), side)
        pictures.append(picture)
    pair, _ = place_face(make_background((320, 160)), (80, 80), 70)
    pictures.append(place_face(pair, (230, 80), 90)[0])
    return [Frame(picture, index) for index, picture in enumerate(pictures)]


def told(result: FrameResult) -> list[Any]:
    """All that a result says, without the times that it took."""
    readings = [(r.box, r.track_id, r.uncertain, None if r.scores is None else r.scores.values.tolist()) for r in result.readings]
    return [result.index, result.seen, readings]


def in_threads(function: Callable[[int], Any], count: int = CALLS) -> list[Any]:
    """The answers of calls from several threads, which begin at once."""
    together = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS, initializer=together.wait) as pool:
        return list(pool.map(function, range(count)))


@pytest.mark.parametrize("kind", ["embedded", "model file", "two views", "whole pictures"])
def test_threads_that_share_a_pipeline_get_the_answers_of_one(kind: str, frames: list[Frame], tmp_path: Path) -> None:
    options: dict[str, dict[str, Any]] = {
        "embedded": {},
        "model file": {"model": tmp_path / "model.onnx"},
        "two views": {"views": 2, "verify": False},
        "whole pictures": {"detector": "none"},
    }
    shutil.copy(EMBEDDED, tmp_path / "model.onnx")
    with open_pipeline(**options[kind]) as pipeline:
        alone = [told(pipeline.analyze(frame)) for frame in frames]
        shared = in_threads(lambda call: told(pipeline.analyze(frames[call % len(frames)])))
    assert [len(faces) for _, _, faces in alone] == ([1] * 6 if kind == "whole pictures" else [0, 1, 1, 1, 1, 2])
    assert shared == [alone[call % len(frames)] for call in range(CALLS)]


def test_threads_may_share_a_cascade_of_the_users(frames: list[Frame]) -> None:
    from emodetect.faces.haar import HaarDetector

    locator = FaceLocator(HaarDetector(ROOT / "haarcascades/haarcascade_frontalface_default.xml"))
    alone = [locator.locate(frame) for frame in frames]
    shared = in_threads(lambda call: locator.locate(frames[call % len(frames)]))
    assert shared == [alone[call % len(frames)] for call in range(CALLS)]


def test_failures_are_counted_over_all_threads() -> None:
    class Broken(FakeBackend):
        @override
        def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
            raise ModelError("broken")

    pipeline = EmotionPipeline(FaceLocator(Scripted(BLUE)), EmotionScorer(Broken(), max_failures=CALLS))

    def fails(_: int) -> bool:
        try:
            pipeline.analyze(make_frame(two_colors()))
        except BackendError:
            return True
        return False

    assert sum(in_threads(fails)) == 1


def test_a_pipeline_that_tracks_refuses_a_second_thread(photo: Image) -> None:
    with open_pipeline(track=True) as pipeline:
        first = told(pipeline.analyze(Frame(photo, 0, 0.0)))
        with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match=r"follows faces.* open a pipeline for each thread"):
            pool.submit(pipeline.analyze, Frame(photo, 1, 0.04)).result()
        with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="follows faces"):
            pool.submit(list, pipeline.analyze_all([Frame(photo, 1, 0.04)])).result()
        second = told(pipeline.analyze(Frame(photo, 1, 0.04)))  # the refused calls have left no trace
        assert len([*pipeline.classify_faces([photo])]) == 1
    with open_pipeline(track=True) as alone:
        assert [told(alone.analyze(Frame(photo, index, index / 25))) for index in range(2)] == [first, second]


def test_it_need_not_be_the_thread_that_opened_it(photo: Image) -> None:
    with open_pipeline(track=True) as pipeline, ThreadPoolExecutor(1) as pool:
        results = [pool.submit(pipeline.analyze, Frame(photo, index, index / 25)).result() for index in range(3)]
    assert [[reading.track_id for reading in result.readings] for result in results] == [[1]] * 3


def test_while_frames_are_analyzed_in_order_no_other_comes_between_and_then_it_goes_on() -> None:
    frames = [make_frame(make_image(), index, index / 25) for index in range(4)]
    with open_pipeline(track=True, detector="none") as pipeline:
        pipeline.analyze(frames[0])
        results = pipeline.analyze_all(frames[1:3])
        next(results)
        for other in (lambda: pipeline.analyze(frames[3]), lambda: next(pipeline.analyze_all(frames[3:]))):
            with pytest.raises(RuntimeError, match="used elsewhere"):
                other()
        assert [frame.index for frame, _ in results] == [2]
        assert len(pipeline.analyze(frames[3]).readings) == 1


@pytest.mark.parametrize("kind", ["clip", "pictures"])
def test_results_of_a_stream_may_be_taken_by_any_thread(kind: str, moving_clip: MovingClip) -> None:
    source: Any = moving_clip.path if kind == "clip" else [make_image() for _ in range(3)]
    results = stream(source, detector="none", frames_per_second=None if kind == "clip" else 25)
    taken = []
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:  # as servers do it, each time another one
            taken.append(pool.submit(next, results).result())
    results.close()
    assert [frame.index for frame, _ in taken] == [0, 1, 2]

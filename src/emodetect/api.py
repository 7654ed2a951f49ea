"""The Python interface: what the commands do, as functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emodetect.backends.registry import create_backend
from emodetect.backends.verifier import EmbeddedVerifier
from emodetect.faces.haar import HaarDetector, MinFace
from emodetect.faces.tracker import FaceTracker
from emodetect.pipeline import EmotionPipeline
from emodetect.reader import MAX_FAILURES
from emodetect.smoother import ScoreSmoother
from emodetect.sources.images import read_image
from emodetect.sources.video import VideoFile
from emodetect.types import Frame, FrameResult, Image

_MIN_FACE_PHOTO = MinFace(0.05, relative=True)
_MIN_FACE_CLIP = MinFace(0.1, relative=True)


@contextmanager
def open_pipeline(
    *,
    backend: str = "cnn",
    model: str | Path | None = None,
    labels: Sequence[str] | None = None,
    track: bool = False,
    smoothing: float = 0.3,
    max_failures: int = MAX_FAILURES,
) -> Iterator[EmotionPipeline]:
    """A pipeline to analyse many pictures with; the backend is loaded once and closed at the end.

    Args:
        backend: "cnn", "deepface", or a plug-in's name.
        model: for cnn the name of a head or a model file; None for the embedded network.
        labels: what a model file's outputs mean, where it does not say so.
        track: whether frames come in order from one source, so that faces keep their ids and scores are smoothed.
        smoothing: with ``track``, seconds over which scores are averaged.
        max_failures: in how many pictures in a row the backend may not fail; before that, their faces have no scores and
            the logger ``emodetect`` warns.

    Raises:
        EmodetectError: the backend cannot be loaded.
    """
    detector = HaarDetector(min_face=_MIN_FACE_CLIP if track else _MIN_FACE_PHOTO)
    with create_backend(backend, None if model is None else str(model), labels) as loaded:
        yield EmotionPipeline(
            detector,
            loaded,
            verifier=EmbeddedVerifier(),
            tracker=FaceTracker() if track else None,
            smoother=ScoreSmoother(smoothing) if track else None,
            max_failures=max_failures,
        )


def analyze(picture: str | Path | Image, *, backend: str = "cnn", model: str | Path | None = None) -> FrameResult:
    """Read the emotions off the faces in one picture.

    Args:
        picture: a file, or uint8 (height, width, 3) BGR.
        backend: as for `open_pipeline`.
        model: as for `open_pipeline`.

    Raises:
        EmodetectError: the picture cannot be read, or the backend cannot be loaded or fails.
    """
    image = read_image(Path(picture)) if isinstance(picture, str | Path) else picture
    with open_pipeline(backend=backend, model=model, max_failures=1) as pipeline:
        return pipeline.analyze(Frame(image))


def stream(
    clip: str | Path, *, backend: str = "cnn", model: str | Path | None = None, smoothing: float = 0.3
) -> Iterator[tuple[Frame, FrameResult]]:
    """Read the emotions off every frame of a clip, in order, one frame in memory at a time.

    Args:
        clip: a video file.
        backend: as for `open_pipeline`.
        model: as for `open_pipeline`.
        smoothing: seconds over which scores are averaged.

    Raises:
        EmodetectError: the clip cannot be read or the backend cannot be loaded.
    """
    with (
        VideoFile(Path(clip)) as frames,
        open_pipeline(backend=backend, model=model, track=True, smoothing=smoothing) as pipeline,
    ):
        yield from pipeline.analyze_all(frames)

"""The Python interface: what the commands do, as functions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from typing_extensions import TypedDict, Unpack

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.limits import parse_size
from emodetect.backends.registry import BackendSettings
from emodetect.errors import UsageError
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.pipeline import EmotionPipeline, build_pipeline
from emodetect.settings.pipeline import CLIPS, PHOTOS, PipelineSettings
from emodetect.sources.images import address_error, read_image
from emodetect.sources.video import VideoFile
from emodetect.types import Frame, FrameResult, Image


class Options(TypedDict, total=False):
    """What `analyze` and `stream` pass on to `open_pipeline`."""

    backend: str
    model: str | Path | None
    labels: Sequence[str] | None
    scaling: str | tuple[float, float] | None
    channels: str | None
    output_name: str | None
    max_model_memory: int | str
    views: int
    uncertain_below: float | None
    detector: str
    verify: bool
    min_face: float | None
    min_neighbors: int


@contextmanager
def open_pipeline(
    *,
    backend: str = BackendSettings.name,
    model: str | Path | None = None,
    labels: Sequence[str] | None = None,
    scaling: str | tuple[float, float] | None = None,
    channels: str | None = None,
    output_name: str | None = None,
    max_model_memory: int | str = BackendSettings.max_model_memory,
    views: int = BackendSettings.views,
    uncertain_below: float | None = PipelineSettings.uncertain_below,
    detector: str = DetectorSettings.name,
    verify: bool = PipelineSettings.verify,
    min_face: float | None = None,
    min_neighbors: int = DetectorSettings.min_neighbors,
    track: bool = PipelineSettings.track,
    smoothing: float = CLIPS.smoothing,
    max_failures: int = PipelineSettings.max_failures,
) -> Iterator[EmotionPipeline]:
    """A pipeline to analyse many pictures with; the backend is loaded once and closed at the end.

    Args:
        backend: "cnn", "deepface", or a plug-in's name.
        model: for cnn the name of a head or a model file; None for the embedded network.
        labels: what a model file's outputs mean, in order, where it does not say so.
        scaling: what a model file makes of pixels from 0 to 255, where it does not say so: "0..1", "-1..1", "0..255" or any other
            range, "imagenet", or a factor and what is added after that.
        channels: the colors that a model file was trained on, where it does not say so: "gray", "rgb" or "bgr".
        output_name: the output of a model file to read, where it has several.
        max_model_memory: what the process of a model file may hold: bytes, or a text such as "4GB".
        views: 2 to average the scores of each face and its mirror image, for twice the time; 1 for the face alone.
        uncertain_below: confidence, 0 to 1, under which a reading is marked uncertain; None for the backend's own.
        detector: "haar", or "none", which takes each whole picture for one face, as for cropped faces.
        verify: whether the embedded network may refuse what the detector has found and is no face.
        min_face: the smallest face to look for: from 1 on pixels, below a share of the picture's height; None for 5 %, or 10 % of
            frames that are tracked.
        min_neighbors: how many overlapping windows must agree on a face.
        track: whether frames come in order from one source, so that faces keep their ids and scores are smoothed.
        smoothing: with ``track``, seconds after which 63 % of a change is seen in the scores; 0 for none.
        max_failures: in how many pictures in a row the backend may not fail; before that, their faces have no scores and
            the logger ``emodetect`` warns.

    Raises:
        EmodetectError: the backend cannot be loaded, there is no such detector, or an option has a value of another
            type or out of range.
    """
    defaults = CLIPS if track else PHOTOS
    if detector == "none" and min_face is not None:
        raise UsageError("min_face does not go with detector='none': no face is looked for")
    settings = replace(
        defaults,
        backend=BackendSettings(
            backend,
            str(model) if isinstance(model, Path) else model,
            ModelConventions.of(labels, scaling, channels, output_name),
            views,
            max_model_memory if isinstance(max_model_memory, int) else parse_size(str(max_model_memory)),
        ),
        detector=DetectorSettings(
            detector,
            min_neighbors=min_neighbors,
            min_face=defaults.detector.min_face if min_face is None else MinFace.of(min_face),
        ),
        verify=verify,
        smoothing=smoothing,
        uncertain_below=uncertain_below,
        max_failures=max_failures,
    )
    with build_pipeline(settings) as pipeline:
        yield pipeline


def analyze(picture: str | os.PathLike[str] | Image, **options: Unpack[Options]) -> FrameResult:
    """Read the emotions off the faces in one picture.

    Args:
        picture: a file, or uint8 (height, width, 3) BGR.
        **options: as for `open_pipeline`: backend, model, labels, scaling, channels, output_name, views,
            max_model_memory, uncertain_below, verify, min_face, min_neighbors.

    Raises:
        EmodetectError: the picture cannot be read, or the backend cannot be loaded or fails.
        TypeError: it is neither a name nor an array.
        ValueError: it is an array of another shape or type, or has no pixels.
    """
    if isinstance(picture, str) and (error := address_error(picture)):
        raise error
    frame = Frame(read_image(Path(picture)) if isinstance(picture, str | os.PathLike) else picture)
    with open_pipeline(max_failures=1, **options) as pipeline:
        return pipeline.analyze(frame)


def stream(
    clip: str | os.PathLike[str], *, smoothing: float = CLIPS.smoothing, **options: Unpack[Options]
) -> Iterator[tuple[Frame, FrameResult]]:
    """Read the emotions off every frame of a clip, in order, one frame in memory at a time.

    Args:
        clip: a video file.
        smoothing: as for `open_pipeline`.
        **options: as for `analyze`.

    Raises:
        EmodetectError: the clip cannot be read or the backend cannot be loaded.
        TypeError: the clip is not the name of a file.
    """
    if not isinstance(clip, str | os.PathLike):
        raise TypeError(f"expected the name of a video file, got {type(clip).__name__}; open_pipeline reads pictures in memory")
    with (
        VideoFile(Path(clip)) as frames,
        open_pipeline(track=True, smoothing=smoothing, **options) as pipeline,
    ):
        yield from pipeline.analyze_all(frames)

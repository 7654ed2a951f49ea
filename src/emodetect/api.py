"""The Python interface: the commands as functions."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import TypedDict, Unpack

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.limits import parse_size
from emodetect.backends.registry import BackendSettings
from emodetect.errors import UsageError
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.region import Region
from emodetect.pipeline import EmotionPipeline, build_pipeline
from emodetect.settings.pipeline import CLIPS, PHOTOS, PipelineSettings
from emodetect.sources.pictures import Color, Picture, iterate_pictures, load_image, load_named
from emodetect.types import Box, FaceReading, Frame, FrameResult, Image, kind_of

if TYPE_CHECKING:
    from emodetect.sources.frames import Source


class BackendOptions(TypedDict, total=False):
    """Options that `classify_faces` passes to `open_pipeline`."""

    backend: str
    model: str | Path | None
    labels: Sequence[str] | None
    scaling: str | tuple[float, float] | None
    channels: str | None
    output_name: str | None
    max_model_memory: int | str
    views: int
    uncertain_below: float | None


class Options(BackendOptions, total=False):
    """Options that `analyze` and `stream` pass to `open_pipeline`."""

    detector: str
    verify: bool
    min_face: float | None
    min_neighbors: int
    region: Box | Sequence[float] | None


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
    region: Box | Sequence[float] | None = None,
) -> Iterator[EmotionPipeline]:
    """Open a pipeline for many pictures: load its backend once, and close it at the end of the ``with`` block.

    >>> photo = emodetect.Frame(emodetect.load_image("examples/astronaut.jpg"))
    >>> with emodetect.open_pipeline() as pipeline:
    ...     print([len(pipeline.analyze(frame).readings) for frame in (photo, photo)])
    [1, 1]

    Args:
        backend: "cnn", "deepface", or the name of a plug-in.
        model: for "cnn", the name of a head or the path of a model file; None for the embedded network.
        labels: the labels of a model file's outputs, in order, if the file does not name them.
        scaling: the input range of a model file, if the file does not name it: "0..1", "-1..1", "0..255" or another range,
            "imagenet", or a factor and an offset for pixels from 0 to 255.
        channels: the color order of a model file's input, if the file does not name it: "gray", "rgb" or "bgr".
        output_name: the output of a model file to read, if it has several.
        max_model_memory: memory limit of a model file's process: bytes, or a text such as "4GB".
        views: 2 to average the scores of each face and its mirror image, for twice the time; 1 for the face alone.
        uncertain_below: confidence, 0 to 1, below which a reading is marked uncertain; None for the backend's own threshold.
        detector: "blazeface", a network, which also finds tilted, turned and covered faces; "haar", a cascade; "both", which
            uses the cascade if the network finds no face; "none", which takes each whole picture for one face, as for cropped
            faces; or the name of a plug-in.
        verify: whether the embedded network may reject false detections.
        min_face: minimum face height: pixels if at least 1, otherwise a fraction of the picture's height; None for 5 %, or 10 %
            with ``track``.
        min_neighbors: minimum number of overlapping windows of the cascade per face.
        track: whether frames come in order from one source, so that faces keep their ids and scores are smoothed.
        smoothing: with ``track``, time constant of the exponential moving average of the scores, seconds; 0 for none.
        max_failures: consecutive failed frames after which the backend is given up. Faces of earlier failed frames have no
            scores, and the logger ``emodetect`` warns.
        region: region of interest: a `Box`, or x, y, width and height in pixels, or as fractions of the picture's size if none of
            them exceeds 1; None for the whole picture.

    Raises:
        EmodetectError: the backend cannot be loaded, there is no such detector, or an option has the wrong type or is out of
            range.
    """
    defaults = CLIPS if track else PHOTOS
    if detector == "none" and min_face is not None:
        raise UsageError("min_face cannot be combined with detector='none': no faces are detected")
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
        region=None if region is None else Region.of(region),
        smoothing=smoothing,
        uncertain_below=uncertain_below,
        max_failures=max_failures,
    )
    with build_pipeline(settings) as pipeline:
        yield pipeline


def analyze(picture: Picture, *, color: Color = "bgr", **options: Unpack[Options]) -> FrameResult:
    """Read the emotions of the faces in one picture.

    >>> [face] = emodetect.analyze("examples/astronaut.jpg").readings
    >>> face.scores.dominant.value, face.uncertain
    ('happy', False)

    Args:
        picture: a file, its bytes, a PIL image or an array, as for `load_image`.
        color: the order of an array's channels, "bgr" or "rgb".
        **options: as for `open_pipeline`: backend, model, labels, scaling, channels, output_name, views,
            max_model_memory, uncertain_below, detector, verify, min_face, min_neighbors, region.

    Raises:
        EmodetectError: the picture cannot be read, or the backend cannot be loaded or fails.
        TypeError: the picture has an unsupported type.
        ValueError: the array has the wrong shape or type or has no pixels, or the color order is unknown.
    """
    frame = picture if isinstance(picture, Frame) else Frame(load_image(picture, color=color))
    with open_pipeline(max_failures=1, **options) as pipeline:
        return pipeline.analyze(frame)


def classify_faces(crops: Iterable[Picture], *, color: Color = "bgr", **options: Unpack[BackendOptions]) -> list[FaceReading]:
    """Read the emotions of cropped faces, without face detection.

    >>> face = emodetect.load_image("examples/astronaut.jpg")[66:160, 177:271]
    >>> [reading.scores.dominant.value for reading in emodetect.classify_faces([face, face])]
    ['happy', 'happy']

    Args:
        crops: one picture per face, as for `load_image`.
        color: the order of an array's channels, "bgr" or "rgb".
        **options: as for `open_pipeline`: backend, model, labels, scaling, channels, output_name, views, max_model_memory,
            uncertain_below.

    Returns:
        One reading per crop, in order. Its box is the whole crop; its ``track_id`` is the crop's number, from 1.

    Raises:
        EmodetectError: a crop cannot be read, or the backend cannot be loaded or fails.
        TypeError: ``crops`` is a single picture, or a crop has an unsupported type.
        ValueError: an array has the wrong shape or type or has no pixels, or the color order is unknown.
    """
    pictures = iterate_pictures(crops, "an iterable of cropped faces")
    images = (load_named(f"crop {number}", crop, color) for number, crop in enumerate(pictures, start=1))
    with open_pipeline(max_failures=1, detector="none", **options) as pipeline:
        return [*pipeline.classify_faces(images)]


def stream(
    source: Source,
    *,
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
    color: Color = "bgr",
    frames_per_second: float | None = None,
    smoothing: float = CLIPS.smoothing,
    **options: Unpack[Options],
) -> Generator[tuple[Frame, FrameResult], None, None]:
    """Read the emotions of the faces in a sequence of frames, and track each face. Only a few frames are in memory at a time.

    >>> photo = emodetect.load_image("examples/astronaut.jpg")
    >>> for frame, result in emodetect.stream([photo, photo], frames_per_second=25):
    ...     print(frame, [face.scores.dominant.value for face in result.readings])
    Frame(512x512, index=0, timestamp=0) ['happy']
    Frame(512x512, index=1, timestamp=0.04) ['happy']

    Args:
        source: a clip, of which every frame is read; a camera's number or name or an address such as ``rtsp://...``, of which
            the newest frame is read; or an iterable of frames or of pictures, as for `load_image`.
        start: first second to read: of the clip, since the start of the camera, or by the frames' timestamps.
        end: second before which to stop, or None for the end of the source.
        every: read every N-th of these frames.
        color: the order of an array's channels, "bgr" or "rgb".
        frames_per_second: frame rate of pictures without timestamps, such as arrays; None for 25, of which the logger
            ``emodetect.assumptions`` warns.
        smoothing: as for `open_pipeline`.
        **options: as for `analyze`, including ``region``.

    Raises:
        EmodetectError: the source cannot be read, the backend cannot be loaded or fails too often, or an option is out of range.
        TypeError: the source yields no frames.
        ValueError: an array has the wrong shape or type or has no pixels, or the color order is unknown.
    """
    from emodetect.sources.frames import open_frames  # here and not above: photos need no network
    from emodetect.sources.video import ClipPart

    part = ClipPart.of(start, end, every)
    with (
        open_frames(source, part, color=color, frames_per_second=frames_per_second) as (frames, can_wait),
        open_pipeline(track=True, smoothing=smoothing, **options) as pipeline,
    ):
        yield from pipeline.analyze_all(frames, read_ahead=can_wait)


def draw(picture: Picture, result: FrameResult, *, color: Color = "bgr") -> Image:
    """Draw a result on a copy of its picture: boxes, labels and each face's seven scores.

    >>> result = emodetect.analyze("examples/astronaut.jpg")
    >>> emodetect.draw("examples/astronaut.jpg", result).shape
    (512, 512, 3)

    Args:
        picture: the picture, as `load_image` takes it.
        result: the result to draw.
        color: the order of an array's channels, "bgr" or "rgb"; also that of the returned array.

    Returns:
        uint8 (height, width, 3), channels in the order ``color``.

    Raises:
        EmodetectError: the picture cannot be read.
        TypeError: the picture has an unsupported type, or the result is no `FrameResult`.
        ValueError: the array has the wrong shape or type or has no pixels, or the color order is unknown.
    """
    from emodetect.drawing import overlay

    if not isinstance(result, FrameResult):
        raise TypeError(f"expected a FrameResult, got {kind_of(result)}")
    drawn = overlay.draw(load_image(picture, color=color), result.readings, seen=result.seen)
    return drawn if color == "bgr" else np.ascontiguousarray(drawn[..., ::-1])

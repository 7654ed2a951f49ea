"""Inference of the server: shared networks, a tracker per client, and the threads that run them."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TypeVar

import cv2
from PIL import Image as PillowImage

from emodetect.backends.base import EmotionBackend
from emodetect.backends.registry import RESERVED, BackendSettings, plugins
from emodetect.errors import SourceError, UsageError
from emodetect.faces.detectors import DETECTORS
from emodetect.pipeline import EmotionPipeline, build_pipeline
from emodetect.serve.metrics import Metrics
from emodetect.settings.pipeline import PipelineSettings
from emodetect.settings.serve import ServedPipelines
from emodetect.sources.images import read_image_bytes
from emodetect.text.suggestions import did_you_mean
from emodetect.types import Frame, FrameResult, Image

T = TypeVar("T")

_IN_MEMORY = "bytes: "
"""Prefix of errors about a picture in memory."""

_FRAME_FORMATS = ("JPEG", "WEBP", "PNG")

_MAX_THREADS = 8
"""Maximum number of inference threads. Each runs one picture at a time, on one core."""


@dataclass(frozen=True)
class Choice:
    """Backend and detector chosen by a client.

    Attributes:
        backend: name of a backend that the server offers.
        detector: name of a detector.
    """

    backend: str
    detector: str


class Engine:
    """Analyzes pictures for all clients, never in the event loop.

    The networks are loaded once. Any thread may read photos. The frames of a stream are read by one thread, which owns its
    pipeline. A context manager; leaving it ends the threads and closes the backends.

    Args:
        settings: settings of the pipelines.
        metrics: records the times.
    """

    def __init__(self, settings: ServedPipelines, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        count = min(os.cpu_count() or 1, _MAX_THREADS)
        self._lanes = [_InferenceThread(f"stream-{number}") for number in range(count)]
        self._photos = ThreadPoolExecutor(count, "photo")
        self._loading = ThreadPoolExecutor(1, "load")
        self._offered = _offered_backends(settings.streams.backend)
        self._backends: dict[str, Future[EmotionBackend]] = {}
        self._photo_pipelines: dict[Choice, Future[EmotionPipeline]] = {}
        self._changing = threading.Lock()

    @property
    def backends(self) -> list[str]:
        """Names of the backends that clients may choose, the server's own first."""
        return list(self._offered)

    @property
    def detectors(self) -> list[str]:
        """Names of the detectors that clients may choose, the server's own first."""
        own = self._settings.streams.detector.name
        return [own, *(name for name in DETECTORS if name != own)]

    def choice(self, backend: str | None = None, detector: str | None = None) -> Choice:
        """Validate a client's choice; the server's own backend and detector are the defaults.

        Raises:
            UsageError: the server does not offer the backend or detector.
        """
        for kind, name, known in (("backend", backend, self.backends), ("detector", detector, self.detectors)):
            if name is not None and name not in known:
                raise UsageError(f"no {kind} {name[:40]!r}; there are {', '.join(known)}{did_you_mean(name[:40], known)}")
        return Choice(backend or self.backends[0], detector or self.detectors[0])

    async def ready(self, name: str) -> None:
        """Wait until a backend is loaded; the first request for it loads it.

        Raises:
            EmodetectError: the backend cannot be loaded.
        """
        await asyncio.shield(asyncio.wrap_future(self._loading_of(name)))

    def loaded(self, name: str) -> EmotionBackend:
        """The loaded backend of this name; as `ready`, but blocking."""
        return self._loading_of(name).result()

    def _loading_of(self, name: str) -> Future[EmotionBackend]:
        with self._changing:
            future = self._backends.get(name)
            if future is None or (future.done() and future.exception() is not None):  # retry after a failure
                future = self._backends[name] = self._loading.submit(_load, self._offered[name])
            return future

    async def read_photo(self, content: bytes, choice: Choice) -> tuple[FrameResult, tuple[int, int]]:
        """Analyze a photo.

        Args:
            content: the file's bytes.
            choice: backend and detector.

        Returns:
            The result, and width and height of the photo, pixels.

        Raises:
            EmodetectError: the photo cannot be read.
        """
        await self.ready(choice.backend)
        return await _run(self._photos, partial(self._read_photo, content, choice))

    def _read_photo(self, content: bytes, choice: Choice) -> tuple[FrameResult, tuple[int, int]]:
        pipeline = self._photo_pipeline(choice)
        with self._measured():
            image = decoded(content)
            result = pipeline.analyze(Frame(image), name="the picture")
        return result, (image.shape[1], image.shape[0])

    def _photo_pipeline(self, choice: Choice) -> EmotionPipeline:
        """Pipeline for photos, cached by choice."""
        backend = self.loaded(choice.backend)
        with self._changing:
            future = self._photo_pipelines.get(choice)
            if is_mine := future is None:
                future = self._photo_pipelines[choice] = Future()
        if is_mine:
            try:
                future.set_result(build_pipeline(_chosen(self._settings.photos, self._offered, choice), backend))
            except BaseException as error:
                with self._changing:
                    del self._photo_pipelines[choice]
                future.set_exception(error)
        return future.result()

    def clip_pipeline(self, choice: Choice) -> EmotionPipeline:
        """Create a pipeline for one clip, with a loaded backend; blocking.

        Raises:
            EmodetectError: the pipeline cannot be built.
        """
        return build_pipeline(_chosen(self._settings.clips, self._offered, choice), self.loaded(choice.backend))

    def stream_pipeline(self, choice: Choice) -> EmotionPipeline:
        """Create a pipeline for one stream, with a loaded backend; blocking.

        Raises:
            EmodetectError: the pipeline cannot be built.
        """
        return build_pipeline(_chosen(self._settings.streams, self._offered, choice), self.loaded(choice.backend))

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Open a stream for one client, on the inference thread with the fewest clients."""
        lane = min(self._lanes, key=lambda lane: lane.clients)
        lane.clients += 1
        try:
            yield Stream(self, lane)
        finally:
            lane.clients -= 1

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Count a picture and record its time."""
        start = time.perf_counter()
        try:
            with _enough_memory():
                yield
        except Exception:
            self._metrics.frames_failed.inc()
            raise
        self._metrics.frames_read.inc()
        self._metrics.inference_seconds.observe(time.perf_counter() - start)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        for executor in (self._loading, self._photos, *(lane.executor for lane in self._lanes)):
            executor.shutdown(wait=True, cancel_futures=True)
        for future in self._backends.values():
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().close()


class Stream:
    """Analyzes the frames of one client, in order, all in one thread.

    Args:
        engine: the engine.
        lane: its inference thread.
    """

    def __init__(self, engine: Engine, lane: _InferenceThread) -> None:
        self._engine, self._lane = engine, lane
        self._pipeline: EmotionPipeline | None = None

    async def choose(self, choice: Choice) -> None:
        """Build the pipeline for a choice, with a new tracker.

        Raises:
            EmodetectError: the pipeline cannot be built.
        """
        engine = self._engine
        await engine.ready(choice.backend)  # here, since loading in the thread would block its other clients
        self._pipeline = await _run(self._lane.executor, partial(engine.stream_pipeline, choice))

    async def read(self, content: bytes, number: int, timestamp: float, max_pixels: int) -> tuple[FrameResult, tuple[int, int]]:
        """Analyze a frame.

        Args:
            content: an image file.
            number: number of the frame.
            timestamp: seconds, after that of the previous frame.
            max_pixels: maximum number of pixels.

        Returns:
            The result, and width and height of the frame, pixels.

        Raises:
            EmodetectError: the frame cannot be read.
        """
        return await _run(self._lane.executor, partial(self._read, content, number, timestamp, max_pixels))

    def _read(self, content: bytes, number: int, timestamp: float, max_pixels: int) -> tuple[FrameResult, tuple[int, int]]:
        assert self._pipeline is not None, "choose comes first"
        with self._engine._measured():
            check_frame(content, max_pixels)
            frame = Frame(decoded(content), number, timestamp)
            return self._pipeline.analyze(frame), (frame.image.shape[1], frame.image.shape[0])


class _InferenceThread:
    """An inference thread for several clients, whose frames take turns."""

    def __init__(self, name: str) -> None:
        self.executor = ThreadPoolExecutor(1, name)
        self.clients = 0


def decoded(content: bytes) -> Image:
    """Decode an image file to uint8 (height, width, 3) BGR.

    Raises:
        SourceError: the content is no image, or has too many pixels.
    """
    try:
        return read_image_bytes(content)
    except SourceError as error:
        raise SourceError(str(error).removeprefix(_IN_MEMORY)) from error


def check_frame(content: bytes, max_pixels: int) -> None:
    """Check by its header that a frame is JPEG, WebP or PNG, and not too large.

    Raises:
        SourceError: the frame has another format, or too many pixels.
    """
    try:
        with PillowImage.open(io.BytesIO(content), formats=_FRAME_FORMATS) as picture:
            width, height = picture.size
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning):
        width = height = max_pixels
    except Exception as error:  # Pillow raises many kinds for damaged headers
        raise SourceError("expected a frame as JPEG, WebP or PNG") from error
    if width * height > max_pixels:
        raise SourceError(f"announces more than {max_pixels} pixels; send smaller frames")


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Convert a lack of memory to an error of this picture."""
    try:
        yield
    except MemoryError:
        raise SourceError("there is not enough memory for it") from None
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            raise
        raise SourceError("there is not enough memory for it") from None


def _offered_backends(own: BackendSettings) -> dict[str, BackendSettings]:
    """Backends that clients may choose, by name. A model file is named by its title in messages, without folders."""
    name = os.path.basename(own.title)
    plain = replace(own, model=None, conventions=BackendSettings.conventions)
    others = {head: replace(plain, name="cnn", model=head) for head in RESERVED}
    if find_spec("deepface"):
        others["deepface"] = replace(plain, name="deepface")
    others |= {plugin: replace(plain, name=plugin) for plugin in plugins()}
    return {name: own} | {other: settings for other, settings in others.items() if other != name}


def _load(settings: BackendSettings) -> EmotionBackend:
    """Load a backend, in a separate process if it could block this one."""
    backend = settings.create(responsive=True)
    backend.__enter__()
    return backend


def _chosen(base: PipelineSettings, offers: Mapping[str, BackendSettings], choice: Choice) -> PipelineSettings:
    return replace(base, backend=offers[choice.backend], detector=replace(base.detector, name=choice.detector))


def _run(executor: ThreadPoolExecutor, work: Callable[[], T]) -> Awaitable[T]:
    return asyncio.get_running_loop().run_in_executor(executor, work)

"""Frame rate, time per stage, start-up time and memory of the pipeline on a clip."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from emodetect.backends.base import EmotionBackend
from emodetect.backends.registry import BackendSettings
from emodetect.benchmark.startup import Start, measure_start
from emodetect.benchmark.synthetic_clip import PORTRAIT
from emodetect.benchmark.tutorial import Loop, ensure_deepface_weights, open_tutorial, start_tutorial
from emodetect.errors import BackendUnavailableError
from emodetect.pipeline import EmotionPipeline, build_pipeline
from emodetect.settings.pipeline import CLIPS
from emodetect.sources.video import VideoFile
from emodetect.system.native_output import quiet_native_output
from emodetect.types import Frame

_log = logging.getLogger(__name__)

_WARM_UP = 10
"""Number of frames that each configuration analyzes before it is timed."""


def peer_of(settings: BackendSettings) -> str | None:
    """Keras file that the tutorial's loop can load as well; None if DeepFace's loop is the comparison."""
    return settings.model if Path(settings.model or "").suffix.lower() in {".h5", ".hdf5", ".keras"} else None


@dataclass
class Runs:
    """Measurements of several runs over the clip.

    Attributes:
        frames: number of frames in each run.
        faces: number of faces read in each run.
        rates: frame rate of each run, fps.
        start: start-up cost.
        stages_ms: milliseconds per frame by stage, measured frame by frame.
    """

    start: Start
    frames: int = 0
    faces: int = 0
    rates: list[float] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)

    def time(self, run: Callable[[], tuple[int, int]]) -> None:
        """Time a run, which returns the number of frames and of faces that it read."""
        started = time.perf_counter()
        self.frames, self.faces = run()
        self.rates.append(self.frames / (time.perf_counter() - started))

    def as_dict(self) -> dict[str, Any]:
        """Measurements that both sides of a comparison have, as a dictionary."""
        peak = self.start.peak_memory_mb
        return {
            "frames": self.frames,
            "faces": self.faces,
            "frames_per_second": round(median(self.rates), 2),
            "startup_seconds": round(self.start.seconds, 3),
            "peak_memory_mb": None if peak is None else round(peak, 1),
        }


class Bench:
    """Measures configurations on a clip in turn, one run each per round, so that all run under the same conditions.

    Args:
        clip: a video file.
        frames: maximum number of its frames to use.
        rounds: number of runs; the median is reported.
        compare: whether to measure the tutorial's loop for each: with the same file for a Keras model, otherwise with DeepFace.
            If DeepFace's weights are missing and there is a Keras model, only that one is compared.
        detector: name of the face detector, as for `create_detector`.
        options_of: returns the command-line options of `emodetect image` for a configuration.
        progress: called with a description of each step.
    """

    def __init__(
        self,
        clip: Path,
        *,
        frames: int,
        rounds: int,
        compare: bool = False,
        detector: str = CLIPS.detector.name,
        options_of: Callable[[BackendSettings], Sequence[str]],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clip, self._frames, self._rounds, self._compare = clip, frames, rounds, compare
        self._detector, self._options_of, self._progress = detector, options_of, progress

    def measure(self, configurations: Sequence[BackendSettings]) -> list[dict[str, Any]]:
        """Measure the configurations; returns one dictionary each, as in the output format.

        Raises:
            EmodetectError: the clip cannot be read, or a backend cannot be loaded.
        """
        with VideoFile(self._clip) as clip:
            clip.file.check_lasting()
            backends = [c.create() for c in configurations]
        peers = self._peers(configurations)
        pipelines = [Runs(self._start(c)) for c in configurations]
        tutorials = {model: Runs(self._start_tutorial(model)) for model in peers}
        with ExitStack() as stack:
            for backend in backends:
                self._progress(f"loading {backend.name}")
                stack.enter_context(backend)
            with quiet_native_output():
                loops = {model: open_tutorial(model) for model in peers}
            for runs, backend in zip(pipelines, backends, strict=True):
                self._progress(f"{backend.name}, stage by stage")
                self._warm_up(backend)
                runs.stages_ms = self._stages(backend)
            for loop in loops.values():
                for frame in self._read(_WARM_UP):
                    loop(frame.image)
            for number in range(1, self._rounds + 1):
                for runs, backend in zip(pipelines, backends, strict=True):
                    self._progress(f"round {number} of {self._rounds}: {backend.name}")
                    runs.time(partial(self._run, backend))
                for model, loop in loops.items():
                    self._progress(f"round {number} of {self._rounds}: {_loop_name(model)}")
                    tutorials[model].time(partial(self._run_tutorial, loop))
        return [
            _record(configuration, runs, tutorials.get(peer_of(configuration)))
            for configuration, runs in zip(configurations, pipelines, strict=True)
        ]

    def _peers(self, configurations: Sequence[BackendSettings]) -> list[str | None]:
        """Models of the loops to measure, None for DeepFace, whose weights are downloaded if necessary."""
        peers = list(dict.fromkeys(peer_of(c) for c in configurations)) if self._compare else []
        needed = any(c.name == "deepface" for c in configurations)
        if needed or None in peers:
            self._progress("DeepFace's weights")
            try:
                ensure_deepface_weights()
            except BackendUnavailableError as error:
                if needed or peers == [None]:
                    raise
                _log.warning("%s; without them only the Keras file is compared", error)
                peers.remove(None)
        return peers

    def _start(self, configuration: BackendSettings) -> Start:
        self._progress(f"start of {configuration.title}")
        return measure_start("emodetect", "image", PORTRAIT, *self._options_of(configuration))

    def _start_tutorial(self, model: str | None) -> Start:
        self._progress(f"start of {_loop_name(model)}")
        return start_tutorial(model)

    def _pipeline(self, backend: EmotionBackend) -> EmotionPipeline:
        """The pipeline of `emodetect video`."""
        return build_pipeline(replace(CLIPS, detector=replace(CLIPS.detector, name=self._detector)), backend)

    def _read(self, frames: int) -> Iterator[Frame]:
        with VideoFile(self._clip) as clip:
            yield from islice(clip, frames)

    def _warm_up(self, backend: EmotionBackend) -> None:
        pipeline = self._pipeline(backend)
        for frame in self._read(_WARM_UP):
            pipeline.analyze(frame)

    def _run(self, backend: EmotionBackend) -> tuple[int, int]:
        with closing(self._pipeline(backend).analyze_all(self._read(self._frames))) as results:
            counts = [len(result.readings) for _, result in results]
        return len(counts), sum(counts)

    def _run_tutorial(self, loop: Loop) -> tuple[int, int]:
        counts = [loop(frame.image) for frame in self._read(self._frames)]
        return len(counts), sum(counts)

    def _stages(self, backend: EmotionBackend) -> dict[str, list[float]]:
        """Milliseconds of each stage of each frame, measured without concurrency; 0 if a frame skips the stage."""
        pipeline = self._pipeline(backend)
        rows: list[Mapping[str, float]] = []
        started = time.perf_counter()
        for frame in self._read(self._frames):
            decoded = 1000 * (time.perf_counter() - started)
            rows.append({"decode": decoded, **pipeline.analyze(frame).timings_ms})
            started = time.perf_counter()
        return {stage: [row.get(stage, 0.0) for row in rows] for stage in dict.fromkeys(s for row in rows for s in row)}


def _loop_name(model: str | None) -> str:
    return f"the tutorial's loop with {model or 'DeepFace'}"


def _record(configuration: BackendSettings, runs: Runs, tutorial: Runs | None) -> dict[str, Any]:
    figures = runs.as_dict()
    stages = {
        stage: {"median": round(float(np.median(times)), 3), "p95": round(float(np.percentile(times, 95)), 3)}
        for stage, times in runs.stages_ms.items()
    }
    model = configuration.model or ("embedded" if configuration.name == "cnn" else None)
    record = {
        "backend": configuration.name,
        "model": model,
        "frames": figures["frames"],
        "faces": figures["faces"],
        "frames_per_second": figures["frames_per_second"],
        "stages_ms": stages,
        "startup_seconds": figures["startup_seconds"],
        "peak_memory_mb": figures["peak_memory_mb"],
    }
    if tutorial is not None:
        reference = tutorial.as_dict()
        record["tutorial"] = {
            "loop": "keras" if peer_of(configuration) else "deepface",
            **reference,
            "times_faster": round(figures["frames_per_second"] / reference["frames_per_second"], 2),
        }
    return record

"""``emodetect video``."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from emodetect.cli.options import (
    anonymize_option,
    backend_options,
    check_anonymize,
    debug_option,
    detector_options,
    make_backend,
    make_detector,
    make_verifier,
    max_pixels_option,
    overwrite_option,
)
from emodetect.errors import OutputError
from emodetect.text import one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("clip", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Save the annotated clip (H.264: .mp4, .mov or .mkv), with its sound.")  # fmt: skip
@click.option("--log", type=click.Path(path_type=Path), metavar="FILE",
              help="Save the readings of every frame: .jsonl, or .csv.")  # fmt: skip
@click.option("--smoothing", type=click.FloatRange(0), default=0.3, show_default=True, metavar="SECONDS",
              help="Time over which scores are averaged; 0 is off.")  # fmt: skip
@anonymize_option
@overwrite_option
@backend_options
@detector_options("10%")
@max_pixels_option
@debug_option
def video(
    clip: Path, output: Path | None, log: Path | None, smoothing: float, anonymize: str | None, overwrite: bool,
    backend: str, model: str | None, labels: list[str] | None, uncertain: float | None, verify: bool, **detector: Any,
) -> None:  # fmt: skip
    """Read the emotions off every frame of a clip, in order; two runs give the same log."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from emodetect.faces.search import SCAN_EVERY
    from emodetect.faces.tracker import FaceTracker
    from emodetect.files import check_output
    from emodetect.pipeline import EmotionPipeline
    from emodetect.sinks.anonymized import AnonymizedSink
    from emodetect.sinks.background import BackgroundSink
    from emodetect.sinks.base import Sink
    from emodetect.sinks.records import RECORD_SUFFIXES, RecordWriter
    from emodetect.sinks.video_file import VIDEO_SUFFIXES, AnnotatedVideo
    from emodetect.smoother import ScoreSmoother
    from emodetect.sources.video import VideoFile

    check_anonymize(anonymize, output, "--output")
    for path, suffixes in ((output, VIDEO_SUFFIXES), (log, RECORD_SUFFIXES)):
        if path is not None:
            if path.exists() and clip.exists() and path.samefile(clip):
                raise OutputError(f"{path}: is the clip itself; choose another name")
            check_output(path, overwrite=overwrite, suffixes=suffixes, streams=suffixes is RECORD_SUFFIXES)
    summary = _Summary()
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with ExitStack() as stack:
        source = stack.enter_context(VideoFile(clip))
        if output is None and log is None:
            click.echo("emodetect: neither --output nor --log is given; only a summary will be printed", err=True)
        face_detector = make_detector(**detector)
        emotion_backend = stack.enter_context(make_backend(backend, model, labels))
        pipeline = EmotionPipeline(
            face_detector,
            emotion_backend,
            verifier=make_verifier(verify),
            tracker=FaceTracker(confirm=2 * detector["min_neighbors"]),
            scan_every=SCAN_EVERY if anonymize is None else 0,
            smoother=ScoreSmoother(smoothing),
            uncertain_below=uncertain,
        )
        sinks: list[Sink] = []
        if log is not None:
            sinks.append(stack.enter_context(RecordWriter(log, overwrite=overwrite)))
        if output is not None:
            annotated: Sink = AnnotatedVideo(output, source.frames_per_second, sound_from=clip, overwrite=overwrite)
            if anonymize is not None:
                annotated = AnonymizedSink(annotated, anonymize)
            sinks.append(stack.enter_context(BackgroundSink(annotated)))
        progress = stack.enter_context(Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()))
        task = progress.add_task(one_line(clip.name), total=source.frame_count or None)
        for frame, result in stack.enter_context(closing(pipeline.analyze_all(source))):
            for sink in sinks:
                sink.write(frame, result)
            summary.add(result.readings)
            progress.advance(task)
    click.echo(summary.text(), err=True)


class _Summary:
    """What a clip held, for people."""

    def __init__(self) -> None:
        self._frames = 0
        self._faces: set[int] = set()
        self._emotions: Counter[str] = Counter()

    def add(self, found: Any) -> None:
        self._frames += 1
        for reading in found:
            self._faces.add(reading.track_id)
            if reading.scores is not None:
                self._emotions[reading.scores.dominant.value] += 1

    def text(self) -> str:
        total = sum(self._emotions.values())
        shares = ", ".join(f"{name} {count / total:.0%}" for name, count in self._emotions.most_common())
        frames = f"{self._frames} frame{'' if self._frames == 1 else 's'}"
        faces = f"{len(self._faces)} face{'' if len(self._faces) == 1 else 's'}"
        return f"{frames}, {faces}" + (f": {shares}" if total else "")

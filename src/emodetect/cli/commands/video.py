"""``emodetect video``."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.clip_options import make_part, make_region, part_options
from emodetect.cli.factories import detector_in_words, make_backend, make_caption_style, make_detector, make_style, make_verifier
from emodetect.cli.messages import detail, note
from emodetect.cli.options import (
    anonymize_option,
    backend_options,
    common_options,
    detector_options,
    max_pixels_option,
    overwrite_option,
    playlists_option,
    smoothing_option,
    style_options,
)
from emodetect.cli.output_paths import PICTURE_SUFFIXES, REPORT_SUFFIXES, check_anonymize, check_outputs
from emodetect.cli.types import OUTPUT, PATH
from emodetect.errors import UsageError
from emodetect.text.printable import counted, one_line

if TYPE_CHECKING:
    from emodetect.backends.conventions import ModelConventions


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("clip", type=PATH)
@click.option("-o", "--output", type=OUTPUT, metavar="FILE",
              help="Save the annotated clip (H.264: .mp4, .mov or .mkv), with its sound.")  # fmt: skip
@click.option("--log", type=OUTPUT, metavar="FILE",
              help="Save the readings of every frame: .jsonl, or .csv.")  # fmt: skip
@click.option("--report", type=OUTPUT, metavar="FILE",
              help="Save a page with the clip, each person's timeline, shares and changes: one .html file.")  # fmt: skip
@click.option("--plot", type=OUTPUT, metavar="FILE",
              help="Save a picture of each person's timeline: .png, .pdf or .svg.")  # fmt: skip
@part_options
@smoothing_option(0.3)
@anonymize_option
@overwrite_option
@style_options
@backend_options
@detector_options("10%")
@playlists_option
@max_pixels_option
@common_options
def video(
    clip: Path, output: Path | None, log: Path | None, report: Path | None, plot: Path | None,
    start: float | None, end: float | None, every: int, region: tuple[list[float], bool] | None, smoothing: float,
    anonymize: str | None, overwrite: bool,
    language: str | None, font: Path | None,
    backend: str, model: str | None, conventions: ModelConventions, max_model_memory: int, uncertain: float | None,
    views: int, verify: bool,
    **detector: Any,
) -> None:  # fmt: skip
    """Read the emotions off every frame of a clip, or of a part of it, in order; two runs give the same log."""
    from emodetect.cli.progress import progress_bar
    from emodetect.emotions.scorer import EmotionScorer
    from emodetect.emotions.smoother import ScoreSmoother
    from emodetect.faces.hiding import HiddenFaces
    from emodetect.faces.locator import FaceLocator
    from emodetect.faces.search import SCAN_EVERY
    from emodetect.media.ffmpeg import ffmpeg_program
    from emodetect.pipeline import EmotionPipeline
    from emodetect.report.timeline import Timeline
    from emodetect.sinks.anonymized import AnonymizedSink
    from emodetect.sinks.background import BackgroundSink
    from emodetect.sinks.base import Sink
    from emodetect.sinks.records import RECORD_SUFFIXES, RecordWriter
    from emodetect.sinks.video_file import VIDEO_SUFFIXES, AnnotatedVideo, PlainVideo
    from emodetect.sources.video import WHOLE, VideoFile
    from emodetect.system.temporary_folders import scratch_folder, sweep

    check_anonymize(anonymize, output or report, "--output or --report")
    if anonymize is not None and region is not None:
        raise UsageError("--anonymize does not go with --roi: faces outside of the region would be neither found nor hidden")
    sweep()
    part = make_part(start, end, every)
    outputs = (output, VIDEO_SUFFIXES), (log, RECORD_SUFFIXES), (report, REPORT_SUFFIXES), (plot, PICTURE_SUFFIXES)
    check_outputs(outputs, overwrite=overwrite, streams=RECORD_SUFFIXES)
    ffmpeg_program()
    style = None if output is None and plot is None else make_style(language, font)
    plot_style = None if plot is None or style is None else make_caption_style(style, language, [clip.name])
    summary = _Summary()
    with ExitStack() as kept, ExitStack() as stack:
        source = stack.enter_context(VideoFile(clip, part))
        timeline = Timeline(min(part.end, source.seconds))
        area = make_region(region, source.size, None if detector["kind"] == "none" else detector["min_face"])
        width, height = source.size
        frames = counted(source.frame_count, "frame")
        detail(f"{clip}: {width}x{height} pixels, {source.frames_per_second:g} frames a second, {frames}")
        if all(path is None for path, _ in outputs):
            note("emodetect: no --output, --log, --report or --plot is given; only a summary will be printed")
        face_detector = make_detector(**detector)
        emotion_backend = stack.enter_context(make_backend(backend, model, conventions, views, max_model_memory))
        pipeline = EmotionPipeline(
            FaceLocator(
                face_detector,
                verifier=make_verifier(verify, face_detector),
                tracker=face_detector.tracker(),
                scan_every=SCAN_EVERY if anonymize is None else 0,
                region=area,
            ),
            EmotionScorer(emotion_backend, ScoreSmoother(smoothing), uncertain_below=uncertain),
        )
        progress = stack.enter_context(progress_bar())
        task = progress.add_task(one_line(clip.name), total=source.expected_count or None)
        results = stack.enter_context(closing(pipeline.analyze_all(source)))
        first = next(results)  # a part without frames is told before any output is made, or an older one emptied
        sinks: list[Sink] = []
        if log is not None:
            sinks.append(stack.enter_context(RecordWriter(log, overwrite=overwrite)))
        rate = source.frames_per_second / every
        videos: list[Sink] = []
        if output is not None:
            videos.append(AnnotatedVideo(output, rate, sound_from=clip, overwrite=overwrite, style=style))
        shown = clip
        if report is not None and anonymize is not None:
            # All that the report gets to see is a clip in which the faces are hidden already.
            shown = Path(kept.enter_context(scratch_folder())) / "clip.mp4"
            videos.append(PlainVideo(shown, rate, sound_from=clip))
        hidden = HiddenFaces() if anonymize else None
        for sink in videos:
            sinks.append(stack.enter_context(BackgroundSink(AnonymizedSink(sink, anonymize, hidden) if anonymize else sink)))
        for frame, result in chain([first], results):
            for sink in sinks:
                sink.write(frame, result)
            summary.add(result.readings)
            if report is not None or plot is not None:
                timeline.add(result)
            progress.advance(task)
        stack.close()
        if report is not None:
            from emodetect.report.accuracy import accuracy_in_words
            from emodetect.report.page import Report, write_report

            threshold = emotion_backend.uncertain_below if uncertain is None else uncertain
            settings = {
                "Clip": clip.name,
                "Time": "all of it" if part == WHOLE else str(part),
                "Picture": f"{area.width} x {area.height} at {area.x}, {area.y}" if area else "all of it",
                "Detector": detector_in_words(**detector),
                "Network": f"{emotion_backend.name} ({backend}{f': {model}' if model else ''})",
                "Uncertain below": f"{threshold:.0%} confidence",
                "Smoothing": f"{smoothing:g} s" if smoothing else "off",
                "Faces verified": "yes" if verify and not face_detector.is_certain else "no",
                "Faces hidden": f"yes ({anonymize})" if anonymize else "no",
            }
            accuracy = accuracy_in_words(emotion_backend)
            facts = Report(
                clip.name, timeline, shown, settings, accuracy,
                part_of_picture=area is not None, clip_is_cut=anonymize is not None,
            )  # fmt: skip
            why_stills = write_report(facts, report, overwrite=overwrite)
            if why_stills:
                note(f"emodetect: {report}: {why_stills}")
    if plot is not None:
        from emodetect.report.plot import plot_timeline

        plot_timeline(timeline, clip.name, plot, style=plot_style, overwrite=overwrite)
    note(summary.text())


class _Summary:
    """What a clip held, for people."""

    def __init__(self) -> None:
        self._frames = 0
        self._faces: set[int] = set()
        self._emotions: Counter[str] = Counter()
        self._uncertain = 0

    def add(self, found: Any) -> None:
        self._frames += 1
        for reading in found:
            self._faces.add(reading.track_id)
            if reading.scores is not None:
                self._emotions[reading.scores.dominant.value] += 1
                self._uncertain += reading.uncertain

    def text(self) -> str:
        total = sum(self._emotions.values())
        shares = ", ".join(f"{name} {count / total:.0%}" for name, count in self._emotions.most_common())
        doubt = f"; {self._uncertain / total:.0%} uncertain" if self._uncertain else ""
        return f"{counted(self._frames, 'frame')}, {counted(len(self._faces), 'face')}" + (f": {shares}{doubt}" if total else "")

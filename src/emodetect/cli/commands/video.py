"""``emodetect video``."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.clip_options import make_part, part_options
from emodetect.cli.factories import make_caption_style, make_pipeline, make_style
from emodetect.cli.live_options import publish_options
from emodetect.cli.messages import detail, note
from emodetect.cli.options import (
    anonymize_option,
    common_options,
    max_pixels_option,
    overwrite_option,
    pipeline_options,
    playlists_option,
    style_options,
)
from emodetect.cli.output_paths import PICTURE_SUFFIXES, REPORT_SUFFIXES, check_anonymize, check_outputs
from emodetect.cli.types import CLIP, OUTPUT
from emodetect.errors import UsageError
from emodetect.settings.pipeline import CLIPS, PipelineSettings
from emodetect.text.printable import counted, one_line

if TYPE_CHECKING:
    from emodetect.drawing.style import Style
    from emodetect.faces.region import Region
    from emodetect.media.media_file import MediaFile
    from emodetect.pipeline import EmotionPipeline
    from emodetect.publish.registry import PublishSettings
    from emodetect.report.timeline import Timeline
    from emodetect.sinks.anonymized import FramesBetween
    from emodetect.sinks.base import Sink
    from emodetect.sources.video import ClipPart, VideoFile


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("clip", type=CLIP)
@click.option("-o", "--output", type=OUTPUT, metavar="FILE",
              help="Save the annotated clip (H.264: .mp4, .mov or .mkv), with its sound.")  # fmt: skip
@click.option("--log", type=OUTPUT, metavar="FILE",
              help="Save the readings of every frame: .jsonl or .csv; - prints JSON lines.")  # fmt: skip
@click.option("--report", type=OUTPUT, metavar="FILE",
              help="Save a report with the clip, each person's timeline, shares and changes: one .html file.")  # fmt: skip
@click.option("--plot", type=OUTPUT, metavar="FILE",
              help="Save a plot of each person's timeline: .png, .pdf or .svg.")  # fmt: skip
@publish_options
@part_options
@anonymize_option
@overwrite_option
@style_options
@pipeline_options(CLIPS)
@playlists_option
@max_pixels_option()
@common_options
def video(
    clip: Path, output: Path | None, log: Path | None, report: Path | None, plot: Path | None,
    start: float | None, end: float | None, every: int, region: Region | None, publishing: PublishSettings,
    anonymize: str | None, overwrite: bool, language: str | None, font: Path | None, settings: PipelineSettings,
) -> None:  # fmt: skip
    """Detect and track the faces in every frame of a clip and classify their emotions. Two runs give the same log."""
    from emodetect.cli.progress import progress_bar
    from emodetect.faces.region import Region
    from emodetect.media.media_file import MediaFile
    from emodetect.pipeline import build_locator
    from emodetect.report.timeline import Timeline
    from emodetect.sinks.anonymized import HIDDEN_SECONDS, FramesBetween
    from emodetect.sources.video import SkippedFrames, VideoFile
    from emodetect.system.temporary_folders import scratch_folder, sweep

    outputs = _Outputs(clip, output, log, report, plot, publishing, anonymize, overwrite)
    outputs.check_anonymize(region)
    sweep()
    part = make_part(start, end, every)
    outputs.check()
    style = None if output is None and plot is None else make_style(language, font)
    plot_style = None if plot is None or style is None else make_caption_style(style, language, [clip.name])
    summary = _Summary()
    with ExitStack() as kept, ExitStack() as stack:
        # Faces in skipped frames are found with the same settings.
        between = FramesBetween(build_locator(replace(settings, track=False, verify=False))) if anonymize is not None else None
        source = stack.enter_context(VideoFile(clip, part, SkippedFrames(between.add, HIDDEN_SECONDS) if between else None))
        timeline = Timeline(min(part.end, source.seconds))
        _describe(clip, source)
        if outputs.is_empty:
            note("emodetect: no --output, --log, --report, --plot or --publish is given; only a summary will be printed")
        area = None if region is None else Region.of(region.box(source.size))  # the report names its pixels
        settings = replace(settings, hide_faces=anonymize is not None, region=area)
        pipeline = stack.enter_context(make_pipeline(settings))
        progress = stack.enter_context(progress_bar())
        task = progress.add_task(one_line(clip.name), total=source.expected_count or None)
        results = stack.enter_context(closing(pipeline.analyze_all(source)))
        first = next(results)  # an empty clip range is reported before an output is created or truncated
        file = kept.enter_context(MediaFile(source.file))
        # The report gets a clip whose faces are anonymized already; and a pipe can be read only once.
        is_copied = report is not None and (anonymize is not None or not source.file.is_regular)
        copy = Path(kept.enter_context(scratch_folder())) / "clip.mp4" if is_copied else None
        sinks = outputs.open_sinks(stack, source.frames_per_second / every, file, copy, style, between)
        for frame, result in chain([first], results):
            for sink in sinks:
                sink.write(frame, result)
            summary.add(result.readings)
            if report is not None or plot is not None:
                timeline.add(result)
            progress.advance(task)
        stack.close()
        if file.has_changed:
            note(f"emodetect: {clip}: was written to while it was read; the results may be of the old and the new content")
        if report is not None:
            outputs.write_report(timeline, file, copy, pipeline, settings, part)
    if plot is not None:
        from emodetect.report.plot import plot_timeline

        plot_timeline(timeline, clip.name, plot, style=plot_style, overwrite=overwrite)
    summary.print()


def _describe(clip: Path, source: VideoFile) -> None:
    """Print the properties of the clip, with ``--verbose``."""
    width, height = source.size
    frames = counted(source.frame_count, "frame")
    detail(f"{clip}: {width}x{height} pixels, {source.frames_per_second:g} frames per second, {frames}")


@dataclass(frozen=True)
class _Outputs:
    """Outputs of a clip: files, each None if not requested, and publishers."""

    clip: Path
    output: Path | None
    log: Path | None
    report: Path | None
    plot: Path | None
    publishing: PublishSettings
    anonymize: str | None
    overwrite: bool

    @property
    def is_empty(self) -> bool:
        return all(path is None for path in (self.output, self.log, self.report, self.plot)) and not self.publishing.addresses

    def check_anonymize(self, region: Region | None) -> None:
        """Check that anonymization is possible, and that an output can be anonymized."""
        check_anonymize(self.anonymize, self.output or self.report, "--output or --report")
        if self.anonymize is not None and region is not None:
            raise UsageError("--anonymize cannot be combined with --roi: faces outside the region would not be hidden")

    def check(self) -> None:
        """Check that all outputs can be written, and that the clip can be read.

        Raises:
            OutputError: an output cannot be written.
            EmodetectError: FFmpeg cannot be used.
        """
        from emodetect.media.ffmpeg import ffmpeg_program
        from emodetect.sinks.records import RECORD_SUFFIXES
        from emodetect.sinks.video_file import VIDEO_SUFFIXES

        videos, records = (self.output, VIDEO_SUFFIXES), (self.log, RECORD_SUFFIXES)
        outputs = videos, records, (self.report, REPORT_SUFFIXES), (self.plot, PICTURE_SUFFIXES)
        check_outputs(outputs, overwrite=self.overwrite, streams=RECORD_SUFFIXES)
        ffmpeg_program()

    def open_sinks(
        self,
        stack: ExitStack,
        rate: float,
        file: MediaFile,
        copy: Path | None,
        style: Style | None,
        between: FramesBetween | None,
    ) -> list[Sink]:
        """Create the sinks; the stack closes them.

        Args:
            stack: closes the sinks.
            rate: frame rate of the outputs, fps.
            file: the clip, for its sound.
            copy: path of a further clip for the report, anonymized if requested; None for none.
            style: language and lettering of the annotated clip.
            between: face regions in skipped frames, for anonymization.
        """
        from emodetect.sinks.anonymized import AnonymizedSink
        from emodetect.sinks.background import BackgroundSink
        from emodetect.sinks.records import RecordWriter
        from emodetect.sinks.video_file import AnnotatedVideo, PlainVideo

        sinks: list[Sink] = [stack.enter_context(self.publishing.open(waits=True))]
        if self.log is not None:
            sinks.append(stack.enter_context(RecordWriter(self.log, overwrite=self.overwrite)))
        videos: list[Sink] = []
        if self.output is not None:
            videos.append(AnnotatedVideo(self.output, rate, sound_from=file, overwrite=self.overwrite, style=style))
        if copy is not None:
            videos.append(PlainVideo(copy, rate, sound_from=file))
        videos = [stack.enter_context(BackgroundSink(video)) for video in videos]
        if videos and self.anonymize:
            videos = [stack.enter_context(BackgroundSink(AnonymizedSink(videos, self.anonymize, between)))]
        return [*sinks, *videos]

    def write_report(
        self,
        timeline: Timeline,
        file: MediaFile,
        copy: Path | None,
        pipeline: EmotionPipeline,
        settings: PipelineSettings,
        part: ClipPart,
    ) -> None:
        """Write the report about this clip range, with details of the pipeline."""
        from emodetect.report.accuracy import accuracy_in_words
        from emodetect.report.page import Report, write_report
        from emodetect.sources.video import WHOLE

        assert self.report is not None
        backend, model, area = pipeline.scorer.backend, settings.backend.model, settings.region
        facts = {
            "Clip": self.clip.name,
            "Time": "the whole clip" if part == WHOLE else str(part),
            "Image": f"{area.width:g} x {area.height:g} at {area.x:g}, {area.y:g}" if area else "the whole image",
            "Detector": str(settings.detector),
            "Network": f"{backend.name} ({settings.backend.name}{f': {model}' if model else ''})",
            "Uncertain below": f"{pipeline.scorer.uncertain_below:.0%} confidence",
            "Smoothing": f"{settings.smoothing:g} s" if settings.smoothing else "off",
            "Faces verified": "yes" if pipeline.locator.has_verifier else "no",
            "Faces hidden": f"yes ({self.anonymize})" if self.anonymize else "no",
        }
        page = Report(
            self.clip.name, timeline, copy or file, facts, accuracy_in_words(backend),
            part_of_picture=area is not None, clip_is_cut=copy is not None,
        )  # fmt: skip
        if why_stills := write_report(page, self.report, overwrite=self.overwrite):
            note(f"emodetect: {self.report}: {why_stills}")


class _Summary:
    """Summary of a clip for users."""

    def __init__(self) -> None:
        self._frames = 0
        self._faces: Counter[int] = Counter()
        self._turned_away: Counter[int] = Counter()
        self._emotions: Counter[str] = Counter()
        self._uncertain = 0

    def add(self, found: Any) -> None:
        self._frames += 1
        for reading in found:
            self._faces[reading.track_id] += 1
            self._turned_away[reading.track_id] += reading.turned_away
            if reading.scores is not None:
                self._emotions[reading.scores.dominant.value] += 1
                self._uncertain += reading.uncertain

    def print(self) -> None:
        """Print the summary, and with ``--verbose`` why faces with high scores were uncertain."""
        total = sum(self._emotions.values())
        shares = ", ".join(f"{name} {count / total:.0%}" for name, count in self._emotions.most_common())
        doubt = f"; {self._uncertain / total:.0%} uncertain" if self._uncertain else ""
        faces = counted(len(self._faces), "face")
        note(f"{counted(self._frames, 'frame')}, {faces}" + (f": {shares}{doubt}" if total else ""))
        for number, count in sorted(self._turned_away.items()):
            if count:
                frames = counted(self._faces[number], "frame")
                detail(f"face {number}: turned too far to the side to be read in {count} of {frames}")

"""``emodetect report``."""

from __future__ import annotations

from pathlib import Path

import click

from emodetect.cli.configuration import given_elsewhere
from emodetect.cli.messages import detail, note
from emodetect.cli.options import common_options, max_pixels_option, overwrite_option, playlists_option
from emodetect.cli.output_paths import REPORT_SUFFIXES, check_outputs
from emodetect.cli.types import OUTPUT, PATH
from emodetect.errors import about
from emodetect.text.printable import counted, one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("log", type=PATH)
@click.option("--clip", type=PATH, metavar="FILE",
              help="The clip of the log, to include it in the report.")  # fmt: skip
@click.option("-o", "--output", type=OUTPUT, metavar="FILE",
              help="Output file, .html.  [default: the log's name with the extension .html]")  # fmt: skip
@click.option("--people", type=click.IntRange(1, 1000), metavar="N",
              help="Number of people in the clip: track ids of the same person are merged.")  # fmt: skip
@overwrite_option
@playlists_option
@max_pixels_option()
@common_options
def report(log: Path, clip: Path | None, output: Path | None, people: int | None, overwrite: bool) -> None:
    """Make an HTML report from a log of `video` or `live` (.jsonl or .csv).

    The report is one file that opens offline in any browser. It contains each person's timeline, the shares of the emotions, the
    moments of change, and the accuracy. With --clip it also contains the clip (or still images of a long clip) and each person's
    face.
    """
    from emodetect.backends.registry import create_backend
    from emodetect.cli.progress import progress_bar
    from emodetect.media.media_file import MediaFile
    from emodetect.report.accuracy import accuracy_in_words
    from emodetect.report.page import Report, write_report
    from emodetect.report.timeline import Timeline
    from emodetect.sources.result_log import read_log
    from emodetect.sources.video import VideoFile
    from emodetect.system.temporary_folders import sweep

    sweep()
    path = output or log.with_suffix(REPORT_SUFFIXES[0])
    check_outputs([(path, REPORT_SUFFIXES)], overwrite=overwrite)
    for setting in given_elsewhere(click.get_current_context()):
        detail(setting)
    clip_end, file = 0.0, None
    if clip is not None:
        with about("clip"), VideoFile(clip) as frames:
            frames.file.check_lasting()
            clip_end = frames.seconds
            file = click.get_current_context().with_resource(MediaFile(frames.file))
            detail(f"{clip}: {frames.size[0]}x{frames.size[1]} pixels, {counted(frames.frame_count, 'frame')}")
    timeline = Timeline(clip_end, people)
    with progress_bar(of_bytes=True) as progress:
        task = progress.add_task(one_line(log.name), total=log.stat().st_size if log.is_file() else None)
        for result in read_log(log, lambda size: progress.advance(task, size)):
            timeline.add(result)
    count = counted(len(timeline.times), "frame")
    detail(
        f"{log}: {count} from {timeline.start:g} s to {timeline.end:g} s, {counted(len(timeline.people()), 'person', 'people')}"
    )
    with create_backend("cnn") as embedded:
        accuracy = ["A log does not say which network wrote it. If it was the embedded one:", *accuracy_in_words(embedded)]
    settings = {"Log": log.name, "Frames": f"{len(timeline.times):,}"}
    if assumed := str(timeline.joined()):
        settings["People"] = assumed
        note(f"emodetect: {log}: {assumed}")
    facts = Report(clip.name if clip else log.name, timeline, file, settings, accuracy)
    why_stills = write_report(facts, path, overwrite=overwrite)
    note(f"emodetect: {path}: written")
    if why_stills:
        note(f"emodetect: {path}: {why_stills}")

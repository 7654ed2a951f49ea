"""``emodetect report``."""

from __future__ import annotations

from pathlib import Path

import click

from emodetect.cli.messages import note
from emodetect.cli.options import PATH, REPORT_SUFFIXES, common_options, max_pixels_option, overwrite_option
from emodetect.errors import OutputError
from emodetect.text import one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("log", type=PATH)
@click.option("--clip", type=PATH, metavar="FILE",
              help="The clip that the log was made of, to show it in the report.")  # fmt: skip
@click.option("-o", "--output", type=PATH, metavar="FILE",
              help="The report, .html.  [default: the log's name, ending in .html]")  # fmt: skip
@overwrite_option
@max_pixels_option
@common_options
def report(log: Path, clip: Path | None, output: Path | None, overwrite: bool) -> None:
    """Make a page of a log (.jsonl) that `video` or `live` has written: one file that opens offline in any browser."""
    from emodetect.backends.registry import create_backend
    from emodetect.files import check_output
    from emodetect.report.accuracy import accuracy_in_words
    from emodetect.report.page import Report, write_report
    from emodetect.report.timeline import Timeline
    from emodetect.sources.log import read_log

    path = output or log.with_suffix(REPORT_SUFFIXES[0])
    for name, source in (("log", log), ("clip", clip)):
        if source is not None and path.exists() and source.exists() and path.samefile(source):
            raise OutputError(f"{path}: is the {name} itself; choose another name")
    check_output(path, overwrite=overwrite, suffixes=REPORT_SUFFIXES)
    timeline = Timeline()
    for result in read_log(log):
        timeline.add(result)
    with create_backend("cnn") as embedded:
        accuracy = ["A log does not say which network wrote it. If it was the embedded one:", *accuracy_in_words(embedded)]
    settings = {"Log": log.name, "Frames": str(len(timeline.times))}
    write_report(Report(clip.name if clip else log.name, timeline, clip, settings, accuracy), path, overwrite=overwrite)
    note(one_line(f"emodetect: {path}: written"))

"""``emodetect summarize``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.factories import describe_settings
from emodetect.cli.hints import error_message
from emodetect.cli.messages import note, print_message
from emodetect.cli.options import common_options, overwrite_option
from emodetect.cli.output_paths import PICTURE_SUFFIXES, check_outputs
from emodetect.cli.types import OUTPUT, PATH, Duration, FigureSize
from emodetect.errors import EmodetectError, SourceError, UsageError, about
from emodetect.settings.summary import BLOCK_SECONDS, FIGURE_SIZE
from emodetect.text.printable import counted

if TYPE_CHECKING:
    from emodetect.summary.figure import ShareFigure
    from emodetect.summary.inputs import Input
    from emodetect.summary.participants import Participants
    from emodetect.summary.table import Row, TableSettings

_ENDINGS = {"csv": ".csv", "parquet": ".parquet", "json": ".json"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", nargs=-1, required=True, type=PATH, metavar="LOG|FOLDER...")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE",
              help="Save the table: .csv, .parquet or .json.  [default: print it]")  # fmt: skip
@click.option("--format", "output_format", type=click.Choice(["table", *_ENDINGS]),
              help="Format of the table.  [default: by the extension of --output]")  # fmt: skip
@click.option("--bins", type=Duration(), metavar="TIME", help="Write one row per time bin of this length, such as 1s.")
@click.option("--people", type=click.IntRange(1, 1000), metavar="N",
              help="Number of people in each clip: track ids of the same person are merged.")  # fmt: skip
@click.option("--participants", type=PATH, metavar="FILE",
              help="Join the columns of this CSV table by file name.")  # fmt: skip
@click.option("--block", type=Duration(), default=f"{BLOCK_SECONDS:g}s", show_default=True, metavar="TIME",
              help="Block length of the bootstrap.")  # fmt: skip
@click.option("--plot", type=OUTPUT, metavar="FILE", help="Save a figure: .pdf, .svg or .png.")
@click.option("--plot-size", type=FigureSize(), default="{:g}x{:g}".format(*FIGURE_SIZE), show_default=True, metavar="WxH",
              help="Width and height of the figure in mm.")  # fmt: skip
@overwrite_option
@common_options
def summarize(
    inputs: Sequence[Path], output: Path | None, output_format: str | None, bins: float | None, people: int | None,
    participants: Path | None, block: float, plot: Path | None, plot_size: tuple[float, float], overwrite: bool,
) -> int:  # fmt: skip
    """Make one table from many logs, with one row per input, person and emotion.

    Arguments are logs of `video` and `live` (.jsonl, .csv), results of `batch`, and folders of either. The table contains shares
    of time with confidence intervals, mean scores, bouts and changes. docs/summarize.md defines every column.
    """
    from emodetect.summary.inputs import find_logs
    from emodetect.summary.participants import Participants
    from emodetect.summary.table import COLUMNS, TableSettings

    output_format = _format(output_format, output)
    describe_settings()
    logs, errors = find_logs(inputs, lambda text: note(f"emodetect: {text}"))
    also_read = [(log, "read by this command") for log in logs]
    check_outputs([(output, ()), (plot, PICTURE_SUFFIXES)], overwrite=overwrite, also_read=also_read)
    with about("participants"):
        table = Participants(participants, COLUMNS) if participants else None
    figure = None
    if plot is not None:
        from emodetect.summary.figure import ShareFigure

        figure = ShareFigure(plot_size)
    run = _Run(TableSettings(bins, block), people, table, figure)
    for error in errors:
        run.report_error(error)
    rows = run.rows(logs)
    first = next(rows, None)
    if first is None:  # no input could be read; the errors are printed already
        return 1
    columns = run.settings.columns | ({name: table.kind(name) for name in table.columns} if table else {})
    _write(output, output_format, chain([first], rows), columns, overwrite=overwrite)
    run.print_notes(output)
    if figure is not None and plot is not None:
        figure.save(plot, overwrite=overwrite)
    return 1 if run.failed else 0


def _format(wanted: str | None, output: Path | None) -> str:
    """Choose the format of the table.

    Raises:
        UsageError: the format is unknown, or does not fit the output.
    """
    by_ending = next((name for name, ending in _ENDINGS.items() if output and output.suffix.lower() == ending), None)
    if output is None:
        if wanted == "parquet":
            raise UsageError("--format parquet needs --output FILE: it is not printed")
        return wanted or "table"
    if wanted is None and by_ending is None:
        endings = ", ".join(_ENDINGS.values())
        raise UsageError(f"{output}: unknown kind of file; expected a name ending in {endings}, or --format")
    if wanted == "table":
        raise UsageError("--format table is printed; --output takes csv, parquet and json")
    if wanted and by_ending and wanted != by_ending:
        raise UsageError(f"{output}: its ending and --format {wanted} contradict each other")
    return wanted or by_ending or ""


def _write(output: Path | None, output_format: str, rows: Iterable[Row], columns: dict[str, type], *, overwrite: bool) -> None:
    from emodetect.summary.writing import write_parquet, write_text
    from emodetect.system.output_files import atomic_write

    if output_format == "table":
        _print(rows)
    elif output is None:
        write_text(sys.stdout, rows, columns, as_json=output_format == "json")
    else:
        with atomic_write(output, overwrite=overwrite) as partial:
            if output_format == "parquet":
                write_parquet(partial, rows, columns)
            else:
                with partial.open("w", encoding="utf-8", newline="") as file:
                    write_text(file, rows, columns, as_json=output_format == "json")


def _print(rows: Iterable[Row]) -> None:
    """Print the main columns of the table: those with values, rounded."""
    from emodetect.cli.table import print_table

    headers = {
        "input": "input", "person": "person", "bin_start": "from", "emotion": "emotion", "seconds": "seconds", "share": "share",
        "share_low": "95% interval", "mean_score": "mean score", "bouts": "bouts", "mean_bout": "mean bout",
    }  # fmt: skip
    texts = [{name: _cell(name, row) for name in headers} for row in rows]
    shown = [name for name in headers if any(text[name] for text in texts)]
    print_table([headers[name] for name in shown], [[text[name] for name in shown] for text in texts])


def _cell(name: str, row: Row) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if name == "share_low":
        return f"{value:.0%} to {row['share_high']:.0%}"
    if name == "share":
        return f"{value:.0%}"
    if isinstance(value, float):
        return f"{value:.2f}" if name != "bin_start" else f"{value:g}"
    return str(value)


@dataclass
class _Run:
    """Creates the rows of the table, input by input.

    Attributes:
        failed: whether an input could not be read.
    """

    settings: TableSettings
    people: int | None
    participants: Participants | None
    figure: ShareFigure | None
    failed: bool = False
    _logs: dict[str, Path] = field(default_factory=dict)
    _count: int = 0
    _without_interval: set[tuple[str, object]] = field(default_factory=set)

    def report_error(self, error: EmodetectError) -> None:
        """Report that an input cannot be read; the others are still processed."""
        self.failed = True
        print_message(f"emodetect: {error_message(error, click.get_current_context())}")

    def rows(self, logs: Sequence[Path]) -> Iterator[Row]:
        """Rows of all inputs in these files."""
        for log in logs:
            yield from self._rows(log)

    def _rows(self, log: Path) -> Iterator[Row]:
        for one in self._inputs(log):
            if assumed := str(one.timeline.joined()):
                note(f"emodetect: {one.name}: {assumed}")
            for row in self.settings.rows(one.name, one.timeline, is_photo=one.is_photo):
                if self.participants is not None:
                    row |= self.participants.columns_for(one.name, row["person"])
                if self.figure is not None:
                    self.figure.add(row)
                self._count += 1
                self._without_interval.update({(one.name, row["person"])} if _lacks_interval(row) else ())
                yield row

    def _inputs(self, log: Path) -> Iterator[Input]:
        """Inputs in a file, without duplicates of other files."""
        from emodetect.summary.inputs import read_inputs

        try:
            for one in read_inputs(log, self.people):
                if self._logs.setdefault(one.name, log) is log:
                    yield one
                else:
                    self.report_error(SourceError(f"{log}: holds {one.name}, as does {self._logs[one.name]}; the first counts"))
        except SourceError as error:
            self.report_error(error)

    def print_notes(self, output: Path | None) -> None:
        """Print notes about the table, after it was saved or printed."""
        from emodetect.summary.intervals import MIN_BLOCKS

        for text in self.participants.warnings() if self.participants else ():
            note(f"emodetect: {text}")
        if self._without_interval:
            seconds = MIN_BLOCKS * self.settings.block
            people = counted(len(self._without_interval), "person", "people")
            lack = f"{people} without confidence intervals: seen for less than {seconds:g} s"
            note(f"emodetect: {lack} ({MIN_BLOCKS} times --block)")
        if output is not None:
            note(f"emodetect: {output}: {counted(self._count, 'row')} of {counted(len(self._logs), 'input')}")


def _lacks_interval(row: Row) -> bool:
    """Whether a share has no confidence interval although it could have one."""
    share = row["share"]
    return "share_low" in row and row["share_low"] is None and isinstance(share, float) and 0 < share < 1

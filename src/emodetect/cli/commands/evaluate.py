"""``emodetect evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.backends.conventions import UNSTATED
from emodetect.backends.registry import RESERVED, BackendSettings
from emodetect.cli.factories import make_backend
from emodetect.cli.messages import note, show, show_json, shows_progress
from emodetect.cli.options import (
    backend_option,
    common_options,
    folder_labels_option,
    format_option,
    max_pixels_option,
    model_options,
    overwrite_option,
)
from emodetect.cli.output_paths import PICTURE_SUFFIXES, check_outputs
from emodetect.cli.shell_completion import complete_model
from emodetect.cli.types import NAME, OUTPUT, PATH
from emodetect.errors import UsageError
from emodetect.text.printable import one_line

if TYPE_CHECKING:
    from emodetect.training.data.label_names import LabelNames
    from emodetect.training.evaluation import EvaluationSet, Result


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=PATH, required=True, metavar="FOLDER|CSV",
              help="Labeled face crops: FOLDER/<label>/*, or fer2013.csv (PublicTest is used).")  # fmt: skip
@backend_option
@click.option("--model", "models", type=NAME, multiple=True, metavar="NAME|FILE", shell_complete=complete_model,
              help="Model of the backend cnn: embedded, fer2013, ferplus, or a .onnx, .h5 or .keras file. May be repeated; "
                   "further models are compared with the first.")  # fmt: skip
@model_options
@click.option("--votes", type=PATH, metavar="FILE",
              help="FER+ votes for these images (CSV): also evaluate agreement with the majority of annotators.")  # fmt: skip
@folder_labels_option
@click.option("--try-conventions", is_flag=True,
              help="Find properties that the model files do not state: label order, scaling and channels.")  # fmt: skip
@click.option("--sample", type=click.IntRange(1, 10**6), default=2000, show_default=True, metavar="N",
              help="Maximum number of images for --try-conventions, with the same number per label.")  # fmt: skip
@format_option
@click.option("--plot", type=OUTPUT, metavar="FILE", help="Plot the confusion matrices.")
@click.option("--plot-calibration", type=OUTPUT, metavar="FILE",
              help="Plot accuracy against confidence, by labels and by votes.")  # fmt: skip
@overwrite_option
@max_pixels_option()
@common_options
def evaluate(
    data: Path, backend: str, models: Sequence[str], model_settings: BackendSettings,
    votes: Path | None,
    folder_labels: LabelNames | None, try_conventions: bool, sample: int, output_format: str, plot: Path | None,
    plot_calibration: Path | None, overwrite: bool,
) -> None:  # fmt: skip
    """Evaluate models on labeled face crops, without face detection."""
    from emodetect.training.data.label_names import WORDS
    from emodetect.training.evaluation import EvaluationSet, read_test_faces

    settings = replace(model_settings, name=backend)
    if try_conventions:
        from emodetect.cli.commands.evaluate_conventions import show_trials
        from emodetect.training.conventions_trial import sample_faces

        if votes or plot or plot_calibration or settings.views > 1:
            raise UsageError("--try-conventions cannot be combined with --votes, --views, --plot or --plot-calibration")
        if not models or any(model in RESERVED for model in models):
            raise UsageError("--try-conventions requires --model FILE: the embedded network states its conventions")
        faces = read_test_faces(data, folder_labels or WORDS)
        for text in faces.notes:
            note(f"emodetect: {text}")
        show_trials(sample_faces(faces, sample), settings, models, output_format)
        return
    check_outputs([(plot, PICTURE_SUFFIXES), (plot_calibration, PICTURE_SUFFIXES)], overwrite=overwrite)
    test_set = EvaluationSet.read(data, votes, folder_labels or WORDS)
    for text in test_set.faces.notes:
        note(f"emodetect: {text}")
    # The embedded network, which knows its conventions, may be compared with files that need some.
    several = len(models) > 1
    plain = replace(settings, conventions=UNSTATED)
    evaluated = [replace(plain if several and model in RESERVED else settings, model=model) for model in models or (None,)]
    results = [_evaluate(test_set, one) for one in evaluated]
    records = [result.as_dict(test_set, results[0] if position else None) for position, result in enumerate(results)]
    if plot:
        import numpy as np

        from emodetect.training.plots import plot_confusion

        plot_confusion([np.asarray(record["confusion"]) for record in records], _short_names(records), plot, overwrite=overwrite)
    if plot_calibration:
        from emodetect.training import plots

        answers = {}
        for name, result in zip(_short_names(records), results, strict=True):
            answers[f"{name}, labels"] = result.scores, test_set.faces.labels
            if test_set.votes is not None:
                answers[f"{name}, votes"] = result.by_votes(test_set.votes.majority_eight())
        plots.plot_calibration(answers, plot_calibration, overwrite=overwrite)
    if output_format == "json":
        show_json(records)
    else:
        _print_tables(records)


def _evaluate(test_set: EvaluationSet, settings: BackendSettings) -> Result:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from emodetect.cli.progress import messages_console
    from emodetect.training.evaluation import evaluate_backend

    with (
        make_backend(settings) as loaded,
        Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=messages_console(),
            transient=True,
            disable=not shows_progress(),
        ) as progress,
    ):
        name = settings.model or loaded.name
        task = progress.add_task(one_line(Path(name).name), total=len(test_set.faces.keys))
        return evaluate_backend(loaded, name, test_set, lambda count: progress.advance(task, count))


def _short_names(records: Sequence[dict[str, Any]]) -> list[str]:
    """File names if they are unique, otherwise the names as given."""
    names = [Path(record["model"]).name for record in records]
    return names if len(set(names)) == len(names) else [record["model"] for record in records]


def _print_tables(records: Sequence[dict[str, Any]]) -> None:
    from emodetect.cli.table import show_table

    show_table(_figures(records))
    for record in records:
        show_table(_classes(record))
    for position, record in enumerate(record for record in records if "difference" in record):
        difference = record["difference"]
        low, high = difference["interval_95"]
        if not position:
            show()
        gained = f"{100 * difference['accuracy']:+.1f} points of accuracy, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
        show(f"{record['model']} against {difference['to']}: {gained}")


def _figures(records: Sequence[dict[str, Any]]) -> Any:
    """Table of measures, with one column per model."""
    from rich.table import Table

    from emodetect.cli.table import cell

    def percent(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.1f} %"

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in _short_names(records):
        table.add_column(cell(name), justify="right", overflow="fold")
    rows: list[tuple[str, list[str]]] = [
        ("accuracy", [percent(r["accuracy"]) for r in records]),
        ("balanced accuracy", [percent(r["balanced_accuracy"]) for r in records]),
        ("macro F1", [percent(r["macro_f1"]) for r in records]),
        ("expected calibration error", [percent(r["ece"]) for r in records]),
        ("images", [f"{r['count']:,}" for r in records]),
    ]
    if "votes" in records[0]:
        rows += [
            ("accuracy by votes", [percent(r["votes"]["accuracy"]) for r in records]),
            ("images with a majority", [f"{r['votes']['count']:,}" for r in records]),
            ("calibration error by votes", [percent(r["votes"]["ece"]) for r in records]),
            ("accuracy by votes, seven labels", [percent(r["votes"]["accuracy_7"]) for r in records]),
            ("images with one of the seven", [f"{r['votes']['count_7']:,}" for r in records]),
        ]
    if "without_train_copies" in records[0]:
        parts = [r["without_train_copies"] for r in records]
        rows.append(("accuracy without copies of train", [percent(part["accuracy"]) for part in parts]))
        if "votes" in parts[0]:
            rows.append(("accuracy by votes without copies", [percent(part["votes"]["accuracy"]) for part in parts]))
        rows.append(("images without copies", [f"{part['count']:,}" for part in parts]))
    rows.append(("seconds for 1000 faces", [f"{r['seconds_per_1000']:.2f}" for r in records]))
    for name, values in rows:
        table.add_row(name, *values, style="dim" if name.startswith("images") else None)
    return table


def _classes(record: dict[str, Any]) -> Any:
    """Table of a model's precision, recall and confusions, with one row per label."""
    from rich.table import Table
    from rich.text import Text

    from emodetect.cli.table import cell

    title = Text("\n").append_text(cell(f"{record['model']}; rows are labels, columns answers"))
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("label", no_wrap=True)
    for name in ("precision", "recall", "F1", "images"):
        table.add_column(name, justify="right")
    for label in record["labels"]:
        table.add_column(label[:3], justify="right", no_wrap=True)
    for label, row in zip(record["labels"], record["confusion"], strict=True):
        figures = record["per_class"][label]
        shares = [f"{100 * figures[name]:.0f} %" for name in ("precision", "recall", "f1")]
        table.add_row(label, *shares, f"{figures['support']:,}", *(str(count) for count in row))
    return table

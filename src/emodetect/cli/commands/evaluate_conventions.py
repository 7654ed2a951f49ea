"""``emodetect evaluate --try-conventions``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from emodetect.backends.conventions import ModelConventions
from emodetect.backends.registry import BackendSettings
from emodetect.cli.factories import conventions_as_options, make_backend
from emodetect.cli.messages import show, show_json
from emodetect.cli.progress import progress_bar
from emodetect.cli.table import print_table
from emodetect.text.printable import counted, one_line
from emodetect.training.conventions_trial import Margin, Trial, try_conventions
from emodetect.training.data.labeled import LabeledCrops

_MAX_SHOWN = 8
"""Maximum number of combinations that are shown."""


def show_trials(faces: LabeledCrops, settings: BackendSettings, models: Sequence[str], output_format: str) -> None:
    """Try conventions of each model on the same faces, and print the results."""
    trials = {}
    for model in models:
        # Not entered, since it would report its assumptions.
        with closing(make_backend(replace(settings, model=model))) as loaded, progress_bar() as progress:
            loaded.load()
            update = partial(progress.update, progress.add_task(one_line(Path(model).name), total=None))
            trials[model] = try_conventions(loaded, settings.conventions, faces, update)
    if output_format == "json":
        show_json([_record(model, trial) for model, trial in trials.items()])
        return
    for number, (model, trial) in enumerate(trials.items()):
        if number:
            show()
        _print_trial(model, trial)


def _record(model: str, trial: Trial) -> dict[str, Any]:
    record = trial.as_dict()
    best = None if trial.best is None else {**record["best"], "options": _options(trial.best.conventions)}
    return {"model": model, **record, "best": best}


def _options(conventions: ModelConventions) -> list[str]:
    """Convert conventions to options, as typed."""
    # A value that begins with a dash could be parsed as an option.
    return [
        f"{option}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"
        for option, value in conventions_as_options(conventions).items()
    ]


def _print_trial(model: str, trial: Trial) -> None:
    """Print the best combinations, the options of the best one, and the certainty of each part."""
    shown = trial.tried[:_MAX_SHOWN]
    columns = {
        "accuracy": [f"{one.accuracy:.1%}" for one in shown],
        "cross-entropy": [f"{one.loss:.3f}" for one in shown],
        "labels": [one.order for one in shown],
        "scaling": [str(one.conventions.scaling or "") for one in shown],
        "channels": [str(one.conventions.channels or "") for one in shown],
    }
    columns = {header: cells for header, cells in columns.items() if any(cells)}
    print_table(list(columns), list(zip(*columns.values(), strict=True)))
    rest = len(trial.tried) - len(shown)
    others = f"; {counted(rest, 'more combination')} with a higher cross-entropy" if rest else ""
    show()
    show(f"{counted(trial.count, 'face')}; chance level {trial.chance:.1%}{others}")
    best = trial.best
    if best is None:
        why = "it was trained for something else, or on other crops, or there are too few faces"
        show(f"{model}: no combination is better than chance; {why}")
        return
    show(f"best for {model}: {' '.join(_options(best.conventions))}")
    for margin in trial.margins:
        show(_in_words(margin))
    if trial.channels_are_open:
        show("channels: unknown, since all faces are gray; --channels bgr for a model that was trained on BGR")


def _in_words(margin: Margin) -> str:
    """Format the certainty of one part of the best combination as one line."""
    conventions = margin.other.conventions
    other = {"labels": margin.other.order, "scaling": conventions.scaling, "channels": conventions.channels}[margin.part]
    sure = "sure" if margin.is_sure else "not sure"
    interval = f"95% interval {margin.low:.3f} to {margin.high:.3f}"
    return f"{margin.part}: {sure}; the cross-entropy is lower by {margin.difference:.3f} than with {other} ({interval})"

"""Labels of the plots; that they are drawn at all is tested with the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from emodetect.training import plots


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    saved: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, path, *, overwrite=True: saved.append(figure))
    return saved


def test_a_confusion_matrix_states_the_accuracy(figures: list[Figure]) -> None:
    confusion = np.zeros((7, 7), np.int64)
    confusion[0, 0], confusion[0, 1] = 881, 119
    plots.plot_confusion([confusion], ["embedded"], Path("confusion.png"))
    [axes] = figures[0].axes
    assert axes.get_title() == "embedded: 88.1% of 1,000 correct"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label, % of each label's faces", "true label")


def test_a_calibration_plot_compares_confidence_and_accuracy(figures: list[Figure]) -> None:
    scores = np.tile(np.asarray([0.75, 0.25], np.float32), (20, 1))
    plots.plot_calibration({"embedded": (scores, np.zeros(20, np.int64))}, Path("calibration.png"))
    [axes] = figures[0].axes
    assert axes.get_legend_handles_labels()[1] == [
        "perfectly calibrated",
        "embedded: calibration error 25.0%",
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("confidence", "accuracy")

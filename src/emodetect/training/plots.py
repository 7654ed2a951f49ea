"""Plots of a run: curves, confusion matrices, calibration, and the view of a spatial transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emodetect.errors import OutputError
from emodetect.system.output_files import atomic_write
from emodetect.training.metrics import calibration_error, reliability
from emodetect.types import EMOTIONS

_SHOWN_FACES = 10
"""Minimum number of faces in a bin of the calibration plot."""

# Figures are created without pyplot, which needs a window system and explicit closing.


def plot_curves(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw loss and accuracy of training and validation over the epochs.

    Args:
        rows: rows of the training log.
        path: picture file to write.
    """
    figure = Figure(figsize=(9, 3.5), dpi=100, layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    names = [name for row in rows for name in row]
    for axes, title, wanted in (
        (loss, "loss", ("loss", "val_loss")),
        (accuracy, "accuracy", ("accuracy", *(n for n in dict.fromkeys(names) if n.startswith("val_") and n != "val_loss"))),
    ):
        for name in wanted:
            points = [(row["epoch"], row[name]) for row in rows if name in row]
            label = name.replace("val_", "validation ") if name.startswith("val_") else "training, augmented"
            axes.plot(*zip(*points, strict=True), label=label, marker="o" if len(points) == 1 else None) if points else None
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def plot_confusion(
    confusions: Sequence[npt.NDArray[np.int64]], names: Sequence[str], path: Path, *, overwrite: bool = True
) -> None:
    """Draw confusion matrices (7, 7) side by side, each under its name; a row is a true label and sums to 100%.

    Args:
        confusions: int64, one per name.
        names: one title per matrix.
        path: picture file to write.
        overwrite: whether an existing file may be replaced.
    """
    figure = Figure(figsize=(5.2 * len(confusions), 5), dpi=100, layout="constrained")
    for axes, name, confusion in zip(np.ravel(figure.subplots(1, len(confusions))), names, confusions, strict=True):
        _draw_confusion(axes, name, confusion)
    _save(figure, path, overwrite=overwrite)


def _draw_confusion(axes: Axes, name: str, confusion: npt.NDArray[np.int64]) -> None:
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = [emotion.value for emotion in EMOTIONS]
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    accuracy = np.trace(confusion) / max(int(confusion.sum()), 1)
    axes.set(
        title=f"{name}: {accuracy:.1%} of {confusion.sum():,} correct",
        xlabel="predicted label, % of each label's faces",
        ylabel="true label",
    )
    for (row, column), share in np.ndenumerate(shares):
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color="white" if share > 0.5 else "black")


def plot_calibration(
    answers: Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]], path: Path, *, overwrite: bool = True
) -> None:
    """Draw accuracy against confidence, one line per model.

    Args:
        answers: for each name scores, float32 (n, labels), and true positions, int64 (n,).
        path: picture file to write.
        overwrite: whether an existing file may be replaced.
    """
    figure = Figure(figsize=(5, 4.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":", label="perfectly calibrated")
    for name, (scores, truth) in answers.items():
        confidence, accuracy, counts = reliability(scores, truth)
        filled = counts >= _SHOWN_FACES
        axes.plot(
            confidence[filled],
            accuracy[filled],
            marker="o",
            markersize=4,
            label=f"{name}: calibration error {calibration_error(scores, truth):.1%}",
        )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path, overwrite=overwrite)


def plot_attention(
    faces: npt.NDArray[np.uint8], warped: npt.NDArray[np.float32], names: Sequence[str], path: Path, *, overwrite: bool = True
) -> None:
    """Draw faces beside the output of the spatial transformer.

    Args:
        faces: uint8 (n, h, w) gray.
        warped: float32 (n, h, w), 0..1.
        names: one title per face.
        path: picture file to write.
        overwrite: whether an existing file may be replaced.
    """
    columns = 2
    rows = -(-len(faces) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.5 * rows), dpi=100, layout="constrained")
    grid = np.reshape(figure.subplots(rows, 2 * columns), -1)
    for axes in grid:
        axes.axis("off")
    for index, name in enumerate(names):
        grid[2 * index].imshow(faces[index], cmap="gray", vmin=0, vmax=255)
        grid[2 * index].set_title(name, fontsize=8)
        grid[2 * index + 1].imshow(warped[index], cmap="gray", vmin=0, vmax=1)
        grid[2 * index + 1].set_title("as warped", fontsize=8)
    _save(figure, path, overwrite=overwrite)


def _save(figure: Figure, path: Path, *, overwrite: bool = True) -> None:
    try:
        with atomic_write(path, overwrite=overwrite) as partial:
            figure.savefig(partial)
    except ValueError as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error

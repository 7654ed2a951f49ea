"""``emodetect export``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.messages import detail, note
from emodetect.cli.options import (
    PATH,
    common_options,
    conventions_options,
    describe_settings,
    max_pixels_option,
    overwrite_option,
)
from emodetect.errors import ModelError, UsageError
from emodetect.suggestions import did_you_mean_file
from emodetect.text import one_line

if TYPE_CHECKING:
    from emodetect.backends.conventions import ModelConventions


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", type=PATH, metavar="MODEL|RUN")
@click.argument("target", type=PATH, metavar="FILE.onnx")
@click.option("--data", type=PATH, metavar="FOLDER",
              help="Faces to compare the two on: <label>/*, or a data set with test/.  [default: a portrait]")  # fmt: skip
@conventions_options
@click.option("--int8", is_flag=True,
              help="Compute in 8 bits, on ranges measured on --data: a quarter of the size, up to twice as fast.")  # fmt: skip
@overwrite_option
@max_pixels_option
@common_options
def export(source: Path, target: Path, data: Path | None, conventions: ModelConventions, int8: bool, overwrite: bool) -> None:
    """Turn a Keras model (.h5, .keras), or the best weights of a training run, into ONNX; or describe a .onnx file.

    What is known of the model (labels, scaling, channels, output) is written into the file, so that no option need say it again.

    The two are compared on real faces; where they differ by more than 0.0001, or in 8 bits give other answers for more than one
    face in 20, nothing is written.
    """
    from emodetect.backends.keras_import import import_keras
    from emodetect.files import check_output
    from emodetect.training.parity_faces import read_parity_faces

    check_output(target, overwrite=overwrite, suffixes=(".onnx",))
    if not source.exists():
        raise ModelError(f"{source}: no such model file or run{did_you_mean_file(source)}")
    if int8 and data is None:
        raise UsageError("--int8 goes with --data: ranges measured on one portrait would not do for other faces")
    faces, origin = read_parity_faces(data)
    describe_settings()
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the one whose converter comes with emodetect[train]
    keras = import_keras()
    detail(f"{'run' if source.is_dir() else 'model'}: {source}, by Keras {keras.__version__} on {keras.backend.backend()}")
    from emodetect.training.export import export_file, export_run

    if source.is_dir():
        parity = export_run(source, target, faces, int8=int8)
    else:
        parity = export_file(source, target, faces, conventions, int8=int8)
    other = source if source.suffix.lower() == ".onnx" else "Keras"
    same = f", {parity.same_answers:.1%} of the answers the same" if int8 else ""
    note(one_line(f"{target}: largest difference to {other} {parity.difference:.2g}{same} on {origin}"))

"""``emodetect export``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.factories import describe_settings
from emodetect.cli.messages import detail, note
from emodetect.cli.options import common_options, conventions_options, folder_labels_option, max_pixels_option, overwrite_option
from emodetect.cli.output_paths import check_outputs
from emodetect.cli.types import OUTPUT, PATH
from emodetect.errors import ModelError, UsageError
from emodetect.text.suggestions import did_you_mean_file

if TYPE_CHECKING:
    from emodetect.backends.conventions import ModelConventions
    from emodetect.training.data.label_names import LabelNames


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", type=PATH, metavar="MODEL|RUN")
@click.argument("target", type=OUTPUT, metavar="FILE.onnx")
@click.option("--data", type=PATH, metavar="FOLDER",
              help="Faces for the comparison: <label>/*, or a data set with test/.  [default: a portrait]")  # fmt: skip
@conventions_options
@click.option("--int8", is_flag=True,
              help="Quantize to 8 bits, calibrated on --data: a quarter of the size, up to twice as fast.")  # fmt: skip
@folder_labels_option
@overwrite_option
@max_pixels_option()
@common_options
def export(
    source: Path, target: Path, data: Path | None, conventions: ModelConventions, int8: bool, folder_labels: LabelNames | None,
    overwrite: bool,
) -> None:  # fmt: skip
    """Convert a Keras model (.h5, .keras), or the best weights of a training run, to ONNX; or add metadata to a .onnx file.

    The file contains labels, scaling, channels and output of the model, so that it needs no options.

    The two models are compared on real faces. If scores differ by more than 0.0001, or with --int8 the labels of more than one
    face in 20, nothing is written.
    """
    from emodetect.backends.keras_import import import_keras
    from emodetect.training.data.label_names import WORDS
    from emodetect.training.parity_faces import read_parity_faces

    check_outputs([(target, (".onnx",))], overwrite=overwrite)
    if not source.exists():
        raise ModelError(f"{source}: no such model file or run{did_you_mean_file(source)}")
    if int8 and data is None:
        raise UsageError("--int8 requires --data: one portrait is not enough for the calibration")
    faces = read_parity_faces(data, folder_labels or WORDS)
    describe_settings()
    for text in faces.notes:
        note(f"emodetect: {text}")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the ONNX converter of emodetect[train] requires it
    keras = import_keras()
    detail(f"{'run' if source.is_dir() else 'model'}: {source}, by Keras {keras.__version__} on {keras.backend.backend()}")
    from emodetect.training.export import export_file, export_run

    if source.is_dir():
        parity = export_run(source, target, faces.crops, int8=int8, overwrite=overwrite)
    else:
        parity = export_file(source, target, faces.crops, conventions, int8=int8, overwrite=overwrite)
    other = source if source.suffix.lower() == ".onnx" else "Keras"
    same = f", {parity.same_answers:.1%} of the answers the same" if int8 else ""
    note(f"{target}: largest difference to {other} {parity.difference:.2g}{same} on {faces.origin}")

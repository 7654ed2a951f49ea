"""``emodetect export``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from emodetect.cli.options import comma_separated, debug_option, max_pixels_option, overwrite_option
from emodetect.errors import ModelError
from emodetect.text import one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", type=click.Path(path_type=Path), metavar="MODEL|RUN")
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE.onnx")
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Faces to compare the two on: <label>/*, or a data set with test/.  [default: a portrait]")  # fmt: skip
@click.option("--labels", callback=comma_separated, metavar="A,B,...",
              help="What the outputs mean, in order, where the file does not say so.")  # fmt: skip
@overwrite_option
@max_pixels_option
@debug_option
def export(source: Path, target: Path, data: Path | None, labels: list[str] | None, overwrite: bool) -> None:
    """Turn a Keras model (.h5, .keras), or the best weights of a training run, into ONNX.

    The two are compared on real faces; where they differ by more than 0.0001, nothing is written.
    """
    from emodetect.backends.keras_import import import_keras
    from emodetect.files import check_output
    from emodetect.training.parity_faces import read_parity_faces

    check_output(target, overwrite=overwrite, suffixes=(".onnx",))
    if not source.exists():
        raise ModelError(f"{source}: no such model file or run")
    faces, origin = read_parity_faces(data)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the one whose converter comes with emodetect[train]
    import_keras()
    from emodetect.training.export import export_file, export_run

    difference = export_run(source, target, faces) if source.is_dir() else export_file(source, target, faces, labels)
    click.echo(one_line(f"{target}: largest difference to Keras {difference:.2g} on {origin}"), err=True)

"""``emodetect train``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from emodetect.cli.factories import describe_settings
from emodetect.cli.messages import detail, is_quiet, note
from emodetect.cli.options import COMMON_OPTIONS, common_options, folder_labels_option, max_pixels_option, overwrite_option
from emodetect.cli.output_paths import PICTURE_SUFFIXES, check_outputs
from emodetect.cli.types import NAME, OUTPUT, PATH, NumberRange
from emodetect.errors import DatasetError, OutputError, UsageError
from emodetect.text.printable import counted
from emodetect.text.suggestions import did_you_mean_file
from emodetect.training.architectures import ARCHITECTURE_NAMES, allow_own_code
from emodetect.training.hyperparameters import AUGMENTATION_NAMES, CLASS_WEIGHTS, LEARNING_RATES, PRECISIONS, RANGES

if TYPE_CHECKING:
    from emodetect.training.data.label_names import LabelNames
    from emodetect.training.hyperparameters import Settings
    from emodetect.training.run_data import RunData
    from emodetect.training.run_folder import RunFolder
    from emodetect.training.trained_model import TrainedModel


def _complete_architecture(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in ARCHITECTURE_NAMES if name.startswith(incomplete)]


MODEL_SUFFIXES = (".h5", ".keras")

_RESUME_OPTIONS = {"--arch", "--epochs", "--output", "--show-attention", "--overwrite", *(f"--{name}" for name in COMMON_OPTIONS)}
"""Options allowed with ``--resume``; all others are those of the resumed run."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=PATH, metavar="FOLDER|CSV",
              help="Folder with train/<label>/ and test/<label>/, or the original fer2013.csv.")  # fmt: skip
@folder_labels_option
@click.option("--votes", type=PATH, metavar="FILE",
              help="FER+ votes for these images (CSV), for a second output of compact.")  # fmt: skip
@click.option("--negatives", type=PATH, metavar="FOLDER",
              help="Crops without faces, which compact is trained to reject with a further output.")  # fmt: skip
@click.option("--teacher", "teachers", multiple=True, type=PATH, metavar="FILE",
              help="Exported .onnx network whose scores are mixed into the labels. May be repeated.")  # fmt: skip
@click.option("--start", type=PATH, metavar="FILE",
              help="Initial weights, from an earlier run (its best.weights.h5).")  # fmt: skip
@click.option("--arch", "architecture", type=NAME, metavar="NAME|MODULE:FUNCTION", shell_complete=_complete_architecture,
              help=f"Architecture: {', '.join(ARCHITECTURE_NAMES)}, a plug-in's name, or a function that returns a Keras model.  "
                   "[default: compact]")  # fmt: skip
@click.option("--epochs", type=click.IntRange(*RANGES["epochs"]),
              help="Number of epochs.  [default: that of the architecture]")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(*RANGES["batch_size"]), help="Batch size.  [default: that of the architecture]")
@click.option("--learning-rate", type=NumberRange(*LEARNING_RATES, min_open=True), metavar="RATE",
              help="Maximum learning rate.  [default: that of the architecture]")  # fmt: skip
@click.option("--class-weights", type=click.Choice(CLASS_WEIGHTS),
              help="balanced: weight rare labels as much as common ones.  [default: none]")  # fmt: skip
@click.option("--augment", "augmentation", type=click.Choice(AUGMENTATION_NAMES),
              help="Augmentation of the training faces.  [default: that of the architecture]")  # fmt: skip
@click.option("--seed", type=click.IntRange(*RANGES["seed"]),
              help="Seed of the split, the initial weights and the augmentation.  [default: 0]")  # fmt: skip
@click.option("--validation-share", type=NumberRange(0, 0.5, min_open=True), metavar="SHARE",
              help="Share of train that is used for validation.  [default: 0.1]")  # fmt: skip
@click.option("--precision", type=click.Choice(PRECISIONS),
              help="Floating-point precision; mixed_bfloat16 is faster on some processors.  [default: float32]")  # fmt: skip
@click.option("--output", type=OUTPUT, metavar="FILE",
              help="Save the model with the best validation result: .h5 or .keras.")  # fmt: skip
@click.option("--run-dir", type=OUTPUT, metavar="FOLDER",
              help="Folder for log, checkpoint, curves and summary.  [default: runs/ARCH-TIME]")  # fmt: skip
@click.option("--resume", type=OUTPUT, metavar="FOLDER",
              help="Resume the run in this folder after its last finished epoch; --epochs may extend it.")  # fmt: skip
@click.option("--show-attention", type=OUTPUT, metavar="FILE",
              help="Plot faces beside their versions warped by deep-emotion's spatial transformer.")  # fmt: skip
@overwrite_option
@max_pixels_option()
@common_options
def train(
    data: Path | None, folder_labels: LabelNames | None, votes: Path | None, negatives: Path | None, teachers: tuple[Path, ...],
    start: Path | None,
    architecture: str | None, epochs: int | None, batch_size: int | None, learning_rate: float | None,
    class_weights: str | None, augmentation: str | None, seed: int | None,
    validation_share: float | None, precision: str | None, output: Path | None, run_dir: Path | None, resume: Path | None,
    show_attention: Path | None, overwrite: bool,
) -> None:  # fmt: skip
    """Train a network on FER-2013, or on face images in the same layout.

    A validation split of train selects the best epoch. test is used once, at the end. KERAS_BACKEND selects tensorflow, torch or
    jax.
    """
    from emodetect.backends.keras_import import import_keras
    from emodetect.training.hyperparameters import Settings
    from emodetect.training.run_folder import RunFolder

    if architecture and ":" in architecture:
        allow_own_code(architecture)
    if resume:
        settings = _resumed(resume, architecture, epochs, output)
        folder = resume
    else:
        if data is None:
            raise UsageError("--data is missing: a folder with train/ and test/, or fer2013.csv (or --resume FOLDER)")
        for given in (votes, negatives, start, *teachers):
            if given is not None and not given.exists():
                raise DatasetError(f"{given}: no such file or folder{did_you_mean_file(given)}")
        settings = Settings(
            data=str(data.absolute()),
            votes=_absolute(votes),
            architecture=architecture or "compact",
            epochs=epochs or _default_epochs(architecture or "compact"),
            seed=seed or 0,
            validation_share=validation_share or 0.1,
            precision=precision or "float32",
            batch_size=batch_size,
            learning_rate=learning_rate,
            class_weights=class_weights or "none",
            augmentation=augmentation,
            output=_absolute(output),
            negatives=_absolute(negatives),
            teachers=tuple(str(path.absolute()) for path in teachers),
            start=_absolute(start),
            folder_labels=folder_labels.name if folder_labels else None,
        )
        folder = run_dir or Path("runs") / f"{settings.architecture.replace(':', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    model = None if settings.output is None else Path(settings.output)  # for a resumed run from its record
    if resume and not overwrite and model is not None and model.exists():
        raise OutputError(
            f"{model}: exists already; with --resume, --overwrite replaces it and keeps the run, and --output FILE writes another"
        )
    if show_attention and settings.architecture != "deep-emotion":
        raise UsageError("--show-attention requires --arch deep-emotion, which has a spatial transformer")
    outputs = [(model, MODEL_SUFFIXES), (show_attention, PICTURE_SUFFIXES)]
    _check_files(settings, RunFolder(folder), outputs, overwrite=overwrite, resume=resume is not None)
    import_keras()
    _run(settings, folder, resume=resume is not None, overwrite=overwrite, show_attention=show_attention)


def _resumed(folder: Path, architecture: str | None, epochs: int | None, output: Path | None) -> Settings:
    """Settings of a resumed run.

    Raises:
        UsageError: an option contradicts the run.
        DatasetError: the folder contains no run.
    """
    from emodetect.training.hyperparameters import Settings

    given = {option.opts[0] for option in _options_on_the_command_line()}
    kept = given - {"--resume", *_RESUME_OPTIONS}
    if kept:
        raise UsageError(f"{min(kept)} cannot be combined with --resume: the run keeps its settings")
    settings = Settings.load(folder)
    if "--arch" in given and architecture != settings.architecture:
        raise UsageError(f"--arch cannot be combined with --resume: the run keeps its network, {settings.architecture}")
    return replace(settings, epochs=epochs or settings.epochs, output=_absolute(output) or settings.output)


def _check_files(
    settings: Settings,
    folder: RunFolder,
    outputs: Sequence[tuple[Path | None, tuple[str, ...]]],
    *,
    overwrite: bool,
    resume: bool,
) -> None:
    """Check that all files can be written, and that none of them is an input or a file of the run.

    Raises:
        OutputError: a file cannot be written, or is an input.
    """
    from emodetect.system.output_files import place_of

    read = (settings.data, settings.votes, settings.negatives, settings.start, *settings.teachers)
    also_read = [(Path(name), "read by the run") for name in read if name]
    inputs = check_outputs(outputs, overwrite=overwrite, also_read=also_read)
    own = {place_of(path) for path in folder.files}
    for path, _ in outputs:
        if path is not None and place_of(path) in own:
            raise OutputError(f"{path}: is a file of the run itself; choose another name")
    if resume:
        folder.check_own()
    else:
        folder.check(overwrite=overwrite)
        for path in folder.own_files():  # the new run creates them again
            inputs.refuse(path)


def _options_on_the_command_line() -> Iterator[click.Option]:
    """Options on the command line, without those of variables and the configuration file, which are for new runs."""
    ctx = click.get_current_context()
    for option in ctx.command.params:
        if isinstance(option, click.Option) and ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE:
            yield option


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _default_epochs(architecture: str) -> int:
    from emodetect.backends.keras_import import import_keras
    from emodetect.training.architectures import architecture_named

    import_keras()
    return architecture_named(architecture).epochs


def _run(settings: Settings, folder: Path, *, resume: bool, overwrite: bool, show_attention: Path | None) -> None:
    import keras

    from emodetect.cli.progress import messages_console
    from emodetect.training import trainer
    from emodetect.training.architectures import architecture_named
    from emodetect.training.console import print_plain
    from emodetect.training.run_folder import RunFolder
    from emodetect.training.trained_model import finish

    describe_settings()
    batch = settings.batch_size or architecture_named(settings.architecture).batch_size
    detail(f"data: {settings.data}{f', votes {settings.votes}' if settings.votes else ''}")
    detail(f"network: {settings.architecture}, {counted(settings.epochs, 'epoch')}, batches of {batch}, seed {settings.seed}")
    detail(f"computed in {settings.precision} by Keras {keras.__version__} on {keras.backend.backend()}")
    detail(f"run: {folder}")
    console = messages_console(quiet=is_quiet())
    try:
        data = trainer.train(settings, folder, resume=resume, overwrite=overwrite, console=console)
        trained, summary = finish(folder, data)
        if settings.output:
            trained.save(Path(settings.output), overwrite=overwrite)
        if show_attention:
            _show_attention(trained, data, show_attention, overwrite=overwrite)
    except Exception:
        raise
    except BaseException:  # SIGINT or SIGTERM
        if RunFolder(folder).holds_run():
            replace = " --overwrite" if settings.output and Path(settings.output).exists() else ""
            note(f"emodetect: resume with: emodetect train --resume {shlex.quote(str(folder))}{replace}")
        raise
    print_plain(console, f"\n{summary}")
    note(f"Saved in {folder}")


def _show_attention(trained: TrainedModel, data: RunData, path: Path, *, overwrite: bool) -> None:
    import numpy as np

    from emodetect.training.architectures.deep_emotion import warped_faces
    from emodetect.training.plots import plot_attention
    from emodetect.types import EMOTIONS

    faces = data.validation.faces
    # Two faces per emotion, the first ones of the validation split.
    chosen = np.concatenate([np.flatnonzero(faces.labels == label)[:2] for label in range(len(EMOTIONS))])
    names = [EMOTIONS[label].value for label in faces.labels[chosen]]
    plot_attention(faces.images[chosen], warped_faces(trained.model, faces.images[chosen]), names, path, overwrite=overwrite)

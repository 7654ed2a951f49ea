"""Options shared by several commands."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from emodetect.backends.conventions import CHANNELS, SCALING_FORMS, ModelConventions
from emodetect.backends.limits import size_in_words
from emodetect.backends.registry import MAX_VIEWS, BackendSettings
from emodetect.cli.configuration import apply_configuration
from emodetect.cli.factories import refuse_options
from emodetect.cli.messages import note, set_verbosity
from emodetect.cli.shell_completion import complete_backend, complete_detector, complete_model
from emodetect.cli.types import (
    NAME,
    PATH,
    Confidence,
    LabelNamesType,
    MinFaceType,
    NumberRange,
    ScalingType,
    Size,
    comma_separated,
)
from emodetect.drawing.languages import NAMES
from emodetect.faces.detector import DetectorSettings, MinFace
from emodetect.faces.detectors import USE_CASCADE
from emodetect.media.pixel_limit import MAX_PIXELS, limit_pixels
from emodetect.media.playlists import allow_playlists
from emodetect.settings.pipeline import PipelineSettings
from emodetect.system.environment import ignored_variables
from emodetect.system.native_output import quiet_native_output, set_debugging, silence_libraries

Function = TypeVar("Function", bound=Callable[..., Any])


_CASCADE = ("cascade", "scale_factor", "min_neighbors")
"""Options of the cascade only."""


def pipeline_options(defaults: PipelineSettings, *, min_face_default: str | None = None) -> Callable[[Function], Function]:
    """Add all options of a pipeline, passed to the command as ``settings``; ``--smoothing`` only with tracking.

    Args:
        defaults: preset of the command.
        min_face_default: default of ``--min-face`` in the help, if it depends on the input.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def with_settings(
            *arguments: Any,
            backend: BackendSettings,
            detector: str,
            cascade: Path | None,
            scale_factor: float,
            min_neighbors: int,
            min_face: MinFace,
            verify: bool,
            uncertain: float | None,
            smoothing: float = defaults.smoothing,
            **named: Any,
        ) -> Any:
            if detector == "none":
                refuse_options(*_CASCADE, "min_face", "verify", beside="--detector none", reason="no face is looked for")
            elif detector not in USE_CASCADE:
                refuse_options(*_CASCADE, beside=f"--detector {detector}", reason="it does not use the cascade")
            settings = replace(
                defaults,
                backend=backend,
                detector=DetectorSettings(detector, cascade, scale_factor, min_neighbors, min_face),
                verify=verify,
                smoothing=smoothing,
                uncertain_below=uncertain,
            )
            return function(*arguments, settings=settings, **named)

        decorated = cast("Function", with_settings)
        # fmt: off
        for option in (
            click.option("--verify/--no-verify", default=defaults.verify, show_default=True,
                         help="Let the embedded network reject false detections."),
            click.option("--min-face", type=MinFaceType(), metavar="PIXELS|SHARE", default=defaults.detector.min_face,
                         show_default=min_face_default or True,
                         help="Smallest face to find, in pixels or as a share of the image's height."),
            click.option("--min-neighbors", metavar="NUMBER", type=click.IntRange(1, 1000),
                         default=defaults.detector.min_neighbors, show_default=True,
                         help="Cascade: number of overlapping detection windows per face. A higher number gives fewer false "
                              "positives and lower recall."),
            click.option("--scale-factor", metavar="NUMBER", type=NumberRange(1.01, 2.0),
                         default=defaults.detector.scale_factor, show_default=True,
                         help="Cascade: factor between the face sizes searched. A larger one is faster and misses more faces."),
            click.option("--cascade", type=PATH, metavar="FILE",
                         help="Cascade: another Haar cascade (XML) instead of the frontal-face one."),
            detector_option,
            click.option("--uncertain", type=Confidence(), metavar="CONFIDENCE",
                         help="Confidence, from 0 to 1 or in %, below which a reading is marked uncertain.  "
                              "[default: the model's own]"),
            backend_options,
        ):
            decorated = option(decorated)
        if defaults.track:
            decorated = click.option(
                "--smoothing", type=NumberRange(0), default=defaults.smoothing, show_default=True, metavar="SECONDS",
                help="Time constant of the smoothing of scores; 0 for none.",
            )(decorated)
        # fmt: on
        return decorated

    return decorate


def detector_option(function: Function) -> Function:
    """Add ``--detector``."""
    option = click.option(
        "--detector", type=NAME, default=DetectorSettings.name, show_default=True, metavar="NAME",
        shell_complete=complete_detector,
        help="Face detector. both: blazeface, and haar in images in which it finds no face. haar: a cascade. blazeface: a "
             "network, which also finds tilted, turned and partly covered faces. none: each whole image is one face. Or a "
             "plug-in's name.",
    )  # fmt: skip
    return option(function)


def folder_labels_option(function: Function) -> Function:
    """Add ``--folder-labels``."""
    option = click.option(
        "--folder-labels", type=LabelNamesType(), metavar="DATA SET|A=LABEL,...",
        help="Labels of the folders, if their names are not labels: raf-db, affectnet or fer2013 for numbers, or "
             "1=surprise,2=fear,...",
    )  # fmt: skip
    return option(function)


def backend_options(function: Function) -> Function:
    """Add ``--backend``, ``--model`` and `model_options`, passed to the command as ``backend``."""

    @functools.wraps(function)
    def with_backend(*arguments: Any, backend: str, model: str | None, model_settings: BackendSettings, **named: Any) -> Any:
        return function(*arguments, backend=replace(model_settings, name=backend, model=model), **named)

    decorated = model_options(cast("Function", with_backend))
    model = click.option(
        "--model", type=NAME, metavar="NAME|FILE", shell_complete=complete_model,
        help="Model of the backend cnn: embedded, one of its outputs fer2013 and ferplus, or a .onnx, .h5 or .keras file.",
    )  # fmt: skip
    return backend_option(model(decorated))


def backend_option(function: Function) -> Function:
    """Add ``--backend``."""
    option = click.option(
        "--backend", default=BackendSettings.name, show_default=True, metavar="NAME", shell_complete=complete_backend,
        help="Emotion backend: cnn (the embedded network or --model), deepface, or a plug-in's name.",
    )  # fmt: skip
    return option(function)


def model_options(function: Function) -> Function:
    """Add `conventions_options`, ``--max-model-memory`` and ``--views``, passed to the command as ``model_settings``."""

    @functools.wraps(function)
    def with_model_settings(
        *arguments: Any, conventions: ModelConventions, max_model_memory: int, views: int, **named: Any
    ) -> Any:
        settings = BackendSettings(conventions=conventions, views=views, max_model_memory=max_model_memory)
        return function(*arguments, model_settings=settings, **named)

    return views_option(conventions_options(model_memory_option(cast("Function", with_model_settings))))


def views_option(function: Function) -> Function:
    """Add ``--views``."""
    option = click.option(
        "--views", type=click.IntRange(1, MAX_VIEWS), default=BackendSettings.views, show_default=True,
        help="Views per face. 2 averages the scores of the face and its mirror image, and takes twice the time.",
    )  # fmt: skip
    return option(function)


def model_memory_option(function: Function) -> Function:
    """Add ``--max-model-memory``, in bytes."""
    option = click.option(
        "--max-model-memory", type=Size(), metavar="SIZE",
        default=size_in_words(BackendSettings.max_model_memory).replace(" ", ""),
        show_default=True, help="Memory limit of a model file, such as 4GB. A model that exceeds it is stopped.",
    )  # fmt: skip
    return option(function)


def conventions_options(function: Function) -> Function:
    """Add ``--labels``, ``--scaling``, ``--channels`` and ``--output-name``, passed to the command as ``conventions``."""

    @functools.wraps(function)
    def with_conventions(
        *arguments: Any, labels: list[str] | None, scaling: Any, channels: str | None, output_name: str | None, **named: Any
    ) -> Any:
        return function(*arguments, conventions=ModelConventions.of(labels, scaling, channels, output_name), **named)

    decorated = cast("Function", with_conventions)
    # fmt: off
    for option in (
        click.option("--output-name", type=NAME, metavar="NAME",
                     help="Output of the model file to use, if it has several."),
        click.option("--channels", type=click.Choice(CHANNELS),
                     help="Color order of the model file's input, if the file does not state it."),
        click.option("--scaling", type=ScalingType(), metavar="RANGE|SCALE,OFFSET",
                     help=f"Scaling of the model file's input pixels, if the file does not state it: {SCALING_FORMS}."),
        click.option("--labels", callback=comma_separated, metavar="A,B,...",
                     help="Labels of the model file's output, in order, if the file does not state them."),
    ):
        decorated = option(decorated)
    # fmt: on
    return decorated


def common_options(function: Function) -> Function:
    """Add ``--config``, ``--verbose``, ``--quiet`` and ``--debug``, which every command has.

    They are parsed before the others, ``--config`` first, since the file may set all of them.
    """
    # fmt: off
    for option in (
        click.option("--debug", is_flag=True, is_eager=True, expose_value=False, callback=_set_debugging,
                     help="Show tracebacks and the output of libraries."),
        click.option("--quiet", is_flag=True, is_eager=True, expose_value=False, callback=set_verbosity,
                     help="Print only errors."),
        click.option("--verbose", is_flag=True, is_eager=True, expose_value=False, callback=set_verbosity,
                     help="Print details: backend, model, detector, sizes, settings."),
        click.option("--config", type=PATH, is_eager=True, expose_value=False, metavar="FILE",
                     callback=apply_configuration, help="Configuration file (TOML).  [default: see emodetect config]"),
    ):
        function = option(function)
    # fmt: on
    return function


COMMON_OPTIONS = ("config", "verbose", "quiet", "debug")
"""Names of the options that every command has."""


def _set_debugging(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    set_debugging(value)
    silence_libraries()
    for line in ignored_variables():  # only here, when the verbosity is known
        note(f"emodetect: {line}")


def _limit_pixels(ctx: click.Context, parameter: click.Parameter, value: int | None) -> None:
    limit_pixels(value)


def max_pixels_option(default: int | None = None) -> Callable[[Function], Function]:
    """Add ``--max-pixels``, for commands that use OpenCV. It is set during parsing, before OpenCV is imported.

    The output of OpenCV and NumPy is discarded if they cannot be imported.

    Args:
        default: pixels; None for the limit of the process, or `MAX_PIXELS`.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def with_opencv(*arguments: Any, **named: Any) -> Any:
            with quiet_native_output():
                importlib.import_module("cv2")
            return function(*arguments, **named)

        option = click.option(
            "--max-pixels", type=click.IntRange(1, 10**12), expose_value=False, callback=_limit_pixels, metavar="NUMBER",
            default=default, help=f"Refuse images whose header announces more pixels.  [default: {default or MAX_PIXELS}]",
        )  # fmt: skip
        return option(cast("Function", with_opencv))

    return decorate


def playlists_option(function: Function) -> Function:
    """Add ``--allow-playlists``, for commands that open clips."""
    option = click.option(
        "--allow-playlists", is_flag=True, expose_value=False, callback=_allow_playlists,
        help="Read a clip that is a playlist or a list of clips, with the local files that it refers to.",
    )  # fmt: skip
    return option(function)


def _allow_playlists(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    allow_playlists(value)


def format_option(function: Function) -> Function:
    """Add ``--format``, for commands that print a table or JSON."""
    option = click.option(
        "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True,
        help="Output format.",
    )  # fmt: skip
    return option(function)


def anonymize_option(function: Function) -> Function:
    """Add ``--anonymize``."""
    option = click.option(
        "--anonymize", type=click.Choice(["blur", "box"]),
        help="Hide every detected face in saved images, with a patch of a few blurred colors or a gray box.",
    )  # fmt: skip
    return option(function)


def overwrite_option(function: Function) -> Function:
    """Add ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace existing output files.")(function)


def style_options(function: Function) -> Function:
    """Add ``--language`` and ``--font``."""
    # fmt: off
    for option in (
        click.option("--font", type=PATH, metavar="FILE",
                     help="Font of the text in images.  [default: the included font, or an installed one]"),
        click.option("--language", type=click.Choice(list(NAMES)),
                     help="Language of the text in images; data stays in English.  [default: the system's]"),
    ):
        function = option(function)
    # fmt: on
    return function

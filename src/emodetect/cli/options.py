"""Options that several commands share, and what is built from them."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from emodetect.backends.conventions import CHANNELS, SCALING_FORMS, ModelConventions, Scaling
from emodetect.backends.limits import MAX_MODEL_MEMORY, parse_size, size_in_words
from emodetect.backends.registry import MOST_VIEWS
from emodetect.cli.configuration import apply_configuration, given_elsewhere
from emodetect.cli.messages import detail, note, set_verbosity
from emodetect.drawing.languages import NAMES, system_language
from emodetect.errors import UsageError
from emodetect.faces.detectors import DETECTORS
from emodetect.media.pixel_limit import MAX_PIXELS, limit_pixels
from emodetect.media.playlists import allow_playlists
from emodetect.system.environment import ignored_variables
from emodetect.system.native_output import quiet_native_output, set_debugging, silence_libraries
from emodetect.text.numbers import MOST_NUMBER
from emodetect.text.printable import caption, looks_like_address

if TYPE_CHECKING:
    from emodetect.backends.base import EmotionBackend
    from emodetect.drawing.style import Style
    from emodetect.faces.detector import FaceDetector
    from emodetect.faces.verifier import FaceVerifier


class _FilePath(click.Path):
    """A path of which Click asks only that it is not empty, as a variable that is not set makes it in a shell.

    `Path("")` is the current folder, which nobody has named. A file that may not be read is no misuse, and other inputs are done.
    """

    def __init__(self, **limits: bool) -> None:
        super().__init__(path_type=Path, readable=False, **limits)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty; expected the name of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


class _Name(click.types.StringParamType):
    """A text that is not empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty; expected a name", param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(_FilePath):
    """A file that the command writes; every other path is one that it reads."""


class OutputName(_Name):
    """The name of a file or folder that the command writes, as it was typed: a / at its end tells that it is a folder."""


class _Photo(_FilePath):
    """A path, or an address as it was typed, of which a path would lose a slash."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, str) and looks_like_address(value) else super().convert(value, param, ctx)


PATH, NAME, PHOTO = _FilePath(), _Name(), _Photo()
OUTPUT, OUTPUT_NAME = OutputPath(), OutputName()

Function = TypeVar("Function", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A range of finite numbers, up to `MOST_NUMBER` where it has no maximum of its own.

    Click lets NaN through, which is neither under nor over a limit, and infinity where there is no limit.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, if it is one."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        if abs(number) > MOST_NUMBER:
            self.fail(f"{value} is more than {MOST_NUMBER:,.0f}.", param, ctx)
        return number


def smoothing_option(default: float) -> Callable[[Function], Function]:
    """``--smoothing`` with this default, seconds."""
    return click.option(
        "--smoothing", type=NumberRange(0), default=default, show_default=True, metavar="SECONDS",
        help="Time over which scores are averaged; 0 is off.",
    )  # fmt: skip


PICTURE_SUFFIXES = (".png", ".pdf", ".svg")
"""Endings of the files that plots are saved in."""

REPORT_SUFFIXES = (".html", ".htm")


def _min_face(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, bool]:
    """A number of pixels (64), or a share of the picture's height (0.1 or 10%): the number, and whether it is a share."""
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number of pixels nor a share such as 0.1 or 10%") from None
    relative = value.endswith("%") or 0 < number < 1
    if not 0 < number <= (1 if relative else MOST_NUMBER):
        raise click.BadParameter(f"{value!r} is out of range: at least 1 pixel, or a share up to 100%")
    return number, relative


class _Confidence(click.FloatRange):
    """A number from 0 to 1, or a percentage."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            self.fail(f"{text!r} is no confidence: from 0 to 1, or from 0% to 100%", param, ctx)
        return number


def comma_separated(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """The parts of a value such as ``angry,happy``; a callback for options."""
    return None if value is None else [part.strip() for part in value.split(",") if part.strip()]


def detector_options(min_face: str) -> Callable[[Function], Function]:
    """``--detector``, its options (``--min-face`` with this default), and ``--verify``."""

    def decorate(function: Function) -> Function:
        # fmt: off
        for option in (
            click.option("--verify/--no-verify", default=True, show_default=True,
                         help="Let the embedded network refuse what the detector has found and is no face."),
            click.option("--min-face", callback=_min_face, metavar="PIXELS|SHARE", default=min_face, show_default=True,
                         help="Smallest face to look for, in pixels or as a share of the picture's height."),
            click.option("--min-neighbors", metavar="NUMBER", type=click.IntRange(1, 1000), default=5, show_default=True,
                         help="How many overlapping windows must agree on a face; more means fewer false and more missed faces."),
            click.option("--scale-factor", metavar="NUMBER", type=NumberRange(1.01, 2.0), default=1.1, show_default=True,
                         help="Step between the face sizes looked at; larger is faster and misses more."),
            click.option("--cascade", type=PATH, metavar="FILE",
                         help="Another Haar cascade (XML) than the frontal-face one."),
        ):
            function = option(function)
        # fmt: on
        return detector_option(function)

    return decorate


def detector_option(function: Function) -> Function:
    """``--detector``, given to the command as ``kind``."""
    option = click.option(
        "--detector", "kind", type=click.Choice(DETECTORS), default=DETECTORS[0], show_default=True,
        help="What finds faces: haar, a cascade; none takes each whole picture for one face, as for cropped faces.",
    )  # fmt: skip
    return option(function)


class _LabelNamesType(click.types.StringParamType):
    """A text that `LabelNames.parse` takes."""

    name = "folder-labels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from emodetect.training.data.label_names import LabelNames

        try:
            return LabelNames.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from emodetect.training.data.label_names import NUMBERED

        return [CompletionItem(name) for name in NUMBERED if name.startswith(incomplete)]


def folder_labels_option(function: Function) -> Function:
    """``--folder-labels``."""
    option = click.option(
        "--folder-labels", type=_LabelNamesType(), metavar="DATA SET|A=LABEL,...",
        help="What the data's folders mean where their names are no words for labels: raf-db, affectnet or fer2013 for "
             "numbers, or 1=surprise,2=fear,...",
    )  # fmt: skip
    return option(function)


def complete_backend(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The backends that there are, for the shell."""
    from emodetect.backends.registry import backend_names

    return [name for name in backend_names() if name.startswith(incomplete)]


def complete_model(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the embedded network, and files, for the shell."""
    from emodetect.backends.registry import RESERVED

    return _or_file(incomplete, RESERVED)


def complete_source(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The numbers and names of the cameras, and files, for the shell."""
    from emodetect.sources.camera_list import list_cameras

    cameras = list_cameras()
    return _or_file(incomplete, [str(camera.index) for camera in cameras] + [camera.name for camera in cameras])


def complete_file(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, for the shell."""
    return _or_file(incomplete, ())


def _or_file(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    # Bash forgets what comes before a file.
    return [CompletionItem(incomplete, type="file"), *(CompletionItem(name) for name in names if name.startswith(incomplete))]


def backend_options(function: Function) -> Function:
    """``--backend``, ``--model``, ``--uncertain``, ``--views``, and what two other decorators add."""
    function = views_option(conventions_options(model_memory_option(function)))
    # fmt: off
    for option in (
        click.option("--uncertain", type=_Confidence(), metavar="CONFIDENCE",
                     help="Confidence, 0 to 1 or in %, under which a reading is marked uncertain.  [default: the model's own]"),
        click.option("--model", type=NAME, metavar="NAME|FILE", shell_complete=complete_model,
                     help="For cnn: embedded, or one of its heads, fer2013 and ferplus, or a .onnx, .h5 or .keras file."),
        click.option("--backend", default="cnn", show_default=True, metavar="NAME", shell_complete=complete_backend,
                     help="What reads the emotions: cnn (embedded, or --model), deepface, or a plug-in's name."),
    ):
        function = option(function)
    # fmt: on
    return function


def views_option(function: Function) -> Function:
    """``--views``."""
    option = click.option(
        "--views", type=click.IntRange(1, MOST_VIEWS), default=1, show_default=True,
        help="Crops that are read of each face: 2 averages the scores of the face and its mirror image, for twice the time.",
    )  # fmt: skip
    return option(function)


class _ScalingType(click.types.StringParamType):
    """A text that `Scaling.parse` takes."""

    name = "scaling"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return Scaling.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in ("0..1", "-1..1", "0..255", "imagenet") if name.startswith(incomplete)]


class _Size(click.types.StringParamType):
    """A number of bytes, as `parse_size` takes it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse_size(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def model_memory_option(function: Function) -> Function:
    """``--max-model-memory``, in bytes."""
    option = click.option(
        "--max-model-memory", type=_Size(), metavar="SIZE", default=size_in_words(MAX_MODEL_MEMORY).replace(" ", ""),
        show_default=True, help="Memory that a model file may take, such as 4GB; what takes more is ended.",
    )  # fmt: skip
    return option(function)


def conventions_options(function: Function) -> Function:
    """``--labels``, ``--scaling``, ``--channels`` and ``--output-name``, given to the command as ``conventions``."""

    @functools.wraps(function)
    def with_conventions(
        *arguments: Any, labels: list[str] | None, scaling: Any, channels: str | None, output_name: str | None, **named: Any
    ) -> Any:
        return function(*arguments, conventions=ModelConventions.of(labels, scaling, channels, output_name), **named)

    decorated = cast("Function", with_conventions)
    # fmt: off
    for option in (
        click.option("--output-name", type=NAME, metavar="NAME",
                     help="The output of the model file to read, where it has several."),
        click.option("--channels", type=click.Choice(CHANNELS),
                     help="The colors that the model file was trained on, in order, where the file does not say so."),
        click.option("--scaling", type=_ScalingType(), metavar="RANGE|SCALE,OFFSET",
                     help=f"What the model file makes of pixels: {SCALING_FORMS}, where the file does not say so."),
        click.option("--labels", callback=comma_separated, metavar="A,B,...",
                     help="What the model file's outputs mean, in order, where the file does not say so."),
    ):
        decorated = option(decorated)
    # fmt: on
    return decorated


def common_options(function: Function) -> Function:
    """``--config``, ``--verbose``, ``--quiet`` and ``--debug``, which every command has.

    They are read before the others, ``--config`` first: the file may hold all of them.
    """
    # fmt: off
    for option in (
        click.option("--debug", is_flag=True, is_eager=True, expose_value=False, callback=_set_debugging,
                     help="Show tracebacks and what the libraries print."),
        click.option("--quiet", is_flag=True, is_eager=True, expose_value=False, callback=set_verbosity,
                     help="Say nothing but errors."),
        click.option("--verbose", is_flag=True, is_eager=True, expose_value=False, callback=set_verbosity,
                     help="Say what is used: backend, network, detector, sizes, settings."),
        click.option("--config", type=PATH, is_eager=True, expose_value=False, metavar="FILE",
                     callback=apply_configuration, help="Take options from this TOML file.  [default: see emodetect config]"),
    ):
        function = option(function)
    # fmt: on
    return function


COMMON_OPTIONS = ("config", "verbose", "quiet", "debug")
"""The options that every command has."""


def _set_debugging(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    set_debugging(value)
    silence_libraries()
    for line in ignored_variables():  # here, since only now it is known whether notes are wanted
        note(f"emodetect: {line}")


def _limit_pixels(ctx: click.Context, parameter: click.Parameter, value: int | None) -> None:
    limit_pixels(value)


def max_pixels_option(function: Function) -> Function:
    """``--max-pixels``, for commands that use OpenCV; set while options are parsed, before that is imported.

    Where it cannot be imported, it and NumPy print of their own, also to standard output.
    """

    @functools.wraps(function)
    def with_opencv(*arguments: Any, **named: Any) -> Any:
        with quiet_native_output():
            importlib.import_module("cv2")
        return function(*arguments, **named)

    option = click.option(
        "--max-pixels", type=click.IntRange(1, 10**12), expose_value=False, callback=_limit_pixels, metavar="NUMBER",
        help=f"Refuse pictures whose header announces more pixels.  [default: {MAX_PIXELS}]",
    )  # fmt: skip
    return option(cast("Function", with_opencv))


def playlists_option(function: Function) -> Function:
    """``--allow-playlists``, for commands that open clips."""
    option = click.option(
        "--allow-playlists", is_flag=True, expose_value=False, callback=_allow_playlists,
        help="Read a clip that is a playlist, or a list of clips, with the files of this machine that it names.",
    )  # fmt: skip
    return option(function)


def _allow_playlists(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    allow_playlists(value)


def format_option(function: Function) -> Function:
    """``--format``, for commands that print a table or JSON."""
    option = click.option(
        "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True,
        help="What is printed.",
    )  # fmt: skip
    return option(function)


def anonymize_option(function: Function) -> Function:
    """``--anonymize``."""
    option = click.option(
        "--anonymize", type=click.Choice(["blur", "box"]),
        help="Hide every face in the pictures that are saved, under a patch of a few blurred colours or a gray box.",
    )  # fmt: skip
    return option(function)


def check_anonymize(method: str | None, saved: object, option: str) -> None:
    """See that something is saved in which faces could be hidden.

    Raises:
        UsageError: nothing is; ``option`` would.
    """
    if method is not None and saved is None:
        raise UsageError(f"--anonymize goes with {option}: it hides the faces in what is saved")


def overwrite_option(function: Function) -> Function:
    """``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace output files that exist already.")(function)


def style_options(function: Function) -> Function:
    """``--language`` and ``--font``."""
    # fmt: off
    for option in (
        click.option("--font", type=PATH, metavar="FILE",
                     help="Font for what is written in pictures.  [default: one that is found; English labels need none]"),
        click.option("--language", type=click.Choice(list(NAMES)),
                     help="Language of what is written in pictures; data stays English.  [default: the system's]"),
    ):
        function = option(function)
    # fmt: on
    return function


def make_style(language: str | None, font: Path | None) -> Style:
    """The words and letters that the options ask for; English, and a line about it, where no font has the letters.

    Raises:
        SourceError: the font file cannot be read.
    """
    from emodetect.drawing.style import Style, find_style

    language = language or system_language()
    style = find_style(language, font)
    if style is not None:
        return style
    where = f"{font} lacks letters" if font else "no font on this system has the letters"
    message = f"{where} for {NAMES[language]}, so labels are English; --font FILE names another font"
    note(f"emodetect: {message}")
    return Style()


def make_caption_style(style: Style, language: str | None, names: Iterable[str]) -> Style:
    """The same words, with letters for names of files as well.

    Where fonts lack some of the letters a line says so, unless `make_style` had to say that much already.
    """
    from emodetect.drawing.style import with_letters_for

    captions, missing = with_letters_for(style, map(caption, names))
    if missing and style.language == (language or system_language()):
        note(f"emodetect: no font on this system has the letters {missing[:20]} of the names; --font FILE names one that has")
    return captions


def detector_in_words(
    kind: str, cascade: Path | None, scale_factor: float, min_neighbors: int, min_face: tuple[float, bool]
) -> str:
    """The detector that the options describe, as one line."""
    if kind == "none":
        return "none: each whole picture is taken for one face"
    number, relative = min_face
    smallest = f"{100 * number:g}% of the height" if relative else f"{number:g} pixels"
    return (
        f"{cascade or 'the cascade that comes with emodetect'}, scale factor {scale_factor:g}, {min_neighbors} neighbours, "
        f"smallest face {smallest}"
    )


def make_detector(
    kind: str, cascade: Path | None, scale_factor: float, min_neighbors: int, min_face: tuple[float, bool]
) -> FaceDetector:
    """The detector that the options describe.

    Raises:
        UsageError: the command line has options that this detector does not use.
    """
    from emodetect.faces.detector import MinFace
    from emodetect.faces.detectors import create_detector

    if kind == "none":
        _refuse_options("cascade", "scale_factor", "min_neighbors", "min_face", "verify", beside="--detector none")
    detail(f"detector: {detector_in_words(kind, cascade, scale_factor, min_neighbors, min_face)}")
    smallest = MinFace(*min_face)
    return create_detector(kind, cascade=cascade, scale_factor=scale_factor, min_neighbors=min_neighbors, min_face=smallest)


def _refuse_options(*names: str, beside: str) -> None:
    """See that the command line has none of these options, which another one makes useless; ``--no-...`` may be there.

    Variables and the configuration file may have them: they are for other runs as well.

    Raises:
        UsageError: it has one.
    """
    ctx = click.get_current_context()
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given and ctx.params.get(option.name) is not False:
            raise UsageError(f"{option.opts[0]} does not go with {beside}: no face is looked for")


def make_verifier(verify: bool, detector: FaceDetector) -> FaceVerifier | None:
    """The verifier that the options ask for; None for a detector that is certain of its faces."""
    from emodetect.backends.verifier import EmbeddedVerifier

    verify = verify and not detector.is_certain
    detail(f"verifier: {'the embedded network' if verify else 'none'}")
    return EmbeddedVerifier() if verify else None


def make_backend(
    backend: str, model: str | None, conventions: ModelConventions, views: int, max_model_memory: int
) -> EmotionBackend:
    """The backend that the options describe."""
    from emodetect.backends.registry import create_backend

    made = create_backend(backend, model, conventions, views, max_model_memory=max_model_memory)
    describe_backend(made, backend, model, conventions, views)
    return made


def describe_backend(made: EmotionBackend, backend: str, model: str | None, conventions: ModelConventions, views: int) -> None:
    """Tell, where details are wanted, which options come from elsewhere, and which backend they make."""
    describe_settings()
    mirrored = ["--views", str(views)] if views > 1 else []
    detail(f"backend {backend}: {' '.join([model or made.name, *conventions.as_options(), *mirrored])}")


def describe_settings() -> None:
    """Tell, where details are wanted, which options come from variables or the configuration file."""
    for setting in given_elsewhere(click.get_current_context()):
        detail(setting)

"""What commands build from their options."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from emodetect.cli.configuration import given_elsewhere
from emodetect.cli.messages import detail, note
from emodetect.drawing.languages import NAMES, system_language
from emodetect.errors import UsageError
from emodetect.text.printable import caption

if TYPE_CHECKING:
    from emodetect.backends.base import EmotionBackend
    from emodetect.backends.conventions import ModelConventions
    from emodetect.drawing.style import Style
    from emodetect.faces.detector import FaceDetector
    from emodetect.faces.verifier import FaceVerifier


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
    detail(f"backend {backend}: {' '.join([model or made.name, *conventions_as_options(conventions), *mirrored])}")


def conventions_as_options(conventions: ModelConventions) -> list[str]:
    """The options that say the same, each with its value."""
    scaling = conventions.scaling
    values = {
        "labels": conventions.labels and ",".join(conventions.labels),
        "scaling": scaling and ",".join(map(repr, (*scaling.scale, *scaling.offset))),
        "channels": conventions.channels,
        "output-name": conventions.output_name,
    }
    return [f"--{option}={value}" for option, value in values.items() if value]


def describe_settings() -> None:
    """Tell, where details are wanted, which options come from variables or the configuration file."""
    for setting in given_elsewhere(click.get_current_context()):
        detail(setting)

"""Factories of pipelines, backends and styles from options."""

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
    from emodetect.backends.registry import BackendSettings
    from emodetect.drawing.style import Style
    from emodetect.faces.locator import FaceLocator
    from emodetect.pipeline import EmotionPipeline
    from emodetect.settings.pipeline import PipelineSettings


def make_style(language: str | None, font: Path | None) -> Style:
    """Create the style of the options; English, with a note, if no font has the letters of the language.

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
    """Create a style that also has the letters of file names.

    If fonts lack some of them, a note says so, unless `make_style` has printed one already.
    """
    from emodetect.drawing.style import with_letters_for

    captions, missing = with_letters_for(style, map(caption, names))
    if missing and style.language == (language or system_language()):
        note(f"emodetect: no font on this system has the letters {missing[:20]} of the names; --font FILE names one that has")
    return captions


def make_pipeline(settings: PipelineSettings) -> EmotionPipeline:
    """Create the pipeline of the options; its backend is not loaded yet."""
    from emodetect.pipeline import build_pipeline

    pipeline = build_pipeline(settings)
    describe_locator(settings, pipeline.locator)
    describe_backend(pipeline.scorer.backend, settings.backend)
    return pipeline


def make_locator(settings: PipelineSettings) -> FaceLocator:
    """Create the face locator of the options."""
    from emodetect.pipeline import build_locator

    locator = build_locator(settings)
    describe_locator(settings, locator)
    return locator


def describe_locator(settings: PipelineSettings, locator: FaceLocator) -> None:
    """Print the face detector, with ``--verbose``."""
    detail(f"detector: {settings.detector}")
    detail(f"verifier: {'the embedded network' if locator.has_verifier else 'none'}")


def refuse_options(*names: str, beside: str, reason: str) -> None:
    """Check that the command line has none of these options, which another one makes useless; ``--no-...`` is allowed.

    Variables and the configuration file may set them, since they apply to other runs as well.

    Raises:
        UsageError: one of these options is set.
    """
    ctx = click.get_current_context()
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given and ctx.params.get(option.name) is not False:
            raise UsageError(f"{option.opts[0]} cannot be combined with {beside}: {reason}")


def make_backend(settings: BackendSettings) -> EmotionBackend:
    """Create the backend of the options."""
    made = settings.create()
    describe_backend(made, settings)
    return made


def describe_backend(made: EmotionBackend, settings: BackendSettings) -> None:
    """Print the backend, and the origins of its options, with ``--verbose``."""
    describe_settings()
    mirrored = ["--views", str(settings.views)] if settings.views > 1 else []
    conventions = [f"{option}={value}" for option, value in conventions_as_options(settings.conventions).items()]
    detail(f"backend {settings.name}: {' '.join([settings.model or made.name, *conventions, *mirrored])}")


def conventions_as_options(conventions: ModelConventions) -> dict[str, str]:
    """Convert conventions to options, by name."""
    values = {
        "--labels": conventions.labels and ",".join(conventions.labels),
        "--scaling": conventions.scaling and str(conventions.scaling),
        "--channels": conventions.channels,
        "--output-name": conventions.output_name,
    }
    return {option: value for option, value in values.items() if value}


def describe_settings() -> None:
    """Print the options from variables and the configuration file, with ``--verbose``."""
    for setting in given_elsewhere(click.get_current_context()):
        detail(setting)

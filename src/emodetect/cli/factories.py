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
    from emodetect.backends.registry import BackendSettings
    from emodetect.drawing.style import Style
    from emodetect.faces.locator import FaceLocator
    from emodetect.pipeline import EmotionPipeline
    from emodetect.settings.pipeline import PipelineSettings


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


def make_pipeline(settings: PipelineSettings) -> EmotionPipeline:
    """The pipeline that the options describe; its backend is not loaded yet."""
    from emodetect.pipeline import build_pipeline

    pipeline = build_pipeline(settings)
    describe_locator(settings, pipeline.locator)
    describe_backend(pipeline.scorer.backend, settings.backend)
    return pipeline


def make_locator(settings: PipelineSettings) -> FaceLocator:
    """What finds faces as the options describe it."""
    from emodetect.pipeline import build_locator

    locator = build_locator(settings)
    describe_locator(settings, locator)
    return locator


def describe_locator(settings: PipelineSettings, locator: FaceLocator) -> None:
    """Tell, where details are wanted, what finds faces."""
    detail(f"detector: {settings.detector}")
    detail(f"verifier: {'the embedded network' if locator.verifies else 'none'}")


def refuse_options(*names: str, beside: str, since: str) -> None:
    """See that the command line has none of these options, which another one makes useless; ``--no-...`` may be there.

    Variables and the configuration file may have them: they are for other runs as well.

    Raises:
        UsageError: it has one.
    """
    ctx = click.get_current_context()
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given and ctx.params.get(option.name) is not False:
            raise UsageError(f"{option.opts[0]} does not go with {beside}: {since}")


def make_backend(settings: BackendSettings) -> EmotionBackend:
    """The backend that the options describe."""
    made = settings.create()
    describe_backend(made, settings)
    return made


def describe_backend(made: EmotionBackend, settings: BackendSettings) -> None:
    """Tell, where details are wanted, which options come from elsewhere, and which backend they make."""
    describe_settings()
    mirrored = ["--views", str(settings.views)] if settings.views > 1 else []
    said = [f"{option}={value}" for option, value in conventions_as_options(settings.conventions).items()]
    detail(f"backend {settings.name}: {' '.join([settings.model or made.name, *said, *mirrored])}")


def conventions_as_options(conventions: ModelConventions) -> dict[str, str]:
    """The options that say the same, each with its value."""
    values = {
        "--labels": conventions.labels and ",".join(conventions.labels),
        "--scaling": conventions.scaling and str(conventions.scaling),
        "--channels": conventions.channels,
        "--output-name": conventions.output_name,
    }
    return {option: value for option, value in values.items() if value}


def describe_settings() -> None:
    """Tell, where details are wanted, which options come from variables or the configuration file."""
    for setting in given_elsewhere(click.get_current_context()):
        detail(setting)

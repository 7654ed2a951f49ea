"""``emodetect inspect``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.messages import show_json
from emodetect.cli.options import common_options, conventions_options, format_option, model_memory_option
from emodetect.cli.shell_completion import complete_model
from emodetect.cli.types import NAME

if TYPE_CHECKING:
    from emodetect.backends.conventions import ModelConventions
    from emodetect.backends.description import Finding, ModelDescription, Origin

_ORIGINS: dict[Origin, str] = {"option": "your option", "metadata": "its metadata", "model": "the network", "assumed": "assumed"}
"""Origins in words."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", type=NAME, metavar="MODEL", shell_complete=complete_model)
@conventions_options
@model_memory_option
@format_option
@common_options
def inspect(model: str, conventions: ModelConventions, max_model_memory: int, output_format: str) -> None:
    """Show the properties of a model file, where each value comes from, and the option that changes it.

    MODEL is a .onnx, .h5 or .keras file, or embedded, fer2013 or ferplus.
    """
    from emodetect.backends.registry import RESERVED, create_backend

    backend = create_backend("cnn", model, conventions, max_model_memory=max_model_memory)
    backend.load()
    try:
        description = backend.description
    finally:
        backend.close()
    assert description is not None  # set for every model file
    if output_format == "json":
        show_json(description.as_dict())
        return
    from emodetect.cli.table import print_table

    print_table(("", "from", "changed by", "value"), list(_rows(description, is_fixed=model in RESERVED)))


def _rows(found: ModelDescription, *, is_fixed: bool) -> Iterator[tuple[str, str, str, str]]:
    """Table rows: the property, its origin, the option that changes it, and its value."""

    def by(option: str, can_be_changed: bool = True) -> str:
        return option if can_be_changed and not is_fixed else ""

    yield "file", "", "", found.name
    yield "format", "", "", found.format
    if found.parameters is not None:
        yield "parameters", "", "", f"{found.parameters:,}"
    yield "input", "the network", "", f"{found.input_name} {_shape(found.input_shape)} {found.input_type}"
    height, width = found.size.value
    yield "size", _origin(found.size), "", f"{width}x{height} pixels"
    yield "channels", _origin(found.channels), by("--channels", found.input_has_colors), found.channels.value
    scale, offset = (
        ", ".join(f"{n:.6g}" for n in numbers) for numbers in (found.scaling.value.scale, found.scaling.value.offset)
    )
    yield "scaling", _origin(found.scaling), by("--scaling"), f"{found.scaling.value}: pixel * {scale} + {offset}"
    for output in found.outputs:
        yield "output", "the network", "", f"{output.name} {_shape(output.shape)}, {'' if output.read else 'not '}read"
    yield "output to read", _origin(found.output), by("--output-name", len(found.outputs) > 1), found.output.value
    yield "scores", "the network", "", found.scores
    for names in dict.fromkeys(found.labels.value):
        yield "labels", _origin(found.labels), by("--labels"), ", ".join(names)
    for note in found.notes:
        yield "note", "", "", note
    for name, value in found.facts.items():
        if not isinstance(value, dict | list):  # only in JSON
            yield name, "its metadata", "", str(value)


def _origin(found: Finding[Any]) -> str:
    return _ORIGINS[found.origin] + found.in_brackets


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "of unknown shape" if shape is None else f"({', '.join('any' if size is None else str(size) for size in shape)})"

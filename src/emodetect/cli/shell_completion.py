"""Shell completion of values, with fixes for Click's scripts: values after ``=``, and descriptions with a comma.

Importing this module registers the fixes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete, add_completion_class

from emodetect.errors import UsageError


@add_completion_class
class _Bash(BashComplete):
    """Bash splits ``--format=js`` into three words."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, begun = super().get_completion_args()
        return (words[:-1], begun) if words and words[-1] == "=" else (words, begun)


@add_completion_class
class _Zsh(ZshComplete):
    """Zsh replaces the whole word, including the option."""

    source_template = ZshComplete.source_template.replace(
        "    response=(", "    [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='\n\n    response=(", 1
    ).replace("compadd -U", 'compadd -U -i "$IPREFIX"', 1)


@add_completion_class
class _Fish(FishComplete):
    """Fish splits completions at each comma, also in the description."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split -m1 ","')


def check_words(request: str) -> None:
    """Check that a completion request contains the command line, which Click assumes.

    Args:
        request: value of the completion variable, such as ``bash_complete``.

    Raises:
        UsageError: the command line is missing.
    """
    if not re.fullmatch("(?:bash|zsh|fish)_(?:source|complete)", request):
        shells = "bash, zsh or fish, with _source or _complete after it"
        raise UsageError(f"_EMODETECT_COMPLETE is {request!r}: shells set it to {shells}; see 'emodetect completion --help'")
    place = os.environ.get("COMP_CWORD", "")
    is_place = request.startswith("fish") or (place.isascii() and place.isdecimal() and len(place) < 10)
    if request.endswith("_complete") and not ("COMP_WORDS" in os.environ and is_place):
        raise UsageError("a shell that asks for completions sets COMP_WORDS and COMP_CWORD; see 'emodetect completion --help'")


def complete_backend(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete backends."""
    from emodetect.backends.registry import backend_names

    return [name for name in backend_names() if name.startswith(incomplete)]


def complete_detector(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete face detectors."""
    from emodetect.faces.detectors import detector_names

    return [name for name in detector_names() if name.startswith(incomplete)]


def complete_model(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of the embedded network, and files."""
    from emodetect.backends.registry import RESERVED

    return _or_file(incomplete, RESERVED)


def complete_source(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete numbers and names of cameras, and files."""
    from emodetect.sources.camera_list import list_cameras

    cameras = list_cameras()
    return _or_file(incomplete, [str(camera.index) for camera in cameras] + [camera.name for camera in cameras])


def complete_file(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete files."""
    return _or_file(incomplete, ())


def _or_file(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    # Bash drops items before a file.
    return [CompletionItem(incomplete, type="file"), *(CompletionItem(name) for name in names if name.startswith(incomplete))]

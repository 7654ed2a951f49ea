"""The boundary of the command line: below it errors name parameters, and it alone knows options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from emodetect.errors import ModelError, UsageError, about
from tests.builders import ROOT
from tests.cli.parsing import options

SOURCE = ROOT / "src" / "emodetect"

OPTIONS = {name for _, option in options() for name in (*option.opts, *option.secondary_opts) if name.startswith("--")}


def options_named(module: ast.Module) -> Iterator[tuple[str, int]]:
    """The options of our commands that texts and docstrings of a module name, and their lines."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", node.value):
                if word in OPTIONS:
                    yield word, node.lineno


def test_options_are_named_by_the_command_line_alone() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {option}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.is_relative_to(SOURCE / "cli")
        for option, line in options_named(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == [], "name the parameter in backquotes; emodetect.cli.hints shows the option in its place"


def test_a_named_option_is_found() -> None:
    module = ast.parse('def f():\n    """See ``--model``."""\n    raise ValueError(f"{1}; --overwrite replaces it, --no-such")\n')
    assert list(options_named(module)) == [("--model", 2), ("--overwrite", 3)]


def test_nothing_below_the_command_line_imports_it() -> None:
    for path in SOURCE.rglob("*.py"):
        if not path.is_relative_to(SOURCE / "cli") and path.name != "__main__.py":
            assert "emodetect.cli" not in re.sub(r"`[^`]*`", "", path.read_text(encoding="utf-8")), path


def test_an_error_carries_what_is_wrong_and_what_helps() -> None:
    error = UsageError("a.png: exists already", parameter="output", hint="`overwrite` replaces it")
    assert str(error) == "a.png: exists already; `overwrite` replaces it"
    assert (error.parameter, error.hint) == ("output", "`overwrite` replaces it")
    with pytest.raises(ModelError) as caught, about("model"):
        raise ModelError("none.onnx: no such model file")
    assert caught.value.parameter == "model"
    with pytest.raises(UsageError) as other, about("model"):
        raise UsageError("0 is out of range", parameter="views")
    assert other.value.parameter == "views"
    with pytest.raises(UsageError) as untouched, about("model", ModelError):
        raise UsageError("something else")
    assert untouched.value.parameter is None

"""The boundary of the command line: below it errors name parameters, and it alone knows options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from onnx import TensorProto

from emodetect.backends.registry import create_backend
from emodetect.cli.group import cli
from emodetect.cli.hints import with_options
from emodetect.errors import EmodetectError, ModelError, UsageError, about
from tests import onnx_files
from tests.builders import PHOTO, ROOT
from tests.cli.parsing import options

SOURCE = ROOT / "src" / "emodetect"

OPTIONS = {name for _, option in options() for name in (*option.opts, *option.secondary_opts) if name.startswith("--")}


def options_named(module: ast.Module) -> Iterator[tuple[str, int]]:
    """The options of our commands that texts and docstrings of a module name, and their lines."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for word in re.findall(r"(?<![\w-])--(?:[a-z][a-z-]*|$)", node.value):
                if word in OPTIONS | {"--"}:  # the latter begins the name of an option that is put together
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
    made = ast.parse('print(f"{1} (--{option} changes that)")')
    assert list(options_named(made)) == [("--", 1)]
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


@pytest.mark.parametrize("path", sorted((SOURCE / "cli" / "commands").glob("*.py")), ids=lambda path: path.stem)
def test_commands_are_short_and_take_typed_options(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{path.name}: {node.name} has more than 60 lines"
            assert node.args.kwarg is None, f"{path.name}: {node.name} takes options of any name and type"


LINES: dict[str, tuple[list[object], str]] = {
    "backend": (["image", PHOTO], "deepfce"),
    "model": (["image", PHOTO], "none.onnx"),
    "cascade": (["image", PHOTO], "none.xml"),
    "font": (["image", PHOTO, "--output", "copy.png"], "none.ttf"),
    "sheet": (["image", PHOTO], "there.png"),
    "config": (["image", PHOTO], "none.toml"),
    "source": (["live", "--no-window"], "none.mp4"),
    "log": (["live", "--no-window", "--source", "none.mp4"], "there.csv"),
    "clip": (["report", "there.jsonl"], "none.mp4"),
    "data": (["evaluate"], "none"),
}
"""A line for an option, and a wrong value of it."""


def said(arguments: list[object]) -> str:
    with pytest.raises(EmodetectError) as caught:
        cli.main([str(argument) for argument in arguments], standalone_mode=False)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files that exist."""
    monkeypatch.chdir(tmp_path)
    for name in ("there.png", "there.csv", "there.jsonl"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", LINES)
def test_a_variable_is_named_for_the_option_that_it_sets(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, value = LINES[option]
    assert "(from" not in said([*arguments, f"--{option}", value])
    monkeypatch.setenv(f"EMODETECT_{option.upper()}", value)
    assert said([*arguments]).endswith(f"(from the variable EMODETECT_{option.upper()})")


@pytest.mark.usefixtures("folder")
def test_no_variable_is_blamed_that_has_the_same_value_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMODETECT_MIN_NEIGHBORS", "9")
    message = said(["live", "--no-window", "--source", "9"])
    assert "camera 9 cannot be opened" in message
    assert message.endswith("allowed to use it? --source takes another number, a clip or a URL")
    monkeypatch.setenv("EMODETECT_SHEET", "there.png")
    assert said(["image", PHOTO, "--output", "there.png"]).endswith(
        "is named by --output, too; choose another name for one of them"
    )


def test_errors_of_a_process_of_its_own_carry_what_is_wrong_and_what_helps(tmp_path: Path) -> None:
    twice = [onnx_files.node("Identity", "logits", output=name) for name in ("first", "second")]
    path = onnx_files.save_means(
        tmp_path / "two.onnx", after=twice, outputs=[(name, ("n", 7), TensorProto.FLOAT) for name in ("first", "second")]
    )
    with pytest.raises(ModelError, match="several outputs") as caught:
        create_backend("cnn", str(path)).load()
    assert caught.value.parameter == "model"
    assert caught.value.hint == "`output_name` says which one tells the emotions"
    assert said(["image", PHOTO, "--model", path]).endswith("; --output-name says which one tells the emotions")


def test_options_stand_for_parameters_of_the_command_that_runs_before_others() -> None:
    ctx = click.Context(cli)
    assert with_options("`output_name`, `no_window` and `nothing` of `model`.", ctx) == (
        "--output-name, --no-window and `nothing` of --model."
    )

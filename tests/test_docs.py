"""The docs name every command and every option, and nothing that there is not."""

from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from emodetect.cli.options import COMMON_OPTIONS
from tests.builders import PHOTO, ROOT, MovingClip
from tests.cli.parsing import command_named, command_names

DOCS = ROOT / "docs"

PAGES = {"config": "configuration.md", "completion": "configuration.md", "runs": "train.md"}
"""Pages that are not called like their command."""


def page(name: str) -> Path:
    return DOCS / PAGES.get(name, f"{name}.md")


def spellings(option: click.Option) -> list[str]:
    """How an option may be written, long names only."""
    return [name for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]


def command_options(name: str) -> Iterator[str]:
    """The options that are this command's own."""
    for parameter in command_named(name).params:
        if isinstance(parameter, click.Option) and parameter.name not in COMMON_OPTIONS:
            yield from spellings(parameter)


def names_option(text: str, option: str) -> bool:
    return re.search(rf"{re.escape(option)}(?![\w-])", text) is not None


@pytest.mark.parametrize("name", command_names())
def test_each_command_has_a_page_that_names_its_options(name: str) -> None:
    assert page(name).is_file(), f"{page(name)} is not written yet"
    text = page(name).read_text(encoding="utf-8")

    assert f"emodetect {name}" in text
    assert [option for option in command_options(name) if not names_option(text, option)] == []


@pytest.mark.parametrize("name", command_names())
def test_each_command_has_a_picture(name: str) -> None:
    pictures = re.findall(r"!\[[^\]]{20,}\]\(([^)]+)\)", page(name).read_text(encoding="utf-8"))

    assert pictures, f"{page(name)} shows no picture"


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if "://" in target:
            continue
        there = path.parent / name if name else path
        if not there.exists() or (anchor and anchor not in headings(there)):
            missing.append(target)

    assert missing == []


def headings(path: Path) -> set[str]:
    """The headings of a page as links name them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_each_picture_is_shown_somewhere() -> None:
    """None is left over."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *DOCS.glob("*.md")))

    assert [path.name for kind in ("png", "jpg", "svg") for path in DOCS.glob(f"*.{kind}") if path.name not in text] == []


def test_the_common_options_are_explained_once_for_all() -> None:
    text = page("config").read_text(encoding="utf-8")

    assert [option for option in COMMON_OPTIONS if not names_option(text, f"--{option}")] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_no_page_shows_an_option_that_there_is_not(path: Path) -> None:
    unknown = []
    for name, rest in re.findall(r"\bemodetect (\w+)( [^`\n|;&#]*)?", path.read_text(encoding="utf-8")):
        if name in command_names():
            known = {"--help", *command_options(name), *(f"--{option}" for option in COMMON_OPTIONS)}
            unknown += [f"{name} {option}" for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest) if option not in known]

    assert unknown == []


def test_the_examples_of_the_python_interface_run(
    tmp_path: Path, moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    shutil.copy(moving_clip.path, tmp_path / "clip.mp4")
    shutil.copy(ROOT / "tests" / "data" / "models" / "imagenet.onnx", tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", (DOCS / "python.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) > 4

    namespace: dict[str, object] = {"__name__": "docs"}
    for number, example in enumerate(examples, start=1):
        exec(compile(example, f"python.md, example {number}", "exec"), namespace)

    printed = capsys.readouterr().out
    assert "happy" in printed
    assert "no such file" in printed


def test_the_site_shows_vertical_bars_of_tables_without_their_backslashes() -> None:
    pytest.importorskip("mkdocs")
    hooks = runpy.run_path(str(DOCS / "site" / "hooks.py"))

    assert hooks["on_page_content"](r"<td><code>blur\|box</code> a\|b</td>") == r"<td><code>blur|box</code> a\|b</td>"

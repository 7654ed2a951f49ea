"""All that commands print goes past one function: no module prints or writes to the standard streams but those listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.builders import ROOT

SOURCE = ROOT / "src" / "emodetect"

ALLOWED = {
    "__main__.py": {"print", "sys.stderr"},  # before the rest can be imported: fixed words
    "benchmark/tutorial.py": {"print"},  # a program of its own, which prints a number
    "cli/commands/completion.py": {"click.echo"},  # a script for the shell, made by Click
    "cli/image_results.py": {"sys.stdout"},  # rows of CSV, whose cells are `csv_cell`'s, and JSON
    "cli/messages.py": {"click.echo", "sys.stdout", "sys.stderr"},  # the printer
    "cli/progress.py": {"Console"},
    "cli/signals.py": {"os.write"},  # fixed words, in the moment before the end
    "cli/standard_streams.py": {"sys.stdout", "sys.stderr"},  # opens them
    "cli/table.py": {"click.echo", "console.print", "Console", "Text", "sys.stdout"},  # tables, whose cells are `one_line`'s
    "cli/commands/summarize.py": {"sys.stdout"},  # rows of CSV and JSON, as of `image_results`
    "cli/commands/evaluate.py": {"Text"},  # a line break before `cell`
    "training/console.py": {"console.print"},
    "training/trainer.py": {"Console"},
    "backends/worker.py": {"print", "traceback.print_exception", "sys.stderr"},  # for --debug
}
"""What may be used where, and why it shows nothing foreign as it came."""

STREAMS = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}

HARMLESS = {"isatty", "flush", "encoding"}
"""Of the streams."""

CALLS = {
    *("print", "echo", "secho", "click.echo", "click.secho", "click.echo_via_pager", "Console", "Text", "console.print"),
    *("traceback.print_exc", "traceback.print_exception", "warnings.warn"),
}


def writes(module: ast.Module) -> Iterator[tuple[str, int]]:
    """What a module prints or writes with: the call, or the stream, and its line."""
    harmless = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Attribute) and node.attr in HARMLESS}
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in STREAMS and id(node) not in harmless:
            yield ast.unparse(node), node.lineno
        elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in CALLS:
            yield name, node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node).startswith(("os.write(1,", "os.write(2,")):
            yield "os.write", node.lineno


def test_nothing_is_printed_past_the_printer() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        for what, line in writes(ast.parse(path.read_text(encoding="utf-8"))):
            if what not in ALLOWED.get(name, set()):
                found.append(f"{name}:{line}: {what}")
    assert found == [], (
        "use show, print_message or note of emodetect.cli.messages, or cell and print_table of emodetect.cli.table"
    )


def test_the_list_of_exceptions_holds_no_more_than_there_is() -> None:
    for name, allowed in ALLOWED.items():
        used = {what for what, _ in writes(ast.parse((SOURCE / name).read_text(encoding="utf-8")))}
        assert allowed <= used, name


@pytest.mark.parametrize("line", ["print(x)", "click.echo(x)", "sys.stderr.write(x)", "csv.writer(sys.stdout)", "os.write(2, x)"])
def test_the_search_finds_what_it_is_for(line: str) -> None:
    assert list(writes(ast.parse(line)))


def test_the_search_leaves_alone_what_writes_nothing() -> None:
    assert not list(writes(ast.parse("sys.stderr.isatty(); sys.stdout.flush(); os.write(self._file, data)")))

"""The folders of the package: what stands where, and which way imports go."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.builders import ROOT

PACKAGE = ROOT / "src/emodetect"

TOP = {"__init__.py", "__main__.py", "api.py", "types.py", "errors.py", "pipeline.py", "stopwatch.py", "py.typed"}

FOLDERS = {
    "backends", "batch", "benchmark", "cli", "doctor", "drawing", "emotions", "faces", "live", "media", "publish", "queues",
    "report", "serve", "settings", "sinks", "sources", "summary", "system", "text", "training",
}  # fmt: skip

Graph = dict[str, set[str]]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imports_of(path: Path) -> set[str]:
    """The modules of the package that a module imports anywhere in it, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def folder_of(module: str) -> str:
    """The folder that a module is in; a module at the top of the package stands for itself."""
    folder = MODULES[module].parent
    return module if folder == PACKAGE else module_name(folder / "__init__.py")


def cycles(graph: Graph) -> list[list[str]]:
    """The shortest way from each node back to itself, one for each set of nodes on it."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted(graph):
        ways, seen = [[start]], set[str]()
        while ways:
            way = ways.pop(0)
            for node in sorted(graph.get(way[-1], ())):
                if node == start:
                    found.setdefault(frozenset(way), [*way, start])
                    ways = []
                    break
                if node not in seen:
                    seen.add(node)
                    ways.append([*way, node])
    return list(found.values())


@pytest.fixture(scope="module")
def modules() -> Graph:
    # The package itself only leads to its public names.
    return {module: imports_of(path) - {"emodetect"} for module, path in MODULES.items() if module != "emodetect"}


def test_the_listing_of_the_package() -> None:
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert names == TOP | FOLDERS


def test_no_modules_import_each_other(modules: Graph) -> None:
    assert cycles(modules) == []


def test_no_folders_import_each_other(modules: Graph) -> None:
    folders: Graph = defaultdict(set)
    for module, imported in modules.items():
        folders[folder_of(module)] |= {folder_of(other) for other in imported} - {folder_of(module)}
    assert cycles(folders) == []


def test_no_top_level_folders_import_each_other(modules: Graph) -> None:
    """Folders with all that is below them."""
    folders: Graph = defaultdict(set)
    for module, imported in modules.items():
        top = module.split(".")[1]
        folders[top] |= {other.split(".")[1] for other in imported} - {top}
    assert cycles(folders) == []


def test_cycles_are_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]

"""What a release is made of: one version, and a workflow whose steps work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import ROOT

PROJECT, CHANGES = ((ROOT / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md"))

[VERSION] = re.findall(r'^version = "(.+)"$', PROJECT, re.MULTILINE)

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""The headings of Keep a Changelog, as they follow each other."""


def test_all_places_name_one_version() -> None:
    named = {
        "CITATION.cff": r"^version: (.+)$",
        "CHANGELOG.md": r"^## (\d\S+)",
        "docs/doctor.md": r" emodetect (\d[\d.]+\d),",
        "docs/doctor.svg": r"emodetect&#160;(\d[\d.]+\d),",
    }
    for name, pattern in named.items():
        found = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
        assert found, name
        assert found[1] == VERSION, name


def test_the_citation_has_the_day_of_the_changelog() -> None:
    released = re.search(r"^date-released: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert released
    assert f"## {VERSION} - {released[1]}\n" in CHANGES


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    sections = re.split(r"^## ", CHANGES, flags=re.MULTILINE)[1:]
    versions = [section.split("\n")[0] for section in sections]
    assert len(versions) == len({*versions})
    for section in sections[:-1]:  # the first release had no kinds
        headings = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert headings == [kind for kind in KINDS if kind in headings]
        lines = re.findall(r"^- .*(?:\n  .*)*", section, re.MULTILINE)
        assert len(lines) == len({*lines}), "a line stands there twice"
        assert all(line.endswith((".", "`")) for line in lines), [line for line in lines if not line.endswith((".", "`"))]


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    """The steps of the workflow."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]["build"]["steps"]
    assert isinstance(found, list)
    return found


def run(step: dict[str, Any], tag: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step of the workflow for a tag."""
    environment = {
        **os.environ,
        "GITHUB_REF_NAME": tag,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]], env=environment, cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_the_workflow_builds_checks_attests_and_publishes(steps: list[dict[str, Any]]) -> None:
    order = [step.get("run") or step["uses"] for step in steps]
    wanted = ["pip install build twine", "python -m build", "twine check --strict dist/*", "actions/attest-build", "gh release"]
    places = [next(place for place, text in enumerate(order) if text.startswith(one)) for one in wanted]
    assert places == sorted(places)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the workflow's Python reads TOML by itself")
def test_a_tag_must_be_the_version(steps: list[dict[str, Any]]) -> None:
    [step] = [step for step in steps if step.get("name") == "The tag is the version"]
    assert run(step, f"v{VERSION}", ROOT).returncode == 0
    assert run(step, "v9.9.9", ROOT).returncode == 1


def test_the_notes_of_a_release_are_its_section(steps: list[dict[str, Any]], tmp_path: Path) -> None:
    [step] = [step for step in steps if step.get("name", "").startswith("The notes are")]
    changes = "# Changelog\n\n## 0.20.0\n\n- Twenty.\n\n## 0.2.0 - 2026-11-27\n\n### Added\n\n- Two.\n\n## 0.1.0\n\n- One.\n"
    (tmp_path / "CHANGELOG.md").write_text(changes)
    for tag, notes in (("v0.2.0", "### Added\n\n- Two."), ("v0.20.0", "- Twenty."), ("v0.1.0", "- One.")):
        assert run(step, tag, tmp_path).returncode == 0
        assert (tmp_path / "notes.md").read_text().strip() == notes
    assert run(step, "v0.3.0", tmp_path).returncode == 1

"""The container's files, as far as they can be tried without containers."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.builders import ROOT


def test_what_the_container_installs_serves_a_photo() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "check_container"], capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    assert "the photo: happy" in done.stdout


def test_its_packages_are_those_of_the_extras() -> None:
    listed = {line for line in (ROOT / "requirements" / "serve.txt").read_text().splitlines() if line and line[0] not in "#-"}
    extras = re.findall(r"^(?:serve|publish) = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    wanted = {text for extra in extras for text in re.findall(r'"([^"]+)"', extra)}
    names = {re.split("[><=]", text)[0] for text in listed}

    assert {re.split("[><=]", text)[0] for text in wanted} - names == {"pylsl"}, "which brings libraries of its own"
    assert listed <= wanted


def test_the_container_has_no_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert "USER emodetect" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)

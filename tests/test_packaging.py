from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.builders import PHOTO, ROOT

HEADLESS = {"opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}


def built(kind: str, folder: Path) -> Path:
    """An archive, built from this checkout by the build tool, with the build packages that are installed."""
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", tmp_path_factory.mktemp("sdist"))


def read_photo(python: Path, path: str, tmp_path: Path) -> str:
    """Read the example photo far from the checkout; the package comes from ``path``, its dependencies from here."""
    script = "import emodetect, sys; print(emodetect.__file__); from emodetect.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [str(python), "-c", script, "image", str(PHOTO), "--format", "json"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    location, _, output = done.stdout.partition("\n")
    assert json.loads(output)[0]["faces"][0]["emotion"] == "happy"
    return location


def test_cascade_and_network_travel_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert "emodetect/haarcascades/haarcascade_frontalface_default.xml" in names
    assert "emodetect/backends/models/emodetect.onnx" in names
    assert "emodetect/py.typed" in names
    assert not any(name.startswith(("tests/", "examples/")) for name in names)


def tracked(*folders: str) -> set[str]:
    """The files under version control in these folders of the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: what belongs to the project is not known")
    done = subprocess.run(["git", "ls-files", "-z", "--", *folders], cwd=ROOT, check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split("\0") if name}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    facts = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert {name.partition("/")[2] for name in facts} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "licenses/NOTICE",
        "licenses/src/emodetect/drawing/data/LICENSE",
        "licenses/src/emodetect/faces/models/LICENSE",
    }
    package = {name.removeprefix("src/") for name in tracked("src")}
    assert names - facts == package | {f"emodetect/{name}" for name in tracked("haarcascades")}


def test_the_source_archive_holds_the_project_and_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}

    folders = ("src", "tests", "haarcascades", "examples", "requirements", "benchmarks", "docs", "fuzz")
    weights = {name for name in tracked("docs") if name.endswith(".weights.h5")}  # that trainings start from
    files = {"README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "SECURITY.md", "constraints.txt", "pyproject.toml", ".gitignore"}
    assert names == tracked(*folders) - weights | files | {"PKG-INFO"}


def test_an_index_would_take_wheel_and_source_archive(wheel: Path, sdist: Path) -> None:
    pytest.importorskip("twine", reason="twine is not installed")
    check = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", str(wheel), str(sdist)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_wheel_reads_a_photo_elsewhere(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        timeout=300,
    )

    assert read_photo(Path(sys.executable), str(target), tmp_path).startswith(str(target))


def test_an_editable_install_reads_a_photo(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--editable", str(ROOT)],
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))},
    )  # fmt: skip
    ours = [path for path in sys.path if path.endswith("site-packages")]
    # The new environment's own packages come first, so that its editable emodetect is the one that is found.
    theirs = next((environment / "lib").glob("python*/site-packages"))
    links = [line for file in theirs.glob("*.pth") for line in file.read_text().splitlines() if line.startswith("/")]

    assert links == [str(ROOT / "src")]
    location = read_photo(python, os.pathsep.join([str(theirs), *links, *ours]), tmp_path)
    assert location == str(ROOT / "src" / "emodetect" / "__init__.py")


def test_no_requirement_takes_the_window_away() -> None:
    names = [re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requires("emodetect") or ()]
    constraints = [line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()]

    assert "opencv-python" in names
    assert "opencv-python" in constraints
    assert HEADLESS.isdisjoint(names)
    assert HEADLESS.isdisjoint(constraints)

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from emodetect.batch import cluster, remote, results
from emodetect.errors import BackendUnavailableError, EmodetectError
from emodetect.publish.registry import create_publisher
from emodetect.sources import result_rows
from emodetect.system import install_hints
from emodetect.system.install_hints import extra_cure, package_cure, pip
from tests.builders import ROOT

EXTRAS = set(metadata("emodetect").get_all("Provides-Extra") or ())


def quantize() -> None:
    importlib.import_module("emodetect.training.quantize")


MISSING: list[tuple[str, str, Callable[[], object]]] = [
    ("batch", "pyarrow", lambda: results.check_format("parquet")),
    ("batch", "pyarrow", result_rows.import_pyarrow),
    ("publish", "paho", lambda: create_publisher("mqtt://127.0.0.1")),
    ("ray", "ray", cluster._import_ray),
    ("remote", "fsspec", lambda: remote.find_files("s3://photos")),
    ("remote", "s3fs", lambda: remote.find_files("s3://photos")),
    ("train", "onnxruntime.quantization", quantize),
]


@pytest.mark.parametrize(("extra", "package", "use"), MISSING)
def test_a_missing_package_is_installed_with_its_extra(
    extra: str, package: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name in ("emodetect.publish.mqtt", "emodetect.training.quantize") or name.startswith(f"{package}."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EmodetectError) as caught:
        use()
    assert str(caught.value).endswith(f"; {extra_cure(extra)}")


def test_a_store_that_no_extra_serves_names_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(BackendUnavailableError, match=r"is missing; .*gcsfs"):
        remote.find_files("gs://photos")


def test_the_command_installs_the_packages_of_the_extra_alone() -> None:
    """The extra itself would also install what the light installation omits, and needs the folder of emodetect."""
    assert extra_cure("ray") == pip("install 'ray[data]>=2.60'")
    assert extra_cure("remote") == pip("install 'fsspec>=2024.6' 's3fs>=2024.6'")


def test_a_package_is_named_as_on_the_index() -> None:
    assert "scikit-learn>=1.5" in package_cure("sklearn")
    assert "pillow>=12.2" in package_cure("PIL")


def test_without_its_own_metadata_the_command_installs_emodetect_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_hints, "requires", absent)
    assert extra_cure("serve") == "in the folder of emodetect: " + pip('install ".[serve]"')


def absent(name: str) -> list[str]:
    raise PackageNotFoundError(name)


def texts() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), *(ROOT / "examples").glob("*")]
    return [path for path in pages if path.is_file() and path.suffix in (".md", ".py", ".ipynb")]


def test_each_extra_that_is_named_exists() -> None:
    named = {extra for path in texts() for extra in re.findall(r"""extra_cure\("(\w+)"\)|"\.\[([\w,]+)\]\"""", path.read_text())}
    found = {name for pair in named for part in pair for name in part.split(",") if name}
    assert {"serve", "publish", "train", "batch", "ray", "remote"} <= found <= EXTRAS


def test_no_text_installs_it_from_an_index() -> None:
    other = r"(?!(?:\[[\w,]+\])? @)"  # the place that it is installed from
    wrong = re.compile(rf"""(?:pip|pipx|uvx|uv tool|uv pip) (?:install |run )?["']?emodetect{other}(?:\[|["'\s`]|$)""")
    found = [f"{path.relative_to(ROOT)}: {match[0]}" for path in texts() for match in wrong.finditer(path.read_text())]
    assert found == []

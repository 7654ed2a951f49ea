"""Inputs in object stores: a real server that speaks S3, and file systems of fsspec's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emodetect.batch.listing import find_inputs
from emodetect.batch.remote import holds_credentials
from emodetect.batch.run import Run
from emodetect.batch.settings import BatchSettings
from emodetect.settings.batch import BATCH
from emodetect.settings.pipeline import CLIPS, PHOTOS
from tests.builders import PHOTO, write_moving_clip
from tests.cli.running import run

fsspec = pytest.importorskip("fsspec")

SECRET = "wJalrXUtnFEMIK7MDENG"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(PHOTO, folder / "a.jpg")
    (folder / "broken.png").write_bytes(b"no photo")
    (folder / "notes.txt").write_text("text")
    write_moving_clip(folder / "deep.mp4", 10)
    return folder


@pytest.fixture
def s3(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder in a bucket of a server that speaks S3."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
                        ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    yield put(files, "s3")
    server.stop()


@pytest.fixture
def gs(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder in a bucket of an emulator of Google Cloud Storage."""
    pytest.importorskip("gcsfs")
    server_module = pytest.importorskip("gcp_storage_emulator.server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = server_module.create_server("127.0.0.1", port, in_memory=True)
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # that asks by gRPC, which the emulator does not speak
    yield put(files, "gs")
    server.stop()


def put(files: Path, scheme: str) -> str:
    """Copy files to a new bucket; returns the address of the folder in it."""
    code = (
        "import fsspec, sys; s = fsspec.filesystem(sys.argv[2]); s.mkdir('bucket'); "
        "s.put(sys.argv[1], 'bucket/folder', recursive=True)"
    )
    subprocess.run([sys.executable, "-c", code, f"{files}/", scheme], check=True, timeout=120)
    return f"{scheme}://bucket/folder"


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "readings.jsonl").read_text().splitlines()]


def without_paths(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "path"} for row in found]


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_is_read_as_a_folder_is(files: Path, scheme: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store: str = request.getfixturevalue(scheme)
    done = run("batch", store, f"{store}/none.jpg", "s3://key:password@bucket/x.jpg", "--output", tmp_path / "r", "--jobs", "1")
    assert done.returncode == 1, done.stderr
    assert run("batch", files, "--output", tmp_path / "local", "--jobs", "1", "--quiet").returncode == 1

    assert without_paths(rows(tmp_path / "r")) == without_paths(rows(tmp_path / "local"))
    assert {row["path"] for row in rows(tmp_path / "r")} == {f"{store}/a.jpg", f"{store}/deep.mp4"}
    failures = (tmp_path / "r" / "failures.csv").read_text()
    assert f"{store}/broken.png," in failures
    assert f"{store}/none.jpg,no such file" in failures
    assert "holds credentials" in failures
    written = done.stderr + "".join(path.read_text() for path in (tmp_path / "r").rglob("*.*") if path.is_file())
    assert SECRET not in written
    assert "password" not in written


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_file_systems_of_this_process_and_machine_are_read(files: Path, tmp_path: Path, scheme: str) -> None:
    folder = f"file://{files}"
    if scheme == "memory":
        folder = "memory://somewhere"
        for path in files.iterdir():
            fsspec.filesystem("memory").pipe(f"/somewhere/{path.name}", path.read_bytes())
    listing = find_inputs([folder])
    assert [one.kind for one in listing.inputs] == ["photo", "photo", "clip"]
    assert dict(listing.left_out) == {(".txt file", ".txt files"): 1}
    settings = BatchSettings(PHOTOS, CLIPS)
    with Run.create(tmp_path, listing, settings, named=[folder], arguments=[], results=BATCH.format) as begun:
        outcome = begun.read(BATCH, on_progress=lambda totals: None, note=lambda path, line: None)
    assert (outcome.totals.done, outcome.totals.failed) == (2, 1)
    assert 'broken.png,"not an image' in (tmp_path / "failures.csv").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("s3://bucket/a@b/c.jpg", False), ("file:///a/b.jpg", False), ("s3://key:secret@bucket/x", True), ("https://u@h/x", True),
     ("https://host/x.jpg?X-Amz-Signature=12", True), ("s3://bucket/what?.jpg", False)],
)  # fmt: skip
def test_addresses_with_credentials_are_known(name: str, expected: bool) -> None:
    assert holds_credentials(name) is expected

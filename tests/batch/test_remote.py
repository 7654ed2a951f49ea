"""Inputs in object stores: a real server that speaks S3, and file systems of fsspec's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from emodetect.batch.listing import find_inputs
from emodetect.batch.reader import Reader
from emodetect.batch.remote import holds_credentials
from emodetect.batch.run import Run
from emodetect.batch.settings import BatchSettings
from emodetect.settings.batch import BATCH
from emodetect.settings.pipeline import CLIPS, PHOTOS
from emodetect.sources.image_tree import in_words
from tests.builders import PHOTO, write_moving_clip
from tests.cli.running import run

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem

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


class Store(MemoryFileSystem):  # type: ignore[misc, valid-type]
    """A store in memory with links, as those of SFTP: files whose content is ``-> TARGET``."""

    protocol = "linked"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    find = fsspec.AbstractFileSystem.find

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("linked://")))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        found = super().ls(path, detail=True, **options)
        found = [{**one, "type": "link"} if self._link(one["name"]) else one for one in found]
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        target = self._link(self._strip_protocol(path))
        return {**super().info(target, **options), "name": path} if target else dict(super().info(path, **options))

    def _open(self, path: str, *arguments: Any, **options: Any) -> Any:
        return super()._open(self._link(path) or path, *arguments, **options)

    def _link(self, path: str) -> str | None:
        content = self.store[path].getvalue() if path in self.store else b""
        return content[3:].decode() if content.startswith(b"-> ") else None


@pytest.fixture(params=["linked", "file"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a folder with links, hidden files, animations and files without a suffix."""
    folder = tmp_path / "mixed"
    (folder / ".trash" / "deep").mkdir(parents=True)
    pictures = [Image.new("L", (32, 32), shade) for shade in (0, 90, 180)]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:])
    pictures[0].save(folder / "still.gif")
    for name in ("a.jpg", ".hidden.jpg", ".trash/b.jpg", ".trash/deep/c.jpg", "photo"):
        shutil.copy(PHOTO, folder / name)
    write_moving_clip(folder / "clip.mp4", 5).path.rename(folder / "clip")
    (folder / "raw.heic").write_bytes(b"raw")
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "none.jpg")
    if request.param == "file":
        return f"file://{folder}"
    fsspec.register_implementation("linked", Store, clobber=True)
    monkeypatch.setattr(Store, "store", {})
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            content = f"-> /mixed/{path.readlink().name}".encode() if path.is_symlink() else path.read_bytes()
            Store().pipe(f"/mixed/{path.relative_to(folder)}", content)
    return "linked:///mixed"


def test_a_remote_folder_stands_for_the_same_inputs_as_a_local_one(mixed: str, tmp_path: Path) -> None:
    listing, local = find_inputs([mixed]), find_inputs([str(tmp_path / "mixed")])
    assert [(one.path, one.kind, one.size) for one in listing.inputs] == [
        (one.path.replace(str(tmp_path / "mixed"), mixed), one.kind, one.size) for one in local.inputs
    ]
    assert [Path(one.path).name for one in listing.inputs] == ["a.jpg", "link.jpg", "moving.gif", "still.gif"]
    assert (listing.animations, listing.left_out) == (local.animations, local.left_out)
    skipped = "2 files without an ending, 2 hidden files, 1 .heic picture (not read here; export as JPEG), 1 link to nowhere"
    assert sorted(in_words(listing.left_out).split(", ")) == sorted(skipped.split(", "))


def test_a_remote_file_without_a_suffix_is_known_by_its_first_bytes(mixed: str) -> None:
    listing = find_inputs([f"{mixed}/{name}" for name in ("clip", "photo", "moving.gif", "raw.heic")])
    assert [(Path(one.path).name, one.kind) for one in listing.inputs] == [
        ("clip", "clip"), ("moving.gif", "clip"), ("photo", "photo"), ("raw.heic", "photo"),
    ]  # fmt: skip


def test_a_remote_pattern_matches_hidden_files_only_if_it_says_so(mixed: str) -> None:
    assert [Path(one.path).name for one in find_inputs([f"{mixed}/*.jpg"]).inputs if one.size >= 0] == ["a.jpg", "link.jpg"]
    assert [Path(one.path).name for one in find_inputs([f"{mixed}/.h*.jpg"]).inputs] == [".hidden.jpg"]


def test_notes_on_a_remote_input_name_its_address(mixed: str, tmp_path: Path) -> None:
    reader = Reader(BatchSettings(PHOTOS, CLIPS), tmp_path)
    try:
        reading = reader.read(f"{mixed}/moving.gif", "photo", lambda frames: None)
    finally:
        reader.close()
    [note] = reading.notes
    assert note.startswith(f"{mixed}/moving.gif: has several frames")

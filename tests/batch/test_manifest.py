"""The manifest: whole lines, the last state counts, and one run at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emodetect.batch.inputs import Input
from emodetect.batch.manifest import NAME, Header, Manifest, read_header, read_manifest
from emodetect.batch.parts import FOLDER, PhotoParts, SpanReader, remove_leftovers
from emodetect.batch.run import clear
from emodetect.errors import OutputError, SourceError

HEADER = Header("/somewhere", ["photos"], ["--views=2"], "csv", {"a": 1}, "f" * 64, None, 3, "e" * 64)

INPUTS = [Input("a.jpg", "photo", 10), Input("b.mp4", "clip", 20), Input("none", "photo", -1, "no such file")]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    made = Manifest.create(tmp_path, HEADER, INPUTS)
    made.close()
    (tmp_path / FOLDER).mkdir()
    made = Manifest.open(tmp_path)
    made.compact()
    return made


def test_what_is_written_is_read_again(manifest: Manifest) -> None:
    clip = manifest.entries[1]
    clip.state, clip.hash, clip.part, clip.length, clip.frames = "done", b"\1" * 32, "clip-1.jsonl", 100, 25
    manifest.append([1])
    manifest.close()

    header, entries = read_manifest(manifest.folder)
    assert header == HEADER == read_header(manifest.folder)
    assert [entry.state for entry in entries] == ["waiting", "done", "failed"]
    assert (entries[1], entries[2].reason) == (clip, "no such file")


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_line_that_was_cut_short_is_left_out_and_written_over(manifest: Manifest, cut: int) -> None:
    path = manifest.folder / NAME
    before = path.stat().st_size
    manifest.entries[0].deaths = 1
    manifest.append([0])
    manifest.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)

    with Manifest.open(manifest.folder) as again:
        assert again.entries[0].deaths == 0
        again.compact()
        assert path.stat().st_size == before
        again.entries[0].deaths = 2
        again.append([0])
    assert read_manifest(manifest.folder)[1][0].deaths == 2


def test_an_append_that_was_interrupted_leaves_no_half_line(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            manifest.append([0, 1])
    manifest.append([0])
    lines = (manifest.folder / NAME).read_text().splitlines()
    assert [json.loads(line).get("input") for line in lines] == [None, 0, 1, 2, 0]


def test_one_run_at_a_time(manifest: Manifest) -> None:
    with pytest.raises(OutputError, match="another run is writing there"):
        Manifest.open(manifest.folder)
    manifest.close()
    Manifest.open(manifest.folder).close()


def test_a_second_batch_does_not_begin_in_the_same_folder(manifest: Manifest) -> None:
    manifest.close()
    with pytest.raises(OutputError, match="already contains a batch"):
        Manifest.create(manifest.folder, HEADER, INPUTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not the manifest"),
        ("text\n", "not the manifest"),
        ("[]\n", "not the manifest"),
        ('{"manifest": 99}\n', "another version"),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(SourceError, match=message):
        read_manifest(tmp_path)


def test_a_damaged_manifest_is_told(manifest: Manifest) -> None:
    manifest.close()
    with (manifest.folder / NAME).open("a") as file:
        file.write('{"input": 99, "path": "x", "kind": "photo", "size": 1, "state": "done"}\n')
    with pytest.raises(SourceError, match="is damaged"):
        read_manifest(manifest.folder)


def test_a_clips_part_that_was_cut_short_is_removed_and_read_again(manifest: Manifest) -> None:
    clip, part = manifest.entries[1], manifest.folder / FOLDER / f"clip-{'1' * 64}.jsonl"
    part.write_bytes(b'{"a": 1}\n')
    clip.state, clip.part, clip.length = "done", part.name, 9
    remove_leftovers(manifest.folder, manifest.entries)
    assert (clip.state, part.exists()) == ("done", True)
    part.write_bytes(b'{"a"')
    remove_leftovers(manifest.folder, manifest.entries)
    assert (clip.state, part.exists()) == ("waiting", False)


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_manifest_without_all_of_its_inputs_is_damaged(manifest: Manifest, lines: int) -> None:
    manifest.close()
    path = manifest.folder / NAME
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
    with pytest.raises(SourceError, match="is damaged"):
        read_manifest(manifest.folder)


def test_a_batch_that_is_running_is_not_cleared(manifest: Manifest) -> None:
    with pytest.raises(OutputError, match="another run is writing there"):
        clear(manifest.folder)
    assert (manifest.folder / NAME).exists()
    manifest.close()
    clear(manifest.folder)
    assert not (manifest.folder / NAME).exists()


def test_photos_are_sealed_together_and_found_again(manifest: Manifest) -> None:
    parts = PhotoParts(manifest)
    for number, text in ((0, b'{"a": 1}\n{"a": 2}\n'), (2, b'{"a": 3}\n')):
        parts.add(number, manifest.entries[number], text)
    assert read_manifest(manifest.folder)[1][0].state == "waiting"
    assert parts.seal() == [0, 2]
    assert parts.seal() == []

    entries = read_manifest(manifest.folder)[1]
    reader = SpanReader()
    assert [list(reader.lines(manifest.folder, entries[number])) for number in (0, 2)] == [
        [b'{"a": 1}\n', b'{"a": 2}\n'],
        [b'{"a": 3}\n'],
    ]
    reader.close()


def test_leftovers_go_and_what_lost_its_part_is_read_again(manifest: Manifest) -> None:
    parts = PhotoParts(manifest)
    parts.add(0, manifest.entries[0], b"{}\n")
    parts.seal()
    folder = manifest.folder / FOLDER
    for name in ("photos-000009.jsonl", ".emodetect-12.partial.jsonl", "clip-aa.jsonl"):
        (folder / name).write_text("")
    remove_leftovers(manifest.folder, manifest.entries)
    assert sorted(path.name for path in folder.iterdir()) == ["clip-aa.jsonl", "photos-000001.jsonl"]
    assert manifest.entries[0].state == "done"

    (folder / "photos-000001.jsonl").write_text("")
    remove_leftovers(manifest.folder, manifest.entries)
    states = [entry.state for entry in manifest.entries]
    assert states[0] == "waiting"

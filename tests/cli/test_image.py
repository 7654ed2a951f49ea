from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import zlib
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest

from emodetect.benchmark.synthetic_clip import PORTRAIT
from emodetect.sources.images import read_image
from emodetect.types import EMOTIONS
from tests.builders import NETWORK_FACE, PHOTO, shared_data
from tests.cli.running import TIMEOUT, assert_one_line, command, environment, run, run_here, run_on_terminal


def analyzed(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    done = run_here("image", *arguments, "--format", "json")
    assert done.returncode == code, done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


def test_the_astronaut_smiles() -> None:
    done = run("image", PHOTO)

    assert done.returncode == 0
    assert done.stderr == ""
    assert "happy" in done.stdout
    assert "astronaut.jpg" in done.stdout


def test_a_long_path_is_whole_in_a_pipe(tmp_path: Path) -> None:
    photo = tmp_path / ("long" * 40 + ".jpg")
    photo.write_bytes(PHOTO.read_bytes())

    lines = run_here("image", photo, PHOTO).stdout.splitlines()

    assert len(lines) == 3
    assert lines[1].startswith(f"{photo} ")
    assert all(line == line.rstrip() for line in lines)


def test_a_narrow_terminal_goes_without_the_second_emotion(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PORTRAIT.read_bytes())

    narrow, wide = (table_on_terminal(tmp_path, photo.name, columns) for columns in (40, 80))

    assert [line.split() for line in narrow] == [["photo", "face", "emotion", "confidence"], ["photo.jpg", "1", "neutral", "91%"]]
    assert [line.split() for line in wide] == [[*narrow[0].split(), "runner-up"], [*narrow[1].split(), "sad", "8%"]]


def table_on_terminal(folder: Path, photo: str, columns: int) -> list[str]:
    """What a run prints on a terminal that is so wide, without colors."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    changes = {"TERM": "xterm", "COLUMNS": None}
    done = subprocess.run(
        command("image", photo), cwd=folder, env=environment(changes), stdin=its, stdout=its, timeout=TIMEOUT, check=True
    )
    assert done.returncode == 0
    os.close(its)
    shown = click.unstyle(os.read(ours, 4096).decode())
    os.close(ours)
    return shown.splitlines()


def test_json_follows_the_contract() -> None:
    (record,) = analyzed(PHOTO)

    assert list(record) == ["path", "width", "height", "faces"]
    assert (record["path"], record["width"], record["height"]) == (str(PHOTO), 512, 512)
    (face,) = record["faces"]
    assert list(face) == ["box", "emotion", "confidence", "uncertain", "scores", "angle"]
    for name in ("x", "y", "width", "height"):
        assert face["box"][name] == pytest.approx(getattr(NETWORK_FACE, name), abs=8)
    assert face["emotion"] == "happy"
    assert list(face["scores"]) == [emotion.value for emotion in EMOTIONS]
    assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-4)
    assert face["confidence"] == max(face["scores"].values())
    assert face["uncertain"] is False


def test_three_people_and_no_more() -> None:
    (record,) = analyzed(shared_data("media/group.jpg"))

    lefts = [face["box"]["x"] for face in record["faces"]]
    assert lefts == sorted(lefts)
    assert lefts == pytest.approx([235, 444, 641], abs=20)


def test_uncertain_is_a_threshold_of_the_users() -> None:
    (record,) = analyzed(PHOTO, "--uncertain", "1")

    assert record["faces"][0]["uncertain"] is True
    assert "happy?" in run_here("image", PHOTO, "--uncertain", "1").stdout


def test_nobody_in_the_picture_is_a_result(tmp_path: Path) -> None:
    path = tmp_path / "flat.png"
    cv2.imwrite(str(path), np.full((200, 300, 3), 128, np.uint8))

    assert analyzed(path) == [{"path": str(path), "width": 300, "height": 200, "faces": []}]
    assert "no face found" in run_here("image", path).stdout


def test_the_annotated_copy_has_the_box(tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"

    done = run_here("image", PHOTO, "--output", copy)

    assert done.returncode == 0, done.stderr
    drawn, original = read_image(copy), read_image(PHOTO)
    assert drawn.shape == original.shape
    changed = (np.abs(drawn.astype(int) - original).sum(axis=2) > 60).astype(np.uint8)
    box = NETWORK_FACE
    for y in (box.y, box.y + box.height - 1):
        assert changed[y - 6 : y + 7, box.x + 10 : box.x + box.width - 10].max(axis=0).mean() > 0.95
    assert changed[box.y + 20 : box.y + box.height - 20, box.x + 20 : box.x + box.width - 20].sum() == 0


class TestOutput:
    def test_a_folder_for_several(self, tmp_path: Path) -> None:
        second = tmp_path / "second.png"
        cv2.imwrite(str(second), read_image(PHOTO))
        folder = tmp_path / "out"

        assert run_here("image", PHOTO, second, "--output", folder).returncode == 0
        assert sorted(path.name for path in folder.iterdir()) == ["astronaut.jpg", "second.png"]

    def test_nothing_is_overwritten_unasked(self, tmp_path: Path) -> None:
        copy = tmp_path / "copy.png"
        copy.write_bytes(b"precious")

        assert_one_line(run_here("image", PHOTO, "--output", copy), 1, "copy.png: exists already", "--overwrite")
        assert copy.read_bytes() == b"precious"
        assert run_here("image", PHOTO, "--output", copy, "--overwrite").returncode == 0
        assert read_image(copy).shape == (512, 512, 3)

    def test_the_photo_itself_is_never_replaced(self, tmp_path: Path) -> None:
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(PHOTO.read_bytes())

        assert_one_line(run_here("image", photo, "--output", photo, "--overwrite"), 1, "is the photo itself")
        assert photo.read_bytes() == PHOTO.read_bytes()

    @pytest.mark.parametrize(
        ("output", "message"),
        [("nowhere/copy.png", "does not exist"), ("copy.xyz", "unknown kind of file")],
    )
    def test_what_cannot_be_written(self, tmp_path: Path, output: str, message: str) -> None:
        done = run_here("image", PHOTO, "--output", tmp_path / output)

        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert message in done.stderr

    def test_a_copy_that_cannot_be_saved_takes_nothing_from_what_was_read(self) -> None:
        done = run_here("image", PHOTO, "--output", "/proc/copy.png", "--format", "json")

        assert_one_line(done, 1, "/proc/copy.png: cannot be written")
        assert json.loads(done.stdout)[0]["faces"][0]["emotion"] == "happy"

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "precious.png").write_bytes(b"precious")
        (tmp_path / "link.png").symlink_to(tmp_path / "precious.png")

        done = run_here("image", PHOTO, "--output", tmp_path / "link.png", "--overwrite")

        assert_one_line(done, 1, "link.png: is a symbolic link")
        assert (tmp_path / "precious.png").read_bytes() == b"precious"

    def test_a_slash_makes_a_folder_for_a_single_photo(self, tmp_path: Path) -> None:
        assert run_here("image", PHOTO, "--output", f"{tmp_path / 'annotated'}/").returncode == 0
        assert [path.name for path in (tmp_path / "annotated").iterdir()] == ["astronaut.jpg"]

    def test_folders_are_kept_where_names_repeat(self, tmp_path: Path) -> None:
        for folder in ("trip/monday/a", "trip/tuesday"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "photo.jpg").write_bytes(PHOTO.read_bytes())
        arguments = "image", f"{tmp_path}/trip/**/*.jpg", "--output", f"{tmp_path / 'out'}/"

        assert run_here(*arguments).returncode == 0
        copies = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jpg"))
        assert copies == ["monday/a/photo.jpg", "tuesday/photo.jpg"]
        assert_one_line(run_here(*arguments), 1, "out/monday/a/photo.jpg: exists already")

    def test_a_folder_that_holds_the_photo_itself(self, tmp_path: Path) -> None:
        (tmp_path / "p.jpg").write_bytes(PHOTO.read_bytes())

        assert_one_line(run_here("image", tmp_path / "p.jpg", "--output", tmp_path), 1, "is the photo itself")


def test_bad_files_are_reported_and_the_others_done(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:40_000])
    (tmp_path / "folder.jpg").mkdir()
    bad = [tmp_path / name for name in ("text.jpg", "x" * 300 + ".jpg", "empty.jpg", "cut.jpg", "folder.jpg")]

    done = run_here("image", *bad[:2], PHOTO, *bad[2:], "--format", "json")

    assert done.returncode == 1
    records = json.loads(done.stdout)
    assert [record["path"] for record in records] == [str(path) for path in (*bad[:2], PHOTO, *bad[2:])]
    assert [list(record) for record in records if record["path"] != str(PHOTO)] == [["path", "error"]] * 5
    assert records[2]["faces"][0]["emotion"] == "happy"
    *lines, last = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == [str(path) for path in bad]
    assert last == "emodetect: 4 of 5 photos could not be read", "the folder is none"


def test_what_is_not_there_is_not_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")

    done = run_here("image", tmp_path / "nowhere", f"{tmp_path}/*.png", tmp_path / "text.jpg", PHOTO)

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["photo", str(tmp_path / "text.jpg"), str(PHOTO)]
    assert run_here("image", tmp_path / "nowhere").stdout == ""


def test_pictures_that_are_left_out_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PHOTO.read_bytes())
    for name in ("b.heic", "c.HEIC", "d.dng"):
        (tmp_path / name).write_bytes(bytes(9))

    assert_one_line(run_here("image", tmp_path), 0, "3 pictures left out: .dng, .heic cannot be read here; export as JPEG")
    assert run_here("image", tmp_path, "--quiet").stderr == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(PHOTO.read_bytes())
    path.chmod(0)

    assert_one_line(run_here("image", path, "--format", "json"), 1, "secret.jpg", "cannot be read")


def test_another_cascade_and_settings(tmp_path: Path) -> None:
    nothing = tmp_path / "cascade.xml"
    nothing.write_text("<opencv_storage></opencv_storage>")

    assert_one_line(run_here("image", PHOTO, "--cascade", nothing), 1, "cascade.xml: not a cascade")
    assert_one_line(run_here("image", PHOTO, "--cascade", tmp_path / "none.xml"), 1, "none.xml: no such cascade")
    assert analyzed(PHOTO, "--min-face", "200")[0]["faces"] == []
    assert analyzed(PHOTO, "--min-face", "40%")[0]["faces"] == []
    assert len(analyzed(PHOTO, "--min-face", "60", "--min-neighbors", "3", "--scale-factor", "1.05")[0]["faces"]) == 1


@pytest.mark.parametrize("head", ["fer2013", "ferplus"])
def test_heads_by_name(head: str) -> None:
    assert analyzed(PHOTO, "--model", head)[0]["faces"][0]["emotion"] == "happy"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff"])
def test_a_picture_of_more_pixels_than_allowed_is_refused_by_its_header(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"large{suffix}"
    cv2.imwrite(str(path), np.full((200, 300, 3), 128, np.uint8))

    assert analyzed(path, "--max-pixels", "60000")[0]["faces"] == []
    done = run("image", path, "--max-pixels", "59999", "--format", "json")  # OpenCV reads its limit once
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["path"] == str(path)
    assert_one_line(done, 1, f"large{suffix}: announces more than 59999 pixels", "--max-pixels")


def test_the_default_refuses_a_bomb(tmp_path: Path) -> None:
    """A header that announces 400 million pixels: decoded, 1.2 GB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(20_001 * 20_000))) + chunk(b"IEND", b""))

    assert_one_line(run_here("image", path), 1, "bomb.png: announces more than 200000000 pixels")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with a smile, an empty wall and a text, and a smile in a folder below."""
    folder = tmp_path / "album"
    (folder / "below").mkdir(parents=True)
    (folder / "=smile.jpg").write_bytes(PHOTO.read_bytes())
    (folder / "below" / "smile.JPG").write_bytes(PHOTO.read_bytes())
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return folder


class TestFolders:
    def test_folders_and_patterns_stand_for_their_photos_once_each_and_sorted(self, album: Path) -> None:
        names: list[str | Path] = [album / "wall.png", album, f"{album}/**/*.[jJ][pP]*"]

        paths = [Path(record["path"]) for record in analyzed(*names)]

        assert paths == [album / "wall.png", album / "=smile.jpg", album / "below" / "smile.JPG"]

    def test_a_folder_and_a_pattern_without_photos_are_a_line_each_and_the_others_done(self, album: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        bare, nothing = tmp_path / "empty", tmp_path / "*.bmp"

        done = run_here("image", bare, nothing, album / "wall.png", "--format", "json", "--sheet", tmp_path / "sheet.png")

        assert done.returncode == 1
        assert [list(record)[1] for record in json.loads(done.stdout)] == ["error", "error", "width"]
        lines = done.stderr.splitlines()
        assert len(lines) == 2
        assert f"{bare}: is a folder without pictures" in lines[0]
        assert f"{nothing}: no picture has such a name" in lines[1]
        assert read_image(tmp_path / "sheet.png").shape[1] == 600 + 24, "one thumbnail: only photos are on the sheet"

    def test_a_file_whose_name_looks_like_a_pattern_is_that_file(self, tmp_path: Path) -> None:
        path = tmp_path / "photo[1].png"
        cv2.imwrite(str(path), np.full((100, 100, 3), 128, np.uint8))

        assert analyzed(path)[0]["path"] == str(path)

    def test_progress_is_shown_on_a_terminal_and_messages_above_it(self, album: Path) -> None:
        for number in range(4):
            (album / f"{number}.png").write_bytes((album / "wall.png").read_bytes())

        (album / "bad.png").touch()

        shown = run_on_terminal("image", album)

        assert "photos" in shown
        assert "/7" in shown
        before, message, _ = shown.partition("emodetect: ")
        assert message, shown
        # The bar's line is taken away before, and nothing else has been written since.
        assert re.search(r"\x1b\[2K(\x1b\[[0-9;]*m)*$", before), repr(before[-80:])


def test_csv_has_a_row_a_face_and_no_formula(album: Path) -> None:
    smile = album / "=smile.jpg"
    done = subprocess.run(
        command("image", smile.name, "wall.png", "--format", "csv"),
        cwd=album, env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=True,
    )  # fmt: skip

    row, wall = csv.DictReader(done.stdout.splitlines())
    assert [name for name, cell in wall.items() if cell] == ["path", "frame", "time"]
    (face,) = analyzed(smile)[0]["faces"]
    assert list(row)[:8] == ["path", "frame", "time", "id", "x", "y", "width", "height"]
    assert row["path"] == "'=smile.jpg"
    assert {name: int(row[name]) for name in face["box"]} == face["box"]
    assert (row["emotion"], float(row["confidence"]), row["uncertain"]) == ("happy", face["confidence"], "false")
    assert {name: float(row[name]) for name in face["scores"]} == face["scores"]


class TestSheet:
    def test_it_is_never_one_of_the_photos(self, album: Path) -> None:
        before = (album / "wall.png").read_bytes()

        assert_one_line(run_here("image", album, "--sheet", album / "wall.png", "--overwrite"), 1, "is the photo itself")
        assert (album / "wall.png").read_bytes() == before

    def test_it_shows_every_photo_also_one_that_cannot_be_read(self, album: Path, tmp_path: Path) -> None:
        (album / "broken.png").write_text("no picture")

        assert run_here("image", album, "--sheet", tmp_path / "sheet.png").returncode == 1
        sheet = read_image(tmp_path / "sheet.png")
        captions = [sheet[y : y + 40, x : x + 420] for y in (432, sheet.shape[0] - 52) for x in (12, 444)]
        assert [bool((caption < 128).any()) for caption in captions] == [True, True, True, False]

    def test_there_is_none_where_no_photo_can_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "broken.png").write_text("no picture")

        assert run_here("image", tmp_path / "broken.png", "--sheet", tmp_path / "sheet.png").returncode == 1
        assert not (tmp_path / "sheet.png").exists()

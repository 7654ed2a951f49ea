"""Files that may not be read, folders that may not be entered, outputs that are full, and names that cannot be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import PHOTO, MovingClip
from tests.cli.running import TIMEOUT, assert_one_line, command, environment, run

FULL = Path("/dev/full")

LONG = 300 * "a"
"""More bytes than a name may have."""


class Stranger:
    """Runs the program in a folder of its own as a user who has no rights there but those of everybody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._prefix, *command(*arguments)], env=environment({"HOME": str(self.folder)}), cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def stranger(moving_clip: MovingClip) -> Iterator[Stranger]:
    """In the folder: a photo, one that may not be read, a clip, and a folder with both that may not be entered."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv here")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders may not be entered by others
        folder = Path(name)
        (folder / "locked").mkdir()
        for place in (folder, folder / "locked"):
            shutil.copy(PHOTO, place / "a.jpg")
            shutil.copy(moving_clip.path, place / "c.mp4")
        shutil.copy(PHOTO, folder / "secret.jpg")
        (folder / "secret.jpg").chmod(0)
        (folder / "locked").chmod(0)
        folder.chmod(0o777)
        someone = Stranger(folder)
        try:
            if someone.run("--version").returncode:
                pytest.skip("another user cannot run the program here")
        except OSError:
            pytest.skip("another user cannot run anything here")
        yield someone
        (folder / "locked").chmod(0o700)


@pytest.mark.parametrize("name", ["secret.jpg", "locked/a.jpg", "locked"])
def test_what_may_not_be_read_does_not_keep_others_from_being_read(stranger: Stranger, name: str) -> None:
    done = stranger.run("image", name, "a.jpg", "--format", "json")

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"emodetect: {name}: cannot be read (Permission denied)"
    assert [record.get("error", "") for record in json.loads(done.stdout)] == [f"{name}: cannot be read (Permission denied)", ""]


@pytest.mark.parametrize(
    "arguments",
    [
        ["video", "locked/c.mp4"],
        ["video", "secret.jpg"],
        ["live", "--no-window", "--source", "secret.jpg"],
        ["report", "locked/a.jsonl"],
        ["live", "--no-window", "--source", "locked/c.mp4"],
        ["image", "a.jpg", "-o", "locked/b.png"],
        ["image", "a.jpg", "a.jpg", "c.mp4", "-o", "locked/"],
        ["image", "a.jpg", "--cascade", "locked/a.xml"],
        ["image", "a.jpg", "--cascade", "secret.jpg"],
        ["image", "a.jpg", "--model", "locked/a.onnx"],
        ["image", "a.jpg", "--config", "locked/c.toml"],
        ["video", "c.mp4", "--log", "locked/a.jsonl"],
        ["evaluate", "--data", "locked"],
    ],
    ids=" ".join,
)
def test_one_line_says_what_may_not_be_used(stranger: Stranger, arguments: list[str]) -> None:
    done = stranger.run(*arguments)

    assert_one_line(done, 1, "Permission denied")
    assert "unexpected" not in done.stderr


def test_an_output_that_may_not_be_looked_at_is_refused(stranger: Stranger) -> None:
    done = stranger.run("image", "a.jpg", "-o", "locked/b.png")

    assert_one_line(done, 1, "locked/b.png: cannot be written (Permission denied)")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["image", PHOTO], ["image", PHOTO, "--format", "csv"], ["config"], ["--help"]])
def test_a_full_standard_output_is_named(arguments: list[str | Path]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False, env=environment()
        )

    assert_one_line(done, 1, "standard output cannot be written (No space left on device)")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_an_encoding_lacks_is_escaped(encoding: str, tmp_path: Path) -> None:
    photo = tmp_path / "東.jpg"
    shutil.copy(PHOTO, photo)

    table = run("image", photo, env={"PYTHONIOENCODING": encoding})
    doctor = run("doctor", env={"PYTHONIOENCODING": encoding, "DISPLAY": None})

    assert (table.returncode, table.stderr) == (0, "")
    assert "\\u6771.jpg" in table.stdout
    assert (doctor.returncode, doctor.stderr) == (1, "")
    assert " display: run it in a desktop session" in doctor.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["image", f"{LONG}.jpg"],
        ["video", f"{LONG}.mp4"],
        ["image", str(PHOTO), "-o", f"{LONG}.png"],
        ["image", str(PHOTO), "--model", f"{LONG}.onnx"],
    ],
    ids=["photo", "clip", "copy", "model"],
)
def test_a_name_that_is_too_long(arguments: list[str]) -> None:
    done = run(*arguments)

    assert_one_line(done, 1, f"{LONG}.", "File name too long")
    assert "unexpected" not in done.stderr


def test_a_current_folder_that_was_deleted(tmp_path: Path) -> None:
    script = f'mkdir "{tmp_path}/gone" && cd "{tmp_path}/gone" && rmdir "{tmp_path}/gone" && exec "$@"'

    done = subprocess.run(
        ["sh", "-c", script, "sh", *command("image", PHOTO.name)],
        env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip

    assert_one_line(done, 1, "the current folder does not exist any more")


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_link_to_nowhere_is_not_said_to_be_meant(kind: str, tmp_path: Path) -> None:
    link = tmp_path / "a.link"
    link.symlink_to(tmp_path / "nowhere")

    assert_one_line(run(kind, link), 1, f"{link}: no such file; it is a link to nowhere")

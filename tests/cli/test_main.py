from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import PHOTO
from tests.cli.parsing import command_names
from tests.cli.running import assert_one_line, command, environment, run

HEAVY = ("tensorflow", "keras", "tf_keras", "deepface", "matplotlib", "sklearn", "torch", "jax", "jinja2", "PIL")

NEAR_MISS = str(PHOTO.with_name("astronat.jpg"))
"""A file that is not there, beside one that is almost called like it."""


def modules_after(*arguments: str | Path) -> set[str]:
    """The modules that are imported once the command has run."""
    script = (
        "import sys; sys.argv[0] = 'emodetect'\n"
        "from emodetect.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment(), capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_the_embedded_network_needs_none_of_the_heavy_packages() -> None:
    modules = modules_after("image", PHOTO)

    assert "onnxruntime" in modules
    assert modules.isdisjoint(HEAVY)


def test_the_overview_needs_nothing_but_click() -> None:
    modules = modules_after("--help")

    assert "click" in modules
    assert modules.isdisjoint({*HEAVY, "numpy", "cv2", "onnxruntime", "scipy", "rich"})


def test_types_of_values_bring_no_part_of_other_commands() -> None:
    assert modules_after("image", "--help").isdisjoint({"emodetect.batch.inputs", "emodetect.sources.capture_format"})


@pytest.mark.parametrize("name", command_names())
def test_a_commands_help_is_light_too(name: str) -> None:
    assert modules_after(name, "--help").isdisjoint({*HEAVY, "cv2", "onnxruntime", "scipy"})


def test_the_overview_names_every_command() -> None:
    done = run("--help")

    assert done.returncode == 0
    for name in command_names():
        assert f"\n  {name} " in done.stdout


def test_without_a_command_the_overview_is_shown_as_it_is_laid_out() -> None:
    done = run()

    assert done.returncode in (0, 2)  # older versions of Click take it for a wish for help
    assert "\n  image " in done.stdout + done.stderr
    assert "emodetect: Usage" not in done.stderr


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str) -> None:
    done = run(option)

    assert done.returncode == 0
    assert done.stdout.startswith("emodetect 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["image"],
        ["image", str(PHOTO), "--nonsense"],
        ["image", str(PHOTO), "--backend", "nonsense"],
        ["image", str(PHOTO), "--backend", "deepface", "--model", "model.h5"],
        ["image", str(PHOTO), "--labels", "a,b"],
        ["image", str(PHOTO), "--min-face", "-3"],
        ["image", str(PHOTO), "--min-face", "150%"],
        ["image", str(PHOTO), "--min-face", "large"],
        ["image", str(PHOTO), "--uncertain", "2"],
        ["live", "--backend", "nonsense", "--no-window"],
        ["live", "--backend", "deepface", "--model", "model.h5", "--no-window"],
    ],
    ids=lambda arguments: " ".join(arguments[-3:]),
)
def test_misuse_ends_with_2_and_says_why(arguments: list[str]) -> None:
    done = run(*arguments)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith("emodetect: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (["imge", "a.jpg"], 2, "did you mean 'image'?"),
        ([str(PHOTO)], 2, f"did you mean 'emodetect image {PHOTO}'?"),
        (["--source", "1"], 2, "options stand after the command, as in 'emodetect live --source'"),
        (["--verbose", "doctor"], 2, "options stand after the command, as in 'emodetect doctor --verbose'"),
        (["--verison"], 2, "emodetect: No such option '--verison'; did you mean '--version'?"),
        (["--verison", "doctor"], 2, "emodetect: No such option '--verison'; did you mean '--version'?"),
        (["--nonsense"], 2, "emodetect: No such option '--nonsense'"),
        ([str(PHOTO.parent)], 2, f"there is a folder of that name; did you mean 'emodetect image {PHOTO.parent}'?"),
        (["live", "1"], 2, "'live' takes options only; did you mean --source?"),
        (["video", "a.mp4", "b.mp4"], 2, "'video' takes CLIP and options"),
        (["image", str(PHOTO), "--bakend", "cnn"], 2, "'--backend'"),
        (["image", str(PHOTO), "--backend", "depface"], 2, "did you mean 'deepface'?"),
        (["image", str(PHOTO), "--model", "fer2103"], 1, "did you mean 'fer2013'?"),
        (["image", NEAR_MISS], 1, "did you mean 'astronaut.jpg'?"),
        (["video", NEAR_MISS], 1, "did you mean 'astronaut.jpg'?"),
        (["image", str(PHOTO), "--cascade", NEAR_MISS], 1, "did you mean 'astronaut.jpg'?"),
        (["live", "--no-window", "--source", NEAR_MISS], 1, "did you mean 'astronaut.jpg'?"),
        (["evaluate", "--data", str(PHOTO.parents[1] / "exmples")], 1, "did you mean 'examples'?"),
        (
            ["train", "--data", str(PHOTO.parent), "--votes", NEAR_MISS],
            1,
            "did you mean 'astronaut.jpg'?",
        ),
        (["export", NEAR_MISS, "a.onnx"], 1, "did you mean 'astronaut.jpg'?"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_near_misses_of_names_get_did_you_mean(arguments: list[str], code: int, meant: str) -> None:
    done = run(*arguments)

    assert done.returncode == code, done.stderr
    assert meant in done.stderr.splitlines()[-1]
    assert "Did you mean" not in meant or done.stderr.endswith(f"{meant}\n")  # and nothing else


def test_a_variable_that_is_neither_true_nor_false() -> None:
    done = run("image", PHOTO, env={"EMODETECT_QUIET": "maybe"})

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("'maybe' is neither true nor false. (from the variable EMODETECT_QUIET)")


def test_debug_shows_where() -> None:
    quiet, loud = run("image", "nowhere.jpg"), run("image", "nowhere.onnx", "--model", "nowhere.onnx", "--debug")

    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.returncode == 1


def test_a_closed_pipe_is_no_error() -> None:
    arguments = command("image", PHOTO, "--format", "json")
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_one_line_for_a_missing_model(tmp_path: Path) -> None:
    assert_one_line(run("image", PHOTO, "--model", tmp_path / "m.onnx"), 1, "m.onnx", "no such model file")


@pytest.mark.parametrize(
    "arguments",
    [
        ["live", "--no-window", "--source", "rtsp://admin:s3cret@127.0.0.1:9/video?token=s3cret"],
        ["live", "--no-window", "--source", "rtps://admin:s3cret@127.0.0.1:9/video"],
        ["live", "rtsp://admin:s3cret@127.0.0.1:9/video"],
        ["video", "rtsp://admin:s3cret@127.0.0.1:9/video"],
        ["image", "http://admin:s3cret@127.0.0.1:9/photo.jpg"],
    ],
    ids=["stream", "mistyped", "argument", "video", "image"],
)
@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_a_password_in_an_address_is_never_shown(arguments: list[str], debug: list[str]) -> None:
    done = run(*arguments, *debug)

    assert done.returncode in (1, 2)
    assert "s3cret" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("emodetect: ")


def test_control_characters_in_names_are_not_printed_raw(tmp_path: Path) -> None:
    photo = tmp_path / "red\x1b[31m\u202egnp.jpg"
    photo.write_bytes(b"no picture")

    done = run("image", photo, "--model", "embedded")

    assert done.returncode == 1
    for shown in (done.stdout, done.stderr):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "red\\x1b[31m" in shown

"""Installations that are broken: packages that are missing, taken apart or damaged, laid over those of this environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import imageio_ffmpeg
import pytest

from emodetect.backends.onnx_session import EMBEDDED
from emodetect.cli.main import _unexpected
from emodetect.faces.cascade import CASCADE_NAME
from emodetect.system.install_hints import KERAS_CURE, OPENCV_CURE, package_cure, pip
from tests.builders import PHOTO, ROOT, MovingClip, absent, copy_opencv, copy_package, overlay
from tests.cli.desktop import open_desktop
from tests.cli.running import TIMEOUT, assert_one_line, command, environment, run


@pytest.fixture
def without_ffmpeg(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a run whose FFmpeg may not be executed."""
    package = tmp_path / "overlay" / "imageio_ffmpeg"
    shutil.copytree(Path(imageio_ffmpeg.__file__).parent, package, ignore=shutil.ignore_patterns("ffmpeg-*", "__pycache__"))
    (package / "binaries" / Path(imageio_ffmpeg.get_ffmpeg_exe()).name).touch(0o644)
    path = os.pathsep.join([str(package.parent), str(ROOT / "src")])
    return {"PYTHONPATH": path, "PATH": str(tmp_path), "IMAGEIO_FFMPEG_EXE": None}


COMMANDS: dict[str, list[str | Path]] = {
    "image": ["image", PHOTO],
    "video": ["video", "c.mp4"],
    "live": ["live", "--no-window"],
    "cameras": ["cameras"],
}


class TestPackages:
    @pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
    @pytest.mark.parametrize(
        ("module", "text", "said"),
        [
            ("cv2", "print('x'); raise ImportError('libGL.so.1: not there', name='cv2')", "libGL.so.1: not there"),
            ("cv2", "", "module 'cv2' has no attribute '"),
            ("cv2", "print('x'); import numpy.nonsense", "No module named 'numpy.nonsense'"),
            ("numpy", absent("numpy"), "No module named 'numpy'"),
            ("numpy", "import sys; print('x', file=sys.stderr); raise ValueError('dtype size changed')", "dtype size changed"),
        ],
        ids=["a library", "taken apart", "without numpy", "no numpy", "another numpy"],
    )
    def test_one_line_names_the_package_and_what_helps(
        self, arguments: list[str | Path], module: str, text: str, said: str, tmp_path: Path
    ) -> None:
        done = run(*arguments, env=overlay(tmp_path, **{module: text}))

        name = "numpy" if "numpy" in text else module
        assert_one_line(done, 1, f"the package {name} is missing or broken ({said}", "'emodetect doctor' says what helps")
        assert done.stdout == ""

    @pytest.mark.parametrize("module", ["rich", "onnxruntime", "typing_extensions"])
    def test_every_package_is_named(self, module: str, tmp_path: Path) -> None:
        done = run("image", PHOTO, env=overlay(tmp_path, **{module: absent(module)}))

        assert_one_line(done, 1, f"the package {module} is missing or broken", "'emodetect doctor' says what helps")

    def test_one_that_is_not_installed_is_named_with_its_command(self) -> None:
        """As in a light installation."""
        error = ModuleNotFoundError("No module named 'emodetect_absent'", name="emodetect_absent.part")

        assert _unexpected(error) == f"the package emodetect_absent is not installed; {pip('install emodetect-absent')}"

    def test_debug_shows_where_and_what_it_prints(self, tmp_path: Path) -> None:
        done = run(
            "image", PHOTO, "--debug", env=overlay(tmp_path, cv2="print('of its own'); raise ImportError('no', name='cv2')")
        )

        assert "of its own" in done.stdout
        assert "Traceback" in done.stderr

    @pytest.mark.parametrize("arguments", [["image", PHOTO], ["--version"], ["doctor"]], ids=lambda words: words[0])
    def test_without_click_the_one_line_is_a_command(self, arguments: list[str | Path], tmp_path: Path) -> None:
        done = run(*arguments, env=overlay(tmp_path, click=absent("click")))

        assert_one_line(done, 1, "the package click is missing or broken", package_cure("click"))

    @pytest.mark.parametrize(
        ("backend", "module", "text", "said", "cure"),
        [
            (
                "tensorflow", "tensorflow",
                "raise ImportError('Traceback (most recent call last):\\n  File \"x\"\\nImportError: libx.so: no\\n\\nFailed')",
                "(ImportError: libx.so: no)", package_cure("tensorflow"),
            ),
            ("tensorflow", "keras", absent("keras"), "(No module named 'keras')", KERAS_CURE),
            ("tensorflow", "keras", "__version__ = '2.15.0'", "Keras 2.15.0 is too old; 3 is needed", KERAS_CURE),
            ("nonsense", "unused", "", "KERAS_BACKEND=nonsense", "unset KERAS_BACKEND, or set it to one of tensorflow, jax,"),
            ("torch", "torch", absent("torch"), "(No module named 'torch')", package_cure("torch")),
        ],
        ids=["tensorflow", "keras", "old keras", "nonsense", "torch"],
    )  # fmt: skip
    def test_keras_and_what_it_runs_on(self, backend: str, module: str, text: str, said: str, cure: str, tmp_path: Path) -> None:
        script = "from emodetect.backends.keras_import import import_keras; from emodetect.errors import EmodetectError\n"
        script += "try: import_keras()\nexcept EmodetectError as error: print(error)"
        env = environment({**overlay(tmp_path, **{module: text}), "KERAS_BACKEND": backend})

        done = subprocess.run(
            [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )

        [line] = done.stdout.splitlines()
        assert said in line
        assert cure in line

    def test_a_version_that_is_not_known(self, tmp_path: Path) -> None:
        shutil.copytree(Path(click.__file__).parent, tmp_path / "click")
        done = subprocess.run(
            [sys.executable, "-S", "-m", "emodetect", "--version"], env=environment(overlay(tmp_path)),
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip

        assert_one_line(done, 1, "the package emodetect is missing or broken", "'emodetect doctor' says what helps")


class TestFFmpeg:
    def test_without_it_nothing_that_exists_is_lost(
        self, without_ffmpeg: dict[str, str | None], moving_clip: MovingClip, tmp_path: Path
    ) -> None:
        precious = {name: tmp_path / name for name in ("a.mp4", "a.jsonl")}
        for path in precious.values():
            path.write_text("precious")

        done = run(
            "video", moving_clip.path, "--end", "0.2", "-o", precious["a.mp4"], "--log", precious["a.jsonl"], "--overwrite",
            env=without_ffmpeg,
        )  # fmt: skip

        assert_one_line(
            done, 1, "FFmpeg, which clips are read and written with, cannot be used",
            "install --force-reinstall --no-deps imageio-ffmpeg",
        )  # fmt: skip
        assert [path.read_text() for path in precious.values()] == ["precious"] * 2

    def test_without_it_no_empty_files_are_left(
        self, without_ffmpeg: dict[str, str | None], moving_clip: MovingClip, tmp_path: Path
    ) -> None:
        before = set(tmp_path.iterdir())

        for done in (
            run("video", moving_clip.path, "--report", tmp_path / "a.html", env=without_ffmpeg),
            run("video", moving_clip.path, "--log", tmp_path / "a.jsonl", env=without_ffmpeg),
            run("live", "--source", moving_clip.path, "--no-window", "--record", tmp_path / "a.mp4", env=without_ffmpeg),
        ):
            assert_one_line(done, 1, "FFmpeg, which clips are read and written with, cannot be used")
        assert set(tmp_path.iterdir()) == before


@pytest.fixture
def without_plugins(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a run whose OpenCV lacks Qt's plugins."""
    copy_opencv(tmp_path)
    shutil.rmtree(tmp_path / "cv2" / "qt" / "plugins")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])}


class TestQt:
    @pytest.mark.parametrize("platform", ["wayland", "offscreen", "nonsense:option"])
    def test_a_platform_that_opencv_has_no_plugin_for(self, platform: str, moving_clip: MovingClip) -> None:
        with open_desktop() as desktop:
            done = run("live", "--source", moving_clip.path, env={"DISPLAY": desktop.name, "QT_QPA_PLATFORM": platform})

        assert_one_line(done, 1, f"QT_QPA_PLATFORM={platform} (it has xcb): unset QT_QPA_PLATFORM")

    @pytest.mark.parametrize("platform", ["xcb", "wayland;xcb:native_painting"])
    def test_one_that_it_has_will_do(self, platform: str, moving_clip: MovingClip) -> None:
        with open_desktop() as desktop:
            done = run(
                "live", "--source", moving_clip.path, "--duration", "0.5",
                env={"DISPLAY": desktop.name, "QT_QPA_PLATFORM": platform},
            )  # fmt: skip

        assert done.returncode == 0, done.stderr

    def test_an_opencv_without_plugins(self, without_plugins: dict[str, str | None], moving_clip: MovingClip) -> None:
        with open_desktop() as desktop:
            done = run("live", "--source", moving_clip.path, env={"DISPLAY": desktop.name, **without_plugins})

        assert_one_line(done, 1, "there is no plugin of Qt in", OPENCV_CURE)


class TestFiles:
    """What travels in the package."""

    @pytest.mark.parametrize("content", [b"", b"<opencv_storage>", b"\xff"], ids=["empty", "cut short", "bytes"])
    def test_a_damaged_cascade(self, content: bytes, tmp_path: Path) -> None:
        source = copy_package(tmp_path)
        cascade = tmp_path / "haarcascades" / CASCADE_NAME
        cascade.unlink()
        cascade.write_bytes(content)

        done = run("image", PHOTO, "--detector", "haar", env={"PYTHONPATH": str(source)})

        assert_one_line(done, 1, f"{cascade}: damaged; install emodetect again")

    @pytest.mark.parametrize("content", [None, b"no network"], ids=["missing", "damaged"])
    def test_a_network_that_is_missing_or_damaged(self, content: bytes | None, tmp_path: Path) -> None:
        source = copy_package(tmp_path)
        network = source / "emodetect" / "backends" / "models" / EMBEDDED.name
        network.unlink()
        if content is not None:
            network.write_bytes(content)

        done = run("image", PHOTO, env={"PYTHONPATH": str(source)})

        assert_one_line(done, 1, f"{network}: missing or damaged; install emodetect again")


def test_ctrl_c_before_the_command_line_is_there(tmp_path: Path) -> None:
    """Whenever it comes once Python runs the program."""
    env = environment(overlay(tmp_path, click="import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"))

    done = subprocess.run(command("--help"), env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert_one_line(done, 130, "emodetect: interrupted")


def test_an_interrupt_while_an_extension_is_imported_is_no_broken_package(tmp_path: Path) -> None:
    module = "try: raise KeyboardInterrupt\nexcept KeyboardInterrupt as error: raise ImportError('failed') from error"
    assert_one_line(run("image", PHOTO, env=overlay(tmp_path, onnxruntime=module)), 130, "emodetect: interrupted")

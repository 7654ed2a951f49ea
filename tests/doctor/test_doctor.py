"""Each fault is made real: in a virtual environment, in a copy of the package, or in the environment of a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import pytest

from emodetect.backends import cnn, onnx_session
from emodetect.backends.deepface_weights import WEIGHTS_NAME
from emodetect.backends.onnx_session import EMBEDDED
from emodetect.cli.table import print_cures
from emodetect.doctor import Status, cameras, deepface, display, files, keras, onnx_runtime, opencv, packages
from emodetect.doctor.opencv import library_cure
from emodetect.faces.cascade import CASCADE_NAME, default_cascade
from emodetect.sources import camera_list
from emodetect.system.checksums import checksum, recorded_checksum
from emodetect.system.install_hints import EMODETECT_CURE, FFMPEG_CURE, KERAS2_CURE, KERAS_CURE, OPENCV_CURE, package_cure, pip
from tests.builders import ROOT, SITE, absent, copy_opencv, copy_package, overlay
from tests.cli.running import TIMEOUT, environment, run


def examine(python: str | Path = sys.executable, env: Mapping[str, str | None] | None = None) -> tuple[int, dict[str, Any]]:
    """Run the doctor: its exit code, and its checks by name."""
    done = subprocess.run(
        [str(python), "-m", "emodetect", "doctor", "--format", "json"],
        env=environment(env), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def damage(path: Path) -> None:
    """Change a byte in the middle of a file, leaving the file that it may be a link of alone."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.unlink()
    path.write_bytes(content)


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    """What the doctor finds here, without a display."""
    code, checks = examine(env={"DISPLAY": None})
    assert code == 1
    return checks


def test_each_check_has_the_four_fields_and_a_cure_where_it_is_needed(sound: dict[str, Any]) -> None:
    for check in sound.values():
        assert list(check) == ["name", "status", "detail", "cure"]
        assert check["status"] in {"ok", "warning", "fault"}
        assert check["detail"]
        assert bool(check["cure"]) == (check["status"] != "ok"), check


def test_what_is_well_here_is_ok(sound: dict[str, Any]) -> None:
    wells = ["Python", "packages", "OpenCV wheels", "OpenCV", "windows", "FFmpeg", "cascade", "network", "DeepFace"]
    assert {name: sound[name]["status"] for name in wells} == dict.fromkeys(wells, "ok")
    assert f"opencv-python {version('opencv-python')}" in sound["packages"]["detail"]
    assert "ms per face" in sound["speed"]["detail"]


def test_servers_do_without_a_display_and_cameras() -> None:
    done = run("doctor", "--headless", "--format", "json", env={"DISPLAY": None})

    names = {check["name"] for check in json.loads(done.stdout)["checks"]}
    assert names.isdisjoint({"windows", "display", "cameras"})
    assert {"packages", "OpenCV", "FFmpeg", "network"} <= names
    assert done.returncode == 0, done.stdout


def test_no_display_is_a_fault(sound: dict[str, Any]) -> None:
    assert sound["display"]["status"] == "fault"
    assert "DISPLAY is not set" in sound["display"]["detail"]
    assert "--no-window" in sound["display"]["cure"]


def test_the_table_says_the_same_and_what_helps_stands_below(tmp_path: Path) -> None:
    done = run("doctor", env={"DISPLAY": ":4711", "DEEPFACE_HOME": str(tmp_path)})

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "fault    display" in done.stdout
    assert any("the display :4711 does not answer" in line for line in lines)
    assert any(line.startswith("→ display: run it in a desktop session") for line in lines)
    assert any(f"{tmp_path / '.deepface' / 'weights' / WEIGHTS_NAME} is missing" in line for line in lines)
    assert lines[-1].startswith("1 fault, ")


def test_a_headless_wheel_on_top_is_found_with_the_command_that_mends_it(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wanted = f"opencv-python-headless=={version('opencv-python')}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    fetched = subprocess.run([*pip, "download", "--no-deps", "--dest", str(wheels), wanted], check=False, timeout=300)
    if fetched.returncode:
        pytest.skip(f"{wanted} cannot be had")
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*/site-packages"))
    copy_opencv(packages)
    python = folder / "bin" / "python"
    install = ["install", "--no-deps", "--no-index", "--find-links", str(wheels), wanted]
    subprocess.run([*pip, f"--python={python}", *install], check=True, timeout=300)
    (packages / "others.pth").write_text(f"{ROOT / 'src'}\n{SITE}\n")

    code, checks = examine(python, {"PYTHONPATH": None})

    assert code == 1
    assert checks["OpenCV wheels"]["status"] == "fault"
    assert "overwrite each other" in checks["OpenCV wheels"]["detail"]
    assert "no longer the one of opencv-python" in checks["OpenCV wheels"]["detail"]
    assert checks["OpenCV"]["status"] == "ok"
    assert checks["windows"]["status"] == "fault"
    for name in ("OpenCV wheels", "windows"):
        assert checks[name]["cure"].endswith('pip install "opencv-python>=4.13,<5"')
        assert str(python) in checks[name]["cure"]  # whose pip it is, since another environment is active


def test_a_missing_library_of_opencv_is_named_and_all_other_checks_are_made(tmp_path: Path) -> None:
    copy_opencv(tmp_path)
    [module] = (tmp_path / "cv2").glob("cv2*.so")
    content = module.read_bytes()
    assert b"libz.so.1\0" in content
    module.unlink()
    module.write_bytes(content.replace(b"libz.so.1\0", b"libQ.so.9\0"))  # no system has that

    code, checks = examine(env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])})

    assert code == 1
    assert checks["OpenCV"]["status"] == "fault"
    assert "libQ.so.9" in checks["OpenCV"]["detail"]
    assert checks["OpenCV"]["cure"] == "install the system's package that holds libQ.so.9"
    assert checks["OpenCV wheels"]["status"] == "fault"  # its RECORD says otherwise, too
    for name in ("windows", "cameras", "speed"):
        assert checks[name]["status"] == "warning"
        assert "OpenCV cannot be imported" in checks[name]["detail"]
    assert checks["network"]["status"] == "ok"
    assert checks["DeepFace"]["status"] == "ok"


@pytest.mark.parametrize(
    ("missing", "cure"),
    [
        (["libGL.so.1", "libgthread-2.0.so.0", "libglib-2.0.so.0"], "sudo apt-get install libgl1 libglib2.0-0 (Debian, Ubuntu)"),
        (
            ["libGL.so.1", "libfoo.so.2"],
            "sudo apt-get install libgl1 (Debian, Ubuntu); install the system's package that holds libfoo.so.2",
        ),
        (["libQt5Core-9088e21b.so.5.15.19"], OPENCV_CURE),
    ],
)
def test_libraries_have_the_packages_of_the_system_as_their_cure(missing: list[str], cure: str) -> None:
    assert library_cure(missing) == cure


def test_damaged_files_and_packages_that_do_not_fit_are_faults(tmp_path: Path) -> None:
    source = copy_package(tmp_path)
    (tmp_path / "haarcascades" / CASCADE_NAME).unlink()
    damage(source / "emodetect" / "backends" / "models" / EMBEDDED.name)
    facts = source / "scipy-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 1.0\n")
    weights = tmp_path / ".deepface" / "weights" / WEIGHTS_NAME
    weights.parent.mkdir(parents=True)
    weights.write_text("<html>not found</html>")

    code, checks = examine(env={"PYTHONPATH": str(source), "DEEPFACE_HOME": str(tmp_path)})

    assert code == 1
    assert checks["cascade"]["status"] == "fault"
    assert f"{CASCADE_NAME}: missing" in checks["cascade"]["detail"]
    assert checks["network"]["status"] == "fault"
    assert "is damaged: SHA-256" in checks["network"]["detail"]
    assert checks["packages"]["detail"] == "scipy 1.0 is not >=1.13"
    assert checks["packages"]["cure"] == "pip install 'scipy>=1.13'"
    assert checks["DeepFace's weights"]["status"] == "warning"
    assert "is damaged" in checks["DeepFace's weights"]["detail"]


def test_a_missing_network_and_an_opencv_that_was_taken_apart_are_faults(tmp_path: Path) -> None:
    source = copy_package(tmp_path)
    damage(tmp_path / "haarcascades" / CASCADE_NAME)
    (source / "emodetect" / "backends" / "models" / EMBEDDED.name).unlink()
    (source / "cv2").mkdir()
    (source / "cv2" / "__init__.py").touch()  # as much as an uninstall may leave

    code, checks = examine(env={"PYTHONPATH": str(source)})

    assert code == 1
    assert "is damaged" in checks["cascade"]["detail"]
    assert "emodetect.onnx is missing" in checks["network"]["detail"]
    assert checks["OpenCV"]["status"] == "fault"
    assert "taken apart" in checks["OpenCV"]["detail"]
    assert checks["OpenCV"]["cure"] == OPENCV_CURE


@pytest.mark.parametrize("path", [EMBEDDED, default_cascade()], ids=lambda path: path.name)
def test_the_recorded_checksum_is_the_files_own(path: Path) -> None:
    assert recorded_checksum(path) == checksum(path), f"in {path.parent}: sha256sum {path.name} > {path.name}.sha256"


def test_the_same_cure_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_cures([("wheels", "pip install x"), ("cameras", ""), ("windows", "pip install x")])

    assert capsys.readouterr().out == "→ wheels, windows: pip install x\n"


@pytest.mark.parametrize(
    ("module", "checks"),
    [
        ("packaging", ["packages"]),
        ("typing_extensions", ["speed"]),
        ("cv2_enumerate_cameras", ["cameras"]),
        ("imageio_ffmpeg", ["FFmpeg"]),
        ("numpy", ["OpenCV", "speed"]),
        ("onnxruntime", ["ONNX Runtime", "speed"]),
    ],
)
def test_a_package_that_is_missing_is_named_where_it_is_needed(module: str, checks: list[str], tmp_path: Path) -> None:
    code, found = examine(env=overlay(tmp_path, **{module: absent(module)}))

    assert code == 1
    assert len(found) >= 16
    for name in checks:
        if found[name]["status"] == "warning":
            assert "OpenCV cannot be imported" in found[name]["detail"]
            continue
        assert found[name]["status"] == "fault", found[name]
        assert module in found[name]["detail"]
        assert found[name]["cure"] in (package_cure(module), FFMPEG_CURE, OPENCV_CURE)


def test_what_nobody_foresaw_can_be_looked_into(tmp_path: Path) -> None:
    env = {**overlay(tmp_path, packaging="def __getattr__(name): raise RuntimeError('out of luck')"), "DISPLAY": None}

    quiet, loud = run("doctor", env=env), run("doctor", "--debug", env=env)

    assert "emodetect doctor --debug shows where" in quiet.stdout
    assert "cannot be looked at: " in quiet.stdout
    assert quiet.stderr == ""
    assert "Traceback" in loud.stderr


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"0123 emodetect.onnx"], ids=["deleted", "empty", "bytes", "text"])
def test_a_checksum_that_is_none(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = tmp_path / EMBEDDED.name
    shutil.copy(EMBEDDED, network)
    record = tmp_path / f"{network.name}.sha256"
    if content is not None:
        record.write_bytes(content)
    monkeypatch.setattr(onnx_session, "EMBEDDED", network)

    [check] = files.check_network()

    assert (check.status, check.detail) == (Status.FAULT, f"{record}, its checksum, is missing or damaged")
    assert check.cure == EMODETECT_CURE


def test_a_network_that_is_missing_is_not_the_runtimes_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnn, "EMBEDDED", tmp_path / "emodetect.onnx")
    monkeypatch.setattr(onnx_session, "EMBEDDED", tmp_path / "emodetect.onnx")
    onnx_session.packaged_session.cache_clear()

    [check] = onnx_runtime.check_speed()

    onnx_session.packaged_session.cache_clear()
    assert check.status is Status.FAULT
    assert "missing or damaged; install emodetect again" in check.detail
    assert check.cure == EMODETECT_CURE


def test_a_slow_machine_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "_SLOW_MS", 0)
    [check] = onnx_runtime.check_speed()
    assert check.status is Status.WARNING


@pytest.mark.parametrize(("program", "said"), [("emodetect-nowhere", "is no program"), ("false", "ended with exit code 1")])
def test_an_ffmpeg_that_is_none(program: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", shutil.which(program) or program)
    [check] = files.check_ffmpeg()
    assert check.status is Status.WARNING
    assert check.cure == "unset IMAGEIO_FFMPEG_EXE, or name FFmpeg 5.1 or newer"
    assert f"which {said}; used instead: " in check.detail


def test_ffmpegs_package_without_its_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(SITE / "imageio_ffmpeg", tmp_path / "imageio_ffmpeg", ignore=shutil.ignore_patterns("binaries"))

    _, checks = examine(env={**overlay(tmp_path), "PATH": str(tmp_path), "IMAGEIO_FFMPEG_EXE": None})

    assert checks["FFmpeg"]["status"] == "fault"
    assert "clips can be neither read nor written" in checks["FFmpeg"]["detail"]
    assert checks["FFmpeg"]["cure"].endswith("install --force-reinstall --no-deps imageio-ffmpeg")


def test_weights_that_cannot_be_read_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".deepface").touch()  # no folder, so that even root cannot enter it
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))

    [check] = deepface.check_weights()

    assert check.status is Status.WARNING
    assert "cannot be read (Not a directory)" in check.detail
    assert "DEEPFACE_HOME" in check.cure


def write_metadata(folder: Path, name: str, text: str) -> None:
    """Lay what pip wrote of a package over what it really wrote."""
    place = folder / f"{name}.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(text)


@pytest.mark.parametrize(
    ("backend", "metadata", "detail", "cure"),
    [
        ("nonsense", "", "nonsense not installed", "unset KERAS_BACKEND, or set it to one of tensorflow, jax, torch"),
        ("jax", "", "jax not installed", pip("install jax")),
        (None, "Name: keras\nVersion: 2.15.0\n", "keras 2.15.0 is too old; 3 is needed", KERAS_CURE),
    ],
    ids=["nonsense", "absent", "old"],
)
def test_a_keras_that_cannot_work(backend: str | None, metadata: str, detail: str, cure: str, tmp_path: Path) -> None:
    if backend == "jax" and find_spec("jax"):
        pytest.skip("JAX is installed")
    if metadata:
        write_metadata(tmp_path, "keras-2.15.0", metadata)

    env = {**overlay(tmp_path), "KERAS_BACKEND": backend}
    for checks in (examine(env=env)[1], {"Keras": json.loads(run("backends", "--format", "json", env=env).stdout)[2]}):
        assert detail in checks["Keras"]["detail"]
        assert checks["Keras"]["cure"] == cure


def test_a_package_whose_metadata_is_gone_is_broken(tmp_path: Path) -> None:
    write_metadata(tmp_path, "rich-15.0.0", "")

    _, checks = examine(env=overlay(tmp_path))

    assert checks["packages"]["detail"] == "rich is broken"
    assert checks["packages"]["cure"] == pip("install --force-reinstall --no-deps 'rich>=13.7'")


def test_a_missing_opencv_gets_the_one_cure_that_makes_no_new_fault(monkeypatch: pytest.MonkeyPatch) -> None:

    def version_of(name: str) -> str:
        if name in ("opencv-python", "pillow", "scipy"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("emodetect.doctor.packages.version", version_of)

    check, other = packages.check_packages()

    assert (check.status, check.detail) == (Status.FAULT, "opencv-python is missing, pillow is missing")
    assert check.cure == f"{OPENCV_CURE} && " + pip("install 'pillow>=12.2'")
    assert (other.status, other.detail) == (Status.WARNING, "not installed: scipy (train and evaluate)")
    assert other.cure == pip("install 'scipy>=1.13'")


def test_without_metadata_the_requirements_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", unknown)
    [check] = packages.check_packages()
    assert (check.status, check.cure) == (Status.WARNING, EMODETECT_CURE)


def test_a_newer_python_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_NEWEST", (3, 9))
    [check] = packages.check_python()
    assert (check.status, check.cure) == (Status.WARNING, "use Python 3.9 where something fails")


def test_one_library_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing, words in ((["libGL.so.1"], "library libGL.so.1 is"), (["libX.so", "libY.so"], "libraries libX.so, libY.so are")):
        monkeypatch.setattr(opencv, "_missing_libraries", lambda folder, missing=missing: missing)
        assert opencv._cannot_be_imported(ImportError(), None).detail.endswith(f"the system {words} missing")


def test_a_platform_that_qt_has_no_plugin_for() -> None:
    _, checks = examine(env={"QT_QPA_PLATFORM": "wayland"})

    assert checks["windows"]["status"] == "fault"
    assert checks["windows"]["cure"] == "unset QT_QPA_PLATFORM"


@pytest.mark.parametrize("content", ["x = [", "nonsense = 1", None], ids=["no TOML", "no option", "unreadable"])
def test_a_configuration_file_that_is_wrong_is_a_fault_and_stops_no_shell(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "emodetect" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xff" if content is None else content.encode())
    env: dict[str, str | None] = {"XDG_CONFIG_HOME": str(tmp_path), "DISPLAY": None}

    _, checks = examine(env=env)
    completion, config = run("completion", "bash", env=env), run("config", env=env)

    assert checks["configuration"]["status"] == "fault"
    assert str(path) in checks["configuration"]["detail"]
    assert (completion.returncode, completion.stderr) == (0, "")
    assert (config.returncode, config.stdout) == (2, f"{path}\n")
    assert run("cameras", env=env).returncode == 2


@pytest.mark.parametrize(("platform", "word"), [("darwin", "System Settings"), ("win32", "Settings"), ("linux", "group video")])
def test_the_cure_for_no_camera_is_the_systems(platform: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert word in cameras._cure()


class TestWheels:
    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opencv, "_installed", lambda name: None)
        [by_another_way] = opencv.check_wheels()
        monkeypatch.setattr("emodetect.doctor.opencv.find_spec", lambda name: None)
        [none] = opencv.check_wheels()

        assert by_another_way.status is Status.OK
        assert (none.status, none.cure) == (Status.FAULT, OPENCV_CURE)

    def test_two_of_which_one_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wheel = opencv._installed("opencv-python")
        monkeypatch.setattr(opencv, "_installed", lambda name: wheel if name.startswith("opencv-python") else None)

        [check] = opencv.check_wheels()

        assert (check.status, check.cure) == (Status.WARNING, OPENCV_CURE)
        assert "overwrite each other's files" in check.detail

    def test_one_whose_files_are_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opencv, "_is_intact", lambda path: False)
        [check] = opencv.check_wheels()
        assert (check.status, check.cure) == (Status.FAULT, OPENCV_CURE)


def test_an_opencv_that_has_no_cascades_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    [check] = opencv.check_import()
    assert (check.status, check.cure) == (Status.WARNING, OPENCV_CURE)


@pytest.mark.parametrize(("package", "said"), [("keras", "keras is broken"), ("tensorflow", "tensorflow is broken")])
def test_a_package_of_which_nothing_but_the_metadata_is_left(package: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.doctor.keras.find_spec", lambda name: name != package)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    [check] = keras.check_keras()
    assert (check.status, check.detail, check.cure) == (Status.FAULT, said, package_cure(package))
    assert "--force-reinstall" in check.cure


def test_a_keras_2_that_is_missing_or_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = keras.check_keras2()
    monkeypatch.setattr("emodetect.doctor.keras.find_spec", lambda name: None)
    [broken] = keras.check_keras2()
    monkeypatch.setattr("emodetect.doctor.keras.is_installed", lambda name: False)
    [missing] = keras.check_keras2()

    assert (found.status, found.detail) == (Status.OK, f"tf-keras {version('tf-keras')}")
    assert (broken.status, broken.detail, broken.cure) == (Status.FAULT, "tf-keras is broken", package_cure("tf_keras"))
    assert (missing.status, missing.cure) == (Status.WARNING, KERAS2_CURE)


def test_cameras_and_a_display_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_list, "list_cameras", lambda: [camera_list.Camera(0, "Integrated Camera", "V4L2", 200)])
    monkeypatch.setattr(display, "display_problem", lambda: None)
    monkeypatch.setenv("DISPLAY", ":7")

    [camera], [check] = cameras.check_cameras(), display.check_display()

    assert (camera.status, camera.detail) == (Status.OK, "0: Integrated Camera (V4L2)")
    assert (check.status, check.detail) == (Status.OK, ":7")


def test_a_cascade_or_network_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "checksum", refuse)
    for [check] in (files.check_cascade(), files.check_network()):
        assert check.status is Status.FAULT
        assert check.detail.endswith("cannot be read (Permission denied)")

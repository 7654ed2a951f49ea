"""Entry points of files: for each, valid seed files and the function that reads a file.

Heavy packages are imported inside the functions, in the process that is allowed to crash.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Door:
    """An entry point of files.

    Attributes:
        make: writes valid files into a folder.
        let_in: reads a file with emodetect; returns an exit code or nothing, or raises.
    """

    make: Callable[[Path], list[Path]]
    let_in: Callable[[Path], Any]


def _emodetect(*arguments: str | Path) -> Any:
    """Run the command line in this process."""
    from emodetect.cli.group import cli

    return cli.main([str(argument) for argument in arguments], standalone_mode=False)


def _portrait() -> Any:
    """The face in the example photo, uint8 (200, 180, 3)."""
    import cv2

    return cv2.imread(str(ROOT / "examples" / "astronaut.jpg"))[20:220, 130:310]


def _make_pictures(folder: Path) -> list[Path]:
    import cv2
    import numpy as np

    portrait = _portrait()
    kinds: dict[str, tuple[Any, list[int]]] = {
        "plain.jpg": (portrait, []),
        "progressive.jpg": (portrait, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4]),
        "plain.png": (portrait, []),
        "deep.png": (portrait.astype(np.uint16) * 257, []),
        "clear.png": (cv2.cvtColor(portrait, cv2.COLOR_BGR2BGRA), []),
        "plain.bmp": (portrait, []),
        "plain.webp": (portrait, [cv2.IMWRITE_WEBP_QUALITY, 80]),
        "lossless.webp": (portrait, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        "lzw.tiff": (portrait, [cv2.IMWRITE_TIFF_COMPRESSION, 5]),
        "deflate.tiff": (portrait, [cv2.IMWRITE_TIFF_COMPRESSION, 8]),
        **{f"plain.{suffix}": (portrait, []) for suffix in ("gif", "jp2", "ppm", "pam", "ras", "avif")},
        "plain.pgm": (portrait[..., 0], []),
        "plain.hdr": (portrait.astype(np.float32) / 255, []),
        "plain.pfm": (portrait.astype(np.float32) / 255, []),
    }
    for name, (picture, options) in kinds.items():
        if not cv2.imwrite(str(folder / name), picture, options):
            raise RuntimeError(f"OpenCV cannot write {name}")
    return [folder / name for name in kinds]


def _make_crops(folder: Path) -> list[Path]:
    import cv2

    crop = cv2.resize(_portrait()[40:150, 40:150], (48, 48))
    paths = [folder / f"crop.{suffix}" for suffix in ("png", "jpg", "bmp")]
    for path in paths:
        cv2.imwrite(str(path), crop)
    return paths


def _judge_crop(path: Path) -> Any:
    data = path.parent / "data"
    (data / "happy").mkdir(parents=True, exist_ok=True)
    crop = shutil.copy(path, data / "happy" / path.name)
    try:
        return _emodetect("evaluate", "--data", data, "--format", "json")
    finally:
        Path(crop).unlink()


def _make_clips(folder: Path) -> list[Path]:
    import imageio_ffmpeg

    from tests.builders import make_background, place_face, write_clip

    background = make_background((200, 160))
    plain = write_clip(folder / "plain.mp4", [place_face(background, (80 + 3 * i, 85), 70)[0] for i in range(12)])
    kinds = {
        "fragmented.mp4": ["-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov"],
        "sound.mov": ["-f", "lavfi", "-i", "sine", "-shortest", "-c:v", "libx264", "-c:a", "aac"],
        "plain.mkv": ["-c:v", "libx264"],
        "plain.webm": ["-c:v", "libvpx"],
        "mjpeg.avi": ["-c:v", "mjpeg"],
        "mpeg4.avi": ["-c:v", "mpeg4"],
        "plain.ts": ["-c:v", "mpeg2video"],
        "plain.flv": ["-c:v", "flv"],
        "plain.gif": [],
    }
    for name, options in kinds.items():
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-nostdin", "-i", str(plain)]
        subprocess.run([*command, *options, str(folder / name)], check=True)
    return [plain, *(folder / name for name in kinds)]


def _make_onnx(folder: Path) -> list[Path]:
    import onnx

    from emodetect.backends.onnx_session import EMBEDDED
    from tests.backends.test_model_safety import save_external

    (folder / "w.bin").write_bytes(bytes(28))
    graph = onnx.load(save_external(folder / "external.onnx", "w.bin"))
    onnx.save(graph, folder / "small.onnx", save_as_external_data=False)
    (folder / "external.onnx").unlink()
    return [folder / "small.onnx", Path(shutil.copy(EMBEDDED, folder / "embedded.onnx"))]


def _make_keras(suffix: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        from tests.model_files import known_order_model, tutorial_model

        models = {"tutorial": tutorial_model(), "bright": known_order_model(7)}
        for name, model in models.items():
            model.save(folder / f"{name}{suffix}")
        return [folder / f"{name}{suffix}" for name in models]

    return make


def _read_with(path: Path) -> Any:
    return _emodetect("image", ROOT / "examples" / "astronaut.jpg", "--no-verify", "--model", path)


def _make_labels(folder: Path) -> list[Path]:
    """Write the metadata of the embedded network, including its labels."""
    import onnx

    from emodetect.backends.metadata import KEY
    from emodetect.backends.onnx_session import EMBEDDED

    text = next(entry.value for entry in onnx.load(EMBEDDED).metadata_props if entry.key == KEY)
    (folder / "labels.json").write_text(json.dumps(json.loads(text), indent=1))
    return [folder / "labels.json"]


def _read_labels(path: Path) -> Any:
    import onnx

    from emodetect.backends.metadata import KEY
    from emodetect.backends.onnx_session import EMBEDDED

    graph = onnx.load(EMBEDDED)
    for entry in graph.metadata_props:
        if entry.key == KEY:
            entry.value = path.read_bytes().decode(errors="replace")
    model = path.with_suffix(".onnx")
    onnx.save(graph, model)
    return _read_with(model)


def _make_data(folder: Path) -> list[Path]:
    from tests.training.data_sets import write_fer2013_csv

    return [write_fer2013_csv(folder / "fer2013.csv", train=1, test=1)]


def _read_data(path: Path) -> None:
    from emodetect.training.data.dataset import read_data_set

    read_data_set(path)


def _make_votes(folder: Path) -> list[Path]:
    from tests.training.data_sets import write_data_set, write_votes

    return [write_votes(folder / "votes.csv", write_data_set(folder, train=1, test=1))]


def _read_votes(path: Path) -> Any:
    from tests.training.data_sets import write_data_set

    if not (path.parent / "test").is_dir():
        write_data_set(path.parent, train=1, test=1)
    return _emodetect("evaluate", "--data", path.parent / "test", "--votes", path, "--format", "json")


def _baseline() -> Any:
    import keras

    from emodetect.training.architectures import architecture_named

    architecture = architecture_named("baseline")
    model = architecture.build(architecture.heads[:1])
    model.compile(architecture.optimizer(1, 1), loss="categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    assert isinstance(model, keras.Model)
    return model


def _make_run(folder: Path) -> list[Path]:
    from emodetect.backends.keras_import import import_keras
    from emodetect.training.hyperparameters import Settings
    from tests.training.data_sets import write_data_set

    import_keras()
    from emodetect.training.checkpoint import Checkpoint

    data = write_data_set(folder / "data", train=2, test=1)
    Settings(str(data), None, "baseline", 3, teachers=("a.onnx",)).save(folder)
    (folder / "log.csv").write_text("epoch,loss,accuracy,val_loss,val_fer2013,seconds\n1,1.5,0.4,1.4,0.5,10\n2,1.2,0.5,1.1,,9\n")
    Checkpoint(folder / "checkpoint.npz").save(_baseline(), [], 2, 0.5)
    return [folder / "settings.json", folder / "log.csv", folder / "checkpoint.npz"]


def _resume(path: Path) -> None:
    from emodetect.backends.keras_import import import_keras
    from emodetect.training.history import read_log
    from emodetect.training.hyperparameters import Settings

    import_keras()
    from emodetect.training.data.run_data import prepare

    from emodetect.training.architectures import architecture_named
    from emodetect.training.checkpoint import Checkpoint

    if path.name == "log.csv":
        read_log(path)
    elif path.name == "settings.json":
        settings = Settings.load(path.parent)
        prepare(settings, architecture_named(settings.architecture))
    else:
        Checkpoint(path).restore(_baseline(), None)


def _make_cascade(folder: Path) -> list[Path]:
    from emodetect.faces.haar import default_cascade

    return [Path(shutil.copy(default_cascade(), folder))]


def _detect_with(path: Path) -> Any:
    return _emodetect("image", ROOT / "examples" / "astronaut.jpg", "--no-verify", "--cascade", path)


CONFIGURATIONS = {
    "shared": r"""
# 1979-05-27T07:32:00Z, 07:32:00, nan: what no option takes
backend = "cnn"
model = 'fer2013'
labels = "happy,sad\u002cfear"
max-pixels = 0x1000
min_neighbors = +5
seed = 1_000
scale-factor = 1.1e0
smoothing = inf
verify = false
""",
    "tables": r'''
[live]
source = "rtsp://user:password@127.0.0.1/a"
min-face = "10%"
mirror = true
duration = 2.5
[video]
start = "7:32"
roi = """50%,0,
50%,100%"""
[train]
epochs = 0o17
teacher = ['a.onnx', "b.onnx",]
''',
    "odd": r"""
live.source = 1
live.smoothing = 1 # [[live]]
bench = { rounds = 1, model = ["fer2013"] }
"video"."\u0065very" = 3
[train]
teacher = []
validation-share = 1e-1
""",
}
"""All kinds of TOML values and tables."""


def _make_configurations(folder: Path) -> list[Path]:
    for name, text in CONFIGURATIONS.items():
        (folder / f"{name}.toml").write_text(text)
    return [folder / f"{name}.toml" for name in CONFIGURATIONS]


def _configure(path: Path) -> int:
    """Parse a configuration file with all commands, without running them."""
    import click

    from emodetect.cli.configuration import settings_of_all
    from tests.cli.parsing import parse

    try:
        for arguments in (["live"], ["bench"], ["train"], ["video", "a.mp4"]):
            parse(*arguments, "--config", str(path))
        settings_of_all(parse("config", "--config", str(path)))
    except click.ClickException:
        return 1
    return 0


DOORS = {
    "image": Door(_make_pictures, lambda path: _emodetect("image", path, "--format", "json")),
    "crop": Door(_make_crops, _judge_crop),
    "clip": Door(_make_clips, lambda path: _emodetect("video", path, "--log", path.parent / "log.csv", "--overwrite")),
    "onnx": Door(_make_onnx, _read_with),
    "h5": Door(_make_keras(".h5"), _read_with),
    "keras": Door(_make_keras(".keras"), _read_with),
    "labels": Door(_make_labels, _read_labels),
    "data": Door(_make_data, _read_data),
    "votes": Door(_make_votes, _read_votes),
    "run": Door(_make_run, _resume),
    "cascade": Door(_make_cascade, _detect_with),
    "config": Door(_make_configurations, _configure),
}

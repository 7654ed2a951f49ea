"""Small values and files to test with, built in one place."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typing_extensions import override

from emodetect.backends.base import EmotionBackend
from emodetect.media.encoder import VideoEncoder
from emodetect.types import EMOTIONS, Box, Detection, Emotion, EmotionScores, Face, FaceReading, Frame, FrameResult, Image

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(cv2.__file__).parents[1]
"""Where the packages of this environment are."""

PHOTO = ROOT / "examples" / "astronaut.jpg"
PHOTO_FACE = Box(177, 66, 94, 94)
"""Where the one face of `PHOTO` (512x512) is; the cascade agrees within a few pixels at every reduction."""

NETWORK_FACE = Box(163, 55, 122, 122)
"""Where the network, and so the default detector, draws the face of `PHOTO`, within a few pixels."""

SHARED_DATA = ROOT.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """A file of the development data; skips the test where it is absent, as on a user's machine."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"development data {name} is not on this machine")
    return path


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the processes of pytest-xdist fills, while the others that need it wait.

    Args:
        factory: pytest's fixture.
        name: name of the folder.
        make: fills it; called again in the next process if it fails.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(f"{folder}.lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not lock.read():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            lock.write("made")
    return folder


def make_box(x: int = 100, y: int = 60, width: int = 80, height: int = 90) -> Box:
    """A box whose four numbers all differ, so that a swap shows."""
    return Box(x, y, width, height)


def make_detection(x: int = 100, y: int = 60, side: int = 80, confidence: float = 2.0) -> Detection:
    """A square detection, sure enough to be believed at once."""
    return Detection(Box(x, y, side, side), confidence)


def make_scores(dominant: Emotion = Emotion.HAPPY, confidence: float = 0.7) -> EmotionScores:
    """Scores with this winner; the rest falls from label to label, so that no two are alike."""
    others = [emotion for emotion in EMOTIONS if emotion is not dominant]
    weights = np.arange(len(others), 0, -1, dtype=np.float64)
    rest = dict(zip(others, (1 - confidence) * weights / weights.sum(), strict=True))
    return EmotionScores(np.asarray([rest.get(emotion, confidence) for emotion in EMOTIONS], np.float32))


def make_reading(
    box: Box | None = None,
    track_id: int = 1,
    dominant: Emotion = Emotion.HAPPY,
    confidence: float = 0.7,
    *,
    uncertain: bool = False,
) -> FaceReading:
    """A face that has been read."""
    return FaceReading(box or make_box(), track_id, make_scores(dominant, confidence), uncertain)


def make_result(*readings: FaceReading, index: int = 0, timestamp: float = 0.0) -> FrameResult:
    """A frame's result; without readings, one in which nobody was found."""
    return FrameResult(index, timestamp, readings)


def make_face(box: Box | None = None, track_id: int = 1) -> Face:
    """A face that has a number and has not been read."""
    return Face(box or make_box(), track_id)


def make_landmarks(x: float, y: float, side: float, angle: float = 0.0, nose: float = 0.0) -> npt.NDArray[np.float32]:
    """Landmarks of a face as FER-2013 frames it.

    Args:
        x: the middle of its crop, pixels.
        y: the same, downwards.
        side: of the crop, pixels.
        angle: by which it leans clockwise, degrees.
        nose: how far the nose is moved across the face, in shares of the crop's side.
    """
    shares = (
        np.asarray([(0.322, 0.393), (0.664, 0.389), (0.494 + nose, 0.608), (0.498, 0.765), (0.148, 0.478), (0.87, 0.465)]) - 0.5
    )
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.asarray(side * shares @ np.asarray([[c, s], [-s, c]]) + (x, y), np.float32)


def make_image(width: int = 64, height: int = 48, color: tuple[int, int, int] = (40, 80, 120)) -> Image:
    """A picture of one color, BGR; wider than high, so that a swap shows."""
    return np.full((height, width, 3), color, np.uint8)


def make_frame(image: Image | None = None, index: int = 0, timestamp: float = 0.0) -> Frame:
    """A frame; of one color if no picture is given."""
    return Frame(make_image() if image is None else image, index, timestamp)


class FakeBackend(EmotionBackend):
    """Answers without a model: what ``answer`` says for each crop; remembers the batches it was given."""

    name = "fake"
    uncertain_below = 0.5

    def __init__(self, dominant: Emotion = Emotion.HAPPY, confidence: float = 0.7) -> None:
        self.dominant, self.confidence = dominant, confidence
        self.batches: list[list[Image]] = []
        self.closed = 0

    def answer(self, crop: Image) -> EmotionScores:
        """The scores of one crop; the same for all unless overridden."""
        return make_scores(self.dominant, self.confidence)

    @override
    def classify(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        self.batches.append([crop.copy() for crop in crops])
        return np.asarray([self.answer(crop).values for crop in crops], np.float32).reshape(-1, len(EMOTIONS))

    @override
    def close(self) -> None:
        self.closed += 1


def write_plugin(
    folder: Path, module: str, source: str, entry_points: Mapping[str, str], group: str = "emodetect.backends"
) -> None:
    """Leave an installed package in a folder, as pip does, that brings backends or something else along.

    Args:
        folder: what is put on the path.
        module: the package's name and its only module's.
        source: the module's text.
        entry_points: where each factory is, by the name of what it makes.
        group: what it brings along.
    """
    (folder / f"{module}.py").write_text(source)
    facts = folder / f"{module}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in entry_points.items()]
    (facts / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))


@dataclass(frozen=True)
class MovingClip:
    """A clip of one face that moves over a plain background.

    Attributes:
        path: the file, H.264 without sound.
        boxes: the true face of each frame, as a cascade draws it.
        frames_per_second: the constant rate.
        size: width and height, pixels.
    """

    path: Path
    boxes: tuple[Box, ...]
    frames_per_second: float
    size: tuple[int, int]


def write_clip(path: Path, images: Iterable[Image], frames_per_second: float = 25.0) -> Path:
    """Encode pictures of one size as H.264."""
    encoder: VideoEncoder | None = None
    for image in images:
        if encoder is None:
            encoder = VideoEncoder(path, (image.shape[1], image.shape[0]), frames_per_second)
        encoder.write(image)
    if encoder is None:
        raise ValueError("expected at least one picture")
    encoder.close()
    return path


def make_background(size: tuple[int, int], seed: int = 5) -> Image:
    """A wall with a soft texture in which a cascade sees no face."""
    width, height = size
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 12))
    texture = 14 * soft / np.abs(soft).max() + 2 * noise
    return np.asarray(np.clip(np.asarray([150, 158, 164]) + texture[..., np.newaxis], 0, 255), np.uint8)


def place_face(background: Image, center: tuple[float, float], side: float) -> tuple[Image, Box]:
    """The photo's head pasted with its face at this center and of this size.

    Args:
        background: uint8 (height, width, 3) BGR; left as it is.
        center: the middle of the face, pixels.
        side: the side of the face, pixels.

    Returns:
        The picture, and the face's box in it.
    """
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    # The head with some shoulder, its rim faded so that the paste has no edges of its own.
    mask = np.zeros(photo.shape[:2], np.float32)
    cv2.ellipse(mask, (226, 105), (92, 98), 0, 0, 360, 1.0, cv2.FILLED)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 6), np.float32)
    scale = side / PHOTO_FACE.width
    middle = PHOTO_FACE.x + PHOTO_FACE.width / 2, PHOTO_FACE.y + PHOTO_FACE.height / 2
    move = np.asarray([[scale, 0, center[0] - scale * middle[0]], [0, scale, center[1] - scale * middle[1]]])
    size = background.shape[1], background.shape[0]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    moved = cv2.warpAffine(photo, move, size, flags=method).astype(np.float32)
    share = cv2.warpAffine(mask, move, size, flags=method)[..., np.newaxis]
    picture = (moved * share + background * (1 - share)).astype(np.uint8)
    left, top = round(center[0] - side / 2), round(center[1] - side / 2)
    return picture, Box(left, top, round(side), round(side))


def as_network(face: Box) -> Box:
    """The box that the network draws of the photo's face where a cascade draws this one."""
    scale = face.width / PHOTO_FACE.width
    x, y = face.x + scale * (NETWORK_FACE.x - PHOTO_FACE.x), face.y + scale * (NETWORK_FACE.y - PHOTO_FACE.y)
    return Box(round(x), round(y), round(scale * NETWORK_FACE.width), round(scale * NETWORK_FACE.height))


def write_moving_clip(path: Path, frame_count: int = 75, frames_per_second: float = 25.0) -> MovingClip:
    """A clip of 640x360 in which the photo's face wanders from left to right, comes nearer and goes away again."""
    size = 640, 360
    background = make_background(size)
    pictures, boxes = [], []
    for index in range(frame_count):
        part = index / max(1, frame_count - 1)
        center = 150 + 330 * part, 175 + 25 * np.sin(2 * np.pi * part)
        picture, box = place_face(background, (center[0], float(center[1])), 84 + 40 * float(np.sin(np.pi * part)))
        pictures.append(picture)
        boxes.append(box)
    return MovingClip(write_clip(path, pictures, frames_per_second), tuple(boxes), frames_per_second, size)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own in memory; skips the test where mounting is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def overlay(folder: Path, **modules: str) -> dict[str, str | None]:
    """The environment of a run that finds modules with these texts in place of the installed ones."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "src")])}


def absent(name: str) -> str:
    """The text of a module that is as good as not installed."""
    return f"raise ModuleNotFoundError(\"No module named '{name}'\", name={name!r})"


def link_or_copy(source: str, target: str) -> None:
    """As `shutil.copytree` wants it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def copy_package(target: Path) -> Path:
    """A copy of emodetect's checkout; its source folder, to be put on the path."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", target / "src", copy_function=link_or_copy, ignore=ignored)
    shutil.copytree(ROOT / "haarcascades", target / "haarcascades", copy_function=link_or_copy)
    return target / "src"


def copy_opencv(target: Path) -> None:
    """A copy of this environment's OpenCV wheel, as pip left it."""
    for name in ("cv2", "opencv_python.libs", f"opencv_python-{version('opencv-python')}.dist-info"):
        if (SITE / name).exists():
            shutil.copytree(SITE / name, target / name, copy_function=link_or_copy)

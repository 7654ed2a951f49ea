"""Reader of photos and clips in a worker."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.batch.inputs import Kind, reason
from emodetect.batch.parts import clip_part
from emodetect.batch.reduction import full_size, reduction_for, reduction_of_crops, upright_size
from emodetect.batch.remote import fetched, is_remote
from emodetect.batch.rows import lines
from emodetect.batch.settings import BatchSettings
from emodetect.errors import BackendError, BackendUnavailableError, EmodetectError, OutputError, SourceError
from emodetect.faces.alignment import aligned_crop
from emodetect.pipeline import EmotionPipeline, LocatedFrame, build_pipeline
from emodetect.sources.images import decode_image, read_image_file
from emodetect.sources.video import VideoFile
from emodetect.system.allocator import keep_freed_memory
from emodetect.system.assumptions import ASSUMPTIONS, warn_once
from emodetect.system.native_output import quiet_native_output
from emodetect.system.output_files import atomic_write
from emodetect.text.printable import without_credentials
from emodetect.types import Frame, Image

_PROGRESS_SECONDS = 0.5
"""Interval between progress messages of a clip."""

_CHUNK = 2**20


@dataclass
class Reading:
    """Result of an input.

    Attributes:
        hash: SHA-256 of its content, in hexadecimal; empty if it could not be read.
        lines: a photo's readings, as JSON lines without a path.
        length: length of the readings, bytes.
        frames: number of frames read.
        faces: number of faces read in them.
        notes: assumptions.
        error: why it cannot be read; None if it was.
    """

    hash: str = ""
    lines: str = ""
    length: int = 0
    frames: int = 0
    faces: int = 0
    notes: list[str] = field(default_factory=list)
    error: str | None = None


class Reader:
    """Reads inputs with a loaded pipeline.

    Args:
        settings: settings of the batch.
        parts: the folder for the readings of clips.

    Raises:
        EmodetectError: the pipeline cannot be built or loaded.
    """

    def __init__(self, settings: BatchSettings, parts: Path) -> None:
        # A photo on which the backend fails is a failure; some frames of a clip may have no scores.
        self._settings = replace(settings, photos=replace(settings.photos, max_failures=1))
        self._parts = parts
        # One thread per worker, since the workers share the cores; this also bounds the memory.
        cv2.setNumThreads(1)
        keep_freed_memory()
        self._photos = self._load()

    def _load(self) -> EmotionPipeline:
        return build_pipeline(self._settings.photos).__enter__()

    def close(self) -> None:
        """Unload the pipeline."""
        self._photos.__exit__(None, None, None)

    def hash(self, path: str) -> Reading:
        """Compute the SHA-256 of a file's content."""
        with _noted() as reading, _failures(reading, path), _local(path, reading) as file:
            reading.hash = hash_file(file)
        return reading

    def read(self, path: str, kind: Kind, on_progress: Callable[[int], object]) -> Reading:
        """Read a photo or a clip.

        Args:
            path: path of the file.
            kind: its kind.
            on_progress: called with the number of frames of a clip read so far, about twice per second.
        """
        with _noted() as reading, _failures(reading, path), _local(path, reading) as file:
            try:
                if kind == "photo":
                    self._read_photo(file, reading)
                else:
                    self._read_clip(file, reading, on_progress)
            except BackendError:
                self.close()  # the backend has failed; the next input loads another one
                self._photos = self._load()
                raise
        return reading

    def _read_photo(self, path: Path, reading: Reading) -> None:
        content = read_image_file(path)
        reading.hash = hashlib.sha256(content.data).hexdigest()
        result = self._photos.classify(self._located(path, content), name=str(path))
        text = lines(result, is_photo=True)
        reading.lines, reading.length = text.decode(), len(text)
        reading.frames, reading.faces = 1, len(result.readings)

    def _located(self, path: Path, content: npt.NDArray[np.uint8]) -> LocatedFrame:
        """Find the faces of a photo in a reduced image, and crop them from one that is large enough."""
        settings, stored = self._settings.photos, full_size(content)
        reduction = reduction_for(stored, settings)
        with quiet_native_output():
            image = decode_image(path, content, reduction)
        frame = Frame(image)
        located, size = self._photos.locator.locate(frame), _size(image)
        finer = reduction_of_crops(located.faces, reduction, settings)
        if finer < reduction:
            with quiet_native_output():
                image = decode_image(path, content, finer)
            located, size = located.scaled(size, _size(image)), _size(image)
        crops = [aligned_crop(image, face) for face in located.faces]
        return LocatedFrame(frame, located.scaled(size, upright_size(stored, size)) if stored else located, crops)

    def _read_clip(self, path: Path, reading: Reading, on_progress: Callable[[int], object]) -> None:
        """Write the readings of a clip to its part, unless an earlier run has done so before it was killed."""
        reading.hash = hash_file(path)
        part = self._parts / clip_part(bytes.fromhex(reading.hash))
        if not part.exists():
            with (
                atomic_write(part) as partial,
                partial.open("wb") as file,
                VideoFile(path, self._settings.part, threads=1) as clip,
            ):
                pipeline = build_pipeline(self._settings.clips, self._photos.scorer.backend)
                reported = time.monotonic()
                for frames, (_, result) in enumerate(pipeline.analyze_all(clip, read_ahead=False), start=1):
                    file.write(lines(result, is_photo=False))
                    if time.monotonic() - reported > _PROGRESS_SECONDS:
                        reported = time.monotonic()
                        on_progress(frames)
                if clip.file.has_changed:
                    raise SourceError(f"{path}: was written to while it was read; read it again once it is complete")
        reading.length = part.stat().st_size
        reading.frames, reading.faces = _count(part)


def _size(image: Image) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        SourceError: the file cannot be read.
    """
    hashed = hashlib.sha256()
    try:
        if not os.path.isfile(path):
            raise SourceError(f"{path}: is not a file" if os.path.exists(path) else f"{path}: no such file")
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return hashed.hexdigest()


def _count(part: Path) -> tuple[int, int]:
    """Number of frames and faces in a clip's part."""
    frames = faces = 0
    last = None
    with part.open("rb") as file:
        for line in file:
            row = json.loads(line)
            frames += row["frame"] != last
            last = row["frame"]
            faces += row["person"] is not None
    return frames, faces


@contextmanager
def _local(path: str, reading: Reading) -> Iterator[Path]:
    """Local file of an input; messages and notes use the input's own name."""
    if not is_remote(path):
        yield Path(path)
        return
    with fetched(path) as file:
        try:
            yield file
        except EmodetectError as error:
            error.args = (reason(error, str(file)).replace(str(file), path),)
            raise
        finally:
            reading.notes[:] = [note.replace(str(file), path) for note in reading.notes]


@contextmanager
def _failures(reading: Reading, path: str) -> Iterator[None]:
    """Record errors as the reading's error, so that the other inputs are still read."""
    try:
        yield
    except (BackendUnavailableError, OutputError):  # not caused by the input
        raise
    except EmodetectError as error:
        reading.error = without_credentials(reason(error, path))
    except MemoryError:
        reading.error = "there is not enough memory for it"
    except Exception as error:
        if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
            reading.error = "there is not enough memory for it"
        else:
            reading.error = f"unexpected {type(error).__name__}: {error}"


class _Notes(logging.Handler):
    """Collects warnings."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.append(record.getMessage())


@contextmanager
def _noted() -> Iterator[Reading]:
    """Create a reading that records the package's warnings in this block as notes."""
    reading = Reading()
    handler, logger = _Notes(reading.notes), logging.getLogger(ASSUMPTIONS.partition(".")[0])
    warn_once.cache_clear()  # the notes must not depend on previous inputs
    logger.addHandler(handler)
    try:
        yield reading
    finally:
        logger.removeHandler(handler)

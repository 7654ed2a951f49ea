"""Annotated copies saved by `emodetect image`."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emodetect.cli.output_paths import check_outputs
from emodetect.errors import OutputError, SourceError

if TYPE_CHECKING:
    from emodetect.drawing.style import Style
    from emodetect.faces.hiding import HiddenFaces
    from emodetect.types import Frame, FrameResult, Image


@dataclass
class Copies:
    """Saves annotated copies of photos.

    Attributes:
        targets: file of each photo's copy.
        style: language and lettering.
        anonymize: anonymization method; None for no anonymization.
        overwrite: whether a copy may replace a file.
    """

    targets: Mapping[Path, Path]
    style: Style | None
    anonymize: str | None
    overwrite: bool
    _hidden: HiddenFaces | None = None

    def save(self, photo: Path, frame: Frame, result: FrameResult) -> Image:
        """Save the copy of a photo, if requested; returns the image to show.

        Raises:
            OutputError: the copy cannot be written.
        """
        from emodetect.drawing.overlay import draw
        from emodetect.media.image_file import write_picture

        shown = self._anonymized(frame, result)
        if photo in self.targets:
            drawn = draw(shown, result.readings, seen=result.seen, style=self.style)
            write_picture(drawn, self.targets[photo], overwrite=self.overwrite)
        return shown

    def _anonymized(self, frame: Frame, result: FrameResult) -> Image:
        if self.anonymize is None:
            return frame.image
        from emodetect.drawing.anonymize import anonymize
        from emodetect.faces.hiding import HiddenFaces

        self._hidden = self._hidden or HiddenFaces()
        return anonymize(frame.image, self._hidden.find(frame, result), self.anonymize)


@contextlib.contextmanager
def enough_memory(path: Path) -> Iterator[None]:
    """Convert a lack of memory to an error of this photo, since the next ones may be smaller."""
    import cv2

    try:
        yield
    except MemoryError:
        raise SourceError(f"{path}: there is not enough memory for it") from None
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            raise
        raise SourceError(f"{path}: there is not enough memory for it") from None


def copy_targets(photos: Sequence[Path], named: str | None, *, alone: bool) -> dict[Path, Path]:
    """File of each annotated copy; ``alone``: a single photo was named."""
    from emodetect.sinks.records import RECORD_SUFFIXES
    from emodetect.sources.images import IMAGE_SUFFIXES

    if named is None or not photos:
        return {}
    output = Path(named)
    if output.suffix.lower() in RECORD_SUFFIXES and not os.path.isdir(output) and not named.endswith(("/", os.sep)):
        raise OutputError(f"{output}: annotated copies are pictures; --log saves readings")
    if alone and not os.path.isdir(output) and not named.endswith(("/", os.sep)):
        if not output.suffix:
            raise OutputError(f"{output}: a file's name ends in {', '.join(IMAGE_SUFFIXES)}, and a folder's in /")
        targets = {photos[0]: output}
    else:
        if os.path.exists(output) and not os.path.isdir(output):
            raise OutputError(f"{output}: is a file; several photos need a folder")
        if output.suffix.lower() in IMAGE_SUFFIXES and not os.path.isdir(output) and not named.endswith(("/", os.sep)):
            raise OutputError(f"{output}: is the name of one photo; several need a folder, whose name ends in /")
        targets = {photo: output / name for photo, name in _copy_names(photos).items()}
        if twice := [target.name for target, count in Counter(targets.values()).items() if count > 1]:
            raise OutputError(f"{output}: several of the photos would be {twice[0]} there; annotate them one at a time")
        try:
            output.mkdir(exist_ok=True)
            for target in targets.values():
                target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be made a folder ({error.strerror})") from error
    return targets


def _copy_names(photos: Sequence[Path]) -> dict[Path, Path]:
    """Names of the copies in their folder; if names repeat, including the folders below the photos' common parent."""
    from emodetect.sources.images import IMAGE_SUFFIXES

    names = {p: Path(p.name if p.suffix.lower() in IMAGE_SUFFIXES else f"{p.name}.png") for p in photos}
    if len(set(names.values())) == len(names):
        return names
    folders = {photo: os.path.abspath(photo.parent) for photo in photos}
    common = os.path.commonpath(folders.values())
    return {photo: Path(os.path.relpath(folders[photo], common)) / name for photo, name in names.items()}


def check_files(
    photos: Sequence[Path], targets: Mapping[Path, Path], sheet: Path | None, log: Path | None, *, overwrite: bool
) -> None:
    """Check that all files can be written and that none of them is an input, before the work starts.

    Raises:
        OutputError: a file cannot be written, or is an input.
    """
    from emodetect.sinks.records import RECORD_SUFFIXES
    from emodetect.sources.images import IMAGE_SUFFIXES
    from emodetect.system.output_files import place_of

    if sheet is not None and place_of(sheet) in {place_of(target) for target in targets.values()}:
        raise OutputError(f"{sheet}: is named by --output, too; choose another name for one of them")
    outputs = [*((path, IMAGE_SUFFIXES) for path in (*targets.values(), sheet)), (log, RECORD_SUFFIXES)]
    check_outputs(outputs, overwrite=overwrite, also_read=[(photo, "the photo itself") for photo in photos])

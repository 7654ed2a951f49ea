"""``emodetect image``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.factories import make_caption_style, make_pipeline, make_style
from emodetect.cli.hints import error_message
from emodetect.cli.image_results import FORMATS, Results, open_results
from emodetect.cli.messages import detail, note, say
from emodetect.cli.options import (
    anonymize_option,
    common_options,
    max_pixels_option,
    overwrite_option,
    pipeline_options,
    style_options,
)
from emodetect.cli.output_paths import check_anonymize, check_outputs
from emodetect.cli.shell_completion import complete_file
from emodetect.cli.types import OUTPUT, OUTPUT_NAME, PHOTO
from emodetect.errors import BackendError, EmodetectError, OutputError, SourceError
from emodetect.settings.pipeline import PHOTOS, PipelineSettings
from emodetect.text.printable import counted, one_line, public_name

if TYPE_CHECKING:
    from emodetect.drawing.contact_sheet import ContactSheet
    from emodetect.drawing.style import Style
    from emodetect.faces.hiding import HiddenFaces
    from emodetect.pipeline import EmotionPipeline
    from emodetect.types import Frame, FrameResult, Image

_MANY = 4
"""Photos from which on progress is shown."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", nargs=-1, required=True, type=PHOTO, metavar="PHOTO|FOLDER|PATTERN...")
@click.option("--format", "output_format", type=click.Choice(FORMATS), default="table", show_default=True,
              help="What is printed; all but the table comes photo by photo.")  # fmt: skip
@click.option("-o", "--output", type=OUTPUT_NAME, metavar="FILE|FOLDER", shell_complete=complete_file,
              help="Save an annotated copy: a file for one photo, a folder (ending in /) for one or several.")  # fmt: skip
@click.option("--sheet", type=OUTPUT, metavar="FILE",
              help="Save a contact sheet: all photos small, with boxes, names and emotions.")  # fmt: skip
@anonymize_option
@overwrite_option
@style_options
@pipeline_options(PHOTOS)
@max_pixels_option()
@common_options
def image(
    named: Sequence[Path | str], output_format: str, output: str | None, sheet: Path | None, anonymize: str | None,
    overwrite: bool, language: str | None, font: Path | None, settings: PipelineSettings,
) -> int:  # fmt: skip
    """Read the emotions off the faces in photos.

    A folder stands for the photos in it, and a pattern in quotes, such as 'trip/**/*.jpg', for those that it matches.

    A photo that cannot be read is reported, the others are still done, and the exit code is then 1.
    """
    from emodetect.cli.progress import progress_bar
    from emodetect.faces.whole_picture import look_like_crops
    from emodetect.media.image_file import write_picture
    from emodetect.sources.images import address_error, find_images

    check_anonymize(anonymize, output or sheet, "--output or --sheet")
    addresses = {name: error for name in named if isinstance(name, str) and (error := address_error(name))}
    paths = [Path(name) for name in named if name not in addresses]
    found, left_out = find_images(paths)
    if left_out:
        kinds = ", ".join(sorted({picture.suffix.lower() for picture in left_out}))
        note(f"emodetect: {counted(len(left_out), 'picture')} left out: {kinds} cannot be read here; export as JPEG")
    photos = [path for path, problem in found.items() if problem is None]
    targets = _targets(photos, output, alone=list(found) == paths[:1] and not addresses)
    _check_files(photos, targets, sheet, overwrite=overwrite)
    style = None if output is None and sheet is None else make_style(language, font)
    contact_sheet = None
    if sheet is not None and style is not None:
        captions = make_caption_style(style, language, (photo.name for photo in photos))
        contact_sheet = _contact_sheet(sheet, len(photos), captions)
    # Rows that come one by one on a terminal would tear the bar apart.
    shows_bar = len(found) >= _MANY and (output_format == "table" or not sys.stdout.isatty())
    with (
        open_results(output_format) as results,
        make_pipeline(settings) as pipeline,
        progress_bar() as progress,
    ):
        run = _Run(pipeline, results, targets, contact_sheet, style, anonymize, overwrite)
        for address, error in addresses.items():
            run.refuse(address, error)
        task = progress.add_task("photos", total=len(found), visible=shows_bar)
        for path, problem in found.items():
            run.add(path, problem)
            progress.advance(task)
            if run.is_given_up:
                break
        if contact_sheet is not None and sheet is not None and run.read:
            write_picture(contact_sheet.image(), sheet, overwrite=overwrite)
        if run.unread and len(photos) > 1 and not run.is_given_up:
            note(f"emodetect: {run.unread:,} of {counted(len(photos), 'photo')} could not be read")
    if look_like_crops(run.faceless):
        hint = f"no face was found in {counted(len(run.faceless), 'picture')}, many of them small and square"
        note(f"emodetect: {hint}; --detector none takes each whole picture for a face")
    return 1 if run.failed else 0


@dataclass
class _Run:
    """Reads photos one after the other, prints their results and saves annotated copies.

    Attributes:
        targets: where each copy goes.
        sheet: the contact sheet that shows them all; None where it is not wanted.
        read: how many photos were read.
        unread: how many could be opened, perhaps, and not be read.
        failed: whether anything went wrong.
        is_given_up: whether the backend failed for good.
        faceless: width and height of the pictures in which no face was found, pixels.
    """

    pipeline: EmotionPipeline
    results: Results
    targets: Mapping[Path, Path]
    sheet: ContactSheet | None
    style: Style | None
    anonymize: str | None
    overwrite: bool
    read: int = 0
    unread: int = 0
    failed: bool = False
    is_given_up: bool = False
    faceless: list[tuple[int, int]] = field(default_factory=list)
    _hidden: HiddenFaces | None = None

    def refuse(self, name: str, error: EmodetectError) -> None:
        """Print and say why a photo of this name is not read."""
        self.results.add({"path": public_name(name), "error": one_line(error_message(error, click.get_current_context()))})
        self._complain(error)

    def add(self, path: Path, problem: EmodetectError | None) -> None:
        """Read a photo, unless there is a problem already."""
        shown, result = None, None
        try:
            if problem is not None:
                raise problem
            frame, result = self._read(path)
            with _enough_memory(path):
                shown = self._without_faces(frame, result)
                self._save_copy(path, shown, result)
        except EmodetectError as error:
            if result is None:
                self.unread += problem is None
                self.refuse(str(path), error)
            else:  # a copy that cannot be saved takes nothing from what was read
                self._complain(error)
            self.is_given_up = isinstance(error, BackendError)
        if self.sheet is not None and os.path.isfile(path):
            self.sheet.add(path.name, shown, result.readings if result and shown is not None else ())

    def _complain(self, error: EmodetectError) -> None:
        self.failed = True
        say(f"emodetect: {error_message(error, click.get_current_context())}")

    def _read(self, path: Path) -> tuple[Frame, FrameResult]:
        from emodetect.sinks.records import image_as_dict
        from emodetect.sources.images import read_image
        from emodetect.system.native_output import quiet_native_output
        from emodetect.types import Frame

        with _enough_memory(path):
            with quiet_native_output():  # libjpeg tells of damage by itself
                frame = Frame(read_image(path))
            height, width = frame.image.shape[:2]
            detail(f"{path}: {width}x{height} pixels")
            result = self.pipeline.analyze(frame, name=str(path))
        for reading in result.readings:
            if reading.turned_away:
                detail(f"{path}: face {reading.track_id} is uncertain: turned too far to the side to be read")
        self.read += 1
        self.results.add(image_as_dict(str(path), (width, height), result.readings))
        if not result.readings:
            self.faceless.append((width, height))
        self.failed |= any(reading.scores is None for reading in result.readings)
        return frame, result

    def _without_faces(self, frame: Frame, result: FrameResult) -> Image:
        """The picture as it may be shown."""
        if self.anonymize is None:
            return frame.image
        from emodetect.drawing.anonymize import anonymize
        from emodetect.faces.hiding import HiddenFaces

        self._hidden = self._hidden or HiddenFaces()
        return anonymize(frame.image, self._hidden.find(frame, result), self.anonymize)

    def _save_copy(self, path: Path, shown: Image, result: FrameResult) -> None:
        from emodetect.drawing.overlay import draw
        from emodetect.media.image_file import write_picture

        if path in self.targets:
            drawn = draw(shown, result.readings, seen=result.seen, style=self.style)
            write_picture(drawn, self.targets[path], overwrite=self.overwrite)


@contextlib.contextmanager
def _enough_memory(path: Path) -> Iterator[None]:
    """Too little memory for one photo is an error of this photo: the others may be smaller."""
    import cv2

    try:
        yield
    except MemoryError:
        raise SourceError(f"{path}: there is not enough memory for it") from None
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            raise
        raise SourceError(f"{path}: there is not enough memory for it") from None


def _targets(photos: Sequence[Path], named: str | None, *, alone: bool) -> dict[Path, Path]:
    """Where each annotated copy goes; ``alone``: a single photo was named."""
    from emodetect.sources.images import IMAGE_SUFFIXES

    if named is None or not photos:
        return {}
    output = Path(named)
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
    """What the copies are called in their folder: with the folders below what all photos have in common if names repeat."""
    from emodetect.sources.images import IMAGE_SUFFIXES

    names = {p: Path(p.name if p.suffix.lower() in IMAGE_SUFFIXES else f"{p.name}.png") for p in photos}
    if len(set(names.values())) == len(names):
        return names
    folders = {photo: os.path.abspath(photo.parent) for photo in photos}
    common = os.path.commonpath(folders.values())
    return {photo: Path(os.path.relpath(folders[photo], common)) / name for photo, name in names.items()}


def _check_files(photos: Sequence[Path], targets: Mapping[Path, Path], sheet: Path | None, *, overwrite: bool) -> None:
    """See before the work starts that all files can be written, and that none of them is a photo to be read.

    Raises:
        OutputError: one of them cannot.
    """
    from emodetect.sources.images import IMAGE_SUFFIXES
    from emodetect.system.output_files import place_of

    if sheet is not None and place_of(sheet) in {place_of(target) for target in targets.values()}:
        raise OutputError(f"{sheet}: is named by --output, too; choose another name for one of them")
    outputs = [(path, IMAGE_SUFFIXES) for path in (*targets.values(), sheet)]
    check_outputs(outputs, overwrite=overwrite, also_read=[(photo, "the photo itself") for photo in photos])


def _contact_sheet(path: Path, count: int, style: Style) -> ContactSheet:
    from emodetect.drawing.contact_sheet import MOST_PHOTOS, ContactSheet

    if count > MOST_PHOTOS:
        rest = counted(count - MOST_PHOTOS, "photo")
        note(f"emodetect: {path}: holds {counted(MOST_PHOTOS, 'photo')}; the last of them go without: {rest}")
    return ContactSheet(count, style)

"""``emodetect image``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.factories import make_caption_style, make_pipeline, make_style
from emodetect.cli.hints import error_message
from emodetect.cli.image_copies import Copies, check_files, copy_targets, enough_memory
from emodetect.cli.image_results import FORMATS, Record, Results, open_results
from emodetect.cli.messages import detail, note, print_message
from emodetect.cli.options import (
    anonymize_option,
    common_options,
    max_pixels_option,
    overwrite_option,
    pipeline_options,
    style_options,
)
from emodetect.cli.output_paths import check_anonymize
from emodetect.cli.shell_completion import complete_file
from emodetect.cli.types import OUTPUT, OUTPUT_NAME, PHOTO
from emodetect.errors import BackendError, EmodetectError, SourceError, UsageError
from emodetect.settings.pipeline import PHOTOS, PipelineSettings
from emodetect.text.printable import counted, one_line, public_name

if TYPE_CHECKING:
    from emodetect.drawing.contact_sheet import ContactSheet
    from emodetect.drawing.style import Style
    from emodetect.pipeline import EmotionPipeline
    from emodetect.sinks.photo_log import PhotoLog
    from emodetect.types import Frame, FrameResult

_MIN_FOR_PROGRESS = 4
"""Minimum number of photos for a progress bar."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", nargs=-1, required=True, type=PHOTO, metavar="PHOTO|FOLDER|PATTERN...")
@click.option("--format", "output_format", type=click.Choice(FORMATS), default="table", show_default=True,
              help="Output format. All formats except the table are printed photo by photo.")  # fmt: skip
@click.option("--log", type=OUTPUT, metavar="FILE",
              help="Save the readings photo by photo: .jsonl or .csv.")  # fmt: skip
@click.option("-o", "--output", type=OUTPUT_NAME, metavar="FILE|FOLDER", shell_complete=complete_file,
              help="Save an annotated copy: a file for one photo, a folder (ending in /) for one or several.")  # fmt: skip
@click.option("--sheet", type=OUTPUT, metavar="FILE",
              help="Save a contact sheet: thumbnails of all photos, with boxes, names and emotions.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="Resume an earlier run: skip the photos in --log and --output.")  # fmt: skip
@anonymize_option
@overwrite_option
@style_options
@pipeline_options(PHOTOS)
@max_pixels_option()
@common_options
def image(
    named: Sequence[Path | str], output_format: str, log: Path | None, output: str | None, sheet: Path | None, resume: bool,
    anonymize: str | None, overwrite: bool, language: str | None, font: Path | None, settings: PipelineSettings,
) -> int:  # fmt: skip
    """Detect the faces in photos and classify their emotions.

    Arguments are photos, folders with photos, and quoted patterns such as 'trip/**/*.jpg'.

    If a photo cannot be read, the others are still processed, and the exit code is 1.
    """
    from emodetect.cli.progress import progress_bar
    from emodetect.faces.whole_picture import look_like_crops
    from emodetect.media.image_file import write_picture
    from emodetect.sources.images import address_error

    check_anonymize(anonymize, output or sheet, "--output or --sheet")
    if resume:
        _check_resume(output_format, log, output, sheet, overwrite=overwrite)
    addresses = {name: error for name in named if isinstance(name, str) and (error := address_error(name))}
    found = _find([Path(name) for name in named if name not in addresses])
    photos = [path for path, problem in found.items() if problem is None]
    targets = copy_targets(photos, output, alone=list(found) == [Path(name) for name in named[:1]] and not addresses)
    check_files(photos, targets, sheet, log, overwrite=overwrite or resume)
    style = None if output is None and sheet is None else make_style(language, font)
    contact_sheet = None if sheet is None or style is None else _contact_sheet(sheet, photos, style, language)
    with ExitStack() as stack:
        results: list[Results | PhotoLog] = [stack.enter_context(open_results(output_format, resume=resume))]
        if log is not None:
            results.append(photo_log := _open_log(stack, log, overwrite=overwrite, resume=resume))
        if resume:
            _skip(found, targets, photo_log if log else None, " and ".join(str(name) for name in (log, output) if name))
        # Lines printed one by one on a terminal would disturb the bar.
        shows_bar = len(found) >= _MIN_FOR_PROGRESS and (output_format == "table" or not sys.stdout.isatty())
        pipeline, progress = stack.enter_context(make_pipeline(settings)), stack.enter_context(progress_bar())
        run = _Run(pipeline, results, Copies(targets, style, anonymize, overwrite), contact_sheet)
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
        note(f"emodetect: {hint}; --detector none treats each whole image as a face")
    return 1 if run.failed else 0


def _check_resume(output_format: str, log: Path | None, output: str | None, sheet: Path | None, *, overwrite: bool) -> None:
    """Check that an earlier run can be resumed.

    Raises:
        UsageError: the options do not allow it.
    """
    if log is None and output is None:
        raise UsageError("--resume requires --log FILE or --output FOLDER of the earlier run")
    if overwrite:
        raise UsageError("--resume and --overwrite cannot be combined")
    for option, is_given in (("--sheet", sheet is not None), ("--format json", output_format == "json")):
        if is_given:
            raise UsageError(f"--resume cannot be combined with {option}, since the skipped photos would be missing")


def _find(paths: Sequence[Path]) -> dict[Path, SourceError | None]:
    """Find the pictures, and print a note about skipped formats."""
    from emodetect.sources.images import find_images

    found, left_out = find_images(paths)
    if left_out:
        kinds = ", ".join(sorted({picture.suffix.lower() for picture in left_out}))
        note(f"emodetect: {counted(len(left_out), 'picture')} left out: {kinds} cannot be read here; export as JPEG")
    return found


def _open_log(stack: ExitStack, path: Path, *, overwrite: bool, resume: bool) -> PhotoLog:
    from emodetect.sinks.photo_log import PhotoLog

    return stack.enter_context(closing(PhotoLog(path, overwrite=overwrite, resume=resume)))


def _skip(found: dict[Path, SourceError | None], targets: dict[Path, Path], log: PhotoLog | None, names: str) -> None:
    """Remove the photos, and their copies, that an earlier run has finished."""
    count = len(found)
    for photo in [photo for photo, problem in found.items() if problem is None]:
        if photo in targets and os.path.isfile(targets[photo]):
            del targets[photo]
        if photo not in targets and (log is None or log.holds(str(photo))):
            del found[photo]
    skipped = f"{counted(count - len(found), 'photo')} of {count:,} skipped, which {names} held already"
    note(f"emodetect: {skipped}; the settings of the earlier run are not compared")


@dataclass
class _Run:
    """Reads photos one by one, prints their results and saves annotated copies.

    Attributes:
        results: receive the results.
        copies: saves the annotated copies.
        sheet: contact sheet of all photos; None for none.
        read: number of photos read.
        unread: number of photos that exist but could not be read.
        failed: whether there was any error.
        is_given_up: whether the backend has failed permanently.
        faceless: width and height of the photos without a face, pixels.
    """

    pipeline: EmotionPipeline
    results: Sequence[Results | PhotoLog]
    copies: Copies
    sheet: ContactSheet | None
    read: int = 0
    unread: int = 0
    failed: bool = False
    is_given_up: bool = False
    faceless: list[tuple[int, int]] = field(default_factory=list)

    def refuse(self, name: str, error: EmodetectError) -> None:
        """Report why a photo of this name is not read."""
        self._record({"path": public_name(name), "error": one_line(error_message(error, click.get_current_context()))})
        self._report_error(error)

    def add(self, path: Path, problem: EmodetectError | None) -> None:
        """Read a photo, unless there is an error already."""
        shown, result = None, None
        try:
            if problem is not None:
                raise problem
            frame, result = self._read(path)
        except EmodetectError as error:
            self.unread += problem is None
            self.is_given_up = isinstance(error, BackendError)
            self.refuse(str(path), error)
        else:
            self._add_result(path, frame, result)
            try:
                with enough_memory(path):
                    shown = self.copies.save(path, frame, result)
            except EmodetectError as error:  # the results remain valid
                self._report_error(error)
        if self.sheet is not None and os.path.isfile(path):
            self.sheet.add(path.name, shown, result.readings if result and shown is not None else ())

    def _record(self, record: Record) -> None:
        for output in self.results:
            output.add(record)

    def _report_error(self, error: EmodetectError) -> None:
        self.failed = True
        print_message(f"emodetect: {error_message(error, click.get_current_context())}")

    def _read(self, path: Path) -> tuple[Frame, FrameResult]:
        from emodetect.sources.images import read_image
        from emodetect.system.native_output import quiet_native_output
        from emodetect.types import Frame

        with enough_memory(path):
            with quiet_native_output():  # libjpeg prints warnings about damage
                frame = Frame(read_image(path))
            height, width = frame.image.shape[:2]
            detail(f"{path}: {width}x{height} pixels")
            return frame, self.pipeline.analyze(frame, name=str(path))

    def _add_result(self, path: Path, frame: Frame, result: FrameResult) -> None:
        """Print and count a photo's result."""
        from emodetect.sinks.records import image_as_dict

        for reading in result.readings:
            if reading.turned_away:
                detail(f"{path}: face {reading.track_id} is uncertain: turned too far to the side to be read")
        height, width = frame.image.shape[:2]
        self._record(image_as_dict(str(path), (width, height), result.readings))
        self.read += 1
        if not result.readings:
            self.faceless.append((width, height))
        self.failed |= any(reading.scores is None for reading in result.readings)


def _contact_sheet(path: Path, photos: Sequence[Path], style: Style, language: str | None) -> ContactSheet:
    from emodetect.drawing.contact_sheet import MAX_PHOTOS, ContactSheet

    captions = make_caption_style(style, language, (photo.name for photo in photos))
    count = len(photos)
    if count > MAX_PHOTOS:
        rest = counted(count - MAX_PHOTOS, "photo")
        note(f"emodetect: {path}: holds {counted(MAX_PHOTOS, 'photo')}; the last of them go without: {rest}")
    return ContactSheet(count, captions)

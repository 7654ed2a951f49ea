"""``emodetect image``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emodetect.cli.factories import make_caption_style, make_pipeline, make_style
from emodetect.cli.hints import error_message
from emodetect.cli.image_results import FORMATS, open_results
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
@max_pixels_option
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
    from emodetect.drawing.anonymize import anonymize as hide_faces
    from emodetect.drawing.overlay import draw
    from emodetect.faces.hiding import HiddenFaces
    from emodetect.faces.whole_picture import look_like_crops
    from emodetect.media.image_file import write_picture
    from emodetect.sinks.records import image_as_dict
    from emodetect.sources.images import address_error, find_images, read_image
    from emodetect.types import Frame

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
    hidden = HiddenFaces() if anonymize else None
    faceless: list[tuple[int, int]] = []
    read = unread = 0
    failed = is_given_up = False
    with (
        open_results(output_format) as results,
        make_pipeline(settings) as pipeline,
        progress_bar() as progress,
    ):
        for address, error in addresses.items():
            failed = True
            text = error_message(error, click.get_current_context())
            results.add({"path": public_name(address), "error": one_line(text)})
            say(f"emodetect: {text}")
        # Rows that come one by one on a terminal would tear the bar apart.
        is_visible = len(found) >= _MANY and (output_format == "table" or not sys.stdout.isatty())
        task = progress.add_task("photos", total=len(found), visible=is_visible)
        for path, problem in found.items():
            shown, result = None, None
            try:
                if problem is not None:
                    raise problem
                with _enough_memory(path):
                    picture = read_image(path)
                    detail(f"{path}: {picture.shape[1]}x{picture.shape[0]} pixels")
                    frame = Frame(picture)
                    result = pipeline.analyze(frame, name=str(path))
                height, width = picture.shape[:2]
                read += 1
                results.add(image_as_dict(str(path), (width, height), result.readings))
                if not result.readings:
                    faceless.append((width, height))
                failed |= any(reading.scores is None for reading in result.readings)
                with _enough_memory(path):
                    shown = picture if hidden is None else hide_faces(picture, hidden.find(frame, result), anonymize or "")
                    if path in targets:
                        write_picture(draw(shown, result.readings, style=style), targets[path], overwrite=overwrite)
            except EmodetectError as error:
                failed, text = True, error_message(error, click.get_current_context())
                if result is None:  # a copy that cannot be saved takes nothing from what was read
                    unread += problem is None
                    results.add({"path": public_name(str(path)), "error": one_line(text)})
                say(f"emodetect: {text}")
                is_given_up = isinstance(error, BackendError)
            if contact_sheet is not None and os.path.isfile(path):
                contact_sheet.add(path.name, shown, result.readings if result and shown is not None else ())
            progress.advance(task)
            if is_given_up:
                break
        if contact_sheet is not None and sheet is not None and read:
            write_picture(contact_sheet.image(), sheet, overwrite=overwrite)
        if unread and len(photos) > 1 and not is_given_up:
            note(f"emodetect: {unread:,} of {counted(len(photos), 'photo')} could not be read")
    if look_like_crops(faceless):
        hint = f"no face was found in {counted(len(faceless), 'picture')}, many of them small and square"
        note(f"emodetect: {hint}; --detector none takes each whole picture for a face")
    return 1 if failed else 0


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

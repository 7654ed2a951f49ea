"""``emodetect image``."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.messages import detail, note, say, show, show_json
from emodetect.cli.options import (
    NAME,
    PATH,
    anonymize_option,
    backend_options,
    check_anonymize,
    common_options,
    complete_file,
    detector_options,
    make_backend,
    make_caption_style,
    make_detector,
    make_style,
    make_verifier,
    max_pixels_option,
    overwrite_option,
    style_options,
)
from emodetect.errors import BackendError, EmodetectError, OutputError
from emodetect.text import counted, csv_cell, one_line, public_name, width

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from emodetect.backends.conventions import ModelConventions
    from emodetect.drawing.style import Style
    from emodetect.sinks.contact_sheet import ContactSheet

_MANY = 4
"""Photos from which on progress is shown."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", nargs=-1, required=True, type=PATH, metavar="PHOTO|FOLDER|PATTERN...")
@click.option("--format", "output_format", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
              help="What is printed.")  # fmt: skip
@click.option("-o", "--output", type=NAME, metavar="FILE|FOLDER", shell_complete=complete_file,
              help="Save an annotated copy: a file for one photo, a folder (ending in /) for one or several.")  # fmt: skip
@click.option("--sheet", type=PATH, metavar="FILE",
              help="Save a contact sheet: all photos small, with boxes, names and emotions.")  # fmt: skip
@anonymize_option
@overwrite_option
@style_options
@backend_options
@detector_options("5%")
@max_pixels_option
@common_options
def image(
    named: Sequence[Path], output_format: str, output: str | None, sheet: Path | None, anonymize: str | None,
    overwrite: bool, language: str | None, font: Path | None,
    backend: str, model: str | None, conventions: ModelConventions, max_model_memory: int, uncertain: float | None, verify: bool,
    **detector: Any,
) -> int:  # fmt: skip
    """Read the emotions off the faces in photos.

    A folder stands for the photos in it, and a pattern in quotes, such as 'trip/**/*.jpg', for those that it matches.

    A photo that cannot be read is reported, the others are still done, and the exit code is then 1.
    """
    from emodetect.anonymize import anonymize as hide_faces
    from emodetect.cli.progress import progress_bar
    from emodetect.faces.whole_picture import look_like_crops
    from emodetect.overlay import draw
    from emodetect.pipeline import EmotionPipeline
    from emodetect.sinks.picture import write_picture
    from emodetect.sinks.records import image_as_dict
    from emodetect.sources.images import find_images, read_image
    from emodetect.types import Frame

    check_anonymize(anonymize, output or sheet, "--output or --sheet")
    found, left_out = find_images(named)
    if left_out:
        kinds = ", ".join(sorted({picture.suffix.lower() for picture in left_out}))
        note(f"emodetect: {counted(len(left_out), 'picture')} left out: {kinds} cannot be read here; export as JPEG")
    photos = [path for path, problem in found.items() if problem is None]
    targets = _targets(photos, output, overwrite, alone=list(found) == list(named[:1]))
    if sheet is not None and sheet.absolute() in [target.absolute() for target in targets.values()]:
        raise OutputError(f"{sheet}: is named by --output, too; choose another name for one of them")
    style = None if output is None and sheet is None else make_style(language, font)
    contact_sheet = None
    if sheet is not None and style is not None:
        captions = make_caption_style(style, language, (photo.name for photo in photos))
        contact_sheet = _contact_sheet(sheet, photos, overwrite, captions)
    face_detector = make_detector(**detector)
    records: list[dict[str, Any]] = []
    faceless: list[tuple[int, int]] = []
    failed = is_given_up = False
    with make_backend(backend, model, conventions, max_model_memory) as emotion_backend, progress_bar() as progress:
        pipeline = EmotionPipeline(
            face_detector, emotion_backend, verifier=make_verifier(verify, face_detector), uncertain_below=uncertain
        )
        task = progress.add_task("photos", total=len(found), visible=len(found) >= _MANY)
        for path, problem in found.items():
            picture, result = None, None
            try:
                if problem is not None:
                    raise problem
                picture = read_image(path)
                detail(f"{path}: {picture.shape[1]}x{picture.shape[0]} pixels")
                result = pipeline.analyze(Frame(picture), name=str(path))
                height, width = picture.shape[:2]
                records.append(image_as_dict(str(path), (width, height), result.readings))
                if not result.readings:
                    faceless.append((width, height))
                failed |= any(reading.scores is None for reading in result.readings)
                if anonymize is not None:
                    picture = hide_faces(picture, result.seen, anonymize)
                if path in targets:
                    write_picture(draw(picture, result.readings, style=style), targets[path], overwrite=overwrite)
            except EmodetectError as error:
                failed = True
                if not isinstance(error, OutputError):  # a copy that cannot be saved takes nothing from what was read
                    records.append({"path": public_name(str(path)), "error": one_line(str(error))})
                say(f"emodetect: {error}")
                is_given_up = isinstance(error, BackendError)
            if contact_sheet is not None and os.path.isfile(path):
                contact_sheet.add(path.name, picture if result else None, result.readings if result else ())
            progress.advance(task)
            if is_given_up:
                break
    unread = sum("error" in record for record in records) - (len(found) - len(photos))
    if contact_sheet is not None and sheet is not None and any("faces" in record for record in records):
        write_picture(contact_sheet.image(), sheet, overwrite=overwrite)
    if unread and len(photos) > 1 and not is_given_up:
        note(f"emodetect: {unread:,} of {counted(len(photos), 'photo')} could not be read")
    _PRINTERS[output_format](records)
    if look_like_crops(faceless):
        hint = f"no face was found in {counted(len(faceless), 'picture')}, many of them small and square"
        note(f"emodetect: {hint}; --detector none takes each whole picture for a face")
    return 1 if failed else 0


def _targets(photos: Sequence[Path], named: str | None, overwrite: bool, *, alone: bool) -> dict[Path, Path]:
    """Where each annotated copy goes, seen to be writable before the work starts; ``alone``: a single photo was named."""
    from emodetect.files import check_output
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
    for photo, target in targets.items():
        _refuse_photo(target, [photo])
        check_output(target, overwrite=overwrite, suffixes=IMAGE_SUFFIXES)
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


def _contact_sheet(path: Path, photos: Sequence[Path], overwrite: bool, style: Style) -> ContactSheet:
    from emodetect.files import check_output
    from emodetect.sinks.contact_sheet import MOST_PHOTOS, ContactSheet
    from emodetect.sources.images import IMAGE_SUFFIXES

    _refuse_photo(path, photos)
    check_output(path, overwrite=overwrite, suffixes=IMAGE_SUFFIXES)
    if len(photos) > MOST_PHOTOS:
        rest = counted(len(photos) - MOST_PHOTOS, "photo")
        note(f"emodetect: {path}: holds {counted(MOST_PHOTOS, 'photo')}; the last of them go without: {rest}")
    return ContactSheet(len(photos), style)


def _refuse_photo(target: Path, photos: Sequence[Path]) -> None:
    """See that an output is none of the photos."""
    if os.path.exists(target) and any(os.path.exists(photo) and target.samefile(photo) for photo in photos):
        raise OutputError(f"{target}: is the photo itself; choose another name")


def _print_json(records: Sequence[dict[str, Any]]) -> None:
    show_json(records)


def _print_csv(records: Sequence[dict[str, Any]]) -> None:
    """The rows that `emodetect video` would log for each photo as a clip of one frame, each after its path."""
    from emodetect.sinks.records import CSV_COLUMNS, csv_rows

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", *CSV_COLUMNS))
    for record in records:
        faces = [{"id": number, **face} for number, face in enumerate(record.get("faces", []), start=1)]
        path = csv_cell(record["path"])
        writer.writerows([path, *row] for row in csv_rows({"frame": 0, "time": 0.0, "faces": faces}))


def _print_table(records: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    from emodetect.cli.table import cell, show_table

    # What is not there is no photo; it was said on standard error.
    rows = [row for record in records if os.path.isfile(record["path"]) for row in _rows(record)]
    if not rows:
        return
    headers = ["photo", "face", "emotion", "confidence", "then"]
    widths = [max(map(width, column)) for column in zip(headers, *rows, strict=True)]
    is_narrow = sys.stdout.isatty() and sum(widths) + 2 * (len(widths) - 1) > shutil.get_terminal_size().columns
    shown = headers[:-1] if is_narrow else headers
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in shown:
        justify: JustifyMethod = "right" if header in ("face", "confidence") else "left"
        style = "dim" if header == "then" else ""
        is_folded = header in ("photo", "emotion")
        table.add_column(header, justify=justify, style=style, no_wrap=not is_folded, overflow="fold")
    for row in rows:
        cells = [cell(text) for text in row[: len(shown)]]
        if not row[3]:
            cells[2].stylize("dim")
        table.add_row(*cells)
    show_table(table)
    if any(face["uncertain"] and face["scores"] for record in records for face in record.get("faces", [])):
        show("? uncertain: do not rely on it")


def _rows(record: dict[str, Any]) -> list[list[str]]:
    """What the table shows of a photo, a row a face."""
    name, faces = one_line(record["path"]), record.get("faces", [])
    if not faces:
        return [[name, "", "cannot be read" if "error" in record else "no face found", "", ""]]
    rows = []
    for number, face in enumerate(faces, start=1):
        shown = name if number == 1 else ""
        if face["scores"] is None:
            rows.append([shown, str(number), "not read", "", ""])
            continue
        second, score = sorted(face["scores"].items(), key=lambda item: -item[1])[1]
        emotion = face["emotion"] + ("?" if face["uncertain"] else "")
        then = f"{second} {score:.0%}" if score >= 0.005 else ""
        rows.append([shown, str(number), emotion, f"{face['confidence']:.0%}", then])
    return rows


_PRINTERS = {"table": _print_table, "json": _print_json, "csv": _print_csv}

"""``emodetect image``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emodetect.cli.options import (
    anonymize_option,
    backend_options,
    check_anonymize,
    debug_option,
    detector_options,
    make_backend,
    make_detector,
    make_verifier,
    max_pixels_option,
    overwrite_option,
)
from emodetect.errors import EmodetectError, OutputError
from emodetect.text import one_line

if TYPE_CHECKING:
    from emodetect.types import FrameResult, Image

_OTHER_COLUMNS = 72
"""Room for all of the table but the paths, characters."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="What is printed.")  # fmt: skip
@click.option("--output", metavar="FILE|FOLDER",
              help="Save an annotated copy: a file for one photo, a folder (ending in /) for one or several.")  # fmt: skip
@anonymize_option
@overwrite_option
@backend_options
@detector_options("5%")
@max_pixels_option
@debug_option
def image(
    photos: Sequence[Path], output_format: str, output: str | None, anonymize: str | None,
    overwrite: bool, backend: str, model: str | None, labels: list[str] | None, uncertain: float | None, verify: bool,
    **detector: Any,
) -> int:  # fmt: skip
    """Read the emotions off the faces in photos.

    A photo that cannot be read is reported, the others are still done, and the exit code is then 1.
    """
    from emodetect.pipeline import EmotionPipeline
    from emodetect.sinks.records import image_as_dict
    from emodetect.sources.images import read_image
    from emodetect.types import Frame

    check_anonymize(anonymize, output, "--output")
    targets = _targets(photos, output, overwrite)
    face_detector = make_detector(**detector)
    records: list[dict[str, Any]] = []
    failed = False
    with make_backend(backend, model, labels) as emotion_backend:
        pipeline = EmotionPipeline(face_detector, emotion_backend, verifier=make_verifier(verify), uncertain_below=uncertain)
        for path, target in zip(photos, targets, strict=True):
            try:
                picture = read_image(path)
                result = pipeline.analyze(Frame(picture))
                height, width = picture.shape[:2]
                records.append(image_as_dict(str(path), (width, height), result.readings))
                if target is not None:
                    _save(picture, result, target, anonymize, overwrite)
            except EmodetectError as error:
                failed = True
                if not isinstance(error, OutputError):  # a copy that cannot be saved takes nothing from what was read
                    records.append({"path": str(path), "error": one_line(str(error))})
                click.echo(f"emodetect: {one_line(str(error))}", err=True)
    if output_format == "json":
        click.echo(json.dumps(records, indent=2))
    else:
        _print_table(records)
    return 1 if failed else 0


def _targets(photos: Sequence[Path], named: str | None, overwrite: bool) -> list[Path | None]:
    """Where each annotated copy goes, seen to be writable before the work starts."""
    from emodetect.files import check_output

    if named is None:
        return [None] * len(photos)
    output = Path(named)
    if len(photos) == 1 and not output.is_dir() and not named.endswith(("/", os.sep)):
        targets = [output]
    else:
        if output.exists() and not output.is_dir():
            raise OutputError(f"{output}: is a file; several photos need a folder")
        try:
            output.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{output}: cannot be made a folder ({error.strerror})") from error
        targets = [output / (p.name if p.suffix.lower() in IMAGE_SUFFIXES else f"{p.name}.png") for p in photos]
        if len(set(targets)) < len(targets):
            raise OutputError(f"{output}: two of the photos have the same name; annotate them one at a time")
    for photo, target in zip(photos, targets, strict=True):
        if target.exists() and photo.exists() and target.samefile(photo):
            raise OutputError(f"{target}: is the photo itself; choose another name")
        check_output(target, overwrite=overwrite, suffixes=IMAGE_SUFFIXES)
    return list(targets)


def _save(picture: Image, result: FrameResult, target: Path, method: str | None, overwrite: bool) -> None:
    import cv2

    from emodetect.anonymize import anonymize
    from emodetect.files import written_whole
    from emodetect.overlay import draw

    if method is not None:
        picture = anonymize(picture, result.seen, method)
    ok, data = cv2.imencode(target.suffix.lower(), draw(picture, result.readings))
    if not ok:
        raise OutputError(f"{target}: OpenCV cannot write such a file")
    with written_whole(target, overwrite=overwrite) as partial:
        partial.write_bytes(data.tobytes())


def _print_table(records: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("photo", overflow="fold")
    table.add_column("face", justify="right")
    table.add_column("emotion", no_wrap=True)
    table.add_column("confidence", justify="right", no_wrap=True)
    table.add_column("then", style="dim", no_wrap=True)
    for record in records:
        faces = record.get("faces", [])
        name = Text(one_line(record["path"]))
        if not faces:
            table.add_row(name, "", Text("cannot be read" if "error" in record else "no face found", style="dim"))
        for number, face in enumerate(faces, start=1):
            second, score = sorted(face["scores"].items(), key=lambda item: -item[1])[1]
            emotion = face["emotion"] + ("?" if face["uncertain"] else "")
            table.add_row(name if number == 1 else "", str(number), emotion, f"{face['confidence']:.0%}", f"{second} {score:.0%}")
    # A file or a pipe has no width to fold paths to.
    width = None if sys.stdout.isatty() else _OTHER_COLUMNS + max(len(one_line(record["path"])) for record in records)
    Console(width=width).print(table)
    if any(face["uncertain"] for record in records for face in record.get("faces", [])):
        click.echo("? uncertain: do not rely on it")

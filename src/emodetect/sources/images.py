"""Image files: finding and reading them."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import SourceError
from emodetect.media.orientation import Orientation
from emodetect.media.pixel_limit import gigabytes, max_file_bytes, max_picture_bytes, max_pixels
from emodetect.sources.avif import is_avif, stored_orientations
from emodetect.sources.exif import exif_orientation
from emodetect.sources.picture_size import decoded_size, is_animated, jpeg_scans
from emodetect.sources.pixels import bands, eight_bits, on_white
from emodetect.sources.several_pictures import warn_of_others
from emodetect.system.assumptions import warn_once
from emodetect.text.printable import looks_like_address, public_name
from emodetect.text.suggestions import did_you_mean_file, suggest_other_command
from emodetect.types import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif")
"""Suffixes of images that can be written."""

READ_SUFFIXES = (*IMAGE_SUFFIXES, ".gif")
"""Suffixes of images that are found in folders."""

_RAW_SUFFIXES = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw")
UNREAD_SUFFIXES = (".heic", ".heif", ".hif", ".jxl", *_RAW_SUFFIXES)
"""Suffixes of images that OpenCV cannot read."""

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
"""Brands of HEIF files, bytes 8 to 11; cameras also name such files .jpg."""

REDUCTIONS = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
"""OpenCV's flags for reducing a JPEG's sides by a divisor while it is decoded."""

_IN_MEMORY = Path("bytes")
"""Name in messages of a file that exists only in memory."""

_MAX_SCANS = 100
"""Maximum number of scans of a JPEG. Encoders write a dozen, and each scan decodes the whole image again."""


def find_images(named: Sequence[Path]) -> tuple[dict[Path, SourceError | None], list[Path]]:
    """Resolve paths, folders and glob patterns to images.

    A folder stands for the images directly in it. A pattern (``*``, ``?``, ``[...]``, and ``**`` for any folders) stands for the
    images that it matches. Images are recognized by suffix, and hidden files are skipped. A path to an existing file is never a
    pattern.

    Args:
        named: paths, folders and patterns.

    Returns:
        Each image once, in the order of ``named``, those of a folder or pattern sorted. A folder or pattern without images is a
        key itself, with the error as its value.
        Images in folders and patterns whose format cannot be read.
    """
    found: dict[Path, SourceError | None] = {}
    left_out: dict[str, Path] = {}
    seen: set[str] = set()
    for path in named:
        pictures, unread, error = _expanded(path)
        left_out.update((os.path.realpath(picture), picture) for picture in unread)
        for picture in pictures:
            if (place := os.path.realpath(picture)) not in seen:
                seen.add(place)
                found[picture] = error
    return found, [picture for place, picture in left_out.items() if place not in seen]


def _expanded(path: Path) -> tuple[list[Path], list[Path], SourceError | None]:
    """Images of a name, skipped images, and the error, if any."""
    is_folder = os.path.isdir(path)  # unlike pathlib, os.path does not raise if a name is too long
    if not is_folder and (os.path.exists(path) or not glob.has_magic(str(path))):
        return [path], [], None
    if is_folder:
        try:
            os.scandir(path).close()
        except OSError as error:
            return [path], [], SourceError(f"{path}: cannot be read ({error.strerror or error})")
    names = _matching(str(path), ["*"], set()) if is_folder else matching_paths(path)
    files = sorted(file for file in map(Path, names) if os.path.isfile(file))
    pictures = [file for file in files if file.suffix.lower() in READ_SUFFIXES]
    unread = [file for file in files if file.suffix.lower() in UNREAD_SUFFIXES]
    if pictures:
        return pictures, unread, None
    problem = f"is a folder without pictures ({', '.join(READ_SUFFIXES)})" if is_folder else "no picture has such a name"
    return [path], unread, SourceError(f"{path}: {problem}")


def is_folder_entry(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a cyclic link is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def matching_paths(pattern: Path) -> Iterator[str]:
    """Paths that match a pattern of ``*``, ``?``, ``[...]``, and ``**`` for any folders, without hidden ones."""
    return _matching(pattern.anchor, pattern.parts[bool(pattern.anchor) :], set())


def _matching(folder: str, parts: Sequence[str], seen: set[tuple[int, int, int]]) -> Iterator[str]:
    """Paths below a folder that match a pattern, as in `glob.glob`, but each real folder is searched only once.

    With cyclic links a folder would have any number of paths.

    Args:
        folder: folder to search; empty for the current one.
        parts: the components of the pattern.
        seen: folders already searched, each with the number of remaining components.
    """
    try:
        found = os.stat(folder or ".")
        place = found.st_dev, found.st_ino, len(parts)
        if place in seen:
            return
        seen.add(place)
        part, rest = parts[0], parts[1:]
        if part != "**" and not glob.has_magic(part):
            path = os.path.join(folder, part)
            if rest:
                yield from _matching(path, rest, seen)
            elif os.path.lexists(path):
                yield path
            return
        with os.scandir(folder or ".") as entries:
            known = sorted((entry.name, is_folder_entry(entry)) for entry in entries)
    except OSError:  # missing, or without permission
        return
    if part == "**" and rest:
        yield from _matching(folder, rest, seen)
    for name, is_folder in known:
        path = os.path.join(folder, name)
        if part == "**":
            if not name.startswith("."):
                if not rest:
                    yield path
                if is_folder:
                    yield from _matching(path, parts, seen)
        elif fnmatch.fnmatch(name, part) and (part.startswith(".") or not name.startswith(".")):
            if not rest:
                yield path
            elif is_folder:
                yield from _matching(path, rest, seen)


def read_image(path: Path) -> Image:
    """Read an image file as uint8 (height, width, 3) BGR.

    Gray and CMYK images are converted. The orientation in EXIF or in AVIF's boxes is applied. Transparent pixels become white.
    The depth of 16-bit images is 10, 12 or 14 bits if the values need no more. Other numbers range from 0 to 1, or to their
    maximum.

    Raises:
        SourceError: the file is missing, no image, or truncated.
    """
    return decode_image(path, read_image_file(path))


def read_image_bytes(content: bytes | bytearray | memoryview) -> Image:
    """Read an image file from memory, as `read_image`.

    Raises:
        SourceError: the content is no image, or truncated.
    """
    if (size := memoryview(content).nbytes) > max_file_bytes():
        raise _too_large(_IN_MEMORY, size)
    if not size:
        raise SourceError(f"{_IN_MEMORY}: expected the content of a picture's file, got none")
    return decode_image(_IN_MEMORY, np.frombuffer(bytes(content), np.uint8))


def decode_image(path: Path, data: npt.NDArray[np.uint8], reduction: int = 1) -> Image:
    """Decode the content of an image file, as `read_image`.

    Args:
        path: the file, for messages.
        data: its content.
        reduction: 1, or one of `REDUCTIONS`, by which a JPEG's sides are divided.

    Raises:
        SourceError: the content is no image, or truncated.
    """
    _check_size(path, data)
    orientations = _own_orientations(path, data.tobytes())
    as_stored = 0 if orientations is None else cv2.IMREAD_IGNORE_ORIENTATION
    try:
        flags = REDUCTIONS[reduction] if reduction > 1 else cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        image = cv2.imdecode(data, flags | as_stored)
        is_jpeg = data[:2].tobytes() == b"\xff\xd8"
        whole = None if is_jpeg else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if image is None and whole is not None and whole.ndim == 2:  # OpenCV does not convert gray of 32 or more bits to colors
            image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | as_stored)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise SourceError(f"{path}: announces more than {max_pixels()} pixels (`max_pixels`)") from error
        if error.code == cv2.Error.StsNoMem:
            raise SourceError(f"{path}: there is not enough memory to decode it") from error
        raise SourceError(f"{path}: cannot be decoded ({error.err})") from error
    # OpenCV reads the thumbnail of some raw files.
    if image is None or path.suffix.lower() in _RAW_SUFFIXES:
        if kind := _unread_kind(path, data[:64].tobytes()):
            raise SourceError(f"{path}: {kind} cannot be read here; export it as JPEG")
        raise SourceError(f"{path}: not an image that can be read, or cut short{suggest_other_command(path, 'image')}")
    warn_of_others(path, data.data)
    alpha = None if whole is None else _alpha(whole, image)
    picture = eight_bits(image)
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    if alpha is not None:
        picture = on_white(picture, alpha)
    for orientation in orientations or ():
        picture = orientation.upright(picture)
    return picture


def _own_orientations(path: Path, data: bytes) -> list[Orientation] | None:
    """Orientation of files for which OpenCV does not apply it; None for all others, whose EXIF orientation it applies.

    These are AVIF, in which only the file's boxes count, and animated PNG and WebP. Warns of contradictions and errors, since
    faces are not found in images that lie on their side.
    """
    number, seen = exif_orientation(data) or (None, None)
    if not is_avif(data):
        if number is not None and number > 8:
            warn_once(f"{path}: the orientation {number} in its EXIF data is unknown; it is read as it is stored")
        elif number and (number != seen or is_animated(data)):
            return [Orientation.from_exif(number)]
        return None
    try:
        found = stored_orientations(data)
    except ValueError:
        warn_once(f"{path}: how its picture is to be turned cannot be understood; it is read as it is stored")
        return []
    if found is None and number is not None and number != 1:
        warn_once(f"{path}: only its EXIF data say that it is turned, which AVIF does not go by; it is read as it is stored")
    return found or []


def read_image_file(path: Path) -> npt.NDArray[np.uint8]:
    """Read the content of an image file. The size is checked first, since a small sparse file can exceed any memory.

    Raises:
        SourceError: the file is missing, empty, too large or no regular file.
    """
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise SourceError(f"{path}: is a folder, not an image")
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path}: is not a file but a pipe, a socket or a device")
        if found.st_size > max_file_bytes():
            raise _too_large(path, found.st_size)
        data = np.fromfile(path, np.uint8, count=found.st_size or -1)
    except FileNotFoundError:
        raise address_error(str(path)) or SourceError(f"{path}: no such file{did_you_mean_file(path)}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a NUL character
        raise SourceError(f"{path}: is no name of a file ({error})") from error
    if not data.size:
        raise SourceError(f"{path}: the file is empty")
    return data


def _too_large(path: Path, count: int) -> SourceError:
    size, limit = gigabytes(count), gigabytes(max_file_bytes())
    return SourceError(f"{path}: is a file of {size}; a picture's may have {limit} at most (`max_pixels`)")


def address_error(name: str) -> SourceError | None:
    """Create the error for a name that is a URL and no file; None for other names."""
    if not looks_like_address(name) or os.path.lexists(name):
        return None
    return SourceError(f"{public_name(name)}: is an address, not a file; download the photo first")


def _check_size(path: Path, data: npt.NDArray[np.uint8]) -> None:
    """Reject an image that would take too much memory or time, judged by its header.

    Raises:
        SourceError: the image is too large.
    """
    size = decoded_size(data.data)
    if size is not None and size.width * size.height > max_pixels():
        raise SourceError(f"{path}: announces more than {max_pixels()} pixels (`max_pixels`)")
    if size is not None and size.total > max_picture_bytes():
        shape = f"{size.width} x {size.height} pixels of {size.pixel_bytes} bytes"
        limit = gigabytes(max_picture_bytes())
        raise SourceError(f"{path}: {shape} would take {gigabytes(size.total)}; at most {limit} are read (`max_pixels`)")
    if (scans := jpeg_scans(data.data)) > _MAX_SCANS:
        raise SourceError(f"{path}: a JPEG of {scans:,} scans would take too long; {_MAX_SCANS} are read at most")


def _unread_kind(path: Path, start: bytes) -> str | None:
    """Format of an image that OpenCV, or this build of it, cannot read, by its first bytes or suffix; None for others."""
    suffix = path.suffix.lower()
    if start[4:8] == b"ftyp":
        if b"avif" in start[8:]:
            return "AVIF, or one that is cut short,"
        if start[8:12] in _HEIF_BRANDS:
            return "HEIC"
    if suffix in _RAW_SUFFIXES:
        return f"a camera's raw picture ({suffix})"
    return suffix[1:].upper() if suffix in UNREAD_SUFFIXES else None


def _alpha(whole: npt.NDArray[Any], image: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Alpha channel, uint8 or uint16 (height, width, 1), with the maximum for opaque; None if all pixels are opaque.

    Args:
        whole: the stored image, including an alpha channel if there is one.
        image: its colors, upright by its EXIF data; OpenCV does not rotate four channels.
    """
    if whole.ndim < 3 or whole.shape[2] != 4 or whole.dtype not in (np.uint8, np.uint16):
        return None
    for mirrored in (whole, whole[:, ::-1]):
        for quarters in range(4):
            turned = np.rot90(mirrored, quarters)
            # If none of the eight orientations fits, the fourth channel is something else, such as black ink.
            if turned.shape[:2] == image.shape[:2] and all(
                np.array_equal(turned[rows, :, :3], image[rows]) for rows in bands(image)
            ):
                alpha = turned[..., 3:]
                return None if alpha.min() == np.iinfo(whole.dtype).max else alpha
    return None

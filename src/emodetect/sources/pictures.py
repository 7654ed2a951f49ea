"""Pictures in all forms that a caller may have: files, their bytes, PIL images and arrays."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from emodetect.errors import SourceError, first_line
from emodetect.media.pixel_limit import check_pixels
from emodetect.sources.images import address_error, read_image, read_image_bytes
from emodetect.sources.pixels import eight_bits, on_white
from emodetect.system.assumptions import warn_once
from emodetect.types import Frame, Image, check_image, kind_of

if TYPE_CHECKING:
    import PIL.Image

Picture: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[np.uint8] | PIL.Image.Image | Frame"
Color: TypeAlias = Literal["bgr", "rgb"]


def load_image(picture: Picture, *, color: Color = "bgr") -> Image:
    """Convert a picture to a BGR image. The picture is not changed, but an array may be returned without a copy.

    >>> image = emodetect.load_image("examples/astronaut.jpg")
    >>> image.shape, image.dtype.name
    ((512, 512, 3), 'uint8')

    Files, bytes and PIL images are rotated upright, by their EXIF data. Transparent pixels become white.

    Args:
        picture: a file, its bytes, a PIL image, a `Frame`, or a uint8 array: gray as (height, width) or (height, width, 1), or
            (height, width, channels) with 3 or 4 channels, of which the fourth is alpha.
        color: the order of an array's channels, "bgr" as in OpenCV, or "rgb". Other pictures state their order.

    Returns:
        uint8 (height, width, 3), BGR.

    Raises:
        EmodetectError: the picture cannot be read, or is too large.
        TypeError: the picture has an unsupported type.
        ValueError: the array has the wrong shape or type or has no pixels, or the color order is unknown.
    """
    if color not in ("bgr", "rgb"):
        raise ValueError(f"color: expected 'bgr' or 'rgb', got {color!r}")
    if isinstance(picture, Frame):
        return picture.image
    if isinstance(picture, str | os.PathLike):
        name = os.fspath(picture)
        if isinstance(name, str):
            if isinstance(picture, str) and (error := address_error(name)):
                raise error
            return read_image(Path(name))
    if isinstance(picture, bytes | bytearray | memoryview):
        return read_image_bytes(picture)
    if isinstance(picture, np.ndarray):
        return _of_array(picture, color)
    if "PIL.Image" in sys.modules and isinstance(picture, sys.modules["PIL.Image"].Image):
        return _of_pil(picture)
    hint = "; its read() gives the bytes" if hasattr(picture, "read") else ""
    raise TypeError(f"expected a file's name, its bytes, a PIL image, or a uint8 array, got {kind_of(picture)}{hint}")


def load_named(name: str, picture: Picture, color: Color) -> Image:
    """Convert one of several pictures, as `load_image`; errors name it."""
    try:
        return load_image(picture, color=color)
    except (TypeError, ValueError, SourceError) as error:
        kind = next(kind for kind in (TypeError, ValueError, SourceError) if isinstance(error, kind))
        raise kind(f"{name}: {error}") from error


def iterate_pictures(pictures: object, expected: str) -> Iterator[Picture]:
    """Iterate over pictures. A single picture is rejected, since iteration would yield its rows, or the letters of its name.

    Args:
        pictures: the value to check; an array is (count, height, width, channels).
        expected: description of the expected value.

    Raises:
        TypeError: the value is no iterable of pictures.
    """
    is_single = isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview | Mapping | io.IOBase)
    if is_single or not isinstance(pictures, Iterable):
        raise TypeError(f"expected {expected}, got {kind_of(pictures)}")
    if isinstance(pictures, np.ndarray) and pictures.ndim != 4:
        raise TypeError(f"expected {expected}, got one array {pictures.shape}, not (count, height, width, channels)")
    return iter(pictures)


def _of_array(array: npt.NDArray[np.uint8], color: Color) -> Image:
    check_image(array, channels=(1, 3, 4))
    array = np.asarray(array)  # from a matrix or masked array
    if array.ndim == 2 or array.shape[2] == 1:
        return np.asarray(cv2.cvtColor(array, cv2.COLOR_GRAY2BGR), np.uint8)
    image = array[..., :3] if color == "bgr" else np.asarray(cv2.cvtColor(array[..., :3], cv2.COLOR_RGB2BGR), np.uint8)
    if array.shape[2] == 3 or array[..., 3].min() == 255:
        return image
    if not array[..., 3].any():
        warn_once("the fourth channel of an array is 0 everywhere; it is not taken for transparency, and left out")
        return image
    return on_white(image, array[..., 3:])


def _of_pil(picture: PIL.Image.Image) -> Image:
    from PIL import ImageOps

    if 0 in picture.size:
        raise ValueError(f"expected a PIL image with pixels, got one of {picture.width} x {picture.height}")
    check_pixels("PIL image", *picture.size)
    try:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith(("I", "F")):  # gray with more than eight bits
            return np.asarray(cv2.cvtColor(eight_bits(_native(np.asarray(upright))), cv2.COLOR_GRAY2BGR), np.uint8)
        if upright.mode == "LAB":
            upright = _of_lab(upright)
        elif upright.mode == "La":
            upright = upright.convert("LA")
        channels = np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))
    except Exception as error:  # PIL reads the file only now
        raise SourceError(f"a PIL image of mode {picture.mode} cannot be read ({first_line(error)})") from error
    image = np.asarray(cv2.cvtColor(channels[..., :3], cv2.COLOR_RGB2BGR), np.uint8)
    return image if channels.shape[2] == 3 else on_white(image, channels[..., 3:])


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert to the native byte order."""
    return array.astype(array.dtype.newbyteorder("="))


def _of_lab(picture: PIL.Image.Image) -> PIL.Image.Image:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, *profiles, outputMode="RGB")
    assert converted is not None
    return converted

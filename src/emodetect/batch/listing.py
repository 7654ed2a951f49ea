"""Inputs of folders, patterns, URLs and names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from emodetect.batch.inputs import Input, Kind, Listing, reason
from emodetect.batch.remote import beginning, check_credentials, find_files, is_remote, local_path
from emodetect.errors import SourceError
from emodetect.sources.image_tree import list_images, other_kind
from emodetect.sources.images import READ_SUFFIXES, UNREAD_SUFFIXES, matching_paths
from emodetect.sources.several_pictures import several_pictures
from emodetect.text.printable import public_name

CLIP_SUFFIXES = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts",
    ".vob", ".webm", ".wmv",
)  # fmt: skip
"""Suffixes of clips that are found in folders."""

_ANIMATION_BYTES = 2**24
"""Number of bytes of a GIF that contain the beginning of its second frame, if it has one."""

_SUFFIXES = (*READ_SUFFIXES, *CLIP_SUFFIXES)


def find_inputs(named: Iterable[str]) -> Listing:
    """List the inputs of names.

    A folder stands for all photos and clips below it, a pattern for those that it matches. Hidden files and cyclic links are
    skipped. The name of an existing file is never a pattern. A missing file is an input with a problem.

    Args:
        named: files, folders, patterns and URLs.
    """
    listing = Listing()
    found: dict[str, Input] = {}
    for name in named:
        for one in _expanded(name, listing):
            found.setdefault(one.path, one)
    listing.inputs = [found[path] for path in sorted(found)]
    return listing


def _expanded(name: str, listing: Listing) -> Iterator[Input]:
    if is_remote(name):
        yield from _remote(name, listing)
        return
    path = Path(name)
    try:
        if os.path.isdir(path):
            tree = list_images(path, suffixes=_SUFFIXES)
            listing.left_out.update(tree.left_out)
            files: Iterable[Path] = tree.images
        elif not os.path.lexists(path) and glob.has_magic(name):
            matched = [Path(file) for file in matching_paths(path) if os.path.isfile(file)]
            files = [file for file in matched if file.suffix.lower() in _SUFFIXES]
            others = (file.suffix.lower() for file in matched if file.suffix.lower() not in _SUFFIXES)
            listing.left_out.update(map(other_kind, others))
        else:
            yield _counted(input_of(path), listing)
            return
    except SourceError as error:
        yield Input(str(path), "photo", problem=reason(error, str(path)))
        return
    is_empty = True
    for file in files:
        is_empty = False
        yield _counted(input_of(file), listing)
    if is_empty:
        what = "is a folder without photos and clips" if os.path.isdir(path) else "no photo or clip has such a name"
        yield Input(str(path), "photo", problem=what)


def _remote(name: str, listing: Listing) -> Iterator[Input]:
    """Inputs of a URL."""
    try:
        check_credentials(name)
        if (path := local_path(name)) is not None:
            for one in _expanded(path, listing):
                yield replace(one, path=name if one.path == path else f"{name.partition(':')[0]}://{one.path}")
            return
        found = find_files(name)
    except SourceError as error:
        yield Input(public_name(name), "photo", problem=reason(error, name))
        return
    listing.left_out += found.left_out
    is_empty = True
    for address, size in found.sizes.items():
        suffix = Path(address).suffix.lower()
        if found.is_file or suffix in _SUFFIXES:
            is_empty = False
            yield _counted(Input(address, _remote_kind(address), size), listing)
        else:
            listing.left_out[other_kind(suffix)] += 1
    if is_empty:
        yield Input(name, "photo", problem="no photo or clip has such a name")


def _remote_kind(address: str) -> Kind:
    """Kind of a file with this URL; its first bytes are read if its suffix does not tell."""
    path = Path(address)
    if path.suffix.lower() != ".gif" and path.suffix.lower() in (*_SUFFIXES, *UNREAD_SUFFIXES):
        return _kind(path)
    try:
        with beginning(address, _ANIMATION_BYTES) as file:
            return _kind(file)
    except SourceError:  # reading it reports the error
        return "photo"


def _counted(one: Input, listing: Listing) -> Input:
    """Count an input if it is an animation."""
    listing.animations += one.kind == "clip" and one.path.lower().endswith(".gif")
    return one


def input_of(path: Path) -> Input:
    """The input of a file, which may be missing: its kind is known by its suffix, or by its first bytes."""
    suffix = path.suffix.lower()
    try:
        size = os.stat(path).st_size
    except (OSError, ValueError):  # opening it reports the error
        return Input(str(path), "clip" if suffix in CLIP_SUFFIXES else "photo")
    return Input(str(path), _kind(path), size)


def _kind(path: Path) -> Kind:
    """Kind of an existing file."""
    suffix = path.suffix.lower()
    if suffix == ".gif":
        return "clip" if _is_animated(path) else "photo"
    is_photo = suffix in (*READ_SUFFIXES, *UNREAD_SUFFIXES) or (suffix not in CLIP_SUFFIXES and _is_picture(path))
    return "photo" if is_photo else "clip"


def _is_picture(path: Path) -> bool:
    """Whether a file with an unknown suffix is an image, by its first bytes."""
    import cv2

    try:
        return os.path.isfile(path) and bool(cv2.haveImageReader(str(path)))
    except (cv2.error, UnicodeError):
        return False


def _is_animated(path: Path) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with path.open("rb") as file:
            return several_pictures(file.read(_ANIMATION_BYTES)) is not None
    except OSError:  # reading it reports the error
        return False

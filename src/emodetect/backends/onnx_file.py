"""Looking into an ONNX file before ONNX Runtime does: an external tensor may name any file of the machine.

The file is a protocol buffer (https://protobuf.dev/programming-guides/encoding/); of its messages
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) only those are walked that can lead to a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from emodetect.backends.limits import check_size
from emodetect.errors import ModelError

_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
"""For each message the fields that are walked, by number, and what they hold. An entry is a key (1) and a value (2)."""

_MOST_FIELDS = 2_000_000
"""A file of more fields is no network but a way to keep us busy; a large transformer has some ten thousand."""

_DEEPEST = 4
"""How deep graphs may stand in each other: ONNX Runtime's time to load doubles with each level, and a file of a few kilobytes
could keep it busy for ever. Networks that see have no branches or one level of them."""


def check_onnx_file(path: Path) -> bytes | None:
    """Refuse an ONNX file that is too large, too deep, or keeps tensors anywhere but in plain files inside its own folder.

    Returns:
        The file's content where all of it is in there, so that what was checked is what is loaded; None where it has tensors in
        other files.

    Raises:
        ModelError: it is refused, or cannot be read.
    """
    check_size(path)
    try:
        data = path.read_bytes()
        locations = set(_locations(memoryview(data)))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path}: not a model file in ONNX ({error})") from error
    for location in locations:
        _check_location(path, location)
    return None if locations else data


def _check_location(path: Path, location: str) -> None:
    named = Path(location)
    if named.is_absolute() or ".." in named.parts or "\\" in location or "\0" in location:
        raise ModelError(f"{path}: keeps weights outside its own folder ({location}), which is refused for safety")
    place = path.parent
    for part in named.parts:
        place = place / part
        if place.is_symlink():
            raise ModelError(f"{path}: keeps weights behind a symbolic link ({location}), which is refused for safety")
    if not place.is_file():
        raise ModelError(f"{path}: its weights are missing ({place})")
    if place.stat().st_nlink > 1:
        raise ModelError(f"{path}: keeps weights in a file that has another name, too ({location}), which is refused for safety")
    check_size(place)


def _locations(data: memoryview) -> Iterator[str]:
    """Where tensors are kept outside the file."""
    waiting = [("Model", data, 0)]
    left = _MOST_FIELDS
    while waiting:
        kind, content, depth = waiting.pop()
        depth += kind == "Graph"
        if depth > 1 + _DEEPEST:
            raise ValueError("its graphs stand too deep in each other")
        if kind == "Entry":
            fields = list(_fields(content))
            if any(number == 1 and bytes(value) == b"location" for number, value in fields):
                yield from (bytes(value).decode() for number, value in fields if number == 2)
            continue
        children = _CHILDREN[kind]
        for number, value in _fields(content):
            left -= 1
            if left < 0:
                raise ValueError("too many parts")
            if number in children:
                waiting.append((children[number], value, depth))


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field; of numbers, the content is empty."""
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        start, size = place, 0
        if wire == 0:
            _, place = _varint(data, place)
        elif wire == 1:
            place += 8
        elif wire == 2:
            size, start = _varint(data, place)
            place = start + size
        elif wire == 5:
            place += 4
        else:
            raise ValueError("damaged")
        if place > end or not number:
            raise ValueError("cut short or damaged")
        yield number, data[start : start + size]


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("damaged")

"""Safe reading of ONNX files: the file is parsed, checked, and written again with its external weights included.

A tensor may refer to any file of the machine, and functions that call each other can expand to an unlimited number of nodes. The
file is a protocol buffer (https://protobuf.dev/programming-guides/encoding/). Its messages
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) are parsed as far as they can contain a tensor or a call. Only parsed
content is written again, so that no other parser can find something else in it.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from emodetect.backends.limits import MAX_MODEL_BYTES, check_size, read_bytes, too_large
from emodetect.errors import ModelError

_NUMBER, _BYTES, _FOUR, _EIGHT = "number", "bytes", "four", "eight"
_WIRE = {0: _NUMBER, 1: _EIGHT, 2: _BYTES, 5: _FOUR}
"""Wire type of a field, by the low bits of its key."""


@dataclass(frozen=True)
class _Message:
    """Fields of a message by number, each with its wire type or the name of its message.

    Attributes:
        once: singular fields.
        several: repeated fields; numbers may be packed.
    """

    once: dict[int, str]
    several: dict[int, str] = field(default_factory=dict)


_MESSAGES = {
    "Model": _Message(
        {1: _NUMBER, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _NUMBER, 6: _BYTES, 7: "Graph"},
        {8: _BYTES, 14: _BYTES, 20: _BYTES, 25: "Function", 26: _BYTES},
    ),
    "Function": _Message(
        {1: _BYTES, 2: _NUMBER, 3: _NUMBER, 8: _BYTES, 10: _BYTES, 13: _BYTES},
        {4: _BYTES, 5: _BYTES, 6: _BYTES, 7: "Node", 9: _BYTES, 11: "Attribute", 12: _BYTES, 14: _BYTES},
    ),
    "Graph": _Message(
        {2: _BYTES, 3: _NUMBER, 4: _BYTES, 10: _BYTES},
        {1: "Node", 5: "Tensor", 11: _BYTES, 12: _BYTES, 13: _BYTES, 14: _BYTES, 15: "SparseTensor", 16: _BYTES},
    ),
    "Node": _Message(
        {3: _BYTES, 4: _BYTES, 6: _BYTES, 7: _BYTES, 8: _BYTES}, {1: _BYTES, 2: _BYTES, 5: "Attribute", 9: _BYTES, 10: _BYTES}
    ),
    "Attribute": _Message(
        {1: _BYTES, 2: _FOUR, 3: _NUMBER, 4: _BYTES, 5: "Tensor", 6: "Graph", 13: _BYTES, 14: _BYTES, 20: _NUMBER, 21: _BYTES,
         22: "SparseTensor"},
        {7: _FOUR, 8: _NUMBER, 9: _BYTES, 10: "Tensor", 11: "Graph", 15: _BYTES, 23: "SparseTensor"},
    ),
    "SparseTensor": _Message({1: "Tensor", 2: "Tensor"}, {3: _NUMBER}),
    "Tensor": _Message(
        {2: _NUMBER, 3: _BYTES, 8: _BYTES, 9: _BYTES, 12: _BYTES, 14: _NUMBER},
        {1: _NUMBER, 4: _FOUR, 5: _NUMBER, 6: _BYTES, 7: _NUMBER, 10: _EIGHT, 11: _NUMBER, 13: "Entry", 16: _BYTES},
    ),
    "Entry": _Message({1: _BYTES, 2: _BYTES}),
}  # fmt: skip

_DROPPED_FIELDS = {"Model": {20, 26}, "Node": {10}, "Tensor": {13, 14}}
"""Fields that are dropped: training information, device configurations, and locations of external weights."""

_ELEMENT_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
                 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}  # fmt: skip
"""Bits per element, by the number of the data type."""

_MAX_FIELDS = 1_000_000
"""Maximum number of fields, against denial of service; a large transformer has some ten thousand nodes."""

_MAX_NODES = 100_000
"""Maximum number of nodes after inlining all functions, as ONNX Runtime does."""

_MAX_CALL_DEPTH = 64

_MAX_DIMENSIONS = 32

_MAX_DEPTH = 4
"""Maximum nesting depth of graphs. ONNX Runtime's loading time doubles with each level, so that a file of a few kilobytes could
load forever. Networks for images have at most one level of branches."""

_Chunk: TypeAlias = "bytes | memoryview"


def read_onnx_file(path: Path) -> bytes:
    """Read an ONNX file as self-contained content for ONNX Runtime, without unknown fields.

    Raises:
        ModelError: the file cannot be read, is too large or too deep, has too many nodes or unknown fields, or refers to tensors
            other than in regular files inside its folder.
    """
    content = read_bytes(path)
    try:
        return _Reader(path, len(content)).read(memoryview(content))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path}: not a model file in ONNX that can be used here ({error})") from error


@dataclass
class _Body:
    """Statistics of the nodes of the network or of a function, including those of nested graphs.

    Attributes:
        nodes: number of nodes.
        depth: nesting depth of the graphs.
        calls: number of calls of each operator, by domain and name.
        call_depth: depth of the deepest graph that calls the operator.
    """

    nodes: int = 0
    depth: int = 0
    calls: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)
    call_depth: dict[tuple[bytes, bytes], int] = field(default_factory=dict)


class _Reader:
    def __init__(self, path: Path, size: int) -> None:
        self._path, self._total = path, size
        self._left = _MAX_FIELDS
        self._network = self._body = _Body()
        self._functions: dict[tuple[bytes, bytes], _Body] = {}
        self._expanded: dict[tuple[bytes, bytes], tuple[int, int]] = {}

    def read(self, content: memoryview) -> bytes:
        chunks, _ = self._message("Model", content, 0)
        nodes, depth = self._expand(self._network, 0)
        if nodes > _MAX_NODES:
            raise ValueError(f"with its functions it has {nodes:,} nodes, more than {_MAX_NODES:,}")
        _check_depth(depth)
        return b"".join(chunks)

    def _expand(self, body: _Body, level: int) -> tuple[int, int]:
        """Nodes and depth of a body after inlining all functions; computed without inlining them."""
        if level > _MAX_CALL_DEPTH:
            raise ValueError("its functions call each other too deep, or themselves")
        nodes, depth = body.nodes, body.depth
        for name, count in body.calls.items():
            if name in self._functions:
                if name not in self._expanded:
                    self._expanded[name] = self._expand(self._functions[name], level + 1)
                inner_nodes, inner_depth = self._expanded[name]
                nodes += count * inner_nodes
                depth = max(depth, body.call_depth[name] + inner_depth)
        return nodes, depth

    def _message(self, kind: str, content: memoryview, depth: int) -> tuple[list[_Chunk], int]:
        """Parse a message and serialize it again: its parts, and their size."""
        outer = self._body
        if kind == "Graph":
            depth += 1
            _check_depth(depth - 1)
            self._body.depth = max(self._body.depth, depth - 1)
        elif kind == "Function":
            self._body, depth = _Body(), 1
        fields, known = {}, _MESSAGES[kind]
        left_out = _DROPPED_FIELDS.get(kind, ())
        chunks: list[_Chunk] = []
        size = 0

        def add(key: int, part: list[_Chunk], length: int) -> None:
            nonlocal size
            head = _varint_bytes(key) + (_varint_bytes(length) if key & 7 == 2 else b"")
            chunks.append(head)
            chunks.extend(part)
            size += len(head) + length

        external: list[memoryview] = []
        dimensions: list[int] = []
        for key, value in _fields(content):
            self._left -= 1
            if self._left < 0:
                raise ValueError("too many parts")
            number, wire = key >> 3, _WIRE[key & 7]
            if number in known.once:
                if number in fields:
                    raise ValueError(f"a part that may be there once is there twice (field {number} of {kind})")
                holds = known.once[number]
                fields[number] = value
            else:
                holds = known.several.get(number, "")
            is_message = holds in _MESSAGES
            in_one = wire == _BYTES and number in known.several and holds in (_NUMBER, _FOUR, _EIGHT)
            if not holds or (wire != (_BYTES if is_message else holds) and not in_one):
                raise ValueError(f"it has a part that is not known here (field {number} of {kind})")
            if kind == "Tensor" and number == 1:
                dimensions += _numbers(value[: 10 * _MAX_DIMENSIONS + 1]) if in_one else [_varint(value, 0)[0]]
            if holds == "Entry":
                external.append(value)
            if number in left_out:
                continue
            if is_message:
                add(key, *self._message(holds, value, depth))
            else:
                add(key, [value], len(value))
        if kind == "Tensor" and 14 in fields and _varint(fields[14], 0)[0] == 1:
            if 9 in fields:
                raise ValueError("a tensor has its weights in two places")
            weights = self._external(external, fields.get(2), dimensions)
            add(9 << 3 | 2, [weights], len(weights))
        elif kind == "Node":
            self._count(fields, depth)
        elif kind == "Function":
            self._define(fields)
            self._body = outer
        return chunks, size

    def _count(self, fields: dict[int, memoryview], depth: int) -> None:
        name = _operator(fields.get(7), fields.get(4))
        self._body.nodes += 1
        self._body.calls[name] += 1
        self._body.call_depth[name] = max(self._body.call_depth.get(name, 0), depth - 1)

    def _define(self, fields: dict[int, memoryview]) -> None:
        """Record a function. Overloads of one name are added up, so that none counts for less than it is."""
        name, body = _operator(fields.get(10), fields.get(1)), self._body
        if name in self._functions:
            other = self._functions[name]
            body.nodes, body.depth = body.nodes + other.nodes, max(body.depth, other.depth)
            body.calls += other.calls
            for called, depth in other.call_depth.items():
                body.call_depth[called] = max(body.call_depth.get(called, 0), depth)
        self._functions[name] = body

    def _external(self, entries: list[memoryview], kind: memoryview | None, dimensions: list[int]) -> bytes:
        """Read the external weights of a tensor."""
        values: dict[str, str] = {}
        for entry in entries:
            parts: dict[int, str] = {}
            for key, value in _fields(entry):
                if key not in (10, 18) or key in parts:
                    raise ValueError("the place of weights is damaged")
                parts[key] = bytes(value).decode()
            name = parts.get(10, "")
            if name in values:
                raise ValueError("weights are in two places")
            values[name] = parts.get(18, "")
        if len(dimensions) > _MAX_DIMENSIONS:
            raise ValueError("weights of too many dimensions")
        bits = _ELEMENT_BITS.get(_varint(kind, 0)[0]) if kind is not None else None
        if bits is None:
            raise ValueError("weights of an unknown type")
        size = (math.prod(dimensions) * bits + 7) // 8
        offset, length = _parse_integer(values.get("offset", "0")), _parse_integer(values.get("length") or str(size))
        if length != size:
            raise ValueError(f"weights of {length} bytes where {size} are expected")
        self._total += size
        if self._total > MAX_MODEL_BYTES:
            raise too_large(self._path)
        return self._read_beside(values.get("location", ""), offset, length)

    def _read_beside(self, location: str, offset: int, length: int) -> bytes:
        path, named = self._path, Path(location)
        if named.is_absolute() or ".." in named.parts or "\\" in location or "\0" in location:
            raise ModelError(f"{path}: keeps weights outside its own folder ({location}), which is refused for safety")
        place = path.parent
        for part in named.parts:
            place = place / part
            if place.is_symlink():
                raise ModelError(f"{path}: keeps weights behind a symbolic link ({location}), which is refused for safety")
        if not place.is_file():
            raise ModelError(f"{path}: its weights are missing ({place})")
        check_size(place)
        try:
            file = os.fdopen(os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb")
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ModelError(
                    f"{path}: keeps weights behind a symbolic link ({location}), which is refused for safety"
                ) from error
            raise ModelError(f"{place}: cannot be read ({error.strerror or error})") from error
        with file:
            status = os.fstat(file.fileno())
            if status.st_nlink > 1 or not stat.S_ISREG(status.st_mode):
                raise ModelError(
                    f"{path}: keeps weights in a file that has another name, too ({location}), which is refused for safety"
                )
            if offset + length > status.st_size:
                raise ModelError(f"{place}: is too short for the weights of {path}")
            file.seek(offset)
            return file.read(length)


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("its graphs stand too deep in each other")


def _operator(domain: memoryview | None, name: memoryview | None) -> tuple[bytes, bytes]:
    """Name of the operator that a node calls, or of a function."""
    where = bytes(domain or b"")
    return b"" if where == b"ai.onnx" else where, bytes(name or b"")


def _parse_integer(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("weights at no place that can be read")
    return int(text)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Key and content of each field; the content of a number is its varint."""
    place, end = 0, len(data)
    while place < end:
        key, start = _varint(data, place)
        # Parsers differ for keys that are longer than necessary, or than 32 bits.
        if key >= 2**32 or not key >> 3 or len(_varint_bytes(key)) != start - place:
            raise ValueError("damaged")
        wire, size = key & 7, 0
        if wire == 0:
            size = _varint(data, start)[1] - start
        elif wire == 1:
            size = 8
        elif wire == 2:
            size, start = _varint(data, start)
        elif wire == 5:
            size = 4
        else:
            raise ValueError("damaged")
        place = start + size
        if place > end:
            raise ValueError("cut short or damaged")
        yield key, data[start:place]


def _numbers(data: memoryview) -> list[int]:
    """Unpack the numbers of a packed field."""
    found, place = [], 0
    while place < len(data):
        number, place = _varint(data, place)
        found.append(number)
    return found


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("damaged")


def _varint_bytes(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)

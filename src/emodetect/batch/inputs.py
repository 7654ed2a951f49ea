"""Inputs of a batch and of a shard; imported without NumPy and OpenCV."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from emodetect.errors import UsageError

if TYPE_CHECKING:  # the command line is parsed without NumPy
    from typing_extensions import Self

Kind = Literal["photo", "clip"]


@dataclass(frozen=True)
class Input:
    """A photo or a clip.

    Attributes:
        path: its name in reports.
        kind: "photo" or "clip".
        size: size of the file, bytes; -1 if unknown.
        problem: error that is known before reading; None for none.
    """

    path: str
    kind: Kind
    size: int = -1
    problem: str | None = None


@dataclass
class Listing:
    """All inputs of a batch.

    Attributes:
        inputs: each input once, sorted by path.
        left_out: number of other files in folders and patterns by kind: singular and plural of its name.
        animations: number of animated GIFs among the clips.
    """

    inputs: list[Input] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    animations: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of all paths and sizes, in hexadecimal, which identifies the listing."""
        hashed = hashlib.sha256()
        for one in self.inputs:
            hashed.update(f"{one.path}\0{one.kind}\0{one.size}\n".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()


@dataclass(frozen=True)
class Shard:
    """A share of the inputs.

    Attributes:
        number: its number, from 1.
        count: number of shards.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a text such as ``3/16``.

        Raises:
            UsageError: the text is no shard, or out of range.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"{text!r} is not a shard: expected its number, from 1, and the number of shards, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def folder(self) -> str:
        """Name of its sub-folder in the results."""
        digits = len(str(self.count))
        return f"shard-{self.number:0{digits}}-of-{self.count}"

    def size(self, listed: int) -> int:
        """Number of its inputs, of so many inputs of all shards."""
        return len(range(self.number - 1, listed, self.count))

    def select(self, inputs: Sequence[Input]) -> list[Input]:
        """Its inputs, by path. They are dealt out from the largest to the smallest, so that shards take about the same time."""
        dealt = sorted(inputs, key=lambda one: (one.kind, -one.size, one.path))
        return sorted(dealt[self.number - 1 :: self.count], key=lambda one: one.path)


def reason(error: BaseException, path: str) -> str:
    """Message of an input's error, without its name in front."""
    return str(error).removeprefix(f"{path}: ")


def read_list(content: bytes) -> list[str]:
    """Parse a list of names: one per line, or separated by NUL as from ``find -print0``.

    Args:
        content: content of the list's file.
    """
    content = content.removeprefix(codecs.BOM_UTF8)  # editors on Windows add it
    separator = b"\0" if b"\0" in content else b"\n"
    names = (line.rstrip(b"\r") if separator == b"\n" else line for line in content.split(separator))
    return [os.fsdecode(name) for name in names if name.strip()]

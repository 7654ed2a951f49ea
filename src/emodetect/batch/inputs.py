"""The inputs of a batch, and a shard's share of them; known without NumPy and OpenCV."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from emodetect.errors import UsageError

if TYPE_CHECKING:  # the command line is parsed without it
    from typing_extensions import Self

Kind = Literal["photo", "clip"]


@dataclass(frozen=True)
class Input:
    """A photo or a clip.

    Attributes:
        path: its name, as it is reported.
        kind: "photo" or "clip".
        size: of the file, bytes; -1 where it is not known.
        problem: why it is not read, known from the start; None for nothing.
    """

    path: str
    kind: Kind
    size: int = -1
    problem: str | None = None


@dataclass
class Listing:
    """All inputs.

    Attributes:
        inputs: each name once, by path.
        left_out: other files of folders and patterns, counted by kind: singular and plural of its name.
        animations: how many of the clips are animated GIFs.
    """

    inputs: list[Input] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    animations: int = 0

    @property
    def digest(self) -> str:
        """What tells this listing from others: SHA-256 of all paths and sizes, in hexadecimal."""
        hashed = hashlib.sha256()
        for one in self.inputs:
            hashed.update(f"{one.path}\0{one.kind}\0{one.size}\n".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()


@dataclass(frozen=True)
class Shard:
    """A share of the inputs.

    Attributes:
        number: which one, from 1.
        count: how many there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``3/16``.

        Raises:
            UsageError: it is none, or out of range.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"{text!r} is not a shard: expected its number, from 1, and the number of shards, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def folder(self) -> str:
        """The name of its folder in that of the results."""
        digits = len(str(self.count))
        return f"shard-{self.number:0{digits}}-of-{self.count}"

    def of(self, inputs: Sequence[Input]) -> list[Input]:
        """Its inputs, by path. They are dealt out from the largest to the smallest, so that shards take equally long."""
        dealt = sorted(inputs, key=lambda one: (one.kind, -one.size, one.path))
        return sorted(dealt[self.number - 1 :: self.count], key=lambda one: one.path)


def reason(error: BaseException, path: str) -> str:
    """Why an input failed, without its name in front."""
    return str(error).removeprefix(f"{path}: ")


def read_list(content: bytes) -> list[str]:
    """The names in a list: one per line, or separated by NUL as ``find -print0`` does.

    Args:
        content: of the list's file.
    """
    separator = b"\0" if b"\0" in content else b"\n"
    names = (line.rstrip(b"\r") if separator == b"\n" else line for line in content.split(separator))
    return [os.fsdecode(name) for name in names if name.strip()]

"""Random mutations of files; the same random generator gives the same file."""

from __future__ import annotations

import io
import random
import re
import zipfile
from pathlib import Path

EDGES = (0, 1, 0x7F, 0x80, 0xFF)

WORDS = (
    *(b"", b"0", b"-1", b"1e999", b"NaN", b"-Infinity", b"null", b"true", b"[]", b"{}", b'""', b"255", b"256", b"2147483648"),
    *(
        b"99999999999999999999999",
        b"\xff\xfe",
        b"\0",
        b'"',
        b",",
        b"\n",
        b"\r",
        b"=1+1",
        b"../../etc/passwd",
        b"\xf0\x9f\x98\x80",
    ),
    *(b"9" * 5000, b"[" * 5000, b"x" * 70_000),
)
"""Unexpected words in a text."""

WORD = re.compile(rb"[\w.+-]+")

TEXTS = (".csv", ".json", ".xml", ".toml")


def mutate(path: Path, chance: random.Random) -> bytes:
    """Content of the file after a few mutations that suit its format."""
    data = path.read_bytes()
    if path.suffix in TEXTS and chance.random() < 0.7:
        return mutate_text(data, chance)
    # Nearly every mutation of an archive only breaks its checksums, so that its members must be mutated, too.
    if zipfile.is_zipfile(path) and chance.random() < 0.7:
        return mutate_member(data, chance)
    if path.suffix == ".h5" and chance.random() < 0.4:
        return mutate_configuration(path, chance)
    return mutate_bytes(data, chance)


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip bits, set bytes and lengths to edge values, and cut, duplicate, move or delete parts."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        if not changed:
            break
        # Headers and tables are the most sensitive: half of the mutations are in the first kilobyte, a sixth in the last two.
        span = chance.choice((1024, 1024, 1024, -2048, len(changed), len(changed)))
        place = chance.randrange(min(len(changed), abs(span)))
        place = len(changed) - 1 - place if span < 0 else place
        size = min(chance.choice((1, 2, 4, 8, 64, 1024)), len(changed) - place)
        kind = chance.randrange(6)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[place : place + size] = bytes([chance.choice(EDGES)]) * size
        elif kind == 2:
            changed[place : place + size] = chance.randbytes(size)
        elif kind == 3:
            del changed[place : place + size]
        elif kind == 4:
            changed[place:place] = changed[place : place + size]
        elif chance.random() < 0.2:
            del changed[place:]
    return bytes(changed)


def mutate_text(data: bytes, chance: random.Random) -> bytes:
    """Replace words and numbers by others of the text or by unexpected ones, and duplicate or delete lines."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if chance.random() < 0.2:
            lines = data.splitlines(keepends=True)
            if lines:
                place = chance.randrange(len(lines))
                lines[place : place + 1] = chance.choice(([], [lines[place]] * 2, [lines[place][: len(lines[place]) // 2]]))
            data = b"".join(lines)
            continue
        word, other = (WORD.search(data, chance.randrange(len(data) + 1)) or WORD.search(data) for _ in range(2))
        if word is None or other is None:
            break
        new = other.group() if chance.random() < 0.3 else chance.choice(WORDS)
        data = data[: word.start()] + new + data[word.end() :]
    return data


def mutate_member(data: bytes, chance: random.Random) -> bytes:
    """Mutate one member of an archive, which remains valid."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(result, "w") as target:
        chosen = chance.choice(source.namelist())
        for item in source.infolist():
            content = source.read(item)
            if item.filename == chosen:
                content = (mutate_text if item.filename.endswith(TEXTS) else mutate_bytes)(content, chance)
            target.writestr(item, content)
    return result.getvalue()


def mutate_configuration(path: Path, chance: random.Random) -> bytes:
    """Mutate the network's configuration in a Keras file in HDF5, which remains valid."""
    import h5py

    buffer = io.BytesIO(path.read_bytes())
    with h5py.File(buffer, "r+") as file:
        file.attrs["model_config"] = (
            mutate_text(file.attrs["model_config"].encode(), chance).replace(b"\0", b"").decode(errors="replace")
        )
    return buffer.getvalue()

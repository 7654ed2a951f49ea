"""Limits of clients, and request bodies that are read within them."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from typing_extensions import override

from emodetect.media.pixel_limit import gigabytes
from emodetect.text.printable import printable

_IDLE_SECONDS, _BODY_SECONDS = 10.0, 120.0
"""Time-outs of a request body: between two chunks, and for the whole body."""

_BUDGET = 2
"""Memory for request bodies, in bodies of the maximum size. A slow client takes only what it has sent."""

MAX_FILES = 100
"""Maximum number of files in a request."""

_MAX_NAME_LENGTH = 200

_ENCODED_NAME = re.compile(rb"filename\*=utf-8'[^']*'([^;\s]+)", re.IGNORECASE)

# It prints a warning for every malformed form.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Refused(Exception):
    """A request is answered with an error.

    Args:
        status: the HTTP status.
        message: one line.
        retry: seconds after which a retry may succeed; None if none does.
    """

    def __init__(self, status: int, message: str, *, retry: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry = status, message, retry


class Slots:
    """Counting semaphore that rejects instead of waiting.

    >>> slots = Slots(1, "clients")
    >>> with slots.acquire():
    ...     slots.is_full
    True

    Args:
        max_count: number of slots.
        what: their name, for the error.
    """

    def __init__(self, max_count: int, what: str) -> None:
        self._max_count, self._what, self._count = max_count, what, 0

    @property
    def is_full(self) -> bool:
        """Whether all slots are taken."""
        return self._count >= self._max_count

    def check(self) -> None:
        """Check that a slot is free.

        Raises:
            Refused: no slot is free (503).
        """
        if self.is_full:
            raise Refused(503, f"the server takes {self._max_count} {self._what} at a time; try again later", retry=1)

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Take a slot for the duration of a block.

        Raises:
            Refused: no slot is free (503).
        """
        self.check()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        name: the client's name of the file, without folders.
        content: its bytes.
    """

    name: str
    content: bytes


class Uploads:
    """Reads request bodies, in memory only.

    Args:
        max_bytes: maximum size of a body, bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._held = max_bytes, 0

    @asynccontextmanager
    async def read(self, request: Request, *, max_files: int = MAX_FILES, unnamed: str = "photo") -> AsyncIterator[list[Upload]]:
        """Read the files of a request: the parts of a form, or the body itself. They use the memory budget until the block ends.

        Args:
            request: the request, with an unread body.
            max_files: maximum number of files.
            unnamed: name of a file that is sent without one.

        Raises:
            Refused: the body is too large (413), too slow (408), empty or malformed (400), or the memory budget is used up (503).
        """
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._too_large()
        held = [0]
        try:
            yield await self._read(request, held, max_files, unnamed)
        finally:
            self._held -= held[0]

    async def _read(self, request: Request, held: list[int], max_files: int, unnamed: str) -> list[Upload]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return await self._read_form(request, held, max_files, unnamed)
        body = bytearray()
        async for chunk in self._limited(request, held):
            body += chunk
        if not body:
            raise Refused(400, "the request has no body; send a file as the body, or files as multipart/form-data")
        return [Upload(unnamed, bytes(body))]

    async def _read_form(self, request: Request, held: list[int], max_files: int, unnamed: str) -> list[Upload]:
        parser = _Form(request.headers, self._limited(request, held), max_files=max_files, max_fields=max_files)
        parser.spool_max_size = self._max_bytes + 1  # never spool to a disk
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise Refused(400, f"the form cannot be read ({error.message})") from error
        try:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            uploads = [Upload(public_name(file.filename) or unnamed, await file.read()) for file in files]
        finally:
            await form.close()
        if not uploads:
            raise Refused(400, "the form has no file; name one as in curl -F file=@photo.jpg")
        return uploads

    async def _limited(self, request: Request, held: list[int]) -> AsyncGenerator[bytes, None]:
        """Yield the chunks of a body, within all limits."""
        stream = request.stream()
        clock = asyncio.get_running_loop()
        until = clock.time() + _BODY_SECONDS
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), min(_IDLE_SECONDS, until - clock.time()))
            except StopAsyncIteration:
                return
            except asyncio.TimeoutError:
                raise Refused(408, "the request's body came too slowly") from None
            except ClientDisconnect:
                raise Refused(400, "the client left before all was sent") from None
            held[0] += len(chunk)
            self._held += len(chunk)
            if held[0] > self._max_bytes:
                raise self._too_large()
            if self._held > _BUDGET * self._max_bytes:
                raise Refused(503, "the server is busy with other uploads; try again later", retry=5)
            yield chunk

    def _too_large(self) -> Refused:
        return Refused(413, f"the request is larger than {gigabytes(self._max_bytes)}")


class _Form(MultiPartParser):
    """Extends Starlette's parser: refuses truncated forms, and decodes file names as older clients encode them."""

    _is_complete = False

    @override
    async def parse(self) -> FormData:
        try:
            form = await super().parse()
            if not self._is_complete:  # the last file is missing
                raise MultiPartException("cut short: the last boundary is missing")
        except BaseException:
            for file in self._files_to_close_on_error:
                file.close()
            raise
        return form

    @override
    def on_end(self) -> None:
        self._is_complete = True

    @override
    def on_header_end(self) -> None:
        self._current_partial_header_value = _ENCODED_NAME.sub(_plain_name, self._current_partial_header_value)
        super().on_header_end()


def _plain_name(encoded: re.Match[bytes]) -> bytes:
    """Convert ``filename*=utf-8''%C3%A9.jpg`` (RFC 5987) to ``filename="é.jpg"``, as browsers send it."""
    name = unquote_to_bytes(encoded[1]).replace(b"\\", b"_").replace(b'"', b"_")
    return b'filename="%b"' % name


def public_name(name: str | None) -> str:
    """Sanitize a client's name of a file: without folders and control characters, and with limited length.

    >>> public_name("C:\\\\photos/me\\n.jpg")
    'me\\\\n.jpg'

    Args:
        name: name in the request.
    """
    last = os.path.basename((name or "").replace("\\", "/"))
    return printable(last)[:_MAX_NAME_LENGTH]

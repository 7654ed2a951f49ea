"""HTTP streams, fetched here instead of by FFmpeg, which would follow any redirect."""

from __future__ import annotations

import http.client
import io
import ssl
import urllib.error
import urllib.request
import warnings
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from emodetect.errors import SourceError
from emodetect.sources.sockets import CONNECT_SECONDS, Sockets, unchecked_context
from emodetect.text.printable import public_address

_PORTS = {"http": 80, "https": 443}

_NEAR = 1 << 20
"""Maximum number of bytes to skip by reading rather than by a new request."""

REDIRECT_HINT = "name that address, or allow it with `follow_redirects`"


class HttpStream(io.BufferedIOBase):
    """Body of an HTTP response as a file object.

    Redirects are followed within the host and port of the address. Certificates are not verified, since cameras have self-signed
    ones; FFmpeg does not verify them either.

    Args:
        address: http or https URL; user and password in it are sent if the server requires them.
        sockets: creates the connections.
        follow_redirects: whether redirects to other hosts and ports are followed as well.
        max_bytes: limit of bytes that are read until `reset_byte_count`.

    Attributes:
        address: URL of the body, after redirects.
        content_type: content type stated by the server, lower case.
        is_redirected: whether the server redirected the request.
        max_bytes: as given.
        error: why the stream failed; None after its normal end. OpenCV, which reads seekable bodies, swallows exceptions.

    Raises:
        SourceError: the server redirects to another host or port.
        OSError: the stream cannot be opened; its message is a clause.
    """

    def __init__(self, address: str, sockets: Sockets, *, follow_redirects: bool, max_bytes: int) -> None:
        self.error: SourceError | None = None
        self._body: Any = None
        self.max_bytes, self._read_bytes = max_bytes, 0
        self._name = public_address(address)
        parts = urlsplit(address)
        self.address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        # http.client rejects unescaped characters, but users copy addresses with spaces and non-ASCII letters.
        self.address = quote(self.address, safe="%/:=&?~#+!$,;'@()*[]")
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            everywhere = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
            passwords.add_password(None, everywhere, unquote(parts.username), unquote(parts.password or ""))
        self._opener = urllib.request.build_opener(
            *_handlers(sockets, unchecked_context()),
            _Redirects(self._name, _place(self.address), follow_redirects),
            _BasicAuth(passwords),
            _DigestAuth(passwords),
        )
        self._body = self._open()
        self.is_redirected = self._body.url != self.address
        self.address = self._body.url
        headers = self._body.headers
        self.content_type = headers.get_content_type()
        length = headers.get("Content-Length", "")
        self._length = int(length) if length.isdecimal() and headers.get("Accept-Ranges", "").lower() == "bytes" else None
        self._at = self._wanted = 0
        self._peeked = b""

    def peek(self, size: int = 0) -> bytes:
        """Peek at the first bytes, at most ``size``; call it before anything is read."""
        try:
            while len(self._peeked) < size and (more := self._body.read1(size - len(self._peeked))):
                self._peeked += more
                if len(self._peeked) >= 16 and b"\n" in self._peeked:
                    break  # a stream may be slow, and one line is enough
        except (OSError, http.client.HTTPException, ValueError):
            pass
        return self._peeked

    def reset_byte_count(self) -> None:
        """Reset the byte count."""
        self._read_bytes = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Read at most ``size`` bytes; empty at the end and after an error."""
        try:
            return self._read(65536 if size is None or size < 0 else size)
        except (OSError, http.client.HTTPException, ValueError):
            return b""

    read1 = read

    def _read(self, size: int) -> bytes:
        if self._read_bytes > self.max_bytes:
            self.error = SourceError(f"{self._name}: has sent {self.max_bytes / 1e6:.0f} MB without a picture")
            return b""
        if self._wanted != self._at:
            self._seek(self._wanted)
        if self._peeked:
            data, self._peeked = self._peeked[:size], self._peeked[size:]
        else:
            data = self._body.read1(size)
        self._at = self._wanted = self._at + len(data)
        self._read_bytes += len(data)
        return data

    def _seek(self, place: int) -> None:
        if not 0 < place - self._at < _NEAR:
            self._body.close()
            self._body, self._at, self._peeked = self._open(place), place, b""
        while self._at < place and (data := self._peeked[: place - self._at] or self._body.read1(place - self._at)):
            self._peeked = self._peeked[len(data) :]
            self._at += len(data)

    def seekable(self) -> bool:
        """Whether the server supports range requests."""
        return self._length is not None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek; returns -1 if the server does not support range requests."""
        if self._length is None:
            return -1
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._wanted, io.SEEK_END: self._length}[whence]
        self._wanted = max(0, start + offset)
        return self._wanted

    def close(self) -> None:
        """Close the connection."""
        if self._body is not None:
            self._body.close()
        super().close()

    def _open(self, start: int = 0) -> Any:
        headers = {"User-Agent": "emodetect", "Accept": "*/*", **({"Range": f"bytes={start}-"} if start else {})}
        try:
            body = self._opener.open(urllib.request.Request(self.address, headers=headers), timeout=CONNECT_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"the server answers {_in_words(error.code)}") from None
        except urllib.error.URLError as error:
            raise OSError(_reason(error.reason)) from error
        except (http.client.HTTPException, ValueError) as error:
            raise OSError("the server's answer is no HTTP") from error
        if start and body.status != HTTPStatus.PARTIAL_CONTENT:
            body.close()
            raise OSError("the server gives no parts")
        return body


class _AuthOnce(urllib.request.BaseHandler):
    """Closes the connection of an unauthorized request; urllib sends the next one over another."""

    def http_error_401(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        response = None
        try:
            response = super().http_error_401(req, fp, code, msg, headers)  # type: ignore[misc]
        except BaseException:
            fp.close()
            raise
        if response is not None:
            fp.close()
        return response


class _DigestAuth(_AuthOnce, urllib.request.HTTPDigestAuthHandler):
    pass


class _BasicAuth(_AuthOnce, urllib.request.HTTPBasicAuthHandler):
    """Basic authentication. An unsupported scheme, or a missing password, leaves the server's response as the error."""

    def http_error_auth_reqed(self, *arguments: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Basic Auth Realm was unquoted")
                return super().http_error_auth_reqed(*arguments)
        except ValueError:
            return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the host and port of the address, and others only if allowed."""

    max_redirections, max_repeats = 8, 2

    def __init__(self, name: str, place: tuple[str, int], follow: bool) -> None:
        self._name, self._place, self._follow = name, place, follow

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        newurl = urljoin(req.full_url, newurl)
        if urlsplit(newurl).scheme not in _PORTS:
            fp.close()
            raise SourceError(f"{self._name}: the server sends viewers on to {public_address(newurl)}, which is no stream")
        if not self._follow and _place(newurl) != self._place:
            fp.close()
            raise SourceError(f"{self._name}: the server sends viewers on to {public_address(newurl)}", hint=REDIRECT_HINT)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        # urllib's own method rejects other schemes with its own message.
        if newurl := headers.get("Location"):
            self.redirect_request(req, fp, code, msg, headers, newurl)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _handlers(sockets: Sockets, context: ssl.SSLContext) -> tuple[urllib.request.BaseHandler, ...]:
    """Connection handlers of urllib; closing ``sockets`` aborts their connections."""

    def connect(address: tuple[str, int], *_: object) -> Any:
        return sockets.connect(*address)

    def connect_securely(address: tuple[str, int], *_: object) -> Any:
        connection = sockets.connect(*address)
        connection.settimeout(CONNECT_SECONDS)  # for the TLS handshake
        return connection

    class Connection(http.client.HTTPConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._create_connection = connect

    class SecureConnection(http.client.HTTPSConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._create_connection = connect_securely

        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(None)
            sockets.add(self.sock)

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(Connection, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(SecureConnection, req, context=context)

    return Handler(), SecureHandler()


def _place(address: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(address)
    return (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme]


def _in_words(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _reason(reason: object) -> str:
    return (reason.strerror if isinstance(reason, OSError) else None) or str(reason)

"""Parsing of publishers' URLs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from emodetect.errors import UsageError
from emodetect.text.printable import looks_like_address, public_address, public_name


@dataclass(frozen=True)
class Address:
    """Components of a URL, percent-decoded.

    Attributes:
        name: public part, without user, password, path and query.
        host: host without brackets; empty if missing.
        port: None if missing.
        path: path without its leading slash.
        user: None if missing.
        password: None if missing.
        options: query parameters, each with its values.
    """

    name: str
    host: str
    port: int | None = None
    path: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, options: Collection[str] | None = ()) -> Address:
        """Parse a URL with ``//``.

        Args:
            text: the URL.
            options: allowed query parameters; None for any.

        Raises:
            UsageError: the text is no URL, or has an unknown query parameter.
        """
        name = public_name_of(text)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise invalid_address(f"{name}: not an address with a host and a port from 1 to 65535") from None
        if "@" in text.partition("://")[2][len(parts.netloc) :]:
            raise invalid_address(f"{name}: / and @ within a password are written %2F and %40")
        if "#" in text:
            raise invalid_address(f"{name}: # is written %23")
        query = {} if options is None else parse_qs(parts.query, keep_blank_values=True)
        if unknown := [key for key in query if key not in (options or ())]:
            known = f"; there {'is' if len(options or ()) == 1 else 'are'} {', '.join(options or ())}" if options else ""
            raise invalid_address(f"{name}: has the unknown option {unknown[0]!r} after ?{known}")
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        values = {key: tuple(several) for key, several in query.items()}
        return cls(name, host, port, unquote(parts.path).lstrip("/"), user, password, values)

    def option(self, name: str, default: str, choices: Collection[str]) -> str:
        """Value of a query parameter.

        Raises:
            UsageError: the value is not among the choices, or the parameter is repeated.
        """
        values = self.options.get(name, (default,))
        if len(values) != 1 or values[0] not in choices:
            raise invalid_address(f"{self.name}: {name} after ? is one of {', '.join(choices)}")
        return values[0]

    def require(self, *, port: bool = False) -> None:
        """Check that the URL has a host, and optionally a port.

        Raises:
            UsageError: the host or port is missing.
        """
        if not self.host:
            raise invalid_address(f"{self.name}: names no host")
        if port and self.port is None:
            raise invalid_address(f"{self.name}: names no port, as in {self.name.rstrip('/.')}:9000")


def invalid_address(message: str, hint: str | None = None) -> UsageError:
    """Create an error about a URL."""
    return UsageError(message, parameter="publish", hint=hint)


def public_name_of(text: str) -> str:
    """Public part of any kind of address."""
    if "://" in text:
        return public_address(text)
    return public_name(text) if "@" in text or looks_like_address(text) else text

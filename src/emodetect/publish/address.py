"""Addresses that results are published to, taken apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from emodetect.errors import UsageError
from emodetect.text.printable import looks_like_address, public_address, public_name


@dataclass(frozen=True)
class Address:
    """The parts of an address, percent-decoded.

    Attributes:
        name: what may be shown of it: neither user and password, nor path and query.
        host: without brackets; empty where none is named.
        port: None where none is named.
        path: without the slash before it.
        user: None where none is named.
        password: None where none is named.
        options: the query, each name with its values.
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
        """Take an address with ``//`` apart.

        Args:
            text: the address.
            options: the names that the query may have; None for any.

        Raises:
            UsageError: it is none, or has another option in its query.
        """
        name = public_name_of(text)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise wrong(f"{name}: not an address with a host and a port from 1 to 65535") from None
        if "@" in text.partition("://")[2][len(parts.netloc) :]:
            raise wrong(f"{name}: / and @ within a password are written %2F and %40")
        if "#" in text:
            raise wrong(f"{name}: # is written %23")
        query = {} if options is None else parse_qs(parts.query, keep_blank_values=True)
        if unknown := [key for key in query if key not in (options or ())]:
            known = f"; there {'is' if len(options or ()) == 1 else 'are'} {', '.join(options or ())}" if options else ""
            raise wrong(f"{name}: has the unknown option {unknown[0]!r} after ?{known}")
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        values = {key: tuple(several) for key, several in query.items()}
        return cls(name, host, port, unquote(parts.path).lstrip("/"), user, password, values)

    def option(self, name: str, default: str, choices: Collection[str]) -> str:
        """The value of an option in the query.

        Raises:
            UsageError: it is none of the choices, or there are several.
        """
        values = self.options.get(name, (default,))
        if len(values) != 1 or values[0] not in choices:
            raise wrong(f"{self.name}: {name} after ? is one of {', '.join(choices)}")
        return values[0]

    def require(self, *, port: bool = False) -> None:
        """See that a host is named, and a port where one is needed.

        Raises:
            UsageError: it is not.
        """
        if not self.host:
            raise wrong(f"{self.name}: names no host")
        if port and self.port is None:
            raise wrong(f"{self.name}: names no port, as in {self.name.rstrip('/.')}:9000")


def wrong(message: str, hint: str | None = None) -> UsageError:
    """An error about an address."""
    return UsageError(message, parameter="publish", hint=hint)


def public_name_of(text: str) -> str:
    """What may be shown of an address of any kind."""
    if "://" in text:
        return public_address(text)
    return public_name(text) if "@" in text or looks_like_address(text) else text

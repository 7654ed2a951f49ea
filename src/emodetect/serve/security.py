"""Access control: checks of each request before all other handlers, and security headers of each response."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emodetect.serve.metrics import Metrics
from emodetect.settings.serve import ServerSettings

SUBPROTOCOL = "emodetect.v1"
"""WebSocket subprotocol of the server."""

TOKEN_PREFIX = "emodetect.token."
"""Prefix of the token, in base64url without padding, that a browser sends as a WebSocket subprotocol."""

PUBLIC = ("/", "/overlay", "/docs", "/openapi.json", "/texts.json", "/favicon.ico", "/v1/health")
"""Paths without authentication: the pages, where a user can enter the token, and the health check."""

_STATIC = "/static/"

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?")
"""Host header."""

_FOREIGN = ("cross-site", "same-site")
"""Values of Sec-Fetch-Site for requests from pages of other sites."""

_MAX_TOKEN_LENGTH = 512
"""Maximum number of characters of a token that are compared."""


class Guard:
    """Checks host, origin and token of each request, and adds security headers to each response. An ASGI middleware.

    Args:
        app: handles the accepted requests.
        settings: access control.
        metrics: counts requests.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._hosts = {name.lower().rstrip(".") for name in (*settings.hosts, settings.host, "localhost")}
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.origins)
        self._token = None if settings.token is None else _digest(settings.token)
        self._ancestors = " ".join(["'self'", *sorted(self._origins - {"null"})])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        is_named = origin is not None and origin.lower() in self._origins

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                self._add_headers(MutableHeaders(scope=message), origin if is_named else None)
                self._metrics.count_request(scope["path"], message["status"])
            elif message["type"] == "websocket.accept":
                self._metrics.count_request(scope["path"], 101)
            await send(message)

        refusal = self._refusal(scope, headers, origin, is_named=is_named)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
        elif is_named and scope.get("method") == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204)(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers, origin: str | None, *, is_named: bool) -> Response | None:
        """Response to a rejected request; None for an accepted one."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_allowed(hosts[0]):
            # With DNS rebinding, a page of another site points its own name at this machine; that name is in the header.
            return refused(421, "this server is not known by that name; call it by an IP address, localhost or a named host")
        if origin is not None and not is_named and _place(origin) != hosts[0].lower():
            return refused(403, "requests of pages of other sites are refused")
        is_public = scope["path"] in PUBLIC or scope["path"].startswith(_STATIC)
        if not is_named and not is_public and headers.get("sec-fetch-site") in _FOREIGN:
            return refused(403, "requests of pages of other sites are refused")
        is_preflight = is_named and scope.get("method") == "OPTIONS"  # sent without a token
        if self._token is not None and not is_public and not is_preflight and not self._has_token(scope, headers):
            return refused(401, "a token is needed, in the header Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
        return None

    def _is_allowed(self, host: str) -> bool:
        """Whether a Host header is valid: an IP address, to which DNS rebinding does not apply, or an allowed name."""
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        try:
            return bool(ipaddress.ip_address(found["name"].strip("[]")))
        except ValueError:
            return found["name"].rstrip(".") in self._hosts

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        shown = [given.strip()] if scheme.lower() == "bearer" else []
        if scope["type"] == "websocket":
            shown += tokens_of(scope.get("subprotocols", ()))
        # Constant-time comparison, independent of content and length.
        return any(hmac.compare_digest(_digest(token[:_MAX_TOKEN_LENGTH]), self._token or b"") for token in shown)

    def _add_headers(self, headers: MutableHeaders, named_origin: str | None) -> None:
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
            f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {self._ancestors}"
        )
        headers["Content-Security-Policy"] = policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin" if named_origin is None else "cross-origin"
        headers.setdefault("Cache-Control", "no-store")
        if self._origins:
            headers.add_vary_header("Origin")
        if named_origin is not None:
            headers["Access-Control-Allow-Origin"] = named_origin
            headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            headers["Access-Control-Allow-Headers"] = "authorization, content-type"


def refused(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Create an error response, as from every endpoint: one line of text in JSON.

    Args:
        status: the HTTP status.
        message: the line.
        headers: further headers.
    """
    return JSONResponse({"error": message}, status, headers)


def tokens_of(subprotocols: Iterable[str]) -> list[str]:
    """Extract the tokens from the WebSocket subprotocols of a client.

    Args:
        subprotocols: their names.
    """
    found = []
    for name in subprotocols:
        if name.startswith(TOKEN_PREFIX):
            encoded = name[len(TOKEN_PREFIX) :][:_MAX_TOKEN_LENGTH]
            try:
                found.append(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
            except (binascii.Error, ValueError):
                continue
    return found


def _digest(token: str) -> bytes:
    """Hash a token to a fixed length."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _place(origin: str) -> str:
    """Host and port of an origin, as in a Host header."""
    return origin.lower().partition("://")[2]

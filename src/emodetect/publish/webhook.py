"""Webhook: results in batches, by HTTP POST, as an array of JSON objects."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from typing_extensions import override

from emodetect.publish.address import Address
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message

_RESPONSE_SECONDS = 10.0
"""Time-out of a response."""

_MAX_RESPONSE = 1 << 16
"""Maximum number of bytes of a response that are read."""

_SUCCESS = range(200, 300)


class WebhookPublisher(Publisher):
    """Posts the results of each second. A rejected batch is sent again. Redirects are not followed.

    Args:
        text: ``http://host/path`` or ``https://``; a user and password in it are sent as Basic authentication.

    Raises:
        UsageError: the address is invalid.
    """

    capacity = 1000
    batch = 500
    pause = 1.0

    def __init__(self, text: str) -> None:
        self._address = address = Address.parse(text, options=None)
        address.require()
        self.name = address.name
        parts = urlsplit(text)
        self._is_encrypted = parts.scheme.lower() == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._target = quote(target, safe="%/:=&?~#+!$,;'@()*[]")
        self._headers = {"Content-Type": "application/json", "User-Agent": "emodetect", "Connection": "close"}
        if address.user is not None:
            given = f"{address.user}:{address.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(given).decode()}"

    @override
    def send(self, messages: Sequence[Message]) -> None:
        connection = self._connection()
        try:
            connection.request("POST", self._target, f"[{', '.join(m.json for m in messages)}]".encode(), self._headers)
            answer = connection.getresponse()
            answer.read(_MAX_RESPONSE)
        except http.client.HTTPException as error:
            raise ConnectionError("the server's answer is no HTTP") from error
        finally:
            connection.close()
        if answer.status not in _SUCCESS:
            raise ConnectionError(f"the server answers {answer.status} {answer.reason}".rstrip())

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._is_encrypted:
            return http.client.HTTPSConnection(host, port, timeout=_RESPONSE_SECONDS, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=_RESPONSE_SECONDS)

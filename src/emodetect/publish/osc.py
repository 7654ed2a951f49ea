"""Open Sound Control over UDP: each result as one bundle per face, and one for the frame."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from typing_extensions import override

from emodetect.publish.address import Address, invalid_address
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message

_PREFIX = "emodetect"

_NOT_IN_ADDRESSES = re.compile(r"[^!-~]|[#*,?\[\]{}]")

_REFUSAL_SECONDS = 0.05
"""Time in which the system of a machine nearby reports a closed port; others never do."""


class OscPublisher(Publisher):
    """Sends UDP datagrams. With the prefix ``/emodetect``:

        /emodetect/frame  frame, time, number of faces
        /emodetect/face/<id>/emotion  emotion, confidence, uncertain (0 or 1)
        /emodetect/face/<id>/scores  angry, disgust, fear, happy, sad, surprise, neutral
        /emodetect/face/<id>/box  x, y, width, height

    A face without scores has neither emotion nor scores.

    Args:
        text: ``osc://host:port/prefix``; the prefix is optional.

    Raises:
        UsageError: the address is invalid.
    """

    def __init__(self, text: str) -> None:
        self._address = address = Address.parse(text)
        address.require(port=True)
        self.name = address.name
        self._prefix = "/" + (address.path.strip("/") or _PREFIX)
        if _NOT_IN_ADDRESSES.search(self._prefix) or "//" in self._prefix or address.user is not None:
            raise invalid_address(
                f"{self.name}: an OSC address is osc://host:port/prefix; the prefix has no spaces and none of #*,?[]{{}}"
            )
        self._socket: socket.socket | None = None

    @override
    def connect(self) -> None:
        self.close()
        error: OSError = ConnectionError("no address")
        for family, kind, _, _, place in socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM):
            self._socket = socket.socket(family, kind)
            try:
                # Only a connected socket reports a closed port, after the first datagram.
                self._socket.connect(place)
                self._socket.send(_message(self._prefix).dgram)
                time.sleep(_REFUSAL_SECONDS)
                self._socket.send(_message(self._prefix).dgram)
                return
            except OSError as reason:
                self.close()
                error = reason
        raise error

    @override
    def send(self, messages: Sequence[Message]) -> None:
        assert self._socket is not None
        for message in messages:
            for datagram in self._datagrams(message.body):
                self._socket.send(datagram)

    def _datagrams(self, body: Mapping[str, Any]) -> Iterator[bytes]:
        yield _bundle(_message(f"{self._prefix}/frame", body["frame"], body["time"], len(body["faces"])))
        for face in body["faces"]:
            at = f"{self._prefix}/face/{face['id']}"
            parts = [_message(f"{at}/box", *face["box"].values())]
            if face["scores"] is not None:
                parts.append(_message(f"{at}/emotion", face["emotion"], face["confidence"], int(face["uncertain"])))
                parts.append(_message(f"{at}/scores", *face["scores"].values()))
            yield _bundle(*parts)

    @override
    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _message(address: str, *values: float | str) -> Any:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def _bundle(*messages: Any) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return bytes(builder.build().dgram)

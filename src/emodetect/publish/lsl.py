"""Lab Streaming Layer: a stream of scores with capture times, and a stream of markers for label changes."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pylsl
from typing_extensions import override

from emodetect.publish.address import invalid_address
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message
from emodetect.system.assumptions import warn_once
from emodetect.system.native_output import quiet_native_output
from emodetect.text.printable import one_line
from emodetect.types import EMOTIONS

_CHANNELS = {**{emotion.value: "normalized" for emotion in EMOTIONS}, "confidence": "normalized", "id": "number"}
"""Channels of the stream of scores, with their units; "normalized" is 0 to 1."""

_MAX_NAME = 100

_CONFIGURATIONS = "lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg"
"""Paths of the user's configuration of the library, in addition to the variable LSLAPICFG."""

_QUIET = "[log]\nlevel = -3\n"
"""Configuration without log messages, since all relevant errors are results of the library's functions."""


class LslPublisher(Publisher):
    """Offers two streams to the local network: NAME, one sample per face and frame, and NAME-markers, such as ``1:happy``.

    Args:
        text: ``lsl:NAME``.

    Raises:
        UsageError: the name is missing or too long.
    """

    def __init__(self, text: str) -> None:
        self._stream = text.partition(":")[2].lstrip("/").strip()
        self.name = f"lsl:{one_line(self._stream)}"
        if not self._stream or not self._stream.isprintable() or len(self._stream) > _MAX_NAME:
            raise invalid_address(f"{self.name}: expected a name for the stream, as in lsl:emodetect")
        self._scores: pylsl.StreamOutlet | None = None
        self._markers: pylsl.StreamOutlet | None = None

    @override
    def open(self) -> None:
        if "LSLAPICFG" not in os.environ and not any(Path(path).expanduser().exists() for path in _CONFIGURATIONS):
            pylsl.set_config_content(_QUIET)
        with quiet_native_output():
            self._scores = pylsl.StreamOutlet(self._scores_info())
            self._markers = pylsl.StreamOutlet(self._markers_info())
        warn_once(f"{self.name}: other machines in the network can receive it, too, without a password")

    def _scores_info(self) -> Any:
        info = self._info(self._stream, "Emotion", len(_CHANNELS), pylsl.cf_float32)
        channels = info.desc().append_child("channels")
        for label, unit in _CHANNELS.items():
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", "Identifier" if label == "id" else "Emotion")
        return info

    def _markers_info(self) -> Any:
        return self._info(f"{self._stream}-markers", "Markers", 1, pylsl.cf_string)

    def _info(self, name: str, kind: str, channels: int, form: int) -> Any:
        # Constant across restarts, so that a recorder continues with the new stream.
        source = f"emodetect:{name}@{socket.gethostname()}"
        info = pylsl.StreamInfo(name, kind, channels, pylsl.IRREGULAR_RATE, form, source)
        info.desc().append_child("acquisition").append_child_value("manufacturer", "emodetect")
        return info

    @override
    def send(self, messages: Sequence[Message]) -> None:
        assert self._scores is not None
        assert self._markers is not None
        for message in messages:
            captured = pylsl.local_clock() - (time.monotonic() - message.captured)
            for sample in _samples(message.body):
                self._scores.push_sample(sample, captured)
            for change in message.changes:
                self._markers.push_sample([f"{change.track_id}:{change.text}"], captured)

    @override
    def close(self) -> None:
        self._scores = self._markers = None


def _samples(body: Mapping[str, Any]) -> Iterator[list[float]]:
    """One sample per face; a face without scores has NaN."""
    for face in body["faces"]:
        scores = face["scores"] or dict.fromkeys((emotion.value for emotion in EMOTIONS), math.nan)
        confidence = math.nan if face["confidence"] is None else face["confidence"]
        yield [*scores.values(), confidence, face["id"]]

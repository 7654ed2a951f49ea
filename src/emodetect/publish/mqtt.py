"""MQTT 5: each result is one JSON message on a topic."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from typing_extensions import override

from emodetect.publish.address import Address, invalid_address
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message

_TOPIC = "emodetect"

_PORTS = {"mqtt": 1883, "mqtts": 8883}

_RESPONSE_SECONDS = 5.0
"""Time-out for a broker to accept a connection, and to acknowledge a message."""

_KEEPALIVE_SECONDS = 15
"""Keep-alive interval of the connection."""

_MAX_TOPIC_BYTES = 65535 - len("/status")


class MqttPublisher(Publisher):
    """Publishes to a broker. The topic ``.../status`` is ``online`` or, by the last will, ``offline``, even if the run is killed.

    Args:
        text: ``mqtt://user:password@broker:1883/topic``, or ``mqtts://`` for TLS; only the broker is required. With ``?qos=1``
            each message is acknowledged, with ``?retain=yes`` the broker keeps the last one for new subscribers.

    Raises:
        UsageError: the address is invalid.
    """

    def __init__(self, text: str) -> None:
        scheme = text.partition(":")[0].lower()
        self._address = address = Address.parse(text, options=("qos", "retain"))
        address.require()
        self.name = address.name
        self._port = address.port or _PORTS[scheme]
        self._is_encrypted = scheme == "mqtts"
        self._topic = address.path or _TOPIC
        if any(c in self._topic for c in "+#\0") or self._topic.startswith("$") or len(self._topic.encode()) > _MAX_TOPIC_BYTES:
            raise invalid_address(f"{self.name}: not a topic to publish on: it has + or #, begins with $, or is too long")
        self._qos = int(address.option("qos", "0", ("0", "1", "2")))
        self._retains = address.option("retain", "no", ("yes", "no")) == "yes"
        self._connection: _Connection | None = None

    @override
    def connect(self) -> None:
        self._disconnect()
        connection = _Connection(f"{self._topic}/status")
        client, address = connection.client, self._address
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if self._is_encrypted:
            client.tls_set()
        client.connect_timeout = _RESPONSE_SECONDS
        try:
            client.connect(address.host, self._port, keepalive=_KEEPALIVE_SECONDS)
        except ValueError as error:
            raise OSError(str(error)) from error
        self._connection = connection
        client.loop_start()
        connection.wait()
        client.publish(f"{self._topic}/status", "online", qos=1, retain=True)

    @override
    def send(self, messages: Sequence[Message]) -> None:
        connection = self._connection
        if connection is None or not connection.is_accepted:
            raise ConnectionError("the broker has closed the connection")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        for message in messages:
            sent = connection.client.publish(self._topic, message.json, self._qos, self._retains, properties)
            if sent.rc != paho.MQTT_ERR_SUCCESS:
                raise ConnectionError(paho.error_string(sent.rc))
            if self._qos:
                try:
                    sent.wait_for_publish(_RESPONSE_SECONDS)
                except (RuntimeError, ValueError) as error:
                    raise ConnectionError(str(error)) from error
                if not sent.is_published():
                    raise TimeoutError("the broker does not confirm messages")

    @override
    def close(self) -> None:
        connection = self._connection
        if connection is not None and connection.is_accepted:
            sent = connection.client.publish(f"{self._topic}/status", "offline", qos=1, retain=True)
            if sent.rc == paho.MQTT_ERR_SUCCESS:
                sent.wait_for_publish(1.0)
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.client.disconnect()
            connection.client.loop_stop()


class _Connection:
    """One connection to a broker, without automatic reconnection."""

    def __init__(self, status: str) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self.client.will_set(status, "offline", qos=1, retain=True)
        self.client.on_connect, self.client.on_disconnect = self._on_connect, self._on_disconnect
        self._answered = threading.Event()
        self._refusal: str | None = None
        self.is_accepted = False

    def wait(self) -> None:
        """Wait for the broker's response.

        Raises:
            OSError: the broker refuses the connection, or does not respond.
        """
        if not self._answered.wait(_RESPONSE_SECONDS):
            raise TimeoutError("the broker does not answer")
        if not self.is_accepted:
            raise ConnectionError(f"the broker answers: {self._refusal}" if self._refusal else "the broker hangs up")

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refusal = str(code)
        self.is_accepted = not code.is_failure
        self._answered.set()

    def _on_disconnect(self, *_: Any) -> None:
        self.is_accepted = False
        self._answered.set()

"""Each publisher against a real consumer, which is killed and comes back."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pylsl
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from emodetect.errors import OutputError
from emodetect.publish.registry import PublishSettings
from emodetect.publish.sink import PublishingSink
from emodetect.types import EMOTIONS, Emotion, FrameResult
from tests.builders import make_frame, make_reading, make_result
from tests.cli.running import TIMEOUT
from tests.publish.consumers import Broker, Consumer, OscReceiver, WebServer, WebSocketClient, free_port, listening
from tests.waiting import wait_until

HAPPY = make_result(make_reading(), index=7, timestamp=0.28)
SAD = make_result(make_reading(dominant=Emotion.SAD), index=8, timestamp=0.32)
FRAME = make_frame()


def frames(index: int) -> FrameResult:
    return make_result(make_reading(), index=index, timestamp=index / 25)


class Pump:
    """Frames that come all the time, as from a camera.

    Attributes:
        count: frames written so far.
    """

    def __init__(self, sink: PublishingSink) -> None:
        self.count = 0
        self._sink, self._stopping = sink, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(0.002):
            result = frames(self.count)
            self._sink.write(make_frame(index=result.index, timestamp=result.timestamp), result)
            self.count += 1

    def goes_on(self) -> None:
        """Wait for further frames."""
        before = self.count
        wait_until(lambda: self.count > before + 20)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


@contextmanager
def pumping(*addresses: str) -> Iterator[Pump]:
    with PublishSettings(addresses).open() as sink:
        pump = Pump(sink)
        try:
            yield pump
        finally:
            pump.stop()


def publish(addresses: Sequence[str], *results: FrameResult, changes_only: bool = False) -> None:
    """Write results, and close."""
    with PublishSettings(tuple(addresses), changes_only).open(waits=True) as sink:
        for result in results:
            sink.write(FRAME, result)


CONSUMERS: dict[str, Callable[[Path], Consumer]] = {
    "mqtt": Broker,
    "osc": lambda folder: OscReceiver(),
    "http": lambda folder: WebServer(),
    "ws": lambda folder: WebSocketClient(),
}


@pytest.fixture(params=CONSUMERS)
def consumer(request: pytest.FixtureRequest, tmp_path: Path) -> Consumer:
    return CONSUMERS[request.param](tmp_path)


def test_a_consumer_that_is_killed_and_comes_back_holds_up_nobody(consumer: Consumer, caplog: pytest.LogCaptureFixture) -> None:
    with pumping(consumer.address) as pump, listening(consumer):
        wait_until(consumer.frames)
        consumer.kill()
        if not isinstance(consumer, WebSocketClient):  # of which the server needs none
            wait_until(lambda: "cannot be reached" in caplog.text)
        pump.goes_on()
        before = len(consumer.frames())
        consumer.start()
        wait_until(lambda: len(consumer.frames()) > before + 5)
        if not isinstance(consumer, WebSocketClient):
            wait_until(lambda: "is reached again" in caplog.text)
        pump.goes_on()
        pump.stop()
        told = [text for message in caplog.messages for text in ("reached any more", "reached again") if text in message]

    assert told == ([] if isinstance(consumer, WebSocketClient) else ["reached any more", "reached again"])
    got = consumer.frames()
    assert got == sorted(set(got))  # in order, none twice


def test_a_consumer_that_comes_late_gets_the_newest_frames(consumer: Consumer, caplog: pytest.LogCaptureFixture) -> None:
    with pumping(consumer.address) as pump:
        wait_until(lambda: pump.count > 1100)
        with listening(consumer):
            wait_until(lambda: max(consumer.frames(), default=0) > pump.count - 500)
            pump.stop()
    if isinstance(consumer, WebSocketClient):
        return
    told = [message for message in caplog.messages if "127.0.0.1" in message]
    assert [text for message in told for text in ("cannot be reached (", "reached now", "not sent") if text in message] == [
        "cannot be reached (", "reached now", "not sent",
    ]  # fmt: skip


def test_what_waits_is_sent_before_the_end(consumer: Consumer) -> None:
    if isinstance(consumer, WebSocketClient):
        pytest.skip("a client cannot be there before the server")
    with listening(consumer):
        publish([consumer.address], *map(frames, range(40)))  # few enough for the receive buffer of a UDP socket
        wait_until(lambda: len(consumer.frames()) == 40)
        assert consumer.frames() == [*range(40)]


def test_mqtt_carries_the_object_of_a_log(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "/lab/faces?qos=1&retain=yes")
    with listening(broker):
        publish([broker.address], HAPPY, SAD)
        wait_until(lambda: len(broker.received) == 4)
        status, first, _, end = broker.received
        assert [json.loads(first.payload)] == [HAPPY.as_dict()]
        assert (first.topic, first.qos) == ("lab/faces", 1)
        assert first.properties.ContentType == "application/json"
        assert [(one.topic, one.payload) for one in (status, end)] == [
            ("lab/faces/status", b"online"), ("lab/faces/status", b"offline"),
        ]  # fmt: skip


def test_mqtt_with_a_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = Broker(tmp_path, password="S3CR@T/")
    place = broker.address.removeprefix("mqtt://")
    with listening(broker):
        publish([f"mqtt://emo:S3CR%40T%2F@{place}"], HAPPY)
        wait_until(lambda: broker.frames() == [7])
        publish([f"mqtt://emo:WR0NG@{place}"], HAPPY)

    assert "cannot be reached (the broker answers: Not authorized); it is tried again" in caplog.text
    assert "1 message was not sent" in caplog.text
    assert "S3CR" not in caplog.text
    assert "WR0NG" not in caplog.text


def test_osc_has_one_message_for_each_kind_of_value() -> None:
    receiver = OscReceiver()
    receiver.address += "/stage"
    unread = make_result(make_reading(), index=8)
    with listening(receiver):
        publish([receiver.address], HAPPY, unread)
        wait_until(lambda: ("/stage/frame", 8, 0.0, 1) in receiver.received)
    values = {address: rest for address, *rest in reversed(receiver.received)}
    body = HAPPY.as_dict()["faces"][0]
    assert values["/stage/frame"] == [7, pytest.approx(0.28), 1]
    assert values["/stage/face/1/emotion"] == ["happy", pytest.approx(0.7), 0]
    assert values["/stage/face/1/scores"] == pytest.approx([body["scores"][emotion.value] for emotion in EMOTIONS])
    assert values["/stage/face/1/box"] == [100, 60, 80, 90]


def test_a_webhook_gets_batches_with_its_path_and_user() -> None:
    server = WebServer("/a%20b?key=S3CRET")
    with listening(server):
        publish([server.address.replace("//", "//me:pass%3Aword@")], *map(frames, range(700)))
    assert server.frames() == [*range(700)]
    assert max(map(len, server.received)) > 100
    assert server.path == "/a%20b?key=S3CRET"
    assert server.headers["Authorization"] == "Basic bWU6cGFzczp3b3Jk"
    assert server.headers["Content-Type"] == "application/json"


def test_a_webhook_that_refuses_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    server = WebServer()
    server.status = 503
    with listening(server), pumping(server.address):
        wait_until(lambda: "the server answers 503 Service Unavailable" in caplog.text)
        server.status = 200
        wait_until(server.frames)
        assert server.frames()[0] == 0  # nothing was lost meanwhile


class TestWebSocket:
    def test_a_client_gets_the_newest_result_at_once(self) -> None:
        address = f"ws://127.0.0.1:{free_port()}"
        with PublishSettings((address,)).open() as sink:
            sink.write(FRAME, HAPPY)
            with connect(address, open_timeout=TIMEOUT) as client:
                assert json.loads(client.recv(TIMEOUT)) == HAPPY.as_dict()

    def test_a_slow_client_holds_up_nobody_and_gets_the_newest(self, caplog: pytest.LogCaptureFixture) -> None:
        port = free_port()
        crowd = make_result(*(make_reading(track_id=number) for number in range(1, 40)))
        with PublishSettings((f"ws://127.0.0.1:{port}",)).open() as sink, socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", port))
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
            slow.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode())
            assert slow.recv(12) == b"HTTP/1.1 101"
            quick = WebSocketClient()
            quick.address = f"ws://127.0.0.1:{port}"
            with listening(quick):
                for _ in range(20):
                    for _ in range(50):
                        sink.write(FRAME, crowd)
                    done = len(quick.received)
                    wait_until(lambda done=done: len(quick.received) > done)  # type: ignore[misc]
        assert "not sent: newer ones took their place" in caplog.text

    def test_garbage_harms_nobody(self) -> None:
        client = WebSocketClient()
        host, port = client.address.removeprefix("ws://").split(":")
        with pumping(client.address), listening(client):
            for garbage in (b"\0" * 100_000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
                with socket.create_connection((host, int(port))) as other:
                    other.sendall(garbage)
            with connect(client.address, open_timeout=TIMEOUT, close_timeout=0.1) as talker:  # it does not read
                talker.send("x" * 1000)
                before = len(client.received)
                wait_until(lambda: len(client.received) > before + 10)

    @pytest.mark.parametrize(
        ("origin", "is_allowed"),
        [
            (None, True), ("http://localhost:8000", True), ("http://127.0.0.1", True), ("https://lab.example", True),
            ("http://evil.example", False), ("null", False), ("http://localhost.evil.example", False),
        ],
    )  # fmt: skip
    def test_pages_of_other_sites_are_refused(self, origin: str | None, is_allowed: bool) -> None:
        port = free_port()
        with PublishSettings((f"ws://:{port}?origin=https://lab.example",)).open() as sink:
            sink.write(FRAME, HAPPY)
            if is_allowed:
                with connect(f"ws://127.0.0.1:{port}", origin=origin) as client:  # type: ignore[arg-type]
                    assert client.recv(TIMEOUT)
            else:
                with pytest.raises(InvalidStatus, match="403"):
                    connect(f"ws://127.0.0.1:{port}", origin=origin)  # type: ignore[arg-type]

    def test_a_port_that_is_taken_is_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OutputError, match=rf"ws://127.0.0.1:{port}: cannot listen \(Address already in use\)"):
                publish([f"ws://localhost:{port}"])

    def test_another_address_is_said_aloud(self, caplog: pytest.LogCaptureFixture) -> None:
        publish(["ws://0.0.0.0:0"])
        assert "other machines can connect, too, without a password" in caplog.text
        caplog.clear()
        publish(["ws://localhost:0", "ws://127.0.0.2:0"])
        assert not caplog.text


def inlet(name: str) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("name", name, timeout=60)
    assert found, f"no stream {name}"
    opened = pylsl.StreamInlet(found[0], recover=False)
    opened.open_stream(60)
    return opened


def test_lsl_has_scores_at_the_time_of_capture_and_markers() -> None:
    name = f"emo-{free_port()}"
    two = make_result(make_reading(), make_reading(track_id=2, dominant=Emotion.FEAR), index=1, timestamp=5.0)
    with PublishSettings((f"lsl:{name}",)).open(lambda: 7.5) as sink:
        scores, markers = inlet(name), inlet(f"{name}-markers")
        description = scores.info(60)
        channel, labels = description.desc().child("channels").first_child(), []
        while not channel.empty():
            labels.append((channel.child_value("label"), channel.child_value("unit")))
            channel = channel.next_sibling()
        units = {emotion.value: "normalized" for emotion in EMOTIONS} | {"confidence": "normalized", "id": "number"}
        assert labels == [*units.items()]
        assert description.type() == "Emotion"

        before = time.monotonic()
        sink.write(make_frame(timestamp=5.0), two)
        after = time.monotonic()
        pulled = [scores.pull_sample(60) for _ in range(2)]
        body = two.as_dict()["faces"]
        for (sample, stamp), face in zip(pulled, body, strict=True):
            assert sample == pytest.approx([*face["scores"].values(), face["confidence"], face["id"]])
            assert before - 2.6 <= stamp <= after - 2.4  # captured 2.5 s ago
        assert [markers.pull_sample(60)[0] for _ in range(2)] == [["1:happy"], ["2:fear"]]
        sink.write(FRAME, make_result(make_reading(), timestamp=5.1))
        sample, stamp = markers.pull_sample(60)
        assert sample == ["2:gone"]


def test_lsl_inlets_come_and_go() -> None:
    name = f"emo-{free_port()}"
    with pumping(f"lsl:{name}") as pump:
        first = inlet(name)
        assert first.pull_sample(60)[0]
        first.close_stream()
        del first
        pump.goes_on()
        assert inlet(name).pull_sample(60)[0]

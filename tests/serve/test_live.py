"""The server's own source: events and pictures."""

from __future__ import annotations

import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typing_extensions import override

from emodetect.errors import OutputError
from emodetect.publish import registry
from emodetect.publish.base import Publisher
from emodetect.publish.message import Message
from emodetect.publish.registry import PublishSettings
from emodetect.serve.run import SourceSettings
from emodetect.sources.camera import LiveSource
from tests.builders import MovingClip
from tests.publish.consumers import Broker, OscReceiver, WebSocketClient, listening
from tests.serve.serving import Client, served
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def live(moving_clip: MovingClip) -> Iterator[Client]:
    """A server that plays a clip again and again."""
    with served(source=SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True)) as running:
        yield running


def events_of(response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    """The server-sent events of a response, by field; comments are left out."""
    event: dict[str, str] = {}
    while line := response.readline().decode():
        if line == "\n":
            if event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.rstrip("\n").partition(": ")
            event[name] = value


def pictures_of(response: http.client.HTTPResponse) -> Iterator[tuple[int, Any]]:
    """The pictures of an MJPEG response, each with its frame's number."""
    while response.readline().startswith(b"--frame"):
        headers = http.client.parse_headers(response)
        content = response.read(int(headers["Content-Length"]))
        response.readline()
        yield int(headers["X-Frame"]), cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_events_bring_the_results_in_order(live: Client) -> None:
    connection = live.open()
    connection.request("GET", "/v1/events")
    response = connection.getresponse()
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response)
    records = [json.loads(next(events)["data"]) for _ in range(20)]
    connection.close()

    numbers = [record["frame"] for record in records]
    assert numbers == sorted(set(numbers))
    assert {(record["width"], record["height"]) for record in records} == {(640, 360)}
    faces = [face for record in records for face in record["faces"]]
    assert faces
    assert {"id", "box", "emotion", "scores"} <= set(faces[-1])


def test_pictures_come_with_the_number_of_their_frame(live: Client) -> None:
    for query, annotated in (("", False), ("?annotated=true", True)):
        connection = live.open()
        connection.request("GET", f"/v1/live.mjpg{query}")
        response = connection.getresponse()
        assert response.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        pictures = pictures_of(response)
        found = [next(pictures) for _ in range(5)]
        connection.close()
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers))
        assert {picture.shape for _, picture in found} == {(360, 640, 3)}
        is_colored = [bool((np.ptp(picture.astype(int), axis=2) > 120).sum() > 200) for _, picture in found]
        assert any(is_colored) or not annotated


def test_viewers_that_leave_are_counted_out(live: Client) -> None:
    for path, kind in (("/v1/events", "events"), ("/v1/live.mjpg", "pictures")):
        series = f'emodetect_clients{{kind="{kind}"}}'
        wait_until(lambda series=series: live.metric(series) == 0)  # type: ignore[misc]
        connection = live.open()
        connection.request("GET", path)
        connection.getresponse().read(10)
        assert live.metric(series) == 1
        connection.close()
        wait_until(lambda series=series: live.metric(series) == 0)  # type: ignore[misc]


def test_the_end_of_the_source_is_an_event(moving_clip: MovingClip) -> None:
    with served(source=SourceSettings(LiveSource.parse(str(moving_clip.path)))) as client:
        connection = client.open()
        connection.request("GET", "/v1/events")
        last = [*events_of(connection.getresponse())][-1]
        connection.close()
        assert last == {"event": "end", "data": '{"state": "ended"}'}
        assert client.get("/v1/health").json == {"status": "ok", "source": "ended"}
        assert client.get("/v1/live.mjpg").body == b""
        assert client.said == []


def test_a_source_that_cannot_be_read_does_not_end_the_server(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no clip")
    with served(source=SourceSettings(LiveSource.parse(str(tmp_path / "broken.mp4")))) as client:
        wait_until(lambda: client.get("/v1/health").json["source"] == "failed")
        connection = client.open()
        connection.request("GET", "/v1/events")
        text = connection.getresponse().read().decode()
        connection.close()
        assert '"failed"' in text
        assert str(tmp_path) not in text, "clients learn nothing of the server's folders"
        [said] = client.said
        assert "broken.mp4: not a video" in said


def test_viewers_are_limited_as_clients_are(moving_clip: MovingClip) -> None:
    source = SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True)
    with served(source=source, clients=1) as client:
        connection = client.open()
        connection.request("GET", "/v1/events")
        connection.getresponse().read(10)
        full = client.get("/v1/live.mjpg")
        assert full.status == 503
        assert int(full.headers["retry-after"]) > 0
        connection.close()


def test_viewers_that_come_at_once_are_answered_or_asked_to_come_back(
    moving_clip: MovingClip, caplog: pytest.LogCaptureFixture
) -> None:
    source = SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True)
    with served(source=source, clients=2) as client:
        connections = [client.open() for _ in range(40)]
        for number, connection in enumerate(connections):
            connection.request("GET", "/v1/events" if number % 2 else "/v1/live.mjpg")
        statuses = Counter(connection.getresponse().status for connection in connections)
        assert statuses == {200: 2, 503: 38}
        for connection in connections:
            connection.close()
        wait_until(lambda: client.metric('emodetect_clients{kind="events"}') == 0)
        assert caplog.messages == []


def test_results_of_the_source_are_published_as_events_have_them(moving_clip: MovingClip, tmp_path: Path) -> None:
    broker, osc, page = Broker(tmp_path), OscReceiver(), WebSocketClient()
    publishing = PublishSettings((broker.address, osc.address, page.address))
    source = SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True, publishing=publishing)
    with listening(broker, osc), served(source=source) as client, listening(page):
        connection = client.open()
        connection.request("GET", "/v1/events")
        events = events_of(connection.getresponse())
        shown = [json.loads(next(events)["data"]) for _ in range(20)]
        connection.close()
        last = shown[-1]["frame"]
        wait_until(lambda: all(max(one.frames(), default=0) > last for one in (broker, osc, page)))
    sent = {record["frame"]: record for record in broker.bodies()}
    for record in shown:
        if record["frame"] in sent:
            assert record == sent[record["frame"]] | {"width": 640, "height": 360}
    assert len(sent.keys() & {record["frame"] for record in shown}) > 10
    assert page.received[-1] == sent[page.received[-1]["frame"]]
    assert broker.received[-1].topic == "emodetect/status"
    assert broker.received[-1].payload == b"offline"
    assert client.said == []


def test_consumers_learn_the_end_of_the_source_while_the_server_runs_on(moving_clip: MovingClip, tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    publishing = PublishSettings((broker.address,), changes_only=True)
    source = SourceSettings(LiveSource.parse(str(moving_clip.path)), publishing=publishing)
    with listening(broker), served(source=source) as client:
        wait_until(lambda: bool(broker.received) and broker.received[-1].payload == b"offline")
        assert client.get("/v1/health").json["source"] == "ended"
        assert 1 <= len(broker.bodies()) < 10


class Failing(Publisher):
    """Fails with the first message."""

    name = "failing"

    @override
    def send(self, messages: Sequence[Message]) -> None:
        raise ValueError("full")


def test_a_publisher_that_fails_ends_neither_the_source_nor_the_others(
    moving_clip: MovingClip, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = WebSocketClient()
    made = {"failing:": Failing}
    create = registry.create_publisher
    monkeypatch.setattr(registry, "create_publisher", lambda address: made[address]() if address in made else create(address))
    publishing = PublishSettings(("failing:", page.address))
    with (
        served(source=SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True, publishing=publishing)) as client,
        listening(page),
    ):
        wait_until(lambda: len(page.received) > 20)
        assert client.get("/v1/health").json["source"] == "live"
    assert caplog.messages == []
    assert client.said == ["the publisher failing failed (ValueError: full); the server runs on without this publisher"]


def test_an_address_that_cannot_be_published_at_is_said_before_anything_is_served(moving_clip: MovingClip) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        publishing = PublishSettings((f"ws://127.0.0.1:{taken.getsockname()[1]}",))
        source = SourceSettings(LiveSource.parse(str(moving_clip.path)), publishing=publishing)
        with pytest.raises(OutputError, match="cannot listen"), served(source=source):
            pytest.fail("it is served")

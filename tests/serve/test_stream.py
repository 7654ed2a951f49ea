"""Streams of frames over WebSocket, from clients that behave and clients that do not."""

from __future__ import annotations

import json
import select
import socket
import struct

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from emodetect.pipeline import build_pipeline
from emodetect.serve.security import SUBPROTOCOL
from emodetect.settings.pipeline import LIVE
from emodetect.types import Frame, Image
from tests.builders import PHOTO, PHOTO_FACE, MovingClip
from tests.serve.serving import TIMEOUT, Client, answer_of, served
from tests.waiting import wait_until

JPEG = PHOTO.read_bytes()


def clip_frames(clip: MovingClip, count: int) -> list[bytes]:
    capture = cv2.VideoCapture(str(clip.path))
    images = [capture.read()[1] for _ in range(count)]
    capture.release()
    return [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for image in images]


def decoded(content: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_each_frame_gets_the_result_of_a_live_pipeline(client: Client, moving_clip: MovingClip) -> None:
    frames = clip_frames(moving_clip, 12)
    with client.stream() as connection:
        assert connection.subprotocol == SUBPROTOCOL
        answers = []
        for number, content in enumerate(frames):
            connection.send(json.dumps({"frame": 100 + number, "time": number / 25}))
            connection.send(content)
            answers.append(answer_of(connection))
    with build_pipeline(LIVE) as pipeline:
        known = [pipeline.analyze(Frame(decoded(c), 100 + n, n / 25)).as_dict() for n, c in enumerate(frames)]

    for answer, expected in zip(answers, known, strict=True):
        assert answer.pop("milliseconds") > 0
        assert answer == expected | {"width": 640, "height": 360, "skipped": 0}
    assert [face["id"] for answer in answers for face in answer["faces"]] == [1] * sum(len(k["faces"]) for k in known)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_frames_are_numbered_where_the_client_does_not(client: Client, suffix: str) -> None:
    content = cv2.imencode(suffix, decoded(JPEG))[1].tobytes()
    with client.stream("?detector=blazeface&backend=fer2013") as connection:
        times = []
        for number in range(3):
            connection.send(content)
            answer = answer_of(connection)
            assert answer["frame"] == number
            times.append(answer["time"])
    assert times == sorted(set(times))
    assert abs(answer["faces"][0]["box"]["x"] - PHOTO_FACE.x) < 20


def test_every_frame_is_answered_or_counted_as_skipped(client: Client) -> None:
    skipped_before = client.metric("emodetect_frames_skipped_total")
    with client.stream() as connection:
        for _ in range(60):
            connection.send(JPEG)
        answers = [answer_of(connection)]
        while answers[-1]["frame"] != 59:
            answers.append(answer_of(connection))
    numbers = [answer["frame"] for answer in answers]

    assert numbers == sorted(numbers)
    assert len(answers) + sum(answer["skipped"] for answer in answers) == 60
    skipped = client.metric("emodetect_frames_skipped_total") - skipped_before
    assert skipped == sum(answer["skipped"] for answer in answers)


WRONG_FRAMES = {
    "no picture": (b"nothing", "expected a frame as JPEG, WebP or PNG"),
    "empty": (b"", "expected a frame as JPEG, WebP or PNG"),
    "another format": (cv2.imencode(".bmp", np.zeros((9, 9, 3), np.uint8))[1].tobytes(), "expected a frame as JPEG, WebP or PNG"),
    "cut short": (JPEG[:3000], "not an image that can be read, or cut short"),
}


@pytest.mark.parametrize("kind", WRONG_FRAMES)
def test_a_wrong_frame_is_an_error_and_the_stream_goes_on(client: Client, kind: str) -> None:
    content, error = WRONG_FRAMES[kind]
    with client.stream() as connection:
        connection.send(content)
        answer = answer_of(connection)
        assert (answer["frame"], answer["error"]) == (0, error)
        connection.send(JPEG)
        assert len(answer_of(connection)["faces"]) == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("no json", "expected {"),
        ("[1]", "expected {"),
        ("[" * 900, "expected {"),
        (json.dumps({"frame": 1, "note": "x" * 2000}), "expected {"),
        ('{"frame": "seven"}', "a frame's number"),
        ('{"frame": -1}', "a frame's number"),
        ('{"frame": true}', "a frame's number"),
        ('{"time": "now"}', "a frame's time"),
        ('{"time": NaN}', "a frame's time"),
        ('{"time": 1e999}', "a frame's time"),
    ],
)
def test_a_wrong_note_is_an_error_of_its_frame(client: Client, said: str, error: str) -> None:
    with client.stream() as connection:
        connection.send(said)
        connection.send(JPEG)
        assert error in answer_of(connection)["error"]
        connection.send(JPEG)
        assert len(answer_of(connection)["faces"]) == 1


@pytest.mark.parametrize("said", ['{"error": "mine"}', '{"error": {"a": 1}, "faces": []}'])
def test_a_note_cannot_say_what_the_answer_is(client: Client, said: str) -> None:
    with client.stream() as connection:
        connection.send(said)
        connection.send(JPEG)
        assert len(answer_of(connection)["faces"]) == 1


def test_times_must_go_forward(client: Client) -> None:
    with client.stream() as connection:
        answers = []
        for moment in (1.0, 1.0, 0.5, 2.0):
            connection.send(json.dumps({"time": moment}))
            connection.send(JPEG)
            answers.append(answer_of(connection))
    assert ["error" in answer for answer in answers] == [False, True, True, False]
    assert answers[1]["error"].startswith("expected a time after 1 s, got 1 s")


def test_large_frames_are_refused_before_they_are_decoded() -> None:
    with served(frame=200_000, frame_pixels=100_000) as client, client.stream() as connection:
        connection.send(JPEG)  # 512 x 512
        assert answer_of(connection)["error"] == "announces more than 100000 pixels; send smaller frames"
        bomb = cv2.imencode(".png", np.zeros((8000, 8000), np.uint8))[1].tobytes()
        assert len(bomb) < 200_000
        connection.send(bomb)
        assert answer_of(connection)["error"] == "announces more than 100000 pixels; send smaller frames"
        connection.send(200_001 * b"x")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=TIMEOUT)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert client.get("/v1/health").status == 200


def test_a_message_of_a_gigabyte_is_refused_by_its_header(client: Client) -> None:
    with client.socket() as raw:
        handshake(raw, client.port)
        raw.sendall(b"\x82" + bytes([0x80 | 127]) + struct.pack(">Q", 10**9) + b"mask")
        raw.settimeout(TIMEOUT)
        head = raw.recv(2)
        assert head[0] == 0x88, "a close frame, before any of it has come"
        assert struct.unpack(">H", raw.recv(2)) == (1009,)


def test_a_message_in_endless_pieces_is_refused() -> None:
    with served(frame=100_000) as client, client.socket() as raw:
        handshake(raw, client.port)
        piece = bytes([0x80 | 126]) + struct.pack(">H", 50_000) + b"\0\0\0\0" + 50_000 * b"x"
        raw.sendall(b"\x02" + piece)
        for _ in range(100):
            raw.sendall(b"\x00" + piece)
            if select.select([raw], [], [], 0.1)[0]:
                break
        assert raw.recv(2)[0] == 0x88, "a close frame"
        assert struct.unpack(">H", raw.recv(2)) == (1009,)
        assert client.get("/v1/health").status == 200


def handshake(raw: socket.socket, port: int) -> None:
    lines = [
        "GET /v1/stream HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    raw.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += raw.recv(1)
    assert b" 101 " in head


def test_garbage_in_place_of_websocket_frames_harms_nobody(client: Client) -> None:
    with client.stream() as other, client.socket() as raw:
        handshake(raw, client.port)
        raw.sendall(bytes(range(256)) * 100)
        other.send(JPEG)
        assert len(answer_of(other)["faces"]) == 1


def test_who_only_sends_what_cannot_be_read_is_let_go(client: Client) -> None:
    with client.stream() as connection, pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
        for _ in range(200):
            connection.send(b"nothing")
            answer_of(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    with served() as client, client.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        handshake(raw, client.port)
        raw.settimeout(0.2)
        frame = b"\x82" + bytes([0x80 | 126]) + struct.pack(">H", 7) + b"\0\0\0\0nothing"
        with client.stream() as other:
            for _ in range(20):
                try:
                    raw.sendall(200 * frame)
                except TimeoutError:
                    break
                other.send(JPEG)
                assert len(answer_of(other)["faces"]) == 1


def test_a_client_that_vanishes_makes_room() -> None:
    with served(clients=1) as client:
        with client.socket() as raw:
            handshake(raw, client.port)
            wait_until(lambda: client.metric('emodetect_clients{kind="stream"}') == 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, without a goodbye
        wait_until(lambda: client.metric('emodetect_clients{kind="stream"}') == 0)
        with client.stream() as connection:
            connection.send(JPEG)
            assert len(answer_of(connection)["faces"]) == 1


def test_more_clients_than_there_is_room_for_are_asked_to_come_back() -> None:
    with served(clients=2) as client, client.stream() as first, client.stream():
        with pytest.raises(InvalidStatus) as refused, client.stream():
            pass
        response = refused.value.response
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert json.loads(response.body)["error"].startswith("the server takes 2 clients at a time")
        first.send(JPEG)
        assert len(answer_of(first)["faces"]) == 1


@pytest.mark.parametrize("query", ["?backend=nothing", "?detector=nothing"])
def test_a_wrong_choice_is_refused_before_the_stream(client: Client, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused, client.stream(query):
        pass
    assert refused.value.response.status_code == 400
    assert "there are " in json.loads(refused.value.response.body)["error"]


def test_clients_do_not_share_their_faces(client: Client, moving_clip: MovingClip) -> None:
    """Each has its own tracker, whoever shares its thread."""
    [frame] = clip_frames(moving_clip, 1)
    connections = []
    for _ in range(5):
        context = client.stream()
        connections.append((context, context.__enter__()))
    try:
        for number, (_, connection) in enumerate(connections):
            for moment in range(3):
                connection.send(json.dumps({"time": 10 * number + moment / 25}))
                connection.send(frame)
                answer = answer_of(connection)
            assert [face["id"] for face in answer["faces"]] == [1]
    finally:
        for context, _ in connections:
            context.__exit__(None, None, None)


def test_an_error_inside_ends_no_stream(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from emodetect.serve import engine

    decode = engine.decoded
    failing = {"next": ValueError("a bug")}

    def faulty(content: bytes) -> Image:
        if error := failing.pop("next", None):
            raise error
        return decode(content)

    monkeypatch.setattr(engine, "decoded", faulty)
    with client.stream() as connection, caplog.at_level("CRITICAL", "emodetect"):
        connection.send(JPEG)
        assert answer_of(connection)["error"] == "an internal error"
        failing["next"] = MemoryError()  # type: ignore[assignment]
        connection.send(JPEG)
        assert answer_of(connection)["error"] == "there is not enough memory for it"
        connection.send(JPEG)
        assert len(answer_of(connection)["faces"]) == 1

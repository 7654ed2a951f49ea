"""The recipes of docs/serve.md and docs/publish.md, as they stand there, against what the program sends."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pytest

import emodetect
from emodetect.publish.message import Message
from emodetect.publish.registry import PublishSettings, create_publisher
from emodetect.publish.sink import PublishingSink
from emodetect.types import EMOTIONS, FaceReading, FrameResult
from tests.builders import PHOTO, ROOT, MovingClip, make_box, make_frame, make_reading, make_result
from tests.cli.parsing import parse
from tests.cli.running import environment
from tests.publish.consumers import Broker, OscReceiver, free_port, listening
from tests.publish.test_consumers import pumping
from tests.serve.serving import TIMEOUT, Client, served
from tests.waiting import wait_until

SERVE, PUBLISH = ((ROOT / "docs" / name).read_text() for name in ("serve.md", "publish.md"))


def block(page: str, language: str, part: str) -> str:
    """The block of code in this language that has this part."""
    [found] = [code for code in re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if part in code]
    return str(found)


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """A recipe with other places: of the port, of the camera."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def message() -> dict[str, Any]:
    """What is published of a photo with one happy face."""
    return dict(Message(emodetect.analyze(PHOTO).as_dict(), 0.0).body)


# Of the server.


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Client, int]]:
    """A server, and the port of a page that may use it."""
    port = free_port()
    with served(origins=(f"http://localhost:{port}",)) as client:
        yield client, port


def test_curl_gets_what_image_prints(server: tuple[Client, int]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    [line] = [line for line in SERVE.splitlines() if line.strip().startswith("curl ")]
    command = shlex.split(replaced(line, ("photo.jpg", str(PHOTO)), ("localhost:8000", f"127.0.0.1:{server[0].port}")))
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout)
    assert [(one["path"], one["faces"][0]["emotion"]) for one in answer] == [(PHOTO.name, "happy")]


def test_the_program_that_sends_frames(server: tuple[Client, int], moving_clip: MovingClip) -> None:
    script = replaced(
        block(SERVE, "python", "VideoCapture"),
        ("VideoCapture(0)", f"VideoCapture({str(moving_clip.path)!r})"),
        ("127.0.0.1:8000", f"127.0.0.1:{server[0].port}"),
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(moving_clip.boxes)
    assert lines[-1] == "[(1, 'happy')]"


# In a browser.


@contextmanager
def folder_served(folder: Path, port: int = 0) -> Iterator[int]:
    """A web server for the files of a folder, as `python3 -m http.server` is."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    web = http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
    threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield int(web.server_address[1])
    finally:
        web.shutdown()
        web.server_close()


@pytest.fixture(scope="module")
def browser(moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, whose camera shows the clip again and again."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from playwright.sync_api import sync_playwright

    from tests.serve.test_browser import CHROMIUM, clip_as_camera, launch

    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open pages with")
    with sync_playwright() as driver:
        chromium = launch(driver, *clip_as_camera(moving_clip, tmp_path_factory.mktemp("camera")))
        yield chromium
        chromium.close()


def test_the_page_in_20_lines(server: tuple[Client, int], browser: Any, tmp_path: Path) -> None:
    client, port = server
    text = block(SERVE, "html", "getUserMedia")
    assert len(text.splitlines()) == 20
    assert "--allow-origin http://localhost:5500" in SERVE
    (tmp_path / "index.html").write_text(replaced(text, ("localhost:8000", f"localhost:{client.port}")))
    with folder_served(tmp_path, port):
        page = browser.new_page()
        page.goto(f"http://localhost:{port}/")
        page.wait_for_function("/^1: happy [0-9]+%$/.test(document.querySelector('pre').textContent)", timeout=1000 * TIMEOUT)
        page.close()


def test_the_page_that_shows_what_is_published(browser: Any, tmp_path: Path) -> None:
    port = free_port()
    text = block(PUBLISH, "html", "WebSocket")
    (tmp_path / "index.html").write_text(replaced(text, ("ws://127.0.0.1:9001", f"ws://127.0.0.1:{port}")))
    certain, unsure = make_reading(confidence=0.8), make_reading(track_id=2, uncertain=True)
    shown = "document.getElementById('faces').textContent === 'happy 80%'"
    with folder_served(tmp_path) as web:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{web}/")  # it may be there first
        for _ in range(2):  # a session that ends, and another one
            with PublishSettings((f"ws://127.0.0.1:{port}",)).open() as sink:
                sink.write(make_frame(), make_result(certain, unsure))
                page.wait_for_function(shown, timeout=1000 * TIMEOUT)
                sink.write(make_frame(), make_result())
                page.wait_for_function("document.getElementById('faces').textContent === ''", timeout=1000 * TIMEOUT)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)", "OBS shows what is behind"
        page.close()


def test_the_function_of_node_red(browser: Any, message: dict[str, Any]) -> None:
    page = browser.new_page()
    body = block(PUBLISH, "javascript", "msg.payload")
    returned = page.evaluate("([body, payload]) => new Function('msg', body)({ payload, topic: 'emodetect' })", [body, message])
    page.close()
    assert returned == {"payload": ["happy"], "topic": "emodetect"}


# Over MQTT.


def sensor() -> dict[str, Any]:
    """The sensor of Home Assistant."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    [found] = yaml.safe_load(block(PUBLISH, "yaml", "mqtt"))["mqtt"]["sensor"]
    assert isinstance(found, dict)
    return found


def test_the_sensor_of_home_assistant_has_the_topics_that_are_published(tmp_path: Path) -> None:
    broker, said = Broker(tmp_path), sensor()
    with listening(broker):
        with PublishSettings((broker.address,)).open() as sink:
            sink.write(make_frame(), make_result(make_reading()))
            wait_until(lambda: len(broker.received) == 2)
        wait_until(lambda: len(broker.received) == 3)
    online, frame, offline = broker.received
    assert {online.topic, offline.topic} == {said["availability_topic"]}
    assert (online.payload.decode(), offline.payload.decode()) == (said["payload_available"], said["payload_not_available"])
    assert {frame.topic} == {said["state_topic"], said["json_attributes_topic"]}
    assert isinstance(json.loads(frame.payload), dict), "whose members are the attributes"


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (make_result(make_reading()), "happy"),
        (make_result(make_reading(uncertain=True)), "nobody"),
        (make_result(FaceReading(make_box(), 1, None)), "nobody"),
        (make_result(), "nobody"),
    ],
)
def test_the_template_of_home_assistant(result: FrameResult, state: str) -> None:
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(sensor()["value_template"])
    assert template.render(value_json=json.loads(json.dumps(result.as_dict()))) == state


def test_the_template_of_home_assistant_reads_a_photo(message: dict[str, Any]) -> None:
    template = jinja2.Environment(autoescape=False).from_string(sensor()["value_template"])
    assert template.render(value_json=json.loads(json.dumps(message))) == "happy"


# Over Lab Streaming Layer and OSC.


def test_the_script_for_psychopy() -> None:
    name = f"emo-{free_port()}"
    script = replaced(block(PUBLISH, "python", "StreamInlet"), ('"emodetect"', f'"{name}"'))
    with (
        pumping(f"lsl:{name}"),
        subprocess.Popen([sys.executable, "-u", "-c", script], env=environment(), stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(3)]
        process.kill()
    assert [face for _, face, _ in lines] == 3 * ["1"]
    assert [float(happy) for _, _, happy in lines] == pytest.approx(3 * [happiness()])
    stamps = [float(stamp) for stamp, _, _ in lines]
    assert stamps == sorted(set(stamps))


def happiness() -> float:
    """The score that the faces of these tests have."""
    return float(make_reading().as_dict()["scores"]["happy"])


def test_the_channels_of_touchdesigner_and_the_addresses_of_the_table() -> None:
    receiver = OscReceiver()
    with listening(receiver), PublishSettings((receiver.address,)).open() as sink:
        sink.write(make_frame(), make_result(make_reading()))
        wait_until(lambda: len(receiver.received) >= 4)
    sent = {address: values for address, *values in receiver.received if values}
    table = {
        address: values.split(";")[0].split(", ") for address, values in re.findall(r"^\| `(/\S+)` \| (.+) \|$", PUBLISH, re.M)
    }
    assert sent.keys() == table.keys()
    for address, values in sent.items():
        assert len(values) == len(table[address])
    assert table["/emodetect/face/1/scores"] == [emotion.value for emotion in EMOTIONS]
    channel = re.search(r"`(emodetect/\S+?)(\d+)` for (\w+)", PUBLISH)
    assert channel, "channels of a CHOP are counted from 1"
    assert sent[f"/{channel[1]}"][int(channel[2]) - 1] == pytest.approx(happiness())
    assert channel[3] == "happy"


# Of one's own, and all commands.


def test_a_publisher_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    made: dict[str, Any] = {}
    exec(compile(block(PUBLISH, "python", "class Printer"), "publish.md", "exec"), made)
    with PublishingSink([made["Printer"]("printer:faces")]) as sink:
        sink.write(make_frame(), make_result(make_reading()))
    prefix, _, body = capsys.readouterr().out.partition(" ")
    assert (prefix, json.loads(body)["faces"][0]["emotion"]) == ("faces", "happy")


def commands(page: str) -> list[list[str]]:
    """The commands of emodetect in the blocks of a page."""
    return [shlex.split(line, comments=True)[1:] for line in page.splitlines() if line.startswith("    emodetect ")]


@pytest.mark.parametrize("arguments", [*commands(SERVE), *commands(PUBLISH)], ids=" ".join)
def test_each_command_is_understood(arguments: list[str]) -> None:
    for address in parse(*arguments).params.get("publish") or ():
        assert create_publisher(address).name

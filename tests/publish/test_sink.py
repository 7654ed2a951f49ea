from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from emodetect.errors import BackendUnavailableError, OutputError, UsageError
from emodetect.publish.base import Publisher
from emodetect.publish.message import LabelWatch, Message
from emodetect.publish.registry import PublishSettings, create_publisher, schemes
from emodetect.publish.sink import PublishingSink
from emodetect.types import Emotion, FaceReading
from tests.builders import make_box, make_frame, make_reading, make_result, write_plugin
from tests.waiting import wait_until

FRAME = make_frame()


class Slow(Publisher):
    """Takes messages only when it is let."""

    name, capacity = "slow", 4

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.gate = threading.Event()

    @override
    def send(self, messages: Sequence[Message]) -> None:
        self.gate.wait()
        self.sent += [message.body["frame"] for message in messages]


def test_the_newest_win_and_what_was_dropped_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    with PublishingSink([slow]) as sink:
        for index in range(20):
            sink.write(FRAME, make_result(index=index))
        slow.gate.set()
    assert slow.sent[-4:] == [16, 17, 18, 19]
    assert caplog.messages == [f"slow: {20 - len(slow.sent)} messages were not sent: newer ones took their place"]


def test_clips_wait_for_a_consumer_that_can_be_reached() -> None:
    slow = Slow()
    with PublishingSink([slow], waits=True) as sink:
        writer = threading.Thread(target=lambda: [sink.write(FRAME, make_result(index=index)) for index in range(50)])
        writer.start()
        wait_until(lambda: not slow.sent)
        slow.gate.set()
        writer.join()
    assert slow.sent == [*range(50)]


def test_one_that_hangs_holds_up_neither_the_others_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emodetect.publish.sink._SHUTDOWN_SECONDS", 0.1)
    hanging, quick = Slow(), Slow()
    quick.gate.set()
    with PublishingSink([hanging, quick]) as sink:
        sink.write(FRAME, make_result())
    assert (hanging.sent, quick.sent) == ([], [0])
    hanging.gate.set()


def unread(track_id: int) -> FaceReading:
    return FaceReading(make_box(), track_id, None)


def test_changes_are_new_labels_faces_that_come_and_faces_that_leave() -> None:
    watch = LabelWatch()
    steps = [
        ([], ""),
        ([unread(1)], ""),
        ([make_reading()], "1:happy"),
        ([make_reading()], ""),
        ([make_reading(), make_reading(track_id=2, uncertain=True)], "1:? 2:uncertain"),
        ([make_reading(track_id=2, uncertain=True)], "1:gone"),
        ([], "2:gone"),
    ]
    found = []
    for number, (readings, _) in enumerate(steps):
        changes = watch.update(make_result(*readings, index=number, timestamp=number / 25))
        found.append(" ".join(f"{change.track_id}:{change.text}" for change in changes))
    assert found == [expected.removeprefix("1:? ") for _, expected in steps]


def test_changes_do_not_flicker() -> None:
    watch, changed = LabelWatch(), []
    for number in range(100):
        dominant = Emotion.SAD if number >= 50 or number % 7 == 3 else Emotion.HAPPY
        result = make_result(make_reading(dominant=dominant), index=number, timestamp=number / 25)
        changed += [(number, change.text) for change in watch.update(result)]
    assert [text for _, text in changed] == ["happy", "sad"]
    assert 50 < changed[1][0] < 60


def test_changes_only_sends_whole_frames_in_which_something_changed() -> None:
    slow = Slow()
    slow.gate.set()
    with PublishingSink([slow], changes_only=True, waits=True) as sink:
        for index in range(100):
            readings = [] if index >= 60 else [make_reading()]
            sink.write(FRAME, make_result(*readings, index=index, timestamp=index / 25))
    assert slow.sent == [0, 60]


PLUGIN = """
from emodetect.publish.base import Publisher
class Mine(Publisher):
    def __init__(self, address):
        if address == "mine:no":
            raise KeyError("no such place")
        self.mode = address.partition(":")[2]
    def send(self, messages):
        if self.mode == "fault":
            1 / 0
        with open(self.mode, "a") as file:
            file.write("".join(m.json + "\\n" for m in messages))
def nothing(address):
    return 7
"""


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"mine": "Mine", "empty": "nothing", "ws": "Mine"}
    places = {name: f"mine_module:{factory}" for name, factory in points.items()}
    write_plugin(tmp_path, "mine_module", PLUGIN, {**places, "gone": "no_such_module:x"}, "emodetect.publishers")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("_plugin")
def test_other_packages_bring_publishers(tmp_path: Path) -> None:
    assert schemes()[-3:] == ["empty", "gone", "mine"]
    with PublishSettings((f"mine:{tmp_path}/log",)).open() as sink:
        sink.write(FRAME, make_result())
    assert (tmp_path / "log").read_text() == '{"frame": 0, "time": 0.0, "faces": []}\n'


@pytest.mark.usefixtures("_plugin")
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mine:no", r"the publisher mine failed \(KeyError: 'no such place'\)"),
        ("empty:1", "the publisher empty makes a int, not a Publisher"),
        ("gone:1", r"the publisher gone failed \(ModuleNotFoundError: No module named 'no_such_module'\)"),
    ],
)
def test_a_plugin_that_cannot_be_made_is_named(address: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        create_publisher(address)


@pytest.mark.usefixtures("_plugin")
def test_a_plugin_that_fails_ends_the_run_with_its_name() -> None:
    with (
        pytest.raises(OutputError, match=r"the publisher mine:fault failed \(ZeroDivisionError: division by zero\)"),
        PublishSettings(("mine:fault",)).open() as sink,
    ):
        sink.write(FRAME, make_result())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", ": unknown kind of address; there are ws://, mqtt://, mqtts://, osc://, lsl:, http://, https://"),
        ("mqt://broker", "unknown kind of address; there are .*; did you mean .mqtt://"),
        ("wss://127.0.0.1:9001", "the server has no certificate"),
        ("ws://127.0.0.1", "names no port to listen on, as in ws://127.0.0.1:9001"),
        ("ws://127.0.0.1:99999", "not an address with a host and a port"),
        ("ws://127.0.0.1:9001/path", "without a user or a path"),
        ("ws://127.0.0.1:9001?colour=red", "has the unknown option 'colour' after [?]; there is origin"),
        ("mqtt://", "names no host"),
        ("mqtt:broker", "names no host"),
        ("mqtt://broker/a/#", "# is written %23"),
        ("mqtt://broker/a/+/b", "not a topic to publish on"),
        ("mqtt://broker/a?qos=3", "qos after [?] is one of 0, 1, 2"),
        ("mqtt://u:p/w@broker/a", "/ and @ within a password are written %2F and %40|not an address"),
        ("osc://127.0.0.1", "names no port, as in osc://127.0.0.1:9000"),
        ("osc://127.0.0.1:9000/a b", "an OSC address is"),
        ("lsl:", "expected a name for the stream"),
        ("lsl:a\nb", "expected a name for the stream"),
        ("http:///x", "names no host"),
    ],
)
def test_wrong_addresses_are_one_line(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        create_publisher(address)
    assert caught.value.parameter == "publish"
    assert "\n" not in str(caught.value)


def test_changes_only_needs_an_address() -> None:
    with pytest.raises(UsageError, match="`changes_only` requires `publish`"):
        PublishSettings((), changes_only=True)


@pytest.mark.parametrize(("address", "package"), [("ws://:9001", "websockets"), ("osc://a:1", "pythonosc"), ("lsl:a", "pylsl")])
def test_a_package_that_is_missing_is_one_line(address: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith((package, "emodetect.publish."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendUnavailableError, match=rf"needs the package {package}; pip install .*'websockets>="):
        create_publisher(address)

"""Standard output and named pipes as logs, and publishing while a session runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.builders import MovingClip
from tests.cli.running import TIMEOUT, command, end, run, started
from tests.publish.consumers import Broker, Consumer, OscReceiver, WebServer, WebSocketClient, listening
from tests.waiting import wait_until


def lines(stream: IO[str]) -> Iterator[dict[str, object]]:
    """Each line of a log in JSON."""
    for line in stream:
        yield json.loads(line)


def test_standard_output_is_a_log_and_nothing_else(moving_clip: MovingClip) -> None:
    done = run("video", moving_clip.path, "--log", "-")
    assert done.returncode == 0
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [*range(75)]
    assert done.stderr.startswith("75 frames, 1 face")


@pytest.mark.parametrize("name", ["live", "video"])
def test_a_reader_of_standard_output_that_goes_away_ends_the_run_quietly(name: str, moving_clip: MovingClip) -> None:
    arguments = ["--source", moving_clip.path, "--loop", "--no-window"] if name == "live" else [moving_clip.path]
    with subprocess.Popen(
        command(name, *arguments, "--log", "-"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert next(lines(process.stdout))["frame"] == 0
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
@pytest.mark.parametrize("name", ["live", "video"])
def test_a_named_pipe_whose_reader_comes_back_goes_on(name: str, moving_clip: MovingClip, tmp_path: Path) -> None:
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    arguments = ["--source", moving_clip.path, "--loop", "--no-window"] if name == "live" else [moving_clip.path]
    with started(name, *arguments, "--log", pipe) as process:
        with pipe.open() as first:
            assert next(lines(first))["frame"] == 0
        assert process.stderr is not None
        assert process.stderr.readline() == f"emodetect: {pipe}: its reader has gone away; writing goes on with the next one\n"
        with pipe.open() as second:
            read = lines(second)
            numbers = [next(read)["frame"] for _ in range(10)]
            assert numbers == sorted(numbers)  # type: ignore[type-var]
            if name == "video":
                assert [entry["frame"] for entry in read][-1] == 74
            else:
                assert "log: has a reader again; " in process.stderr.readline()
                process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)


def test_a_session_does_not_notice_that_consumers_are_killed_and_come_back(moving_clip: MovingClip, tmp_path: Path) -> None:
    consumers: list[Consumer] = [Broker(tmp_path, "/faces?qos=1"), OscReceiver(), WebServer(), WebSocketClient()]
    broker = consumers[0]
    assert isinstance(broker, Broker)
    addresses = [part for consumer in consumers for part in ("--publish", consumer.address)]
    log = tmp_path / "log.jsonl"
    options = ["--loop", "--no-window", *addresses, "--publish", "lsl:emo"]

    def counts() -> list[int]:
        return [len(broker.bodies("faces")), *(len(consumer.frames()) for consumer in consumers[1:])]

    def wait_for_more() -> None:
        before = counts()
        wait_until(lambda: all(now > then for now, then in zip(counts(), before, strict=True)), "messages for each consumer")

    with started("live", "--source", moving_clip.path, "--log", log, *options) as process, listening(*consumers):
        wait_for_more()
        for consumer in consumers:
            consumer.kill()
        size = log.stat().st_size
        wait_until(lambda: log.stat().st_size > size + 20_000, "more lines of the log")
        for consumer in consumers:
            consumer.start()
        wait_for_more()
        wait_for_more()
        process.send_signal(signal.SIGINT)
        said = end(process)

    frames = [json.loads(line)["frame"] for line in log.read_text().splitlines()]
    assert frames == sorted(set(frames))
    for consumer in consumers[:3]:
        name = consumer.address.partition("?")[0].removesuffix("/faces").removesuffix("/hook")
        told = [line for line in said.splitlines() if name in line and "not sent" not in line]
        assert ["again" in line and "is reached" in line for line in told[-2:]] == [False, True], said
        assert len(told) <= 4, said  # at first it may not have been there yet
    assert "lsl:emo: other machines in the network can receive it, too" in said


def test_a_wrong_address_is_one_line_and_shows_no_password(moving_clip: MovingClip) -> None:
    done = run("live", "--source", moving_clip.path, "--no-window", "--publish", "mqtt://u:S3CRET@/x?token=S3CRET")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "S3CRET" not in done.stderr

"""The command itself."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from emodetect.cli.commands import serve as module
from emodetect.cli.group import cli
from emodetect.cli.hints import error_message
from emodetect.errors import EmodetectError
from emodetect.settings.pipeline import CLIPS, LIVE, PHOTOS
from emodetect.settings.serve import ServedPipelines
from emodetect.system.install_hints import extra_cure
from tests.builders import PHOTO, MovingClip
from tests.cli.parsing import parse
from tests.cli.running import assert_one_line, command, end, environment, run, started
from tests.publish.consumers import WebSocketClient, listening
from tests.serve.serving import TOKEN, Client
from tests.waiting import wait_until


def address_of(process: subprocess.Popen[str]) -> tuple[Client, list[str]]:
    """Where a server that was started is, and what it said before."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"https?://.*:(\d+) \(Ctrl-C ends it\)", line):
            return Client(int(found[1])), said
    pytest.fail("".join(said))


def test_it_says_where_it_is_answers_as_image_does_and_ends_with_ctrl_c() -> None:
    expected = json.loads(run("image", PHOTO, "--format", "json").stdout)
    with started("serve", "--port", "0") as process:
        client, said = address_of(process)
        answer = client.post_files("/v1/analyze", [(str(PHOTO), PHOTO.read_bytes())])
        assert answer.json == [expected[0] | {"path": PHOTO.name}]
        wrong = client.post("/v1/analyze", b"x")
        assert wrong.error == "photo: not an image that can be read, or cut short"
        with client.stream() as connection:  # a client that is connected does not hold up the end
            process.send_signal(signal.SIGINT)
            errors = end(process)
            del connection
    assert process.returncode == 130
    assert len(said) == 1
    assert errors.strip() == "emodetect: interrupted"


def test_parameters_in_errors_are_options() -> None:
    with started("serve", "--port", "0", "--max-pixels", "1000") as process:
        client, _ = address_of(process)
        assert client.post("/v1/analyze", PHOTO.read_bytes()).error == "photo: announces more than 1000 pixels (--max-pixels)"
        process.send_signal(signal.SIGTERM)
        end(process)
    assert process.returncode == 143


def test_its_token_is_taken_from_a_variable_and_shown_nowhere() -> None:
    variable = {"EMODETECT_SERVE_TOKEN": TOKEN}
    with started("serve", "--port", "0", "--verbose", "--host", "0.0.0.0", changes=variable) as process:
        client, said = address_of(process)
        assert client.get("/v1/options").status == 401
        assert client.get("/v1/options", Authorization=f"Bearer {TOKEN}").status == 200
        process.send_signal(signal.SIGINT)
        said.append(end(process))
    shown = run("config", env=variable)
    as_json = run("config", "--format", "json", env=variable)
    text = "".join([*said, shown.stdout, shown.stderr, as_json.stdout])
    assert TOKEN not in text
    assert "travel unencrypted" in text
    assert "--token" in shown.stdout


def test_it_publishes_what_its_source_shows(moving_clip: MovingClip) -> None:
    page = WebSocketClient()
    arguments = ("--source", moving_clip.path, "--loop", "--publish", page.address, "--changes-only")
    with started("serve", "--port", "0", *arguments) as process:
        client, said = address_of(process)
        with listening(page):
            wait_until(lambda: len(page.received) > 2)
        assert client.get("/v1/health").json["source"] == "live"
        process.send_signal(signal.SIGTERM)
        said.append(end(process))
    assert process.returncode == 143
    assert len(said) == 2
    assert {"frame", "time", "faces"} == set(page.received[0])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--publish", "ws://127.0.0.1:9001"], "--publish cannot be combined with a server without --source"),
        (["--fps", "30"], "--fps cannot be combined with a server without --source"),
        (["--loop"], "--loop cannot be combined with a server without --source"),
        (["--source", "0", "--changes-only"], "--changes-only requires --publish"),
        (["--source", PHOTO, "--publish", "osc://"], "names no host"),
        (["--source", PHOTO, "--size", "640x480"], "--size applies to cameras and standard input only; a clip has its own"),
    ],
)
def test_options_of_the_source_need_one_that_takes_them(arguments: list[str | Path], error: str) -> None:
    with patch.dict(os.environ), pytest.raises(EmodetectError) as caught:  # --max-pixels passes itself on by the environment
        cli.main(["serve", "--port", "0", *map(str, arguments)], standalone_mode=False)
    assert error in error_message(caught.value, parse("serve"))


def test_another_address_is_refused_in_one_line() -> None:
    done = run("serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "--token lets in those who know it, --allow-anyone everybody" in done.stderr
    done = run("serve", "--host", "0.0.0.0", "--token", "short")
    assert "--token needs at least 16" in done.stderr


def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(run("serve", "--port", port), 1, f"port {port} of 127.0.0.1 is in use; --port takes another")


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {"fastapi", "prometheus_client"}
    monkeypatch.setattr(module, "find_spec", lambda name: None if name in hidden else object())
    with patch.dict(os.environ), pytest.raises(EmodetectError) as caught:  # --max-pixels passes itself on by the environment
        cli.main(["serve"], standalone_mode=False)
    assert str(caught.value).startswith("serve needs packages that are not installed: fastapi, prometheus-client; ")
    assert str(caught.value).endswith(f"; {extra_cure('serve')}")


def test_nothing_of_it_is_imported_by_other_commands() -> None:
    script = "import sys; from emodetect.cli.main import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    for arguments in (["--help"], ["image", str(PHOTO)], ["serve", "--help"]):
        done = subprocess.run(
            [command()[0], "-c", script, *arguments], env=environment(), capture_output=True, text=True, timeout=180, check=True
        )
        modules = done.stdout.split()
        assert not {"fastapi", "uvicorn", "starlette", "websockets", "emodetect.serve"} & set(modules), arguments


def test_photos_and_clips_keep_their_own_defaults() -> None:
    def pipelines(*arguments: str) -> ServedPipelines:
        ctx = parse("serve", *arguments)
        detector = replace(LIVE.detector, min_face=ctx.params["min_face"])
        return module._pipelines(replace(LIVE, detector=detector, smoothing=ctx.params["smoothing"]), ctx)

    plain, given = pipelines(), pipelines("--min-face", "64", "--smoothing", "2")
    assert (plain.photos, plain.clips, plain.streams) == (PHOTOS, CLIPS, LIVE)
    for kind in (given.photos, given.clips, given.streams):
        assert (str(kind.detector.min_face), kind.smoothing) == ("64", 2)

"""Photos and clips over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import emodetect
from emodetect.errors import SourceError
from emodetect.pipeline import EmotionPipeline
from emodetect.serve.jobs import Jobs
from emodetect.serve.limits import Upload
from emodetect.settings.pipeline import CLIPS
from emodetect.sinks.records import image_as_dict
from emodetect.types import Image
from tests.builders import PHOTO, MovingClip
from tests.serve.serving import TIMEOUT, Client, served


def as_jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def expected_record(name: str) -> dict[str, object]:
    return image_as_dict(name, (512, 512), emodetect.analyze(PHOTO).readings)


def test_a_photo_has_the_result_of_the_command(client: Client) -> None:
    answer = client.post_files("/v1/analyze", [("me.jpg", PHOTO.read_bytes())])

    assert answer.status == 200
    assert answer.json == [expected_record("me.jpg")]


def test_a_photo_may_be_the_body_itself(client: Client) -> None:
    for kind in ("image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"):  # the last is curl's own
        answer = client.post("/v1/analyze", PHOTO.read_bytes(), Content_Type=kind)
        assert answer.json == [expected_record("photo")]


def test_several_photos_keep_their_order_and_a_bad_one_harms_no_other(client: Client) -> None:
    blank = cv2.imencode(".png", np.full((40, 30, 3), 90, np.uint8))[1].tobytes()
    answer = client.post_files("/v1/analyze", [("none.jpg", b"no picture"), ("me.jpg", PHOTO.read_bytes()), ("blank.png", blank)])

    assert answer.status == 200
    first, second, third = answer.json
    assert first == {"path": "none.jpg", "error": "none.jpg: not an image that can be read, or cut short"}
    assert second == expected_record("me.jpg")
    assert third == {"path": "blank.png", "width": 30, "height": 40, "faces": []}


@pytest.mark.parametrize("content", [b"no picture", PHOTO.read_bytes()[:30_000][:2000], b"\xff\xd8\xff" + 5000 * b"\0"])
def test_what_is_no_photo_is_an_error(client: Client, content: bytes) -> None:
    answer = client.post("/v1/analyze", content)

    assert answer.status == 422
    assert answer.error == "photo: not an image that can be read, or cut short"
    both = client.post_files("/v1/analyze", [("a.jpg", content), ("b.jpg", content)])
    assert both.status == 422
    assert [photo["path"] for photo in both.json["photos"]] == ["a.jpg", "b.jpg"]


def test_backend_and_detector_can_be_chosen(client: Client) -> None:
    offers = client.get("/v1/options").json
    assert offers["backends"][:3] == ["embedded", "fer2013", "ferplus"]
    assert {"haar", "blazeface", "none"} <= set(offers["detectors"])
    assert offers["source"] is False
    answer = client.post("/v1/analyze?backend=ferplus&detector=blazeface", PHOTO.read_bytes())
    known = emodetect.analyze(PHOTO, model="ferplus", detector="blazeface")

    assert answer.json == [image_as_dict("photo", (512, 512), known.readings)]
    for query, kind in (("backend=deepfce", "backend"), ("detector=har", "detector")):
        wrong = client.post(f"/v1/analyze?{query}", PHOTO.read_bytes())
        assert wrong.status == 400
        assert wrong.error.startswith(f"no {kind} ")
        assert "did you mean" in wrong.error


def finished_job(client: Client, path: str) -> dict[str, object]:
    until = time.monotonic() + TIMEOUT
    while (job := client.get(path).json)["state"] in ("waiting", "running"):
        assert time.monotonic() < until, job
        time.sleep(0.05)
    assert isinstance(job, dict)
    return job


def test_a_clip_has_the_log_of_the_command(client: Client, moving_clip: MovingClip) -> None:
    started = client.post_files("/v1/analyze-video", [("moving.mp4", moving_clip.path.read_bytes())])
    assert started.status == 202
    path = started.headers["location"]
    job = finished_job(client, path)

    assert (job["state"], job["frames"], job["progress"], job["name"]) == ("done", 75, 1.0, "moving.mp4")
    lines = client.get(f"{path}/result").body.decode().splitlines()
    known = [result.as_dict() for _, result in emodetect.stream(moving_clip.path, smoothing=CLIPS.smoothing, min_face=0.1)]
    assert [json.loads(line) for line in lines] == known
    assert client.request("DELETE", path).status == 200
    assert client.get(path).status == 404


def test_a_clip_that_cannot_be_read_is_named_as_the_client_does(client: Client) -> None:
    started = client.post_files("/v1/analyze-video", [("../../etc/my.mp4", b"no clip" * 1000)])
    job = finished_job(client, started.headers["location"])

    assert job["state"] == "failed"
    assert str(job["error"]).startswith("my.mp4: not a video")
    assert "/" not in str(job["error"])
    result = client.get(f"{started.headers['location']}/result")
    assert result.status == 422
    assert result.error == job["error"]


def test_jobs_wait_for_their_turn_and_can_be_canceled(moving_clip: MovingClip) -> None:
    content = moving_clip.path.read_bytes()
    with served(jobs=2) as client:
        jobs = [client.post("/v1/analyze-video", content).headers["location"] for _ in range(2)]
        full = client.post("/v1/analyze-video", content)
        assert full.status == 503
        assert int(full.headers["retry-after"]) > 0
        assert client.get(f"{jobs[1]}/result").status == 409
        assert client.request("DELETE", jobs[1]).json["state"] == "canceled"
        assert client.request("DELETE", jobs[1]).status == 404
        assert finished_job(client, jobs[0])["state"] == "done"
        again = client.post("/v1/analyze-video", content).headers["location"]
        assert finished_job(client, again)["state"] == "done"
        assert client.post("/v1/analyze-video", content).status == 202, "the oldest result makes room"
        assert client.get(jobs[0]).status == 404


def clips_in_memory() -> int:
    """Uploaded clips that this process holds."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found += "memfd:clip" in str(descriptor.readlink())
    return found


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="clips are kept in files here")
def test_a_job_that_is_canceled_before_its_turn_frees_its_memory() -> None:
    gate, jobs = threading.Event(), Jobs(3, str)

    def held() -> EmotionPipeline:
        gate.wait(TIMEOUT)
        raise SourceError("held")

    async def flood() -> None:
        await jobs.add(Upload("first.mp4", b"x"), held)
        for _ in range(20):
            job = await jobs.add(Upload("next.mp4", b"x"), held)
            assert clips_in_memory() == 2
            assert jobs.cancel(job.number).state == "canceled"
            assert clips_in_memory() == 1
        await jobs.add(Upload("last.mp4", b"x"), held)

    asyncio.run(flood())
    gate.set()
    jobs.close()
    assert clips_in_memory() == 0


def test_a_clip_for_which_there_is_no_room_takes_no_place(monkeypatch: pytest.MonkeyPatch, moving_clip: MovingClip) -> None:
    content = moving_clip.path.read_bytes()
    with served(jobs=1) as client:
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
            refused = client.post("/v1/analyze-video", content)
        assert (refused.status, refused.error) == (503, "the server has no room for the clip; try again later")
        assert int(refused.headers["retry-after"]) > 0
        accepted = client.post("/v1/analyze-video", content)
        assert (accepted.status, accepted.json["name"]) == (202, "clip")


def test_health_version_and_metrics(client: Client) -> None:
    before = client.metric("emodetect_frames_read_total"), client.metric("emodetect_frames_failed_total")
    client.post("/v1/analyze", PHOTO.read_bytes())
    client.post("/v1/analyze", b"nothing")

    assert client.get("/v1/health").json == {"status": "ok", "source": None}
    assert client.get("/v1/version").json == {"version": emodetect.__version__}
    after = client.metric("emodetect_frames_read_total"), client.metric("emodetect_frames_failed_total")
    assert after == (before[0] + 1, before[1] + 1)
    assert client.metric("emodetect_inference_seconds_count") >= after[0]
    assert client.metric('emodetect_requests_total{endpoint="/v1/analyze",status="422"}') >= 1


def test_paths_that_clients_make_up_add_no_series(client: Client) -> None:
    def series() -> int:
        return sum(line.startswith("emodetect_requests_total") for line in client.get("/metrics").body.decode().splitlines())

    assert client.get("/nothing/here").status == 404
    before = series()
    for number in range(5):
        assert client.get(f"/no/{number}").error == "not found"
    assert series() == before


def test_the_description_names_every_path(client: Client) -> None:
    paths = client.get("/openapi.json").json["paths"]

    assert {"/v1/analyze", "/v1/analyze-video", "/v1/jobs/{number}", "/v1/events", "/v1/live.mjpg", "/metrics"} <= set(paths)
    form = paths["/v1/analyze"]["post"]["requestBody"]["content"]
    assert set(form) == {"multipart/form-data", "application/octet-stream"}
    assert client.get("/docs").status == 200
    assert client.request("PUT", "/v1/analyze").status == 405


def test_a_server_without_a_source_says_so(client: Client) -> None:
    for path in ("/v1/events", "/v1/live.mjpg"):
        answer = client.get(path)
        assert answer.status == 404
        assert "no source" in answer.error

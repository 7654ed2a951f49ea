"""The report in a real browser, Chromium without a window."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emodetect.report.page import Report, write_report
from emodetect.report.timeline import Timeline
from emodetect.types import Emotion
from tests.builders import MovingClip, make_reading, make_result
from tests.cli.running import TIMEOUT

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open reports with")


@dataclass(frozen=True)
class Reports:
    """The same run with the clip inside and in stills; three seconds, happy and from 1.6 s on sad."""

    video: Path
    stills: Path


@pytest.fixture(scope="module")
def reports(moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Reports:
    folder = tmp_path_factory.mktemp("report")
    timeline = Timeline()
    for index, box in enumerate(moving_clip.boxes):
        emotion = Emotion.HAPPY if index < 40 else Emotion.SAD
        timeline.add(make_result(make_reading(box, dominant=emotion), index=index, timestamp=index / 25))
    report = Report("<script>alert(1)</script>.mp4", timeline, moving_clip.path, {"Network": "<b>bold</b>"}, ["Right."])
    paths = Reports(folder / "video.html", folder / "stills.html")
    write_report(report, paths.video)
    write_report(report, paths.stills, most_clip_bytes=2000)
    return paths


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Its own sandbox does not work for root, as in containers.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=1000 * TIMEOUT)
        yield chromium
        chromium.close()


class Visit:
    """A page that was opened, and what it did on its own: requests, and messages on the console."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(1000 * TIMEOUT)
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.page.goto(path.as_uri())
        self.track = self.page.get_by_role("slider", name="Timeline of person 1")

    def click_at(self, share: float) -> None:
        """Click the timeline at a share of its width."""
        box = self.track.bounding_box()
        assert box is not None
        self.track.click(position={"x": share * box["width"], "y": box["height"] / 2})

    def clip_time(self) -> float:
        """Where the clip stands, seconds, once it has the picture."""
        self.wait_until("(v => v.readyState >= 2 && !v.seeking)(document.querySelector('video'))")
        return float(self.page.evaluate("document.querySelector('video').currentTime"))

    def wait_until(self, condition: str) -> None:
        """Ask until it holds; Playwright's own way evaluates text inside the page, which the page's policy forbids."""
        deadline = time.monotonic() + TIMEOUT
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(20)


@pytest.fixture
def visit(browser: Browser, reports: Reports) -> Iterator[Visit]:
    visit = Visit(browser, reports.video)
    yield visit
    visit.page.close()


def test_nothing_is_asked_for_and_nothing_complains(visit: Visit, reports: Reports) -> None:
    assert visit.clip_time() == 0
    visit.click_at(0.5)
    visit.clip_time()

    assert [address for address in visit.requests if not address.startswith("data:")] == [reports.video.as_uri()]
    assert visit.messages == []
    assert visit.page.title() == "Emotions in <script>alert(1)</script>.mp4"


def test_the_page_may_not_reach_the_network(visit: Visit) -> None:
    outcome = visit.page.evaluate("fetch('http://localhost:9/').then(() => 'sent', error => error.name)")

    assert outcome == "TypeError"
    assert any("Content Security Policy" in message for message in visit.messages)


def test_a_click_on_the_timeline_seeks_the_clip(visit: Visit) -> None:
    visit.click_at(0.5)
    assert visit.clip_time() == pytest.approx(1.5, abs=0.02)
    assert visit.page.locator("#now").text_content() == "0:01.5 · person 1: happy, 70 %"
    visit.click_at(0.8)
    assert visit.clip_time() == pytest.approx(2.4, abs=0.02)
    assert visit.track.get_attribute("aria-valuetext") == "0:02.4, sad, 70 %"


def test_a_moment_of_change_seeks_the_clip(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Go to 0:01.6").click()

    assert visit.clip_time() == pytest.approx(1.6, abs=0.01)


def test_the_keyboard_does_what_the_mouse_does(visit: Visit) -> None:
    visit.track.focus()
    for key, place in (("End", 2.96), ("Home", 0), ("PageUp", 0.3), ("ArrowRight", 0.34), ("ArrowLeft", 0.3)):
        visit.page.keyboard.press(key)
        assert visit.clip_time() == pytest.approx(place, abs=0.01), key
        assert float(visit.track.get_attribute("aria-valuenow") or "") == pytest.approx(place, abs=0.01)
    visit.page.keyboard.press("Space")
    visit.wait_until("document.querySelector('video').currentTime > 0.31")


def test_the_timelines_follow_the_clip(visit: Visit) -> None:
    visit.clip_time()
    visit.page.evaluate("document.querySelector('video').currentTime = 2")
    visit.wait_until("document.querySelector('.track').getAttribute('aria-valuenow') == '2.000'")


def test_stills_follow_the_timeline(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.stills)
    shown = visit.page.locator("#still").get_attribute("src")
    visit.click_at(0.8)

    assert visit.page.locator("#still").get_attribute("src") != shown
    assert visit.messages == []
    visit.page.close()


@pytest.mark.parametrize("width", [320, 1200])
def test_nothing_stands_out_at_the_side(browser: Browser, reports: Reports, width: int) -> None:
    visit = Visit(browser, reports.video, viewport={"width": width, "height": 700})

    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.page.close()


def test_dark_and_light_differ_and_paper_is_white(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.video, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"

    assert visit.page.evaluate(background) == "rgb(20, 23, 26)"
    visit.page.emulate_media(color_scheme="light")
    assert visit.page.evaluate(background) == "rgb(255, 255, 255)"
    visit.page.emulate_media(color_scheme="dark", media="print")
    assert visit.page.evaluate(background) == "rgb(255, 255, 255)"
    visit.page.close()


def test_it_can_be_read_without_scripts(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.video, java_script_enabled=False)

    assert visit.page.get_by_role("row", name="happy").is_visible()
    assert visit.page.locator(".track path").count() == 2
    visit.page.close()

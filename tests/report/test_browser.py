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
from emodetect.types import Box, Emotion
from tests.builders import MovingClip, make_reading, make_result
from tests.cli.running import TIMEOUT

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Locator, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open reports with")


CORNER = Box(600, 0, 40, 40)
"""Where the second person is, in pictures of 640x360."""


@dataclass(frozen=True)
class Reports:
    """The same run with the clip inside and in stills; three seconds, happy and from 1.6 s on sad.

    And one with a second person in the upper right corner from 1 to 2 s, of whom nothing is certain.
    """

    video: Path
    stills: Path
    two_people: Path


@pytest.fixture(scope="module")
def reports(moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Reports:
    folder = tmp_path_factory.mktemp("report")
    timeline, two_people = Timeline(), Timeline()
    for index, box in enumerate(moving_clip.boxes):
        emotion = Emotion.HAPPY if index < 40 else Emotion.SAD
        reading = make_reading(box, dominant=emotion)
        second = [make_reading(CORNER, 2, Emotion.FEAR, uncertain=True)] if 25 <= index < 50 else []
        timeline.add(make_result(reading, index=index, timestamp=index / 25))
        two_people.add(make_result(reading, *second, index=index, timestamp=index / 25))
    report = Report("<script>alert(1)</script>.mp4", timeline, moving_clip.path, {"Network": "<b>bold</b>"}, ["Right."])
    paths = Reports(folder / "video.html", folder / "stills.html", folder / "two.html")
    write_report(report, paths.video)
    write_report(report, paths.stills, most_clip_bytes=2000)
    write_report(Report("clip.mp4", two_people, moving_clip.path), paths.two_people)
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

    def picture(self) -> tuple[float, float, float, float]:
        """Where the clip's picture is on the page: left, top, width and height; the player may be wider or higher."""
        box = self.page.locator("video").bounding_box()
        assert box is not None
        left, top, width, height = box["x"], box["y"], box["width"], box["height"]
        scale = min(width / 640, height / 360)
        return left + (width - 640 * scale) / 2, top + (height - 360 * scale) / 2, 640 * scale, 360 * scale

    def box(self, number: int) -> Locator:
        """The box of the first or second person."""
        return self.page.locator("#faces > div").nth(number - 1)

    def place(self, element: Locator) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in pixels of the clip."""
        left, top, width, _ = self.picture()
        box = element.bounding_box()
        assert box is not None
        scale = 640 / width
        return scale * (box["x"] - left), scale * (box["y"] - top), scale * box["width"], scale * box["height"]

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
    assert visit.page.locator("#now").text_content() == "0:01.5 · person 1: happy, 70%"
    visit.click_at(0.8)
    assert visit.clip_time() == pytest.approx(2.4, abs=0.02)
    assert visit.track.get_attribute("aria-valuetext") == "0:02.4, sad, 70%"


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
    assert not visit.page.locator("#boxes").is_visible()
    visit.page.close()


@pytest.mark.parametrize("size", [(1200, 900), (1200, 500), (340, 700)], ids=["large", "beside black bars", "phone"])
def test_boxes_lie_on_the_faces(browser: Browser, reports: Reports, moving_clip: MovingClip, size: tuple[int, int]) -> None:
    visit = Visit(browser, reports.two_people, viewport={"width": size[0], "height": size[1]})
    visit.page.set_viewport_size({"width": size[0], "height": size[1] + 1})  # and stay there when the window changes
    visit.click_at(0.5)
    visit.clip_time()

    assert visit.place(visit.box(1)) == pytest.approx(as_numbers(moving_clip.boxes[37]), abs=4)
    assert visit.place(visit.box(2)) == pytest.approx(as_numbers(CORNER), abs=4)
    is_phone = size[0] < 480
    assert visit.box(1).text_content() == ("1: happy" if is_phone else "1: happy, 70%")
    assert visit.box(2).text_content() == ("2: fear?" if is_phone else "2: fear, uncertain, 70%")
    for number in (1, 2):
        x, y, width, height = visit.place(visit.box(number).locator("span"))
        assert min(x, y) > -5
        assert x + width < 645
        assert y + height < 365
    visit.click_at(0.8)
    assert visit.box(1).text_content() == ("1: sad" if is_phone else "1: sad, 70%")
    assert not visit.box(2).is_visible()
    assert visit.messages == []
    visit.page.close()


def test_boxes_have_the_timelines_colours_and_dashes(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.two_people)
    visit.click_at(0.5)
    style = "(e, name) => getComputedStyle(e)[name]"

    for number, emotion, line in ((1, "happy", "solid"), (2, "fear", "dashed")):
        shade = visit.page.locator(f".track path.{emotion}").first.evaluate(style, "fill")
        assert visit.box(number).evaluate(style, "borderTopColor") == shade
        assert visit.box(number).locator("span").evaluate(style, "backgroundColor") == shade
        assert visit.box(number).evaluate(style, "borderTopStyle") == line
    assert visit.page.locator("#faces").get_attribute("aria-hidden") == "true", "the words stand below and in the timelines"
    visit.page.close()


def test_boxes_follow_the_clip_while_it_plays(visit: Visit, moving_clip: MovingClip) -> None:
    visit.clip_time()
    visit.track.focus()
    visit.page.keyboard.press("Space")
    visit.wait_until("document.querySelector('video').currentTime > 1")
    visit.page.keyboard.press("Space")
    visit.wait_until("document.querySelector('video').paused")

    index = min(int(25 * visit.clip_time()), 74)
    assert visit.place(visit.box(1)) == pytest.approx(as_numbers(moving_clip.boxes[index]), abs=8)


def test_boxes_can_be_turned_off_with_the_keyboard_and_are_not_printed(visit: Visit) -> None:
    switch = visit.page.get_by_role("checkbox", name="Boxes and labels")
    visit.clip_time()
    assert switch.is_checked()
    assert visit.box(1).is_visible()
    switch.focus()
    visit.page.keyboard.press("Space")
    assert not visit.box(1).is_visible()
    visit.click_at(0.8)
    assert not visit.box(1).is_visible()
    switch.press("Space")
    assert visit.box(1).is_visible()
    visit.page.emulate_media(media="print")
    assert not visit.box(1).is_visible()
    assert not switch.is_visible()


def test_stills_have_no_boxes(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.stills)

    assert visit.page.locator("#boxes, #faces").count() == 0
    visit.page.close()


def as_numbers(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.width, box.height

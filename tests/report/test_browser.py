"""The report in a real browser, Chromium without a window."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from emodetect.report.page import Report, write_report
from emodetect.report.timeline import Timeline
from emodetect.types import Box, Emotion
from tests.builders import MovingClip, make_image, make_reading, make_result, write_clip
from tests.cli.running import TIMEOUT

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Locator, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open reports with")


CORNER = Box(600, 0, 40, 40)
"""Where the second person is, in pictures of 640x360."""


CROWD = [Box(20 + 45 * place, 200, 40, 40) for place in range(6)]
"""Where six people stand close together; all of them are seen in the first second, the last one longer."""


@dataclass(frozen=True)
class Reports:
    """The same run with the clip inside and in stills, and from a log only; three seconds, happy and from 1.6 s on sad.

    Then one with a second person in the upper right corner from 1 to 2 s, of whom nothing is certain; one with a crowd; one of a
    clip that is higher than wide.
    """

    video: Path
    stills: Path
    log: Path
    two_people: Path
    crowd: Path
    upright: Path


@pytest.fixture(scope="module")
def reports(moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Reports:
    folder = tmp_path_factory.mktemp("report")
    timeline, two_people, crowd = Timeline(), Timeline(), Timeline()
    for index, box in enumerate(moving_clip.boxes):
        emotion = Emotion.HAPPY if index < 40 else Emotion.SAD
        reading = make_reading(box, dominant=emotion)
        second = [make_reading(CORNER, 2, Emotion.FEAR, uncertain=True)] if 25 <= index < 50 else []
        timeline.add(make_result(reading, index=index, timestamp=index / 25))
        two_people.add(make_result(reading, *second, index=index, timestamp=index / 25))
        seen = [make_reading(box, number) for number, box in enumerate(CROWD, start=1) if index < 25 or number == 6]
        crowd.add(make_result(*seen, index=index, timestamp=index / 25))
    report = Report("<script>alert(1)</script>.mp4", timeline, moving_clip.path, {"Network": "<b>bold</b>"}, ["Right."])
    paths = Reports(*(folder / f"{field.name}.html" for field in fields(Reports)))
    write_report(report, paths.video)
    write_report(report, paths.stills, max_clip_bytes=2000)
    write_report(replace(report, clip=None), paths.log)
    write_report(Report("clip.mp4", two_people, moving_clip.path), paths.two_people)
    write_report(Report("clip.mp4", crowd, moving_clip.path), paths.crowd)
    upright = write_clip(folder / "upright.mp4", [make_image(240, 426)] * 75)
    write_report(Report("clip.mp4", timeline, upright), paths.upright)
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
        # The page hears of it a moment later, and draws what it makes of it.
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


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


def test_timelines_are_light_on_paper_and_neutral_is_gray(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.video, color_scheme="dark")
    ground, fill = "e => getComputedStyle(e).backgroundColor", "e => getComputedStyle(e).fill"
    visit.page.evaluate("document.querySelector('.track path').setAttribute('class', 'neutral')")
    neutral, bar = visit.page.locator(".track path.neutral").first, visit.page.locator(".bar svg").first

    assert visit.track.evaluate(ground) == bar.evaluate(ground) == "rgb(14, 16, 19)"
    assert neutral.evaluate(fill) == "rgb(255, 255, 255)"
    visit.page.emulate_media(color_scheme="dark", media="print")
    assert visit.track.evaluate(ground) == bar.evaluate(ground) == "rgb(255, 255, 255)"
    assert neutral.evaluate(fill) == "rgb(130, 130, 130)"
    assert neutral.evaluate("e => getComputedStyle(e).stroke") == "rgb(22, 24, 27)"
    visit.page.close()


@pytest.mark.parametrize("width", [320, 1200])
def test_labels_of_the_axis_do_not_overlap(browser: Browser, reports: Reports, width: int) -> None:
    visit = Visit(browser, reports.video, viewport={"width": width, "height": 700})
    boxes = [label.bounding_box() for label in visit.page.locator(".axis").first.locator("text").all() if label.is_visible()]
    sides = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    assert len(sides) > 2
    assert all(first[1] < second[0] for first, second in pairwise(sides))
    visit.page.close()


@pytest.mark.parametrize("kind", ["video", "stills"])
def test_it_can_be_read_without_scripts_and_has_no_dead_controls(browser: Browser, reports: Reports, kind: str) -> None:
    visit = Visit(browser, getattr(reports, kind), java_script_enabled=False)

    assert visit.page.get_by_role("row", name="happy").is_visible()
    assert visit.page.locator(".track path").count() == 2
    assert visit.page.get_by_text("0:01.6 from happy to sad").is_visible()
    assert not visit.page.locator("#boxes").is_visible()
    assert visit.page.locator("button, [tabindex], [role=slider]").count() == 0
    assert not visit.page.get_by_text("arrow keys").is_visible()
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


def test_boxes_have_the_timelines_colors_and_dashes(browser: Browser, reports: Reports) -> None:
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


def test_labels_stand_beside_each_other_and_above_the_players_controls(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.crowd, viewport={"width": 1200, "height": 900})
    visit.click_at(0.2)
    visit.clip_time()

    places = [visit.place(visit.box(number).locator("span")) for number in range(1, 7)]
    for number, (x, y, width, height) in enumerate(places):
        assert min(x, y) > -1
        assert y + height < 300
        for left, top, _, _ in places[:number]:
            assert abs(left - x) > width - 2 or abs(top - y) > height - 2
    visit.page.close()


def test_the_readout_names_those_who_are_seen_the_chosen_one_first(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.crowd)
    readout = visit.page.locator("#now")
    track = visit.page.get_by_role("slider", name="Timeline of person 3")
    track.click(position={"x": 100, "y": 10})

    text = readout.text_content() or ""
    assert text.split(" · ")[1:] == [f"person {number}: happy, 70%" for number in (3, 6, 1, 2)] + ["and 2 more"]
    track.press("End")
    assert readout.text_content() == "0:03.0 · person 6: happy, 70%"
    visit.page.close()


@pytest.mark.parametrize(("kind", "height"), [("log", 800), ("video", 400)])
def test_the_readout_stays_in_sight(browser: Browser, reports: Reports, kind: str, height: int) -> None:
    visit = Visit(browser, getattr(reports, kind), viewport={"width": 800, "height": height})
    visit.page.mouse.wheel(0, 10_000)
    visit.wait_until("window.scrollY > 0 && window.scrollY + innerHeight > document.documentElement.scrollHeight - 2")

    box = visit.page.locator("#now").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 10
    visit.page.close()


def test_little_of_a_phone_is_taken_by_what_stays_in_sight(browser: Browser, reports: Reports) -> None:
    for path in (reports.two_people, reports.stills):
        visit = Visit(browser, path, viewport={"width": 390, "height": 664})
        visit.page.wait_for_timeout(50)
        box = visit.page.locator(".screen").bounding_box()
        assert box is not None
        assert box["height"] < 0.5 * 664
        visit.page.close()


def test_a_clip_that_is_higher_than_wide_stands_beside_the_timelines(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.upright, viewport={"width": 1280, "height": 800})
    visit.clip_time()
    clip, track = visit.page.locator("video").bounding_box(), visit.track.bounding_box()

    assert clip is not None
    assert track is not None
    assert clip["height"] > 500
    assert clip["x"] + clip["width"] < track["x"]
    visit.page.close()


def test_a_slider_says_its_time_once_a_second_while_the_clip_plays(visit: Visit) -> None:
    visit.clip_time()
    visit.page.evaluate("""() => {
        window.said = window.moved = 0;
        const track = document.querySelector(".track");
        new MutationObserver(() => window.said++).observe(track, { attributeFilter: ["aria-valuetext"] });
        new MutationObserver(() => window.moved++).observe(track.querySelector(".head"), { attributes: true });
    }""")
    visit.track.focus()
    visit.page.keyboard.press("Space")
    visit.wait_until("document.querySelector('video').ended")

    said, moved = visit.page.evaluate("[window.said, window.moved]")
    assert said <= 7, "one a second, and one each at the beginning and the end"
    assert moved > said
    assert visit.track.get_attribute("aria-valuenow") == "3.000"


def test_a_moment_is_announced_and_a_slider_is_not(visit: Visit) -> None:
    status = visit.page.get_by_role("status")
    visit.track.press("PageUp")
    assert status.text_content() == ""
    visit.page.get_by_role("button", name="Go to 0:01.6").click()
    assert status.text_content() == "0:01.6 · person 1: sad, 70%"
    visit.clip_time()
    visit.track.press("Space")
    visit.wait_until("!document.querySelector('video').paused")
    visit.wait_until("document.querySelector('#announcement').textContent == ''")
    visit.track.press("Space")
    visit.wait_until("document.querySelector('#announcement').textContent.includes('person 1: sad')")


def test_the_still_that_is_shown_is_marked_and_in_sight(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.stills, viewport={"width": 390, "height": 800})
    current = visit.page.locator('.strip [aria-current="true"]')
    assert current.get_attribute("data-time") == "0.0"
    visit.track.press("End")

    assert current.count() == 1
    strip, button = visit.page.locator(".strip").bounding_box(), current.bounding_box()
    assert strip is not None
    assert button is not None
    assert strip["x"] <= button["x"]
    assert button["x"] + button["width"] <= strip["x"] + strip["width"] + 1
    visit.page.close()


def test_forced_colors_leave_playhead_and_lanes(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.video, forced_colors="active")
    ground = "e => getComputedStyle(e).backgroundColor"

    assert visit.page.locator(".head").first.evaluate(ground) == "rgb(255, 255, 255)"
    assert visit.track.evaluate(ground) == "rgb(14, 16, 19)"
    visit.page.close()


def test_letters_twice_as_large_fit_on_a_phone(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.video, viewport={"width": 390, "height": 844})
    visit.page.evaluate("document.documentElement.style.fontSize = '200%'")

    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    visit.page.close()


@pytest.mark.parametrize("touch", [True, False])
def test_hints_fit_the_pointer(browser: Browser, reports: Reports, touch: bool) -> None:
    visit = Visit(browser, reports.video, has_touch=touch, is_mobile=touch)

    assert visit.page.get_by_text("Tap a timeline").is_visible() == touch
    assert visit.page.get_by_text("Click a timeline").is_visible() != touch
    visit.page.close()


def test_the_clip_and_its_heading_are_not_printed(visit: Visit) -> None:
    heading = visit.page.get_by_role("heading", name="Clip", exact=True)
    assert heading.is_visible()
    visit.page.emulate_media(media="print")
    assert not heading.is_visible()
    assert visit.page.get_by_role("heading", name="Person 1").is_visible()


def test_stills_have_no_boxes(browser: Browser, reports: Reports) -> None:
    visit = Visit(browser, reports.stills)

    assert visit.page.locator("#boxes, #faces").count() == 0
    visit.page.close()


def as_numbers(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.width, box.height

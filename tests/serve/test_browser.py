"""The page in a real browser, Chromium without a window, with a clip for its camera."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emodetect.drawing.languages import WORDS
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.serve.run import SourceSettings
from emodetect.settings.serve import ServerSettings
from emodetect.sources.camera import LiveSource
from tests.builders import MovingClip
from tests.serve.serving import TIMEOUT, TOKEN, Client, served

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Download, Page, Playwright, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the page with")

HAPPY = "ffc905"


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def launch(driver: Playwright, *arguments: str) -> Browser:
    # Its own sandbox does not work for root, as in containers.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return driver.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, *arguments], timeout=1000 * TIMEOUT)


def clip_as_camera(clip: MovingClip, folder: Path) -> list[str]:
    """Arguments for a browser whose camera shows the clip again and again."""
    camera = folder / "camera.mjpeg"
    command = [ffmpeg_program(), "-loglevel", "error", "-i", str(clip.path), "-q:v", "2", str(camera)]
    subprocess.run(command, check=True, timeout=TIMEOUT)
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]


@pytest.fixture(scope="module")
def browser(driver: Playwright, moving_clip: MovingClip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera shows the clip again and again."""
    chromium = launch(driver, *clip_as_camera(moving_clip, tmp_path_factory.mktemp("camera")))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def server(moving_clip: MovingClip) -> Iterator[Client]:
    """A server with a source of its own."""
    with served(source=SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True)) as running:
        yield running


class Visit:
    """A page that was opened, and what it did on its own: requests, and messages on the console."""

    def __init__(self, browser: Browser, client: Client, path: str = "/", **options: Any) -> None:
        self.page: Page = browser.new_page(**({"locale": "en-US"} | options))
        self.page.set_default_timeout(1000 * TIMEOUT)
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.add_init_script("""window.asked = 0;
            const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
            if (ask) navigator.mediaDevices.getUserMedia = (wanted) => { window.asked++; return ask(wanted); };""")
        self.page.goto(f"http://127.0.0.1:{client.port}{path}")
        self.page.wait_for_selector("html[data-ready]")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()

    def _note(self, message: ConsoleMessage) -> None:
        if "willReadFrequently" not in message.text:  # of the tests' own look at the canvas
            self.messages.append(message.text)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).text_content() or ""

    def start(self, button: str = "#start") -> None:
        """Begin, and wait for the first face."""
        self.page.locator(button).click()
        self.page.wait_for_selector("#faces .swatch")

    def wait_for_text(self, selector: str, text: str) -> None:
        self.page.wait_for_function("([s, t]) => document.querySelector(s).textContent.includes(t)", arg=[selector, text])

    def wait_for_match(self, selector: str, pattern: str) -> None:
        self.page.wait_for_function("([s, p]) => RegExp(p).test(document.querySelector(s).textContent)", arg=[selector, pattern])

    def painted(self, color: str = HAPPY) -> list[int] | None:
        """Where the canvas has pixels of exactly this color: left, top, right, bottom and their number."""
        found: list[int] | None = self.page.evaluate(
            """(color) => {
                const canvas = document.querySelector("#picture");
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const [red, green, blue] = [0, 2, 4].map((at) => parseInt(color.slice(at, at + 2), 16));
                const box = [canvas.width, canvas.height, -1, -1, 0];
                for (let at = 0; at < data.length; at += 4) {
                    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) {
                        const x = (at / 4) % canvas.width, y = Math.floor(at / 4 / canvas.width);
                        box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y);
                        box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y); box[4]++;
                    }
                }
                return box[4] ? box : null;
            }""",
            color,
        )
        return found

    def violations(self) -> list[str]:
        """What axe finds."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def test_it_says_what_is_sent_where_before_it_asks_for_the_camera(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        assert f"sent to this machine (127.0.0.1:{server.port}) only" in visit.text("#privacy")
        assert "not stored" in visit.text("#privacy")
        assert visit.page.locator("#privacy").is_visible()
        assert visit.page.evaluate("window.asked") == 0
        visit.start()
        assert visit.page.evaluate("window.asked") == 1


@pytest.mark.parametrize("ratio", [1, 2])
def test_the_face_is_boxed_and_labelled_at_the_displays_resolution(
    browser: Browser, server: Client, moving_clip: MovingClip, ratio: int
) -> None:
    with Visit(browser, server, viewport={"width": 1000, "height": 800}, device_scale_factor=ratio) as visit:
        visit.start()
        visit.wait_for_text("#faces", "person 1: happy")
        visit.page.locator("#bars").click()
        visit.page.locator("#pause").click()
        visit.wait_for_text("#state", "paused")
        width, shown = visit.page.evaluate(
            "[document.querySelector('#picture').width, document.querySelector('#picture').clientWidth]"
        )
        assert width == pytest.approx(ratio * shown, abs=1)
        visit.page.wait_for_timeout(100)  # for the next drawing
        painted = visit.painted()
        assert painted is not None
        left, top, right, bottom, count = painted
        scale = width / 640
        side = moving_clip.boxes[0].width * scale
        assert 0.7 * side < right - left < 2.2 * side, "a box as wide as the face, and its label"
        assert 0.7 * side < bottom - top < 2.2 * side
        assert count > 4 * side
        assert visit.messages == []


def test_the_numbers_are_shown(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.start()
        visit.wait_for_match("#numbers", r"^[1-9][\d.]* frames/s, round trip \d+ ms$")
        assert visit.text("#state") == "live"


def test_no_request_leaves(browser: Browser, server: Client) -> None:
    for path in ("/", "/docs", "/overlay"):
        with Visit(browser, server, path) as visit:
            if path == "/":
                visit.start()
                visit.page.locator("#stop").click()
                visit.start("#watch")
            hosts = {url.split("/")[2] for url in visit.requests if not url.startswith("blob:")}
            assert hosts == {f"127.0.0.1:{server.port}"}
            assert visit.messages == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Client, scheme: str) -> None:
    with Visit(browser, server, color_scheme=scheme) as visit:
        assert visit.violations() == []
        visit.start()
        assert visit.violations() == []
    for path in ("/docs", "/overlay"):
        with Visit(browser, server, path, color_scheme=scheme) as visit:
            assert visit.violations() == []


def test_the_servers_source_is_shown_with_the_results_of_its_pictures(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.start("#watch")
        visit.wait_for_text("#faces", "happy")
        assert visit.page.evaluate("window.asked") == 0, "the browser's camera is not needed"
        assert not visit.page.locator("#settings").is_visible()
        visit.wait_for_match("#numbers", r"^[1-9][\d.]* frames\/s$")
        assert visit.page.locator("#mirror").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("button", ["#start", "#watch"])
def test_a_lost_connection_comes_back(browser: Browser, moving_clip: MovingClip, button: str) -> None:
    source = SourceSettings(LiveSource.parse(str(moving_clip.path)), loop=True)
    with served(source=source) as client:
        visit = Visit(browser, client)
        visit.start(button)
    visit.wait_for_text("#state", "reconnecting")
    visit.page.wait_for_selector("#faces .swatch", state="detached")
    with served(ServerSettings(port=client.port), source=source):
        visit.wait_for_text("#state", "live")
        visit.page.wait_for_selector("#faces .swatch")
    visit.page.close()


def test_backend_and_detector_can_be_chosen(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.start()
        with visit.page.expect_websocket(lambda socket: "backend=ferplus&" in socket.url):
            visit.page.locator("#backend").select_option("ferplus")
        with visit.page.expect_websocket(lambda socket: socket.url.endswith("backend=ferplus&detector=blazeface")):
            visit.page.locator("#detector").select_option("blazeface")
        visit.wait_for_text("#state", "live")
        visit.page.wait_for_selector("#faces .swatch")


def saved(visit: Visit, button: str) -> tuple[Download, bytes]:
    with visit.page.expect_download() as info:
        visit.page.locator(button).click()
    return info.value, Path(info.value.path()).read_bytes()


def test_snapshot_recording_and_log_are_files_of_the_browser(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.start()
        visit.page.locator("#record").click()
        assert visit.text("#record") == "Stop recording"
        picture, content = saved(visit, "#snapshot")
        assert picture.suggested_filename.endswith(".png")
        assert content.startswith(b"\x89PNG")
        log, content = saved(visit, "#log")
        assert log.suggested_filename.endswith(".jsonl")
        records = [json.loads(line) for line in content.splitlines()]
        assert records
        assert {tuple(record) for record in records} == {("frame", "time", "faces")}
        visit.page.wait_for_timeout(500)
        recording, content = saved(visit, "#record")
        assert recording.suggested_filename.endswith((".webm", ".mp4"))
        assert len(content) > 1000
        assert visit.messages == []


def test_it_is_used_with_the_keyboard_alone(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.page.locator("#start").focus()
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("#faces .swatch")
        assert visit.page.evaluate("document.activeElement.id") == "screen"
        visit.page.keyboard.press("Space")
        visit.wait_for_text("#state", "paused")
        assert visit.text("#pause") == "Resume"
        visit.page.keyboard.press("Space")
        visit.wait_for_text("#state", "live")
        visit.page.keyboard.press("b")
        assert visit.page.locator("#bars").get_attribute("aria-pressed") == "false"
        visit.page.keyboard.press("m")
        assert visit.page.locator("#mirror").get_attribute("aria-pressed") == "false"
        with visit.page.expect_download():
            visit.page.keyboard.press("s")
        visit.page.locator("#stop").press("Enter")
        assert visit.page.evaluate("document.activeElement.id") == "start"


@pytest.mark.parametrize("language", WORDS)
def test_it_speaks_each_language(browser: Browser, server: Client, language: str) -> None:
    with Visit(browser, server, locale=language, viewport={"width": 320, "height": 700}) as visit:
        assert visit.page.evaluate("document.documentElement.lang") == language
        visit.start()
        visit.wait_for_text("#faces", WORDS[language]["happy"])
        assert visit.page.locator("[data-text]:empty").count() == 0
        assert "{" not in visit.text("body")
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 320, "nothing stands out at the side of a phone"
        assert visit.messages == []


def test_the_language_can_be_chosen_and_is_kept(browser: Browser, server: Client) -> None:
    with Visit(browser, server) as visit:
        visit.page.locator("#language").select_option("de")
        assert visit.text("#start") == "Kamera starten"
        visit.page.reload()
        visit.page.wait_for_selector("html[data-ready]")
        assert visit.text("#start") == "Kamera starten"


def test_a_token_is_asked_for_and_never_stands_in_an_address(browser: Browser) -> None:
    with served(token=TOKEN) as client, Visit(browser, client) as visit:
        assert visit.page.locator("#token").is_visible()
        assert not visit.page.locator("#start").is_visible()
        assert visit.violations() == []
        visit.page.locator("#token-value").fill("wrong-wrong-wrong-wrong")
        visit.page.locator("#token button").click()
        visit.wait_for_text("#problem", "does not accept")
        visit.page.locator("#token-value").fill(TOKEN)
        visit.page.locator("#token button").click()
        visit.page.wait_for_selector("#start", state="visible")
        visit.start()
        assert not any(TOKEN in url for url in visit.requests)


def test_without_a_camera_it_says_so(driver: Playwright, server: Client) -> None:
    chromium = launch(driver, "--use-fake-ui-for-media-stream")
    with Visit(chromium, server) as visit:
        visit.page.locator("#start").click()
        visit.wait_for_text("#problem", "The camera cannot be used")
        assert visit.page.locator("#start").is_visible()
    chromium.close()


def test_the_overlay_is_transparent_and_its_address_sets_its_look(browser: Browser, server: Client) -> None:
    places = {}
    size = {"width": 640, "height": 360}
    for query in ("?bars=0&labels=0&line=2", "?bars=0&labels=0&line=9", "?boxes=0&language=ko", "?boxes=0&labels=0"):
        with Visit(browser, server, f"/overlay{query}", viewport=size) as visit:
            if query.endswith("boxes=0&labels=0"):
                visit.page.wait_for_timeout(500)
            else:
                visit.page.wait_for_function(
                    """() => { const c = document.querySelector("#picture");
                        return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((value) => value); }"""
                )
            ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == "rgba(0, 0, 0, 0)"
            seen = """() => { const c = document.querySelector("#picture");
                const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
                let count = 0; for (let at = 3; at < data.length; at += 4) count += data[at] > 0; return count; }"""
            places[query] = visit.page.evaluate(seen)
            assert places[query] < 0.2 * 640 * 360, "most of it shows what is behind"
            assert visit.messages == []
    thin, thick, _, nothing = places.values()
    assert nothing == 0
    assert thick > 2 * thin


def test_the_overlay_reads_the_browsers_camera_where_the_server_has_no_source(browser: Browser, client: Client) -> None:
    with Visit(browser, client, "/overlay?mirror=1") as visit:
        visit.page.wait_for_function("() => window.asked === 1")
        visit.page.wait_for_function(
            """() => { const c = document.querySelector("#picture");
                return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((value) => value); }"""
        )


def test_the_interface_is_described_without_another_host(browser: Browser, server: Client) -> None:
    with Visit(browser, server, "/docs") as visit:
        assert visit.page.get_by_role("heading", name="POST /v1/analyze", exact=True).is_visible()
        assert "confidence" in visit.text("#paths")
        assert visit.messages == []

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.backends.registry import create_backend
from emodetect.errors import OutputError, SourceError
from emodetect.report.accuracy import accuracy_in_words
from emodetect.report.page import MAX_CLIP_BYTES, Report, render, write_report
from emodetect.report.timeline import Timeline
from emodetect.sources.video import VideoFile
from emodetect.types import EMOTIONS, Box, Emotion
from tests.builders import MovingClip, make_image, make_reading, make_result, small_disk, write_clip

NASTY = "</title><script>alert(1)</script>\"'&.mp4"


class Page(HTMLParser):
    """The elements of a page, with the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and data.strip():
            self.blocks.append(data)


def html(report: Report, max_clip_bytes: int = MAX_CLIP_BYTES) -> str:
    return render(report, max_clip_bytes)[0]


def make_timeline(frames: int = 10) -> Timeline:
    timeline = Timeline()
    for index in range(frames):
        emotion = Emotion.HAPPY if index < frames / 2 else Emotion.SAD
        timeline.add(make_result(make_reading(Box(200, 100, 90, 90), 3, emotion), index=index, timestamp=index / 10))
    return timeline


def test_whatever_a_name_holds_stays_text() -> None:
    text = html(Report(NASTY, make_timeline(), settings={NASTY: NASTY}, accuracy=[NASTY]))

    assert [tag for tag, _ in Page(text).elements].count("script") == 2
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5


def test_only_the_pages_own_script_and_style_may_run_and_nothing_may_be_asked_for() -> None:
    page = Page(html(Report("clip.mp4", make_timeline())))

    (policy,) = [a["content"] or "" for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    assert "unsafe" not in policy
    style, _, script = page.blocks
    for text in (style, script):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    addresses = [v for _, a in page.elements for name, v in a.items() if name in ("src", "href", "srcset", "action", "poster")]
    assert all(address is not None and address.startswith(("data:", "#")) for address in addresses)
    assert not any("style" in attributes or any(name.startswith("on") for name in attributes) for _, attributes in page.elements)


def test_what_the_script_gets() -> None:
    page = Page(html(Report("clip.mp4", make_timeline())))

    data = json.loads(page.blocks[1])
    assert (data["start"], data["end"]) == (0, 1)
    assert data["people"] == [
        {"number": 3, "runs": [[0, 0.5, "happy", 0, [70] * 5], [0.5, 1.0, "sad", 0, [70] * 5]], "boxes": []}
    ]


def test_the_words_stand_beside_the_colors() -> None:
    text = html(Report("clip.mp4", make_timeline()))

    assert re.findall(r"<li>(\w+)</li>", text)[:2] == ["happy", "sad"]
    assert "Mostly happy" in text
    assert re.search(r'data-time="0.5".*?happy.*?sad', text, re.DOTALL)


def test_nobody_and_nothing_are_shown_too(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    timeline.add(make_result())
    report = Report("clip.mp4", timeline, moving_clip.path)

    assert "No face was found by the log." in html(replace(report, clip=None))
    assert "No face was found." in html(report)
    assert "No face was found in that region." in html(replace(report, part_of_picture=True))
    assert 'id="boxes"' not in html(report), "there is nothing to switch"


def test_confidences_are_those_of_the_moment() -> None:
    timeline = Timeline()
    for index in range(50):
        timeline.add(make_result(make_reading(confidence=0.5 + index / 100), index=index, timestamp=index / 25))

    ((_, _, _, _, percents),) = json.loads(Page(html(Report("clip.mp4", timeline))).blocks[1])["people"][0]["runs"]
    assert len(percents) == 20
    for place, shown in enumerate(percents):
        assert shown == pytest.approx(50 + 25 * place / 10, abs=1.01)


def test_times_of_a_log_that_lie_far_apart_make_no_large_page() -> None:
    timeline = Timeline()
    for index in range(4):
        timeline.add(make_result(make_reading(), index=index, timestamp=index * 1e9))

    assert len(html(Report("log.jsonl", timeline))) < 100_000


def test_what_is_all_uncertain_is_not_called_an_emotion() -> None:
    timeline = Timeline()
    timeline.add(make_result(make_reading(uncertain=True)))

    page = html(Report("clip.mp4", timeline))
    assert "Nothing was read with certainty." in page
    assert "Mostly happy" not in page
    assert "Seen for 0.04 s" in page


def test_who_was_seen_longest_comes_first_and_who_was_seen_briefly_is_folded_away() -> None:
    timeline = Timeline()
    for index in range(40):
        readings = [make_reading(track_id=number) for number, first in ((1, 35), (2, 0), (3, 20), (4, 36)) if index >= first]
        timeline.add(make_result(*readings, index=index, timestamp=index / 10))

    page = html(Report("clip.mp4", timeline))
    at_once, folded = page.split("Seen for less than a second: 2 people")
    heading = r'<h2 id="person-(\d)"'
    assert (re.findall(heading, at_once), re.findall(heading, folded)) == (["2", "3"], ["1", "4"])
    assert [person["number"] for person in json.loads(Page(page).blocks[1])["people"]] == [2, 3, 1, 4]


def make_long_timeline(seconds: int) -> Timeline:
    """One frame a second; another emotion every three seconds, for half a minute, and then every two minutes."""
    timeline = Timeline()
    for index in range(seconds):
        emotion = EMOTIONS[(index // (3 if index < 90 else 120)) % 7]
        timeline.add(make_result(make_reading(dominant=emotion), index=index, timestamp=float(index)))
    return timeline


def test_all_changes_can_be_reached() -> None:
    page = html(Report("clip.mp4", make_long_timeline(3600)))

    (count,) = re.findall(r"<summary>All (\d+) changes</summary>", page)
    assert int(count) > 50
    assert len(re.findall(r'<li><span class="moment" data-time="[^"]*">[^<]*</span> from \w+ to \w+</li>', page)) == int(count)


def test_long_clips_have_legible_times_and_outlines() -> None:
    page = html(Report("clip.mp4", make_long_timeline(3600)))

    axis = page[page.index('<svg class="axis"') :]
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", axis)[:7]
    assert labels == ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]
    assert "Seen for 1 h 0 min between 0:00.0 and 1:00:00.0." in page
    outlined, summed = (re.findall(rf'<path class="\w+{kind}" d="([^"]*)"', page) for kind in ("", " sum"))
    assert len(outlined) == pytest.approx(30, abs=2)
    assert 1 < len(summed) <= 7, "what is too short to have an outline"
    assert "for each 7.2 s" in page


def test_the_page_says_where_the_player_begins(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    for index in range(50, 75):
        timeline.add(make_result(make_reading(moving_clip.boxes[index]), index=index, timestamp=index / 25))

    assert "The player counts from 0:00, which is 0:02.0 here." in html(Report("clip.mp4", timeline, moving_clip.path))


def test_why_there_are_stills_is_said(tmp_path: Path, moving_clip: MovingClip) -> None:
    report = Report("clip.mp4", make_timeline(), moving_clip.path)

    said = write_report(report, tmp_path / "stills.html", max_clip_bytes=2000)

    assert said == "The page shows stills, since a small copy of the clip would be larger than 0.002 MB."
    assert said in (tmp_path / "stills.html").read_text()
    assert write_report(report, tmp_path / "clip.html") is None


def test_the_page_says_when_and_by_which_version_it_was_made() -> None:
    text = html(Report("clip.mp4", make_timeline()))

    assert f"<dd>{date.today()}, emodetect {version('emodetect')}</dd>" in text


def test_the_accuracy_is_said_in_plain_words() -> None:
    with create_backend("cnn") as backend:
        agreement = accuracy_in_words(backend)[0]
        assert agreement == "The model agrees with the majority of FER+ annotators on 89% of validation faces."
        backend.name = "my.onnx"
        assert accuracy_in_words(backend)[0] == "The model (my.onnx) agrees with the label of 89% of validation faces."
        backend.validation_accuracy = None
        assert accuracy_in_words(backend) == ["The accuracy of my.onnx is unknown: its model file does not state it."]


def test_times_on_the_axis_are_round_and_stand_where_they_are() -> None:
    timeline = Timeline()
    for index in range(30, 161):
        timeline.add(make_result(make_reading(), index=index, timestamp=index / 10))
    page = html(Report("clip.mp4", timeline))
    found = re.findall(r'<text x="([^"]*)%" y="1.3em" text-anchor="(\w+)">([^<]*)</text>', page)
    assert [label for _, _, label in found] == ["0:05", "0:10", "0:15"]
    for place, _, label in found:
        assert float(place) / 100 * (timeline.end - 3) + 3 == pytest.approx(float(label[-2:]), abs=0.01)
    assert {anchor for _, anchor, _ in found} == {"middle"}


def test_percent_signs_have_one_form(moving_clip: MovingClip) -> None:
    with create_backend("cnn") as backend:
        text = html(Report("clip.mp4", make_timeline(), moving_clip.path, {}, accuracy_in_words(backend)))

    text = text[text.index("<body>") : text.index("<script")]
    assert re.search(r"\d%", text)
    assert not re.search(r"\d\s%", text)


def test_a_clip_is_shown_itself_or_in_stills(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    for index, box in enumerate(moving_clip.boxes):
        timeline.add(make_result(make_reading(box), index=index, timestamp=index / 25))
    report = Report("clip.mp4", timeline, moving_clip.path)

    whole, reduced = html(report), html(report, max_clip_bytes=2000)

    assert 'src="data:video/mp4;base64,' in whole
    assert whole.count("data:image/jpeg") == 1, "the face"
    assert "<video" not in reduced
    assert reduced.count("data:image/jpeg") == 1 + 1 + 12, "the face, the still that is shown, and all of them"


@pytest.mark.parametrize("max_clip_bytes", [2000, 10**7])
def test_a_cut_clip_holds_the_frames_that_were_read(tmp_path: Path, max_clip_bytes: int) -> None:
    """Each is a little brighter than the one before; the log has every second one of a part, from 4 s on."""
    grays = {number: 20 + 10 * place for place, number in enumerate(range(40, 80, 2))}
    clip = write_clip(tmp_path / "cut.mp4", [make_image(64, 48, (gray, gray, gray)) for gray in grays.values()], 5.0)
    timeline = Timeline()
    for number in grays:
        sure = 0.9 if number == 70 else 0.6
        timeline.add(make_result(make_reading(Box(10, 10, 20, 20), confidence=sure), index=number, timestamp=number / 10))

    page = html(Report("clip.mp4", timeline, clip, clip_is_cut=True), max_clip_bytes)

    assert brightness(r'alt="Face of person 1"', page) == [pytest.approx(grays[70], abs=4)]
    if max_clip_bytes == 2000:
        times = [round(10 * float(time)) for time in re.findall(r'<li><span class="moment" data-time="([^"]*)"', page)]
        assert len(times) == 12
        assert brightness(r'alt=""', page) == [pytest.approx(grays[number], abs=4) for number in times]
    else:
        (text,) = re.findall(r'src="data:video/mp4;base64,([^"]*)"', page)
        (tmp_path / "shown.mp4").write_bytes(base64.b64decode(text))
        with VideoFile(tmp_path / "shown.mp4") as frames:
            shown = [float(frame.image.mean()) for frame in frames]
        assert shown == [pytest.approx(gray, abs=4) for gray in grays.values()]


def brightness(attribute: str, page: str) -> list[float]:
    """The mean of each picture with this attribute."""
    texts = re.findall(rf'<img [^>]*src="data:image/jpeg;base64,([^"]*)" {attribute}', page)
    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR) for text in texts]
    return [float(np.mean(np.asarray(picture))) for picture in pictures]


def boxes_in(text: str) -> list[npt.NDArray[np.int64]]:
    """Where the first person is, by the page: each time that it is there as rows of milliseconds, x, y, width, height."""
    data = json.loads(Page(text).blocks[1])
    return [np.cumsum(np.reshape(path, (-1, 5)), axis=0) for path in data["people"][0]["boxes"]]


def test_boxes_are_where_the_faces_are(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    for index, box in enumerate(moving_clip.boxes):
        readings = [] if 30 <= index < 40 else [make_reading(box)]
        timeline.add(make_result(*readings, index=index, timestamp=index / 25))

    paths = boxes_in(html(Report("clip.mp4", timeline, moving_clip.path)))

    assert [(path[0, 0], path[-1, 0]) for path in paths] == [(0, 1200), (1600, 3000)]
    for index, box in enumerate(moving_clip.boxes):
        for path in paths:
            if path[0, 0] <= 40 * index < path[-1, 0]:
                place = [np.interp(40 * index, path[:, 0], path[:, column]) for column in range(1, 5)]
                expected = 1000 * box.x / 640, 1000 * box.y / 360, 1000 * box.width / 640, 1000 * box.height / 360
                np.testing.assert_allclose(place, expected, atol=6)


def test_boxes_of_a_long_clip_take_little_room(moving_clip: MovingClip) -> None:
    """Ten minutes at 30 frames a second, a face that never rests; the clip's copy has up to 32 MB as text."""
    timeline = Timeline()
    for index in range(18_000):
        box = Box(300 + round(200 * math.sin(index / 20)), 150 + round(90 * math.cos(index / 33)), 80 + index % 7, 80 + index % 7)
        timeline.add(make_result(make_reading(box), index=index, timestamp=index / 30))

    text = html(replace(Report("clip.mp4", timeline), clip=moving_clip.path))

    (path,) = boxes_in(text)
    assert len(path) == pytest.approx(6000, abs=5)
    assert len(re.search(r'"boxes":(.*?\]\])', text.replace(" ", "")).group(1)) < 100_000  # type: ignore[union-attr]


def test_a_log_that_puts_a_face_anywhere_is_shown_all_the_same(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    timeline.add(make_result(make_reading(Box(-(2**52), 2**52, 2**52, 1))))

    assert boxes_in(html(Report("clip.mp4", timeline, moving_clip.path)))[0].tolist()[0] == [0, -1000, 2000, 2000, 3]


def test_another_clip_is_an_error(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    timeline.add(make_result(make_reading(), index=500, timestamp=20.0))

    with pytest.raises(SourceError, match="has no frame 500; is it the clip"):
        html(Report("clip.mp4", timeline, moving_clip.path))


def test_a_box_outside_the_picture_has_no_thumbnail(moving_clip: MovingClip) -> None:
    timeline = Timeline()
    timeline.add(make_result(make_reading(Box(9000, 9000, 50, 50))))

    assert "Face of person" not in html(Report("clip.mp4", timeline, moving_clip.path))


def test_an_older_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("precious")

    with pytest.raises(OutputError, match="exists already"):
        write_report(Report("clip.mp4", make_timeline()), path)
    assert path.read_text() == "precious"


def test_a_full_disk_leaves_no_half_page(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=4k") as disk:
        with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
            write_report(Report("clip.mp4", make_timeline()), disk / "page.html")
        assert list(disk.iterdir()) == []


def test_a_folder_that_was_deleted_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"page.html: cannot be written \(No such file or directory\)"):
        write_report(Report("clip.mp4", make_timeline()), tmp_path / "gone" / "page.html")

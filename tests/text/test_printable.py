from __future__ import annotations

import pytest

from emodetect.errors import SourceError
from emodetect.text.printable import caption, counted, csv_cell, enumerated, one_line, public_address

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip.mp4: no such file", "clip.mp4: no such file"),
        ("Grüße, 笑顔.jpg", "Grüße, 笑顔.jpg"),
        ("two\n  lines", "two lines"),
        ("red\x1b[31m.jpg", "red\\x1b[31m.jpg"),
        ("bell\x07 delete\x7f csi\x9b", "bell\\x07 delete\\x7f csi\\x9b"),
        ("turned\u202egpj.exe", "turned\\u202egpj.exe"),
        ("undecodable\udcff.jpg", "undecodable\\udcff.jpg"),
    ],
)
def test_one_line_holds_nothing_that_a_terminal_obeys(text: str, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp://admin:{SECRET}@camera.local:554/stream1: cannot be opened",
        f"rtsp:/admin:{SECRET}@camera.local/stream1: no such file",
        f"cannot open 'HTTP://{SECRET}@camera.local' and rtmp://u:{SECRET}@host/x",
        f"rtsp://admin:{SECRET}/5@camera.local/",
        f"rtsp://admin:x@{SECRET}@camera.local/",
        f"//admin:{SECRET}@camera.local/x: no such file",
        f"1http://admin:{SECRET}@camera.local",
    ],
)
def test_one_line_holds_no_password_of_an_address(text: str) -> None:
    line = one_line(text)
    assert SECRET not in line
    assert "admin" not in line
    assert "***@" in line


@pytest.mark.parametrize(
    "text",
    [
        f"https://cloud.example/clip#access_token={SECRET}: no such file",
        f"https://cloud.example/clip#{SECRET}",
        f"https://cloud.example/clip;jsessionid={SECRET}",
        f"https://cloud.example/clip?name=O'{SECRET}",
        f"'http://admin:{SECRET}%40camera.local/x'",
        f"http://admin:{SECRET}\uff20camera.local/x: cannot be opened",
        f"rtp://camera.local/{SECRET}, mmsh://camera.local/{SECRET}",
        f"camera.local/video.cgi?usr=admin&pw={SECRET}",
        f"Authorization: Basic {SECRET}, Bearer {SECRET}",
    ],
)
def test_one_line_holds_no_secret_of_another_form(text: str) -> None:
    assert SECRET not in one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://camera.local:8080: cannot be opened (http://127.0.0.1:80/x, http://[::1]:80)",
        "C:\\clips\\a@b.mp4, c:/clips/a.mp4 and 12:30",
        "trip/a?b#c.jpg: a basic check, 5 of 7 digest words",
    ],
)
def test_one_line_keeps_what_is_no_secret(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8080/video.mjpg", "http://127.0.0.1:8080/..."),
        ("http://camera.local/", "http://camera.local"),
        (f"rtsp://admin:{SECRET}@camera.local:554/stream1", "rtsp://camera.local:554/..."),
        (f"http://camera.local/video?user=admin&pwd={SECRET}", "http://camera.local/..."),
        (f"rtsp://camera.local:554/user=admin_password={SECRET}_channel=1.sdp", "rtsp://camera.local:554/..."),
        (f"rtmp://live.example/app/{SECRET}", "rtmp://live.example/..."),
        (f"rtsp://[::1]:554/{SECRET}", "rtsp://[::1]:554/..."),
        (f"rtsp://admin:{SECRET}/x@camera.local/", "rtsp://***"),
        (f"rtsp://admin:p#{SECRET}@camera.local/", "rtsp://***"),
        (f"rtsp://{SECRET}:port/", "rtsp://***"),
        (f"rtsp://[{SECRET}/", "rtsp://***"),
    ],
)
def test_of_an_address_only_the_host_is_shown(address: str, expected: str) -> None:
    assert public_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [f"rtps://admin:{SECRET}@camera.local/", f"srt://camera.local?passphrase={SECRET}", f"rtsp:/admin:{SECRET}@camera.local/"],
)
def test_a_mistyped_address_keeps_its_secret_too(address: str) -> None:
    from emodetect.sources.camera import LiveSource

    with pytest.raises(SourceError) as caught:
        LiveSource.parse(address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "\uff20SUM(A1)"])
def test_a_text_that_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


def test_a_semicolon_begins_no_formula_either() -> None:
    assert csv_cell("a;=1;b;\uff1d2;-x=3.jpg") == "a;'=1;b;'\uff1d2;'-x=3.jpg"


@pytest.mark.parametrize(
    ("text", "cell"), [("\t=1", "\\t=1"), ("\r=1", "\\r=1"), ("a\nb\x1b[31m", "a\\nb\\x1b[31m"), ("\udcff", "\\udcff")]
)
def test_control_characters_break_no_row(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


@pytest.mark.parametrize("value", ["happy", "a=b", "", "1-2", -1, -0.5, 0, None])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert csv_cell(value) == value


@pytest.mark.parametrize(
    ("number", "several", "expected"),
    [(0, None, "0 frames"), (1, None, "1 frame"), (2, None, "2 frames"), (1234, None, "1,234 frames"), (2, "people", "2 people")],
)
def test_things_are_counted_as_people_do(number: int, several: str | None, expected: str) -> None:
    assert counted(number, "frame", several) == expected


def test_a_caption_has_the_whole_name_of_a_file() -> None:
    assert caption("token=abc123.jpg") == "token=abc123.jpg"


def test_a_caption_has_letters_and_marks_in_one() -> None:
    assert caption("\u1100\u1161 u\u0308\n\x1b") == "가 ü \\x1b"


@pytest.mark.parametrize(("items", "expected"), [(["a"], "a"), ([1, 2], "1 and 2"), (["a", "b", "c"], "a, b and c")])
def test_items_are_joined_as_people_do(items: list[object], expected: str) -> None:
    assert enumerated(items) == expected

"""A stream reaches the host that was named and no other, and takes no more memory than a picture may."""

from __future__ import annotations

import base64
import hashlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.errors import SourceError
from emodetect.media.ffmpeg import ffmpeg_program
from emodetect.sources import stream
from emodetect.sources.mjpeg import JpegScanner
from emodetect.sources.piped_stream import PipedStream
from emodetect.sources.rtsp import Messages
from emodetect.sources.sockets import Sockets
from emodetect.sources.stream import Capture, StreamUnavailable, open_stream
from emodetect.types import Image
from tests.builders import make_image, write_clip
from tests.cli.running import TIMEOUT
from tests.sources.servers import Server, answering, flood, http, path_of, redirect, saying

BLUE = make_image(96, 64, color=(200, 0, 0))
JPEG = cv2.imencode(".jpg", BLUE)[1].tobytes()
PART = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(JPEG), JPEG)
MULTIPART = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"


@contextmanager
def opened(address: str, *, follow_redirects: bool = False) -> Iterator[Capture]:
    """A stream whose connections are ended when it takes too long."""
    sockets = Sockets()
    timer = threading.Timer(TIMEOUT, sockets.close)
    timer.start()
    try:
        capture = open_stream(address, sockets, follow_redirects=follow_redirects, seconds=20)
        try:
            yield capture
        finally:
            capture.release()
    finally:
        timer.cancel()
        sockets.close()


def first_picture(address: str, *, follow_redirects: bool = False) -> Image:
    with opened(address, follow_redirects=follow_redirects) as capture:
        image = capture.read()[1]
    assert image is not None
    return image


def read_pictures(address: str) -> None:
    """Read to the end; there is one picture at least."""
    with opened(address) as capture:
        assert capture.read()[0]
        while capture.read()[0]:
            pass


def assert_blue(image: Image) -> None:
    assert image.shape == (64, 96, 3)
    assert image[..., 0].mean() > 150 > image[..., 2].mean()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", [BLUE] * 30)


def as_transport_stream(clip: Path) -> bytes:
    path = clip.with_suffix(".ts")
    line = [ffmpeg_program(), "-loglevel", "error", "-i", str(clip), "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


@pytest.fixture
def transport_stream(clip: Path) -> bytes:
    return as_transport_stream(clip)


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    """Another server, which nobody shall reach."""
    with answering(saying(MULTIPART + PART)) as server:
        yield server


class TestRedirects:
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_within_the_host_they_are_followed(self, status: str) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            path = path_of(request)
            viewer.sendall(redirect({"/": "/a", "/a": "b"}[path], status) if path in ("/", "/a") else MULTIPART + PART)

        with answering(answer) as server:
            assert_blue(first_picture(server.address()))
        assert list(map(path_of, server.requests)) == ["/", "/a", "/b"]

    @pytest.mark.parametrize(
        ("to", "named"),
        [
            ("http://127.0.0.1:{port}/video", r"http://127.0.0.1:\d+/...; name"),
            ("http://localhost:{own}/video", r"http://localhost:\d+/...; name"),
            ("//127.0.0.1:{port}/video", r"http://127.0.0.1:\d+/...; name"),
            ("https://127.0.0.1:{port}/video", r"https://127.0.0.1:\d+/...; name"),
            ("http://user:s3cret@127.0.0.1:{port}/", r"http://127.0.0.1:\d+; name"),
            ("http://2130706433:{port}/", r"http://2130706433:\d+; name"),
            ("file:///etc/hostname", "file:.*which is no stream"),
            ("data:text/plain,a", "data:.*which is no stream"),
            ("gopher://127.0.0.1:{port}/", "gopher:.*which is no stream"),
            ("rtsp://127.0.0.1:{port}/", "rtsp:.*which is no stream"),
        ],
    )
    def test_to_elsewhere_they_are_refused(self, to: str, named: str, elsewhere: Server) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            # At the end of a chain, so that more than the first answer is looked at.
            own = {"/": "/a", "/a": to.format(port=elsewhere.port, own=server.port)}
            viewer.sendall(redirect(own[path_of(request)]))

        with answering(answer) as server, pytest.raises(SourceError, match=f"sends viewers on to {named}") as raised:
            first_picture(server.address())
        assert not isinstance(raised.value, StreamUnavailable)
        assert "s3cret" not in str(raised.value)
        assert elsewhere.requests == []

    def test_elsewhere_where_that_is_allowed(self, elsewhere: Server) -> None:
        with answering(saying(redirect(elsewhere.address()))) as server:
            assert_blue(first_picture(server.address().replace("//", "//me:s3cret@"), follow_redirects=True))
        assert b"Authorization" not in elsewhere.requests[0]

    def test_files_are_no_streams_even_then(self) -> None:
        with answering(saying(redirect("file:///etc/hostname"))) as server, pytest.raises(SourceError, match="no stream"):
            first_picture(server.address(), follow_redirects=True)

    def test_in_a_circle_they_end(self) -> None:
        with answering(saying(redirect("/"))) as server, pytest.raises(StreamUnavailable, match="302 Found"):
            first_picture(server.address())
        assert len(server.requests) < 12


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.2,\n{segment}\n#EXT-X-ENDLIST\n"


def serving(playlist: str, segment: bytes) -> Callable[[bytes, socket.socket], None]:
    def answer(request: bytes, viewer: socket.socket) -> None:
        is_segment = path_of(request).endswith(".ts")
        viewer.sendall(http(segment, "video/mp2t") if is_segment else http(playlist.encode(), "application/x-mpegURL"))

    return answer


class TestPlaylists:
    @pytest.mark.parametrize("kind", ["application/vnd.apple.mpegurl", "text/plain", "video/mp2t"])
    @pytest.mark.parametrize(
        "playlist",
        [
            PLAYLIST.format(segment="http://127.0.0.1:{port}/a.ts"),
            PLAYLIST.format(segment="/a.ts"),
            PLAYLIST.format(segment="file:///etc/hostname"),
            PLAYLIST.format(segment="data:video/mp2t;base64,R0c="),
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:{port}/a.m3u8\n",
            "\ufeff#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n",
            "<?xml version='1.0'?>\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>",
            "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.ts\n",
            "ffconcat version 1.0\nfile /etc/hostname\n",
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=a\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
            "[playlist]\nFile1=http://127.0.0.1:{port}/a.ts\n",
        ],
    )
    def test_they_are_refused(self, playlist: str, kind: str, elsewhere: Server) -> None:
        text = playlist.format(port=elsewhere.port)
        with (
            answering(saying(http(text.encode(), kind))) as server,
            pytest.raises(SourceError, match=r"is a playlist|sends a list of other addresses"),
        ):
            first_picture(server.address("/live.m3u8"))
        assert len(server.requests) == 1
        assert elsewhere.requests == []

    def test_the_reason_is_told(self) -> None:
        text = PLAYLIST.format(segment="/a.ts").encode()
        with (
            answering(saying(http(text))) as server,
            pytest.raises(SourceError, match="is a playlist, which names further addresses; `follow_redirects`"),
        ):
            first_picture(server.address())

    def test_where_they_are_allowed(self, transport_stream: bytes) -> None:
        with answering(serving("", transport_stream)) as other:
            playlist = PLAYLIST.format(segment=other.address("/a.ts"))
            with answering(serving(playlist, b"")) as server:
                assert_blue(first_picture(server.address("/live.m3u8"), follow_redirects=True))

    @pytest.mark.parametrize("scheme", ["file:", "", "concat:", "subfile,,start,0,end,0,,:"])
    def test_files_of_this_machine_are_none_even_then(self, transport_stream: bytes, scheme: str, tmp_path: Path) -> None:
        path = tmp_path / "private.ts"
        path.write_bytes(transport_stream)
        with (
            answering(serving(PLAYLIST.format(segment=f"{scheme}{path}"), b"")) as server,
            pytest.raises((SourceError, AssertionError)),
        ):
            first_picture(server.address("/live.m3u8"), follow_redirects=True)


@pytest.mark.parametrize(
    "said", [PLAYLIST.format(segment="http://127.0.0.1:{port}/a.ts"), "ffconcat version 1.0\nfile /etc/hostname\n"]
)
def test_a_playlist_over_plain_tcp_is_refused(said: str, elsewhere: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            viewer, _ = listener.accept()
            with viewer:
                viewer.sendall(said.format(port=elsewhere.port).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(StreamUnavailable, match="cannot be opened"):
            first_picture(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert elsewhere.requests == []


class TestHttp:
    def test_a_transport_stream(self, transport_stream: bytes) -> None:
        with answering(saying(http(transport_stream, "video/mp2t"))) as server:
            assert_blue(first_picture(server.address()))

    def test_another_size_is_brought_to_the_first(self, transport_stream: bytes, tmp_path: Path) -> None:
        high = as_transport_stream(write_clip(tmp_path / "high.mp4", [make_image(64, 128, color=(0, 0, 200))] * 30))
        with answering(saying(http(transport_stream + high, "video/mp2t"))) as server, opened(server.address()) as capture:
            pictures = [capture.read()[1] for _ in range(60)]
            assert not capture.read()[0]
        assert_blue(np.asarray(pictures[29]))
        red = np.asarray(pictures[30])
        assert red.shape == (64, 96, 3)
        assert red[:, 36:60, 2].min() > 150
        assert red[:, :30].max() < 30
        assert red[:, 66:].max() < 30

    def test_closing_ends_a_transport_stream_that_hangs(self, transport_stream: bytes) -> None:
        sockets = Sockets()

        def answer(request: bytes, viewer: socket.socket) -> None:
            viewer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + transport_stream * 20)
            viewer.recv(1)  # until the other side closes

        with answering(answer) as server:
            capture = open_stream(server.address(), sockets, follow_redirects=False, seconds=TIMEOUT)
            assert isinstance(capture, PipedStream)
            timer = threading.Timer(1, sockets.close)
            timer.start()
            while capture.read()[0]:
                pass
            capture.release()
        assert not any(thread.name == "decoder input" for thread in threading.enumerate())

    def test_chunks(self, transport_stream: bytes) -> None:
        chunks = [transport_stream[at : at + 1000] for at in range(0, len(transport_stream), 1000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"
        with answering(saying(head + body)) as server:
            assert_blue(first_picture(server.address()))

    @pytest.fixture
    def late_clip(self, clip: Path) -> bytes:
        path = clip.with_name("late.mp4")
        line = [ffmpeg_program(), "-loglevel", "error", "-i", str(clip), "-c", "copy", str(path)]
        subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
        data = path.read_bytes()
        assert data.find(b"moov") > data.find(b"mdat")
        return data

    def test_a_clip_whose_index_stands_at_its_end(self, late_clip: bytes) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            found = re.search(rb"Range: bytes=(\d+)-", request)
            start = int(found[1]) if found else 0
            status = "206 Partial Content" if found else "200 OK"
            viewer.sendall(http(late_clip[start:], "video/mp4", "Accept-Ranges: bytes", status=status))

        with answering(answer) as server:
            assert_blue(first_picture(server.address()))

    def test_one_jpeg(self) -> None:
        with answering(saying(http(JPEG, "image/jpeg"))) as server:
            assert_blue(first_picture(server.address()))

    @pytest.mark.parametrize("user", ["me:s3cret", "me:p%40ss%2F"])
    @pytest.mark.parametrize("realm", ['"camera"', "camera"])
    def test_a_basic_password(self, user: str, realm: str) -> None:
        plain = user.replace("%40", "@").replace("%2F", "/")
        expected = b"Basic " + base64.b64encode(plain.encode())

        def answer(request: bytes, viewer: socket.socket) -> None:
            asks = http(b"", "text/html", f"WWW-Authenticate: Basic realm={realm}", status="401 Unauthorized")
            viewer.sendall(MULTIPART + PART if expected in request else asks)

        with answering(answer) as server:
            assert_blue(first_picture(server.address().replace("//", f"//{user}@")))

    def test_a_digest_password(self) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            said = dict(re.findall(r'(\w+)="?([^",\s]+)', request.decode()))
            first, second = (hashlib.md5(text).hexdigest() for text in (b"me:camera:s3cret", b"GET:/video"))
            whole = ":".join([first, "17", said.get("nc", ""), said.get("cnonce", ""), "auth", second])
            is_right = said.get("response") == hashlib.md5(whole.encode()).hexdigest()
            head = 'WWW-Authenticate: Digest realm="camera", nonce="17", qop="auth", algorithm=MD5'
            viewer.sendall(MULTIPART + PART if is_right else http(b"", "text/html", head, status="401 Unauthorized"))

        with answering(answer) as server:
            assert_blue(first_picture(server.address("/video").replace("//", "//me:s3cret@")))
            with pytest.raises(StreamUnavailable, match="401 Unauthorized") as raised:
                first_picture(server.address("/video").replace("//", "//me:wr0ng@"))
            assert "wr0ng" not in str(raised.value)
            with pytest.raises(StreamUnavailable, match="401 Unauthorized"):
                first_picture(server.address("/video"))

    @pytest.mark.parametrize(
        ("body", "kind", "what"),
        [
            (
                b"<!DOCTYPE html>\n<html><title>Log\n in \x1b[31m&amp; go</title>",
                "text/html",
                r"a web page (Log in \x1b[31m& go)",
            ),
            (b"\n<!-- x --><HTML><body>", "video/mp4", "a web page"),
            (b"<html><title>Cam", "multipart/x-mixed-replace; boundary=b", "a web page"),
            (b'\xef\xbb\xbf{"error": 1}', "application/octet-stream", "JSON"),
            (b"<?xml version='1.0'?><a/>", "application/xml", "XML"),
            ("Zugriff verweigert: \u00e4".encode() * 600, "text/plain", "text"),
            (b"", "text/plain", "nothing"),
            (bytes(range(256)) * 50, "application/octet-stream", "application/octet-stream that cannot be read"),
            (b"\x89PNG\r\n\x1a\n" + bytes(300), "image/png", "image/png that cannot be read"),
        ],
    )
    @pytest.mark.parametrize("is_redirected", [False, True])
    def test_what_is_no_stream_is_named(self, body: bytes, kind: str, what: str, is_redirected: bool) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            is_first = path_of(request) == "/" and is_redirected
            viewer.sendall(redirect("/login?token=s3cret") if is_first else http(body, kind))

        with answering(answer) as server, pytest.raises(StreamUnavailable) as raised:
            first_picture(server.address())
        after = " after a redirect" if is_redirected else ""
        said = f"is no stream: the server sends {what}{after}; name the address of the stream itself"
        assert str(raised.value) == f"{server.address('')}: {said}"

    def test_a_clip_that_cannot_be_read_from_its_beginning_needs_parts(self) -> None:
        needs = pytest.raises(StreamUnavailable, match="an MP4 whose index is at its end needs a server that sends parts")
        with answering(saying(http(b"\0\0\0\x10ftypisom\0\0\0\0" + bytes(9999), "video/mp4"))) as server, needs:
            first_picture(server.address())

    def test_text_before_the_first_part_is_passed_over(self) -> None:
        with answering(saying(MULTIPART + b"please wait\r\n" + PART)) as server:
            assert_blue(first_picture(server.address()))

    def test_a_path_of_all_letters(self) -> None:
        with answering(saying(MULTIPART + PART)) as server:
            assert_blue(first_picture(server.address("/Küche 1/%20?a=b c")))
        assert path_of(server.requests[0]) == "/K%C3%BCche%201/%20?a=b%20c"

    @pytest.mark.parametrize(
        "said",
        [b"", b"\x00" * 100, b"HTTP/1.0 200 OK\r\n", b"SSH-2.0-a\r\n", b"HTTP/1.1 999 \x1b[31m\r\n\r\n"],
        ids=["nothing", "zeros", "half an answer", "SSH", "an unknown code"],
    )
    def test_what_is_no_answer(self, said: bytes) -> None:
        with answering(saying(said)) as server, pytest.raises(SourceError) as raised:
            first_picture(server.address())
        assert "\x1b" not in str(raised.value)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that it has signed itself, as cameras do."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl, which makes a certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    names = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=camera", *names]
    subprocess.run(line, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


class TestTls:
    def test_jpegs(self, tls: ssl.SSLContext) -> None:
        with answering(saying(MULTIPART + PART), tls) as server:
            assert_blue(first_picture(server.address("/", "https")))

    def test_a_redirect_from_plain_http_is_to_another_port(self, tls: ssl.SSLContext) -> None:
        with (
            answering(saying(MULTIPART + PART), tls) as secure,
            answering(saying(redirect(secure.address("/", "https")))) as server,
        ):
            with pytest.raises(SourceError, match="sends viewers on to https://"):
                first_picture(server.address())
            assert secure.requests == []
            assert_blue(first_picture(server.address(), follow_redirects=True))

    def test_a_redirect_of_rtsp_is_refused(self, tls: ssl.SSLContext) -> None:
        moved = b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.2/\r\n\r\n"
        with (
            answering(saying(moved), tls) as server,
            pytest.raises(SourceError, match=r"sends viewers on to rtsp://127\.0\.0\.2"),
        ):
            first_picture(server.address("/", "rtsps"))

    def test_closing_ends_what_is_waited_for(self, tls: ssl.SSLContext) -> None:
        sockets = Sockets()

        def hang(request: bytes, viewer: socket.socket) -> None:
            sockets.close()
            viewer.recv(1)

        with answering(hang, tls) as server, pytest.raises(StreamUnavailable, match="cannot be opened"):
            open_stream(server.address("/", "https"), sockets, follow_redirects=False, seconds=TIMEOUT)


def announced(width: int, height: int) -> bytes:
    """A JPEG that says that it has this size."""
    place = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + JPEG[place + 4 :]


class TestMjpeg:
    @pytest.mark.parametrize(
        "body",
        [
            PART,
            b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n--b\r\n",
            b"\r\n\r\n--other\r\nContent-Length: 3\r\n\r\n" + JPEG,
            JPEG,
            b"--b\r\nContent-Length: 2147483647\r\n\r\n" + JPEG,
            b"\xff\xd8\xff\xe0 no picture" + PART,
            b"\xff" * 100 + PART,
            JPEG[: len(JPEG) // 2] + PART,
        ],
        ids=["usual", "no length", "other boundary", "bare", "2 GB announced", "false start", "filling", "cut off"],
    )
    def test_pictures_are_found_by_themselves(self, body: bytes) -> None:
        with answering(saying(MULTIPART + body)) as server:
            assert_blue(first_picture(server.address()))

    def test_each_picture_as_soon_as_it_is_there(self) -> None:
        """And not only once the next one begins."""
        pictures = [JPEG, JPEG]

        def read(size: int) -> bytes:
            assert pictures, "it asks for more than a picture"
            return pictures.pop(0)

        scanner = JpegScanner("name", read)
        assert [scanner.next(), scanner.next()] == [JPEG, JPEG]

    @pytest.mark.parametrize("size", [1, 7, 64, 10**6])
    def test_however_they_are_cut(self, size: int) -> None:
        data = PART * 3 + JPEG[: len(JPEG) // 2] + PART
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        scanner = JpegScanner("name", lambda _: chunks.pop(0) if chunks else b"")
        found = []
        while (picture := scanner.next()) is not None:
            found.append(picture)
        assert found.count(JPEG) == 4

    @pytest.mark.parametrize("coding", [cv2.IMWRITE_JPEG_PROGRESSIVE, cv2.IMWRITE_JPEG_RST_INTERVAL])
    def test_ways_of_coding(self, coding: int) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
        data = cv2.imencode(".jpg", noise, [coding, 1])[1].tobytes()
        scanner = JpegScanner("name", lambda _, chunks=[data + PART]: chunks.pop() if chunks else b"")  # type: ignore[misc]
        assert [scanner.next(), scanner.next()] == [data, JPEG]

    def test_another_size_is_brought_to_the_first(self) -> None:
        small = cv2.imencode(".jpg", make_image(10, 20))[1].tobytes()
        with answering(saying(MULTIPART + PART + small)) as server, opened(server.address()) as capture:
            pictures = [capture.read()[1] for _ in range(3)]
        assert [None if picture is None else picture.shape for picture in pictures] == [(64, 96, 3), (64, 96, 3), None]

    def test_too_many_pixels(self) -> None:
        with (
            answering(saying(MULTIPART + PART + announced(60000, 60000))) as server,
            pytest.raises(SourceError, match="pictures of 60000 x 60000 are more than"),
        ):
            read_pictures(server.address())

    @pytest.mark.parametrize(
        ("begin", "again"),
        [
            (b"--b\r\nContent-Length: 2147483647\r\n\r\n", b"\xff\xd8" + b"A" * 65536),
            (b"--b\r\nX: ", b"A" * 65536),
            (b"", bytes(65536)),
            (announced(14000, 14000)[:-2], b"A" * 65536),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\xff\xe1\xff\xff" + bytes(65533)),
        ],
        ids=["a part of 2 GB", "a header without end", "zeros", "a picture without end", "segments without end"],
    )
    def test_a_flood_is_bounded(self, begin: bytes, again: bytes) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def answer(request: bytes, viewer: socket.socket) -> None:
            viewer.sendall(MULTIPART + PART + begin)
            flood(viewer, again)

        with (
            answering(answer) as server,
            pytest.raises(SourceError, match="MB"),
        ):
            read_pictures(server.address())
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes

    def test_a_flood_of_other_kinds_is_bounded(self, transport_stream: bytes) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            viewer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + transport_stream)
            flood(viewer, (b"\x47\x1f\xff\x10" + bytes(184)) * 300)  # packets that hold nothing

        with (
            answering(answer) as server,
            pytest.raises(SourceError, match="without a picture"),
        ):
            read_pictures(server.address())


class TestRtsp:
    @pytest.mark.parametrize(
        ("said", "message"),
        [
            (
                b"RTSP/1.0 302 Moved\r\nCSeq: 2\r\nLocation: rtsp://127.0.0.1:{port}/a\r\n\r\n",
                "sends viewers on to rtsp://127.0.0.1",
            ),
            (b"RTSP/1.0 301 Moved\r\nCSeq: 2\r\nlocation : http://127.0.0.1:{port}/a\r\n\r\n", "sends viewers on to http://127"),
            (b"RTSP/1.0 305 Use Proxy\r\nCSeq: 2\r\n\r\n", "sends viewers on to another address"),
            (b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP;unicast;source=127.0.0.2\r\n\r\n", "would come from 127.0.0.2"),
            (b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 2147483647\r\n\r\n", "announces an answer of 2147 MB"),
            (b"RTSP/1.0 200 OK\r\nX: " + b"A" * 100_000, "is no RTSP"),
        ],
    )
    def test_what_leads_elsewhere_is_refused(self, said: bytes, message: str, elsewhere: Server) -> None:
        def answer(request: bytes, viewer: socket.socket) -> None:
            is_first = request.startswith(b"OPTIONS")
            fine = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n"
            viewer.sendall(fine if is_first else said.replace(b"{port}", b"%d" % elsewhere.port))

        with answering(answer) as server, pytest.raises(SourceError, match=message) as raised:
            first_picture(server.address("/video", "rtsp"))
        assert not isinstance(raised.value, StreamUnavailable)
        assert elsewhere.requests == []

    def test_pictures_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream, "MAX_BYTES", 1_000_000)

        def answer(request: bytes, viewer: socket.socket) -> None:
            viewer.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n")
            flood(viewer, b"$\x00\xff\xff" + bytes(65535))

        with answering(answer) as server, pytest.raises(SourceError, match="has sent 1 MB without a picture"):
            first_picture(server.address("/video", "rtsp"))

    @pytest.mark.parametrize("size", [1, 5, 1000])
    def test_what_is_said_goes_through_unchanged(self, size: int) -> None:
        data = (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\na=$b$\x00\x00\x03abc" + b"RTSP/1.0 200 OK\nCSeq: 2\n\n" * 2
        )
        messages = Messages("name", set())
        assert b"".join(messages.passed(data[at : at + size]) for at in range(0, len(data), size)) == data


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_closing_ends_what_is_waited_for(scheme: str) -> None:
    sockets = Sockets()

    def hang(request: bytes, viewer: socket.socket) -> None:
        sockets.close()  # by now it waits for an answer
        viewer.recv(1)

    with answering(hang) as server:
        with pytest.raises(StreamUnavailable, match="cannot be opened"):
            open_stream(server.address("/", scheme), sockets, follow_redirects=False, seconds=TIMEOUT)
        with pytest.raises(OSError, match=r"closed meanwhile|cannot connect"):
            sockets.connect("127.0.0.1", server.port)

"""Attacks over real sockets: foreign pages, rebound names, guessed tokens, bodies without end."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from emodetect.errors import UsageError
from emodetect.serve import limits, protocols
from emodetect.serve.security import PUBLIC, SUBPROTOCOL, TOKEN_PREFIX, tokens_of
from emodetect.serve.server import Certificate, ServerError
from emodetect.settings.serve import ServerSettings
from tests.builders import PHOTO
from tests.serve.serving import TIMEOUT, TOKEN, Client, answer_of, served
from tests.waiting import wait_until

GUARDED = ["/v1/options", "/v1/version", "/v1/events", "/v1/live.mjpg", "/metrics", "/v1/jobs/x", "/nothing"]


@pytest.fixture(scope="module")
def locked() -> Iterator[Client]:
    """A server that asks for a token, and lets pages of one site in."""
    with served(token=TOKEN, origins=("https://lab.example",), hosts=("emotions.lan",)) as running:
        yield running


def test_another_address_needs_a_token_or_a_clear_wish() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(UsageError, match="other machines could reach the server there"):
            ServerSettings(host)
        assert not ServerSettings(host, token=TOKEN).is_local
        assert ServerSettings(host, allow_anyone=True).token is None
    for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        assert ServerSettings(host).is_local
    assert ServerSettings().host == "127.0.0.1"


@pytest.mark.parametrize(
    "token", ["", "short", "with spaces in between it", "line\nbreak-line-break", "ümläut-ümläut-ümläut", 300 * "x"]
)
def test_a_token_that_is_weak_or_no_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="needs at least 16 letters"):
        ServerSettings(token=token)


def test_a_token_stands_in_no_description_of_the_settings() -> None:
    assert TOKEN not in repr(ServerSettings(token=TOKEN))


def test_the_default_address_is_one_alone(client: Client) -> None:
    with pytest.raises(OSError, match="refused"):  # it listens at 127.0.0.1, and not everywhere
        socket.create_connection(("127.0.0.2", client.port), timeout=TIMEOUT)


REBOUND = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "",
    "[",
    "127.0.0.1 evil",
    "@localhost",
]


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_was_pointed_here_is_refused(client: Client, host: str) -> None:
    for path in ("/", "/v1/health", "/v1/options"):
        answer = client.get(path, Host=host)
        assert answer.status == 421
        assert "not known by that name" in answer.error


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "192.168.1.5:80", "[::1]:8000", "emotions.lan", "localhost."]
)
def test_addresses_and_known_names_are_answered(locked: Client, host: str) -> None:
    assert locked.get("/v1/health", Host=host).status == 200


def test_two_hosts_or_none_are_refused(client: Client) -> None:
    for head in ("", f"Host: 127.0.0.1:{client.port}\r\nHost: evil.example\r\n"):
        with client.socket() as raw:
            raw.sendall(f"GET /v1/health HTTP/1.1\r\n{head}\r\n".encode())
            assert raw.recv(100).split()[1] in (b"400", b"421")
    with client.socket() as raw:
        raw.sendall(b"GET /v1/health HTTP/1.0\r\n\r\n")
        assert raw.recv(100).split()[1] == b"421"


FOREIGN = [
    "https://evil.example",
    "http://evil.example:8000",
    "null",
    "http://localhost:1",
    "file://",
    "http://127.0.0.1.evil.example",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_sites_are_refused(client: Client, origin: str) -> None:
    for path in ("/", "/v1/options"):
        assert client.get(path, Origin=origin).status == 403
    # What a form or `fetch` of another page can send without asking first.
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        answer = client.post("/v1/analyze", b"--x", Origin=origin, Content_Type=kind)
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    preflight = client.request("OPTIONS", "/v1/analyze", Origin=origin, Access_Control_Request_Method="POST")
    assert preflight.status == 403
    with pytest.raises(InvalidStatus) as refused, client.stream(origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_requests_without_an_origin_that_pages_of_other_sites_cause_are_refused(client: Client) -> None:
    for site in ("cross-site", "same-site"):  # as browsers say of pictures, frames and scripts
        for path in ("/v1/live.mjpg", "/v1/events", "/v1/options"):
            assert client.get(path, Sec_Fetch_Site=site).status == 403
        assert client.get("/", Sec_Fetch_Site=site).status == 200, "a link may lead to the page"
    for site in ("same-origin", "none"):
        assert client.get("/v1/options", Sec_Fetch_Site=site).status == 200


def test_the_own_page_is_answered(client: Client) -> None:
    own = f"http://127.0.0.1:{client.port}"
    assert client.post("/v1/analyze", PHOTO.read_bytes(), Origin=own).status == 200
    with client.stream(origin=own) as connection:
        connection.send(PHOTO.read_bytes())
        assert len(answer_of(connection)["faces"]) == 1


def test_named_sites_alone_may_use_it_from_their_pages(locked: Client) -> None:
    site = "https://lab.example"
    preflight = locked.request("OPTIONS", "/v1/analyze", Origin=site, Access_Control_Request_Method="POST")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == site
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    bare = locked.post("/v1/analyze", PHOTO.read_bytes(), Origin=site)
    assert bare.status == 401, "the site is known, and whoever uses it still needs the token"
    assert bare.headers["access-control-allow-origin"] == site
    answer = locked.post(
        "/v1/analyze", PHOTO.read_bytes(), Origin=site, Sec_Fetch_Site="cross-site", Authorization=f"Bearer {TOKEN}"
    )
    assert answer.status == 200
    assert "access-control-allow-credentials" not in answer.headers
    assert locked.get("/v1/options", Origin="https://lab.example.evil", Authorization=f"Bearer {TOKEN}").status == 403


@pytest.mark.parametrize("path", GUARDED)
def test_nothing_is_answered_without_the_token(locked: Client, path: str) -> None:
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        "Bearer " + 10_000 * "x",
        TOKEN,
    ]
    for authorization in wrong:
        answer = locked.get(path, Authorization=authorization)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.body.decode()
    assert locked.get(path, Authorization=f"Bearer {TOKEN}").status != 401
    assert locked.get(path, Authorization=f"bearer {TOKEN}").status != 401


def test_the_token_is_not_taken_from_the_address(locked: Client) -> None:
    for query in (f"?token={TOKEN}", f"?access_token={TOKEN}", f"?authorization=Bearer%20{TOKEN}"):
        assert locked.get(f"/v1/options{query}").status == 401
        with pytest.raises(InvalidStatus) as refused, locked.stream(query):
            pass
        assert refused.value.response.status_code == 401


@pytest.mark.parametrize("path", PUBLIC)
def test_pages_without_secrets_need_no_token(locked: Client, path: str) -> None:
    answer = locked.get(path)
    assert answer.status == 200
    assert TOKEN not in answer.body.decode()


def test_paths_cannot_be_written_so_that_the_token_is_forgotten(locked: Client) -> None:
    for path in (
        "/static/../v1/options",
        "/static/%2e%2e/v1/options",
        "//v1/options",
        "/v1/health/../options",
        "/static/..%2f..%2fapp.py",
    ):
        answer = locked.get(path)
        assert answer.status in (401, 404)
        assert b"backends" not in answer.body


def encoded(token: str) -> str:
    return TOKEN_PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def test_a_stream_shows_its_token_in_a_header_or_as_a_subprotocol(locked: Client) -> None:
    for options in (
        {"subprotocols": [SUBPROTOCOL, encoded(TOKEN)]},
        {"additional_headers": {"Authorization": f"Bearer {TOKEN}"}},
    ):
        with locked.stream(**options) as connection:
            assert connection.subprotocol == SUBPROTOCOL, "the token is not repeated"
            connection.send(PHOTO.read_bytes())
            assert len(answer_of(connection)["faces"]) == 1
    for protocols_ in ([SUBPROTOCOL], [SUBPROTOCOL, encoded("wrong-wrong-wrong-wrong")], [SUBPROTOCOL, f"{TOKEN_PREFIX}{TOKEN}"]):
        with pytest.raises(InvalidStatus) as refused, locked.stream(subprotocols=protocols_):
            pass
        assert refused.value.response.status_code == 401


def test_what_is_no_token_among_subprotocols_is_ignored() -> None:
    assert tokens_of([SUBPROTOCOL, TOKEN_PREFIX, TOKEN_PREFIX + "a", TOKEN_PREFIX + "_w", "other"]) == [""]
    assert tokens_of([encoded("pässword/+=")]) == ["pässword/+="]


def test_every_answer_has_the_headers_that_protect_it(locked: Client) -> None:
    for path in ("/", "/overlay", "/docs", "/v1/health", "/nothing", "/v1/options"):
        for answer in (locked.get(path), locked.get(path, Host="evil.example")):
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert policy["frame-ancestors"] == "'self' https://lab.example"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert "server" not in answer.headers


def test_a_large_body_is_refused_by_its_announced_length() -> None:
    with served(upload=100_000) as client:
        with client.socket() as raw:
            head = f"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: 1000000000\r\n\r\n"
            raw.sendall(head.encode())
            answer = b""
            while part := raw.recv(4096):  # nothing of the body was sent, and the connection is closed
                answer += part
        assert answer.split()[1] == b"413"
        assert b'{"error":"the request is larger than' in answer


@pytest.mark.parametrize("path", ["/v1/analyze", "/v1/analyze-video"])
@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])
def test_a_body_without_end_is_refused_and_not_kept(path: str, kind: str) -> None:
    with served(upload=1_000_000) as client, client.socket() as raw:
        start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' if "form" in kind else b""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        raw.sendall(head.encode())
        sent = 0
        try:
            for chunk in (start, *(100_000 * b"x" for _ in range(10_000))):
                if chunk:
                    raw.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                    sent += len(chunk)
        except OSError:
            pass
        assert sent < 50_000_000, "the connection ends soon after the limit"
        assert client.get("/v1/health").status == 200


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_IDLE_SECONDS", 0.3)
    with served(requests=1) as client, client.socket() as raw:
        raw.sendall(f"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: 100\r\n\r\nab".encode())
        assert client.post("/v1/analyze", PHOTO.read_bytes()).status == 200, "a slow upload takes no place"
        answer = raw.recv(4096)
        assert answer.split()[1] == b"408"


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_BODY_SECONDS", 0.5)
    with served() as client, client.socket() as raw:
        raw.sendall(f"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: 100000\r\n\r\n".encode())
        raw.settimeout(0.05)
        answer = b""
        until = time.monotonic() + TIMEOUT
        while not answer and time.monotonic() < until:
            raw.sendall(b"x")
            try:
                answer = raw.recv(4096)
            except TimeoutError:
                continue
        assert answer.split()[1] == b"408"


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_without_a_request_is_ended(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(protocols, "HEAD_SECONDS", 0.3)
    with served() as client, client.socket() as raw:
        raw.sendall(start)
        assert ended(raw)
        with client.socket() as second:  # as the second request of a connection, too
            second.sendall(f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode())
            assert b"200" in second.recv(4096)
            second.sendall(b"GET /v1/he")
            assert ended(second)


UPGRADE = (
    "{method} /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("POST", "Content-Length: 5\r\n"), ("GET", "Content-Length: 5\r\n"), ("GET", "Transfer-Encoding: chunked\r\n"),
        ("GET", f"X: {'a' * 20_000}\r\n"), ("GET", "".join(f"X{number}: a\r\n" for number in range(300))),
        ("POST", ""), ("OPTIONS", ""),
    ],
)  # fmt: skip
def test_a_handshake_that_cannot_be_is_answered_and_holds_no_connection(client: Client, method: str, more: str) -> None:
    with client.socket() as raw:
        raw.sendall(UPGRADE.format(method=method, port=client.port, more=more).encode() + b"hello")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert answer.count(b"HTTP/1.1") == 1


def test_what_is_no_http_is_answered_in_json(client: Client) -> None:
    for start in (b"GET /\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        with client.socket() as raw:
            raw.sendall(start)
            head, _, body = raw.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body) == {"error": "not a valid HTTP request"}


def test_an_address_with_another_slash_is_not_found(client: Client) -> None:
    for path in ("/v1/options/", "/v1/jobs/%2e%2e%2f", "//v1/options"):
        assert client.get(path).status == 404


def ended(raw: socket.socket) -> bool:
    """Whether the other side has ended a connection, before this test's patience has."""
    try:
        while raw.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def test_more_connections_than_allowed_are_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "MAX_CONNECTIONS", 5)
    with served() as client:
        crowd = [client.socket() for _ in range(5)]
        time.sleep(0.1)
        with client.socket() as one_more:
            assert ended(one_more)
        for connection in crowd:
            connection.close()
        wait_until(lambda: healthy(client))


def healthy(client: Client) -> bool:
    try:
        return client.get("/v1/health").status == 200
    except OSError:
        return False


def test_a_client_that_does_not_read_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "STALL_SECONDS", 0.5)
    with served(clients=1) as client, client.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        request = f"GET /texts.json HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode()
        raw.setblocking(False)
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            try:
                raw.send(request)
            except BlockingIOError:  # the server waits until its answers are read
                time.sleep(0.05)
            except OSError:
                break
        else:
            pytest.fail("the connection was not ended")
        assert healthy(client)


def test_bombs_are_refused_by_their_header(client: Client) -> None:
    """A PNG of a hundred kilobytes that announces 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(10**8 * b"\0", 9)) + chunk(b"IEND", b"")
    answer = client.post("/v1/analyze", bomb)
    assert answer.status == 422
    assert answer.error.startswith("photo: announces more than ")


def test_malformed_forms_are_errors(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    forms = {
        "multipart/form-data": b"x",
        "multipart/form-data; boundary=x": b"no boundary here",
        'multipart/form-data; boundary="x"': b"--x\r\n\r\nno name\r\n--x--\r\n",
        "multipart/form-data; boundary=\xfe": b"--\xff\r\n",
        "multipart/form-data; boundary=y": b'--y\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--y--\r\n',
    }
    for kind, body in forms.items():
        answer = client.post("/v1/analyze", body, Content_Type=kind)
        assert answer.status == 400
        assert "form" in answer.error
    assert client.post("/v1/analyze", b"").status == 400
    many = client.post_files("/v1/analyze", [("a.jpg", b"x")] * 101)
    assert many.status == 400
    assert client.post_files("/v1/analyze-video", [("a", b"x"), ("b", b"x")]).status == 400
    assert caplog.messages == [], "nobody can fill the terminal"


@pytest.mark.parametrize("cut", [b"--x--", b"-", b"--x", b"--x\r\nContent-Disposition", b"\r\n--x"])
def test_a_form_that_is_cut_short_loses_no_file_silently(client: Client, cut: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="me.jpg"\r\n\r\n'
    body = head + PHOTO.read_bytes() + b"\r\n" + head + PHOTO.read_bytes() + b"\r\n"
    kind = "multipart/form-data; boundary=x"
    whole = client.post("/v1/analyze", body + b"--x--", Content_Type=kind)
    assert [one["path"] for one in whole.json] == ["me.jpg", "me.jpg"]
    if cut != b"--x--":
        answer = client.post("/v1/analyze", body.removesuffix(b"\r\n") + cut, Content_Type=kind)
        assert (answer.status, answer.error) == (400, "the form cannot be read (cut short: the last boundary is missing)")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=utf-8''%EC%82%AC%EC%A7%84.jpg", "사진.jpg"),  # of Python's requests before urllib3 2
        ("filename*=UTF-8'ko'..%2F..%2F%22a%0A.jpg; x=y", "_a\\n.jpg"),
        ("filename*=utf-8''%FF%FE.jpg", "ÿþ.jpg"),
        ('filename="사진.jpg"', "사진.jpg"),
    ],
)
def test_names_of_files_in_all_letters_are_understood(client: Client, disposition: str, name: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; {disposition}\r\n\r\n'.encode()
    body = head + PHOTO.read_bytes() + b"\r\n--x--\r\n"
    answer = client.post("/v1/analyze", body, Content_Type="multipart/form-data; boundary=x")
    assert [one["path"] for one in answer.json] == [name]


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\Users\\me\\a.jpg", "/etc/passwd", "a\tb.jpg", 1000 * "n"])
def test_no_answer_names_a_place_on_the_server(client: Client, name: str) -> None:
    for content in (PHOTO.read_bytes(), b"nothing"):
        answer = client.post_files("/v1/analyze", [(name, content)])
        text = answer.body.decode()
        for secret in (str(Path(limits.__file__).parent), os.getcwd(), "/proc/", "site-packages", "/etc", "Users"):
            assert secret not in text
        assert len(text) < 2000


def test_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the folder for temporary files nor in the current one, also of forms that are larger than a megabyte."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda self: opened.append("a spooled file"))
    large = PHOTO.read_bytes() + 5_000_000 * b"\0"
    with served() as client:
        assert client.post_files("/v1/analyze", [("a.jpg", large)]).status == 200
        job = client.post_files("/v1/analyze-video", [("a.mp4", large)])
        assert job.status == 202
        wait_until(lambda: client.get(job.headers["location"]).json["state"] in ("done", "failed"))
        assert [*tmp_path.iterdir()] == []
    assert opened == []
    assert [*tmp_path.iterdir()] == []


def test_jobs_cannot_be_listed_or_guessed(client: Client) -> None:
    first = client.post("/v1/analyze-video", b"x").json["id"]
    second = client.post("/v1/analyze-video", b"x").json["id"]
    assert len({first, second}) == 2
    assert min(len(first), len(second)) >= 24
    assert client.get("/v1/jobs").status == 404
    assert client.get(f"/v1/jobs/{first[:-1]}").status == 404


def test_requests_beyond_the_limit_are_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from emodetect.serve.engine import Engine

    reading = Engine._read_photo

    def slowly(self: Engine, *arguments: object) -> object:
        time.sleep(1)
        return reading(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "_read_photo", slowly)
    with served(requests=1) as client:
        connection = client.open()
        connection.request("POST", "/v1/analyze", PHOTO.read_bytes())
        wait_until(lambda: client.post("/v1/analyze", b"").status == 503)
        busy = client.post("/v1/analyze", PHOTO.read_bytes())
        assert busy.status == 503
        assert int(busy.headers["retry-after"]) > 0
        assert busy.error.startswith("the server takes 1 requests at a time")
        assert connection.getresponse().status == 200
        connection.close()


def test_pages_are_sent_once_and_then_asked_about(client: Client) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)
    return made


def test_with_a_certificate_everything_is_encrypted(certificate: Certificate) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate.certificate))
    with served(certificate=certificate) as client:
        connection = http.client.HTTPSConnection("127.0.0.1", client.port, timeout=TIMEOUT, context=trusted)
        connection.request("POST", "/v1/analyze", PHOTO.read_bytes(), {"Origin": f"https://127.0.0.1:{client.port}"})
        assert connection.getresponse().status == 200
        connection.close()
        with connect(f"wss://127.0.0.1:{client.port}/v1/stream", ssl=trusted, compression=None) as stream:
            stream.send(PHOTO.read_bytes())
            assert len(answer_of(stream)["faces"]) == 1
        with pytest.raises((OSError, http.client.HTTPException)):
            client.get("/v1/health")


def test_a_certificate_that_cannot_be_used_is_one_line(certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for wrong in (Certificate(tmp_path / "none.pem", certificate.key), Certificate(tmp_path / "missing.pem", certificate.key)):
        with pytest.raises(ServerError, match="the certificate or its key cannot be used"), served(certificate=wrong):
            pass

"""What servers may write in several ways is read as browsers read it: hosts, locations, blanks around header values."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from curation.images import preflight
from curation.images.fetch import Fetched, Fetcher, host_to_ask
from tests.http_server import draw
from tests.unit.images.settings import fetch_settings

BODY = draw(1)


class RawServer:
    """Answers each path with the bytes of `answers`, and keeps the heads of requests."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.heads: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                head = connection.recv(1 << 16).decode("latin-1")
                self.heads.append(head)
                path = head.split(" ")[1] if " " in head else ""
                connection.sendall(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    server = RawServer()
    server.answers["/image"] = answer()
    yield server
    server.close()


def answer(headers: bytes = b"", body: bytes = BODY) -> bytes:
    length = b"" if b"ransfer-" in headers else b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + length + b"\r\n" + body


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are looked up; each has the address of this machine."""
    names: list[str] = []

    def getaddrinfo(host: str, port: int | None, **_: Any) -> list:
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(preflight, "getaddrinfo", getaddrinfo)
    return names


def fetch(url: str, *addresses: str) -> Fetched:
    settings = fetch_settings(timeout_seconds=3, retries=0, allow_private_hosts=addresses or ("127.0.0.1/32",))
    return Fetcher(settings, 2).fetch(url)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        pytest.param("faß.example", "xn--fa-hia.example", id="sharp s"),
        pytest.param("Bücher.EXAMPLE", "xn--bcher-kva.example", id="capitals"),
        pytest.param("ΒΌΛΟΣ.example", "xn--nxasmq6b.example", id="capital sigma at the end"),
        pytest.param("so\xadft.example", "soft.example", id="soft hyphen"),
        pytest.param("食狮。公司｡cn", "xn--85x722f.xn--55qx5d.cn", id="Chinese full stops"),
        pytest.param("💩.la", "xn--ls8h.la", id="emoji"),
        pytest.param("b%C3%BCcher.example", "xn--bcher-kva.example", id="escapes"),
        pytest.param("xn--fa-hia.example.", "xn--fa-hia.example.", id="dot at the end"),
    ],
)
def test_names_are_looked_up_and_asked_for_in_the_form_of_browsers(
    server: RawServer, asked: list[str], host: str, name: str
) -> None:
    found = fetch(f"http://{host}:{server.port}/image")
    assert (found.status, asked[-1]) == ("success", name)
    assert f"\r\nHost: {name}:{server.port}\r\n" in server.heads[-1]
    assert preflight._name(f"http://{host}:{server.port}/image") == name


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("１２７.０.０.１", id="wide digits"),
        pytest.param("127。0。0。1", id="ideographic stops"),
        pytest.param("127.0.0\xad.1", id="soft hyphen"),
        pytest.param("0ｘ7f.1", id="wide x"),
        "%31%32%37.1",
    ],
)
def test_an_address_in_disguise_is_no_public_one(server: RawServer, host: str) -> None:
    url = f"http://{host}:{server.port}/image"
    assert fetch(url, "127.0.0.2/32").status == "private_address"
    assert fetch(url).status == "success"


@pytest.mark.parametrize(
    "host",
    [
        "a%2fb.example",
        "a%0d%0ab.example",
        pytest.param("a％2fb.example", id="wide percent"),
        "a b.example",
        "a<b.example",
    ],
)
def test_what_is_no_host_is_asked_for_nothing(asked: list[str], host: str) -> None:
    assert fetch(f"http://{host}/image").status == "bad_url"
    assert asked == []


@pytest.mark.parametrize(
    "location",
    [
        pytest.param(" \t/image \t", id="blanks around"),
        pytest.param("\\image", id="backslash"),
        pytest.param("\\\\127.0.0.1:{port}\\image", id="network of backslashes"),
        pytest.param("http:\\\\127.0.0.1:{port}/image", id="backslashes behind the scheme"),
        pytest.param("http://１２７.０.０.１:{port}/image ", id="full-width digits"),
        pytest.param("/x/..\\image", id="backslash behind dots"),
    ],
)
def test_a_location_is_read_as_browsers_read_it(server: RawServer, location: str) -> None:
    place = location.format(port=server.port).encode()
    server.answers["/moved"] = b"HTTP/1.1 302 Found\r\nLocation:" + place + b"\r\nContent-Length: 0\r\n\r\n"
    assert fetch(f"http://127.0.0.1:{server.port}/moved").status == "success"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(b"Transfer-Encoding:\tchunked \t\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), id="chunks"),
        pytest.param(b"Content-Type: \t image/jpeg \t\r\n", BODY, id="type"),
    ],
)
def test_blanks_around_header_values_are_no_part_of_them(server: RawServer, headers: bytes, body: bytes) -> None:
    server.answers["/blank"] = answer(headers, body)
    found = fetch(f"http://127.0.0.1:{server.port}/blank")
    assert (found.status, found.body and found.body.read()) == ("success", BODY)
    assert found.content_type in (None, "image/jpeg")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b" \tnoai\t ", id="tabs"),
        pytest.param(b"\r\n noai", id="folded"),
        pytest.param(b"otherbot: all ,\t headtail\t:\tnoai \t", id="of one bot"),
    ],
)
def test_blanks_hide_no_opt_out(server: RawServer, value: bytes) -> None:
    server.answers["/robots"] = answer(b"X-Robots-Tag:" + value + b"\r\n")
    assert fetch(f"http://127.0.0.1:{server.port}/robots").status == "opted_out"


@pytest.mark.parametrize(
    "line",
    [
        b"X-Robots-Tag : noai",
        b"Powered by x\r\nX-Robots-Tag: noai",
        b"Cache Control: x\r\nX-Robots-Tag: noai",
        b"X-\xc3\xa9: 1\r\nX-Robots-Tag: noai",
        b"X-\1A: 1\nX-Robots-Tag: noai",
        b"A: b\r\r\nX-Robots-Tag: noai",
        b"X-Robots-Tag: noai\r\nPowered by x\r\n all",
        b"X: y\r\n\r\nHTTP/1.1 200 OK\r\nPowered by x\r\nX-Robots-Tag: noai",
    ],
    ids=["blank", "no colon", "blank in name", "letters", "control", "returns", "before", "behind an interim answer"],
)
def test_malformed_lines_hide_no_header(server: RawServer, line: bytes) -> None:
    server.answers["/robots"] = answer(line + b"\r\n")
    if b"HTTP" in line:
        server.answers["/robots"] = server.answers["/robots"].replace(b"200 OK", b"100 Continue", 1)
    assert fetch(f"http://127.0.0.1:{server.port}/robots").status == "opted_out"
    server.answers["/short"] = answer(b"Powered by x\r\n")[:-5]
    assert fetch(f"http://127.0.0.1:{server.port}/short").status == "truncated"


@pytest.mark.usefixtures("asked")
def test_a_host_has_one_pause_however_it_is_spelt(server: RawServer) -> None:
    server.answers["/busy"] = b"HTTP/1.1 429 Slow\r\nRetry-After: 60 \t\r\nContent-Length: 0\r\n\r\n"
    one = Fetcher(fetch_settings(timeout_seconds=3, retries=0, allow_private_hosts=("127.0.0.1/32",)), 2)
    assert one.fetch(f"http://ü.example:{server.port}/busy").status == "busy"
    requests = len(server.heads)
    for host in ("xn--tda.example", "Ü.example.", "u\u0308.example"):
        assert one.fetch(f"http://{host}:{server.port}/image").status == "busy"
    assert len(server.heads) == requests


def test_an_ipv6_address_is_one_host_however_it_is_spelt() -> None:
    """The cap on connections and the pause of a host are those of `host_to_ask`."""
    assert {host_to_ask(host) for host in ("::1", "0::1", "0:0:0:0:0:0:0:1", "::0001")} == {"::1"}
    assert {host_to_ask(host) for host in ("::ffff:7f00:1", "::FFFF:127.0.0.1")} == {"::ffff:7f00:1"}
    assert host_to_ask("fe80::01%eth0") == "fe80::1%eth0"
    assert host_to_ask("1:2") == "1:2"  # its look-up fails

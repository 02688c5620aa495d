"""Connections that serve several requests, against a server that counts them: the outcomes are those of new ones."""

import gzip
import resource
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from curation.images import connections, host_connections
from curation.images.fetch import Fetched, Fetcher
from tests.certificate import write_certificate
from tests.unit.images.settings import fetch_settings, trust

BODY = bytes(range(256)) * 40


def ok(*headers: bytes, body: bytes = BODY, status: bytes = b"200 OK", version: bytes = b"1.1") -> bytes:
    if not any(b"ransfer-" in header for header in headers):
        headers = (*headers, b"Content-Length: %d" % len(body))
    return b"\r\n".join([b"HTTP/%s %s" % (version, status), *headers]) + b"\r\n\r\n" + body


def chunked(*headers: bytes) -> bytes:
    return ok(b"Transfer-Encoding: chunked", *headers, body=b"%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(BODY), BODY))


END = b"<end>"
"""The server closes the connection, without having said so."""
LATE = b"<late>"
"""The server sends what follows when the test sets `late`."""
WAIT = b"<wait>"
"""The server says nothing for a second."""


class CountingServer:
    """Answers the requests of a connection one after another: `script` gives the bytes for path and request number.

    `requests` holds the path of each request by the number of its connection; `peak` is the most connections that were
    open at a time.
    """

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0), certificate: Path | None = None) -> None:
        self.requests: dict[int, list[str]] = defaultdict(list)
        self.script: Callable[[str, int], bytes] = lambda *_: ok()
        self.peak = self._accepted = 0
        self._open: set[int] = set()
        self.changed, self.stopped = threading.Condition(), threading.Event()
        self.late, self.sent = threading.Event(), threading.Event()
        self._socket = socket.create_server(address, backlog=64)
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self.changed:
                number, self._accepted = self._accepted, self._accepted + 1
                self._open.add(number)
                self.peak = max(self.peak, len(self._open))
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while head := connection.recv(1 << 16):
                    path = head.decode("latin-1").split(" ")[1]
                    self.requests[number].append(path)
                    answer = self.script(path, len(self.requests[number]))
                    if b"Connection: close" in answer or b"HTTP/1.0" in answer:
                        self._leave(number)  # the client may connect anew before this thread goes on
                        answer += END
                    waits, ends = answer.endswith(WAIT), answer.endswith(END)
                    answer, _, late = answer.removesuffix(WAIT).removesuffix(END).partition(LATE)
                    connection.sendall(answer)
                    if late and self.late.wait(5):
                        connection.sendall(late)
                        self.sent.set()
                    if waits:
                        self.stopped.wait(1)
                    if waits or ends:
                        return
        except OSError:
            pass
        finally:
            connection.close()
            self._leave(number)

    def _leave(self, number: int) -> None:
        with self.changed:
            self._open.discard(number)
            self.changed.notify_all()

    def counts(self) -> list[int]:
        """The number of requests of each connection."""
        return [len(paths) for _, paths in sorted(self.requests.items())]

    def wait_for_open(self, count: int) -> bool:
        """Wait until so many connections are open."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self._open) == count, timeout=5)

    def url(self, path: str = "a.jpg", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    def close(self) -> None:
        self.stopped.set()
        self._socket.close()


@pytest.fixture
def server() -> Iterator[CountingServer]:
    server = CountingServer()
    yield server
    server.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Addresses of host names; others are those of 127.0.0.1."""
    found: dict[str, str] = {}

    def getaddrinfo(host: str, port: int, **_: object) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found.get(host, "127.0.0.1"), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


def fetcher(**settings: Any) -> Fetcher:
    defaults = {"timeout_seconds": 5, "retries": 0, "allow_private_hosts": ("127.0.0.1/32", "127.0.0.2/32")}
    return Fetcher(fetch_settings(**(defaults | settings)), 4)


def outcome(found: Fetched) -> tuple:
    with found.body or open("/dev/null", "rb") as body:
        return found.status, found.http_status, found.content_type, found.attempts, found.redirects, body.read()


def first_then(first: bytes, later: bytes) -> Callable[[str, int], bytes]:
    return lambda _, number: first if number == 1 else later


REUSED = {
    "length": ok(),
    "chunks": chunked(),
    "gzip": ok(b"Content-Encoding: gzip", body=gzip.compress(BODY, mtime=0)),
    "missing": ok(status=b"404 Not Found", body=b"no"),
    "gone": ok(status=b"410 Gone", body=b""),
    "redirect": ok(b"Location: /b.jpg", status=b"301 Moved", body=b"moved"),
}
CLOSED = {
    "the server says that it closes": ok(b"Connection: close"),
    "the server closes without a word": ok() + END,
    "HTTP 1.0": ok(version=b"1.0"),
    "no length": ok().replace(b"Content-Length", b"Content-Width") + END,
    "two lengths": ok(b"Content-Length: 5"),
    "chunks and a length": chunked(b"Content-Length: 5"),
    "a line that is no header": ok(b"Powered by x"),
    "a blank behind a name": ok(b"Server : x"),
    "more than its length": ok() + b"x",
    "a second answer": ok() + ok(body=b"another image"),
    "an answer behind chunks": chunked() + ok(body=b"another image"),
    "early hints": ok(status=b"103 Early Hints", body=b""),
    "no content": ok(status=b"204 No Content", body=b""),
    "no content, and a body": ok(status=b"204 No Content"),
    "missing, with a long page": ok(status=b"404 Not Found", body=bytes(19_999)),
    "busy": ok(status=b"503 Later"),
    "forbidden": ok(b"X-Robots-Tag: noai"),
    "too large": ok(body=bytes(99_999)),
    "empty": ok(body=b""),
    "cut": ok()[:-5] + END,
}


def alone(server: CountingServer, **settings: Any) -> tuple:
    """The outcome of an image that has a fetcher of its own."""
    with fetcher(**settings) as one:
        return outcome(one.fetch(server.url()))


@pytest.mark.parametrize("name", [*REUSED, *CLOSED])
def test_a_connection_serves_on_after_a_whole_answer_alone(server: CountingServer, name: str) -> None:
    answer = (REUSED | CLOSED)[name]
    server.script = lambda path, _: ok() if path == "/b.jpg" else answer
    expected = alone(server, max_bytes=20_000)
    assert expected[0] == "success" or name not in ("length", "chunks", "gzip", "redirect", "a second answer")
    server.requests.clear()
    with fetcher(max_bytes=20_000) as one:
        assert [outcome(one.fetch(server.url())) for _ in range(3)] == [expected] * 3
    requests = 6 if name == "redirect" else 3
    assert server.counts() == ([requests] if name in REUSED else [1] * requests)


STALE = {
    "ends": END,
    "ends within the headers": b"HTTP/1.1 200 OK\r\nContent-Le" + END,
    "ends within the body": ok()[:-5] + END,
    "ends within a chunk": chunked()[:-99] + END,
    "times out for the server": ok(status=b"408 Request Timeout", body=b"") + END,
    "is no HTTP": b"\0\1\2\r\n\r\n" + END,
}


@pytest.mark.parametrize("name", STALE)
def test_a_kept_connection_that_fails_is_no_failure_of_the_image(server: CountingServer, name: str) -> None:
    server.script = first_then(ok(), STALE[name])
    expected = alone(server)
    server.requests.clear()
    with fetcher() as one:
        assert [outcome(one.fetch(server.url())) for _ in range(3)] == [expected] * 3
    assert server.counts() == [2, 2, 1]  # the kept one fails, and a new one serves this image and the next


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(server: CountingServer) -> None:
    server.script = lambda path, _: ok(body=path.encode()) + LATE + ok(body=b"another image")
    with fetcher() as one:
        assert outcome(one.fetch(server.url("1.jpg")))[5] == b"/1.jpg"
        server.late.set()
        assert server.sent.wait(5)
        assert outcome(one.fetch(server.url("2.jpg")))[5] == b"/2.jpg"


def test_an_image_tries_one_kept_connection(server: CountingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.images.fetch.RETRY_PAUSE_SECONDS", 0.01)
    together = threading.Barrier(3, timeout=5)
    server.script = lambda path, _: END if path == "/bad.jpg" else ok(body=b"%d" % together.wait())
    with fetcher(retries=1) as one, ThreadPoolExecutor(3) as pool:
        assert [found.status for found in pool.map(one.fetch, [server.url()] * 3)] == ["success"] * 3
        assert one.fetch(server.url("bad.jpg")).status == "connection"
        assert server.wait_for_open(0)
    assert sorted(server.counts()) == [1, 1, 1, 1, 2]


def test_a_kept_connection_that_hangs_takes_no_time_from_the_image(server: CountingServer) -> None:
    server.script = first_then(ok(), WAIT)
    with fetcher(timeout_seconds=0.4) as one:
        expected = outcome(one.fetch(server.url()))
        found = one.fetch(server.url())
    assert outcome(found) == expected
    assert (server.counts(), found.seconds > 0.4) == ([2, 1], True)


@pytest.mark.parametrize(
    ("answer", "status", "requests"),
    [
        pytest.param(END, "connection", [2, 1, 1], id="no answer"),
        pytest.param(ok()[:-5] + END, "truncated", [2, 1, 1], id="half an answer"),
        pytest.param(ok()[:-5] + WAIT, "timeout", [2, 1], id="an answer that does not end"),
        pytest.param(WAIT, "timeout", [2, 1, 1], id="silence"),
    ],
)
def test_failures_of_new_connections_count(
    server: CountingServer, answer: bytes, status: str, requests: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.images.fetch.RETRY_PAUSE_SECONDS", 0.01)
    server.script = lambda path, _: answer if path == "/bad.jpg" else ok()
    with fetcher(timeout_seconds=0.6, retries=1) as one:
        assert one.fetch(server.url()).status == "success"
        bad = one.fetch(server.url("bad.jpg"))
    assert (bad.status, bad.attempts) == (status, 2)
    assert server.counts() == requests  # the first of them on the kept connection


def test_a_host_has_no_more_connections_than_its_cap(server: CountingServer) -> None:
    def script(path: str, _: int) -> bytes:
        time.sleep(0.01)
        return ok(b"Connection: close") if path == "/3.jpg" else ok(body=path.encode())

    server.script = script
    with fetcher(connections_per_host=3) as one, ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one.fetch, [server.url(f"{number}.jpg") for number in range(60)]))
        assert one._connections._turns == {}
    assert [outcome(each)[5] for each in found if each.source_bytes != len(BODY)] == [
        f"/{number}.jpg".encode() for number in range(60) if number != 3
    ]
    assert sum(server.counts()) == 60
    assert server.peak == 3


@pytest.mark.usefixtures("names")
def test_the_cap_counts_idle_connections_of_another_scheme_or_spelling(server: CountingServer) -> None:
    with fetcher(connections_per_host=1) as one:
        assert one.fetch(server.url(host="a.example")).status == "success"
        assert one.fetch(server.url(host="a.example.")).status == "success"
        assert server.wait_for_open(1)
        assert one.fetch(server.url(host="a.example").replace("http:", "https:")).status == "connection"
        assert server.wait_for_open(0)


def test_waiting_for_a_turn_is_not_the_time_of_the_image(server: CountingServer) -> None:
    with fetcher(connections_per_host=1, timeout_seconds=0.5) as one, ThreadPoolExecutor(1) as pool:
        with one._connections.turn(f"127.0.0.1:{server.port}"):
            waiting = pool.submit(one.fetch, server.url())
            time.sleep(0.7)
        assert waiting.result().status == "success"
        with one._connections.turn(f"127.0.0.1:{server.port}"):
            refused = pool.submit(one.fetch, server.url())
            while one._connections._turns[f"127.0.0.1:{server.port}"].users < 2:
                time.sleep(1e-3)
            one._not_before[f"127.0.0.1:{server.port}"] = time.monotonic() + 60  # a 429 that came in the meantime
        assert refused.result().status == "busy"
    assert server.counts() == [1]


def test_a_host_whose_address_changes_gets_a_new_connection(
    server: CountingServer, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CACHE_SECONDS", -1.0)
    other = CountingServer(("127.0.0.2", server.port))
    url = server.url(host="moves.example")

    def move(address: str, one: Fetcher) -> None:
        while one._resolver._lookups.open_seconds(("moves.example", server.port)):  # its answer would be shared
            time.sleep(0.001)
        names["moves.example"] = address

    with fetcher() as one:
        assert [one.fetch(url).status for _ in range(2)] == ["success"] * 2
        move("127.0.0.2", one)
        assert one.fetch(url).status == "success"
        assert (server.counts(), other.counts()) == ([2], [1])
        assert server.wait_for_open(0)
        move("127.0.0.3", one)  # which is not allowed
        assert one.fetch(url).status == "private_address"
    other.close()


@pytest.mark.usefixtures("names")
def test_hosts_at_one_address_share_no_connection(server: CountingServer) -> None:
    with fetcher() as one:
        for host in ("a.example", "b.example", "a.example", "b.example"):
            assert one.fetch(server.url(host=host)).status == "success"
    assert server.counts() == [2, 2]


@pytest.mark.usefixtures("names")
def test_idle_connections_are_few_and_young(server: CountingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_connections, "MAX_KEPT", 2)
    with fetcher() as one:
        for host in ("a.example", "b.example", "c.example", "c.example"):
            assert one.fetch(server.url(host=host)).status == "success"
        assert server.wait_for_open(2)  # the one to a.example was idle for longest
        monkeypatch.setattr(host_connections, "KEEP_SECONDS", -1.0)
        assert one.fetch(server.url(host="c.example")).status == "success"
        assert server.wait_for_open(0)
    assert server.counts() == [1, 1, 2, 1]


def test_the_end_of_the_block_closes_all(server: CountingServer) -> None:
    with fetcher() as one:
        one.fetch(server.url())
        assert server.wait_for_open(1)
    assert server.wait_for_open(0)


def test_idle_connections_leave_open_files_to_bodies(server: CountingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for files, room in ((1024, 128), (200, 60), (100, 0), (resource.RLIM_INFINITY, 128)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert host_connections.HostConnections(4, 4)._room == room
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    with fetcher() as one:
        assert [one.fetch(server.url()).status for _ in range(2)] == ["success"] * 2
    assert server.counts() == [1, 1]


def test_connections_behind_tls_serve_on_too(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "certificate.pem")
    server = CountingServer(certificate=certificate)
    server.script = lambda path, number: END if (path, number) == ("/stale.jpg", 4) else ok()
    with fetcher() as one:
        trust(one, certificate)
        url = server.url().replace("http:", "https:")
        found = [outcome(one.fetch(url.replace("a.jpg", path))) for path in ("a.jpg", "b.jpg", "c.jpg", "stale.jpg")]
    assert found == [("success", 200, None, 1, 0, BODY)] * 4
    assert server.counts() == [4, 1]
    server.close()

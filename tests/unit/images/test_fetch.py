"""The fetcher against a server that misbehaves: status, limits, permitted addresses, opt-outs."""

import gzip
import hashlib
import ipaddress
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest

from curation.core.addresses import is_public
from curation.images import connections, fetch
from curation.images.answer_headers import opted_out, retry_after
from curation.images.connections import FetchError, Resolver
from curation.images.fetch import MEMORY_BYTES, Fetcher
from tests.certificate import write_certificate
from tests.http_server import ImageServer, draw
from tests.unit.images.settings import fetch_settings, trust

LOOPBACK = ("127.0.0.1/32",)


@pytest.fixture(scope="module")
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RETRY_PAUSE_SECONDS", 0.01)


def fetcher(**settings: Any) -> Fetcher:
    defaults = {"timeout_seconds": 1.2, "max_bytes": 1 << 20, "allow_private_hosts": LOOPBACK}
    return Fetcher(fetch_settings(**(defaults | settings)), 4)


@pytest.mark.parametrize(
    ("path", "status", "http_status"),
    [
        ("image/1.jpg", "success", 200),
        ("nothing-here", "http_error", 404),
        ("status/410", "http_error", 410),
        ("status/403", "http_error", 403),
        ("status/500", "busy", 500),
        ("status/429", "busy", 429),
        ("once/500/a", "success", 200),
        ("reset", "connection", None),
        ("hangup", "connection", None),
        ("silent", "timeout", None),
        ("slow-head", "timeout", None),
        ("slow-body", "timeout", 200),
        ("endless", "too_large", 200),
        ("endless/chunked", "too_large", 200),
        ("short", "truncated", 200),
        ("short-chunks", "truncated", 200),
        ("declared/99999999999", "too_large", 200),
        ("declared/-1", "empty", 200),
        ("declared/many", "empty", 200),
        ("empty", "empty", 200),
        ("redirect/image/3.jpg", "success", 200),
        ("redirect/redirect/nothing-here", "http_error", 404),
        pytest.param(
            "redirect/redirect/redirect/redirect/redirect/redirect/image/3.jpg", "redirects", 302, id="six redirects"
        ),
        ("loop", "redirects", 302),
        ("gzip", "success", 200),
        ("gzip/bomb", "too_large", 200),
        ("gzip/short", "truncated", 200),
        ("flood/headers", "connection", None),
        ("flood/long-headers", "too_large", None),
        ("flood/interim", "too_large", None),
        ("flood/extensions", "too_large", 200),
        ("flood/trailers", "too_large", 200),
    ],
)
def test_each_misbehaviour_has_its_status(server: ImageServer, path: str, status: str, http_status: int | None) -> None:
    start = time.monotonic()
    hangs = path in ("silent", "slow-head")
    found = fetcher(timeout_seconds=0.5 if hangs else 1.2).fetch(server.url(path))
    assert (found.status, found.http_status) == (status, http_status), found.error
    assert time.monotonic() - start < 4.0
    assert (found.body is not None) == (status == "success") == (found.sha256 is not None)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://127.0.0.1/x", "scheme"),
        ("gopher://127.0.0.1:{port}/image/1.jpg", "scheme"),
        ("data:image/png;base64,AAAA", "scheme"),
        ("http://127.0.0.2:{port}/image/1.jpg", "private_address"),
        ("http://[::1]:{port}/image/1.jpg", "private_address"),
        ("http://[::ffff:127.0.0.2]:{port}/image/1.jpg", "private_address"),
        ("http://localhost.localdomain.invalid/", "dns"),
        ("http://0x7f.2:{port}/image/1.jpg", "private_address"),
        ("http://2130706434:{port}/image/1.jpg", "private_address"),
        ("http://169.254.169.254/latest/meta-data/", "private_address"),
        ("http://0.0.0.0:{port}/image/1.jpg", "private_address"),
        ("//127.0.0.2:{port}/image/1.jpg", "private_address"),
        ("http://[1/", "bad_url"),
        ("http://127.0.0.1:99999/", "bad_url"),
        ("http:///nothing-here", "http_error"),
        ("//127.0.0.1:{port}/image/5.jpg", "success"),
        ("image/5.jpg", "http_error"),
        ("/image/5.jpg#part", "success"),
    ],
)
def test_redirects_are_checked_like_first_requests(server: ImageServer, target: str, status: str) -> None:
    server.targets["x"] = target.format(port=server.server_port)
    hits = sum(server.hits.values())
    found = fetcher(retries=0).fetch(server.url("redirect-to/x"))
    assert found.status == status, found.error
    assert sum(server.hits.values()) - hits == (2 if found.status in ("success", "http_error") else 1)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)", "", "no scheme", "//a/b"]
)
def test_other_schemes_than_http_are_refused(url: str) -> None:
    assert fetcher().fetch(url).status == "scheme"


def test_loopback_is_refused_unless_allowed(server: ImageServer) -> None:
    hits = sum(server.hits.values())
    assert fetcher(allow_private_hosts=()).fetch(server.url("image/1.jpg")).status == "private_address"
    assert sum(server.hits.values()) == hits


def test_the_checked_address_is_the_one_connected_to(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["127.0.0.1", "127.0.0.2"])

    def getaddrinfo(_: str, port: int, **__: object) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    one = fetcher()
    for _ in range(2):  # the second time from the cache
        assert one.fetch(f"http://rebinding.example:{server.server_port}/image/1.jpg").status == "success"
    assert fetcher().fetch(f"http://rebinding.example:{server.server_port}/image/1.jpg").status == "private_address"


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: stop.wait(10) and [])
    one, start = fetcher(timeout_seconds=0.5), time.monotonic()
    assert one.fetch("http://slow.example/").status == "dns"
    assert time.monotonic() - start < 1.5
    stop.set()


def test_names_that_hang_do_not_starve_others(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, asked = threading.Event(), Counter()

    def getaddrinfo(host: str, port: int, **__: object) -> list:
        asked[host] += 1
        if host.startswith("tarpit"):
            stop.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    one = fetcher(timeout_seconds=0.2)  # for four threads
    hanging = [f"http://tarpit-{n % 10}.example/{n}.jpg" for n in range(40)]
    with ThreadPoolExecutor(20) as pool:
        assert [found.status for found in pool.map(one.fetch, hanging)] == ["dns"] * 40
    assert one.fetch(f"http://good.example:{server.server_port}/image/1.jpg").status == "success"
    assert max(asked.values()) == 1, "those who ask for one name share its look-up"
    stop.set()


def test_a_late_answer_serves_the_next_attempt(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(_: str, port: int, **__: object) -> list:
        time.sleep(0.7)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    one = fetcher(timeout_seconds=2, retries=3)  # each attempt has half a second
    assert one.fetch(f"http://late.example:{server.server_port}/image/1.jpg").status == "success"


def test_a_name_that_does_not_resolve_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def getaddrinfo(host: str, _: int, **__: object) -> list:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    one = fetcher(retries=1, timeout_seconds=5)
    for _ in range(3):
        assert (one.fetch("http://gone.example/a.jpg").status, len(asked)) == ("dns", 2)


def test_a_cached_name_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["127.0.0.1"]
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *a, **b: real(told[-1], *a, **b))
    clock = [time.monotonic()]
    monkeypatch.setattr(connections.time, "monotonic", lambda: clock[0])
    shared = Resolver(LOOPBACK, 4)

    def found() -> str:
        try:
            return str(shared.resolve("turns.example", 80, clock[0] + 9)[0][1][0])
        finally:
            while shared._lookups._open:  # the thread of the look-up ends: this clock does not move by itself
                time.sleep(1e-3)

    assert found() == "127.0.0.1"
    told.append("127.0.0.2")  # a private address that is not allowed
    clock[0] += connections.CACHE_SECONDS - 1
    assert found() == "127.0.0.1"  # the address that was judged, not the name's new one
    clock[0] += 2
    with pytest.raises(FetchError) as refused:
        found()
    assert refused.value.status == "private_address"
    told.append("127.0.0.1")  # the refusal has the same life
    with pytest.raises(FetchError):
        found()
    clock[0] += connections.CACHE_SECONDS + 1
    assert found() == "127.0.0.1"
    assert connections.CACHE_SECONDS <= 60


def test_names_are_cached_in_bounds_and_shared_by_the_lists_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Counter[str]()

    def lookup(host: str, *_: Any, **__: Any) -> list[tuple]:
        asked[host] += 1
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(connections, "MAX_NAMES", 10)
    connections.shared_resolver.cache_clear()
    for _ in range(2):
        connections.shared_resolver(LOOPBACK, 3).resolve("a.example", 80, time.monotonic() + 5)
    assert asked == {"a.example": 1}
    other = connections.shared_resolver((), 3)  # another run's networks: nothing of the answer is taken over
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        other.resolve("a.example", 80, time.monotonic() + 5)
    one = connections.shared_resolver(LOOPBACK, 3)
    for number in range(40):
        one.resolve(f"h{number}.example", 80, time.monotonic() + 5)
        assert len(one._cached) <= 10
    one.resolve("h39.example", 80, time.monotonic() + 5)
    assert asked["h39.example"] == 1
    connections.shared_resolver.cache_clear()


def test_retries_happen_only_where_the_reason_can_pass(server: ImageServer) -> None:
    for path, attempts in (("status/404?x", 1), ("status/503?x", 3), ("image/9.jpg", 1)):
        server.hits.clear()
        assert fetcher(retries=2, timeout_seconds=5).fetch(server.url(path)).attempts == attempts
        assert sum(server.hits.values()) == attempts


def test_retry_after_is_obeyed(server: ImageServer) -> None:
    patient = fetcher(timeout_seconds=4.0, retries=1).fetch(server.url("busy/1/patient"))
    assert (patient.status, patient.attempts) == ("success", 2)
    assert patient.seconds >= 1.0
    one = fetcher(timeout_seconds=2.0, retries=1)
    assert one.fetch(server.url("busy/60/no")).status == "busy"
    hits = sum(server.hits.values())
    after = one.fetch(server.url("image/1.jpg"))
    assert (after.status, sum(server.hits.values()) - hits) == ("busy", 0), "all URLs of the host wait"


@pytest.mark.parametrize(
    "value",
    ["\u00b2", "soon", "-5", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"],
    ids=["raised digit", "word", "negative", "first day", "last day"],
)
def test_an_invalid_retry_after_counts_as_none(value: str) -> None:
    assert retry_after(value) >= 0.0


@pytest.mark.parametrize(
    "size", [MEMORY_BYTES - 5, MEMORY_BYTES + 5, 3 * MEMORY_BYTES], ids=["below the limit", "above", "three times"]
)
def test_large_bodies_come_whole_and_wait_on_disk(server: ImageServer, size: int) -> None:
    server.bodies["large"] = hashlib.sha256(b"seed").digest() * (size // 32) + bytes(size % 32)
    found = fetcher(max_bytes=size, timeout_seconds=9).fetch(server.url("body/large"))
    assert found.body._rolled == (size > MEMORY_BYTES)
    assert found.body.read() == server.bodies["large"]
    assert (found.source_bytes, found.sha256) == (size, hashlib.sha256(server.bodies["large"]).hexdigest())


def test_a_machine_without_ipv6_takes_the_next_address(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(_: str, port: int, **__: object) -> list:
        no_such_family = (12345, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        return [no_such_family, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert fetcher().fetch(f"http://two.example:{server.server_port}/image/1.jpg").status == "success"


def test_the_body_hash_and_type_are_returned(server: ImageServer) -> None:
    found = fetcher().fetch(server.url("image/7.jpg"))
    assert found.body.read() == draw(7)
    assert found.source_bytes == len(draw(7))
    assert found.sha256 == hashlib.sha256(draw(7)).hexdigest()
    assert found.content_type == "image/jpeg"


def test_the_user_agent_names_us_and_no_credentials_are_sent(server: ImageServer) -> None:
    server.agents.clear()
    fetcher(user_agent_token="curator").fetch(server.url("image/1.jpg").replace("http://", "http://user:word@"))
    assert all("curator" in agent and "Firefox" not in agent for agent in server.agents)
    assert server.agents


@pytest.mark.parametrize(
    ("header", "out"),
    [
        ("noai", True),
        ("NoImageAI, nofollow", True),
        ("nofollow", False),
        ("none", True),
        ("otherbot: noai", False),
        ("Curator: noai", True),
        ("curator: nofollow", False),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", False),
        ("noindex, unavailable_after: 25 Jun 2010 15:00:00 PST", True),
        ("otherbot: nofollow, curator: noai", True),
        ("curator: nofollow, otherbot: noai", False),
        ("*: noai", True),
        ("unavailable_after: Friday, 25-Jun-10 15:00:00 PST, noai", True),
        ("", False),
        (":", False),
    ],
)
def test_x_robots_tag(server: ImageServer, header: str, out: bool) -> None:
    assert opted_out([header], "curator", fetch_settings().opt_out) == out
    server.robots["x"] = header
    found = fetcher(user_agent_token="curator").fetch(server.url("robots/x"))
    assert found.status == ("opted_out" if out else "success")
    assert fetcher(opt_out=()).fetch(server.url("robots/x")).status == "success"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("192.0.1.1", True),
        ("192.88.100.1", True),
        ("168.63.129.17", True),
        ("2600::1", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        *(
            (address, False)
            for address in (
                "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "fe80::1",
                "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
                "2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "192.0.0.8", "192.0.0.192", "192.88.99.1",
                "168.63.129.16", "64:ff9b:1::1", "3fff::1", "3fff:fff::1", "5f00::1", "::ffff:168.63.129.16",
                "64:ff9b::a83f:8110", "2002:c000:c0::1",
            )
        ),
    ],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) == public
    assert Resolver(("0.0.0.0/0", "::/0"), 1).permits(address)


def test_a_network_may_be_named_by_one_of_its_addresses() -> None:
    assert Resolver(("127.0.0.1/8",), 1).permits("127.9.9.9")


def test_no_thread_or_socket_is_left_behind(server: ImageServer) -> None:
    before = threading.active_count()
    one = fetcher(timeout_seconds=0.5)
    for path in ("image/1.jpg", "silent", "reset", "endless"):
        one.fetch(server.url(path).replace("127.0.0.1", "localhost"))
    time.sleep(0.3)
    assert threading.active_count() <= before + 2  # the server's own


def answers(count: int) -> list[bytes]:
    """Return HTTP answers of many kinds, with bytes changed, doubled and removed at random."""
    random = Random(7)
    whole = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: image/jpeg\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\xc3\xa9[x]?%00\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: //[::ffff:7f00:2%25x]:080/a\r\n\r\n",
        b"HTTP/1.1 429 Later\r\nRetry-After: Mon, 01 Jan 0100 00:00:00 -2359\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"image", mtime=0),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nX-Robots-Tag: noai,:,a:b\r\n\r\nx",
    ]
    found = []
    for number in range(count):
        data = bytearray(whole[number % len(whole)])
        for _ in range(random.randrange(4)):
            at = random.randrange(len(data))
            piece = random.choice(
                [b"", bytes([random.randrange(256)]), b"\r\n", b"\n", b"\xb2", b":", b"99999999999999999999"]
            )
            data[at : at + random.choice([0, 1, 1, 8])] = piece
        found.append(bytes(data))
    return found


def test_no_answer_raises_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    # A random redirect must not leave this machine.
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **b: real(*a, **b, flags=socket.AI_NUMERICHOST))
    monkeypatch.setattr("curation.core.addresses.is_public", lambda _: False)
    sent = answers(1500)

    def serve(listener: socket.socket) -> None:
        for answer in cycle(sent):  # a redirect may lead here again
            try:
                connection, _ = listener.accept()
            except OSError:  # the test has closed it
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.jpg"
        one, found = fetcher(retries=0), Counter()
        for _ in sent:
            one._not_before.clear()
            result = one.fetch(url)
            assert (result.body is not None) == (result.status == "success")
            found[result.status] += 1
    expected = {"success", "busy", "private_address", "truncated", "connection", "http_error", "opted_out"}
    assert expected <= set(found), found
    assert "timeout" not in found


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[ImageServer, Path]]:
    """The server behind TLS, with a self-signed certificate for 127.0.0.1."""
    path = write_certificate(tmp_path / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with ImageServer() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server, path


def test_certificates_are_checked_and_time_is_bounded_behind_tls(tls_server: tuple[ImageServer, Path]) -> None:
    server, certificate = tls_server
    url = server.url("image/6.jpg").replace("http:", "https:")
    assert fetcher().fetch(url).status == "tls"
    one = fetcher(retries=0)
    trust(one, certificate)
    found = one.fetch(url)
    assert (found.status, found.body and found.body.read()) == ("success", draw(6)), found.error
    start = time.monotonic()
    assert one.fetch(url.replace("image/6.jpg", "slow-body")).status == "timeout"
    assert time.monotonic() - start < 3
    server.targets["plain"] = "file:///etc/passwd"
    assert one.fetch(url.replace("image/6.jpg", "redirect-to/plain")).status == "scheme"


def test_a_handshake_that_never_comes_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        found = fetcher(retries=0, timeout_seconds=0.5).fetch(f"https://127.0.0.1:{silent.getsockname()[1]}/a.jpg")
        assert found.status == "timeout"
        assert time.monotonic() - start < 3

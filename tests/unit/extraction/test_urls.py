"""URL rules: named cases, and joining against the standard library."""

import random
from urllib.parse import urljoin

import numpy as np
import pyarrow as pa
import pytest

from curation.extraction.drop_reasons import URL_REASONS
from curation.extraction.urls import resolve_urls
from tests.unit.extraction.settings import url_rules

BASE = "https://example.org/a/b/page.html?q=1"


def resolve(link: str, base: str = BASE, **rules: object) -> tuple[str, str]:
    """The URL if it is kept, and the reason if it is not."""
    resolved, reasons = resolve_urls(pa.array([link]), pa.array([base]), np.zeros(1, np.int32), url_rules(**rules))
    reason = URL_REASONS[reasons[0]]
    return (resolved[0].as_py(), "") if not reason else ("", reason)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("http://h.org/a.jpg", "http://h.org/a.jpg"),
        ("HTTP://H.org/A.JPG", "HTTP://H.org/A.JPG"),
        ("http://h.org", "http://h.org"),
        ("http://h.org:80/a/../b.jpg?x#y", "http://h.org:80/a/../b.jpg?x"),
        ("http://me:secret@h.org/a.jpg", "http://me:secret@h.org/a.jpg"),
        ("http://h.org/a b.jpg", "http://h.org/a b.jpg"),
        pytest.param("http://h.org/ü%20&amp;.jpg", "http://h.org/ü%20&amp;.jpg", id="umlaut in the path"),
        pytest.param("http://münchen.de/a.jpg", "http://münchen.de/a.jpg", id="umlaut in the host"),
        ("http://8.8.8.8/a.jpg", "http://8.8.8.8/a.jpg"),
        pytest.param("http://[2606:4700::1111]/a.jpg", "http://[2606:4700::1111]/a.jpg", id="IPv6"),
        pytest.param("  \x00http://h.org/a.jpg \r\n", "http://h.org/a.jpg", id="blanks and NUL around"),
        pytest.param("ht\ntp://h.o\trg/a\r.jpg", "http://h.org/a.jpg", id="line breaks within"),
        ("http://h.org/a.jpg #top", "http://h.org/a.jpg"),
        ("//h.org/a.jpg", "https://h.org/a.jpg"),
        ("/a.jpg", "https://example.org/a.jpg"),
        ("a.jpg", "https://example.org/a/b/a.jpg"),
        ("./a.jpg", "https://example.org/a/b/a.jpg"),
        ("../a.jpg", "https://example.org/a/a.jpg"),
        ("../../../../a.jpg", "https://example.org/a.jpg"),
        ("..", "https://example.org/a/"),
        (".", "https://example.org/a/b/"),
        ("x/../y/./z.jpg?a=../b", "https://example.org/a/b/y/z.jpg?a=../b"),
        ("?q=2", "https://example.org/a/b/page.html?q=2"),
        ("a//b.jpg", "https://example.org/a/b/a//b.jpg"),
        ("1a:b.jpg", "https://example.org/a/b/1a:b.jpg"),
        ("a/b:c.jpg", "https://example.org/a/b/a/b:c.jpg"),
    ],
)
def test_kept(link: str, url: str) -> None:
    assert resolve(link) == (url, "")


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("", "empty_url"),
        pytest.param(" \t", "empty_url", id="blanks"),
        ("#top", "empty_url"),
        ("data:image/gif;base64,R0", "data_url"),
        (" DaTa:x", "data_url"),
        pytest.param("da\nta:x#y", "data_url", id="line break in data"),
        ("ftp://h.org/a.jpg", "scheme"),
        ("javascript:void(0)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("blob:https://h.org/1", "scheme"),
        pytest.param("c:\\a.jpg", "scheme", id="drive letter"),
        ("http:a.jpg", "bad_url"),
        ("http:/h.org/a.jpg", "bad_url"),
        ("http://", "bad_url"),
        ("http:///a.jpg", "bad_url"),
        ("https://?a", "bad_url"),
        ("//", "bad_url"),
        ("http://[1", "bad_url"),
        ("http://[1]/a.jpg", "bad_url"),
        ("http://[::1]x/a.jpg", "bad_url"),
        ("http://a b/a.jpg", "bad_url"),
        pytest.param("http://127.0.0.1\\@h.org/a.jpg", "bad_url", id="backslash in the host"),
        ("http://h.org:port/a.jpg", "bad_url"),
        ("http://h.org:99999/a.jpg", "bad_url"),
        ("http://h.org:80:80/a.jpg", "bad_url"),
        ("http://1.2.3.400/a.jpg", "bad_url"),
        ("http://1.2.3.4.5/a.jpg", "bad_url"),
        ("http://%31.org/a.jpg", "bad_url"),
        ("http://./a.jpg", "bad_url"),
        ("http://127.0.0.1/a.jpg", "private_host"),
        ("http://127.1/a.jpg", "private_host"),
        ("http://0x7f.0.0.1/a.jpg", "private_host"),
        ("http://017700000001/a.jpg", "private_host"),
        ("http://2130706433/a.jpg", "private_host"),
        pytest.param("http://１２７.０.０.１/a.jpg", "private_host", id="full-width digits"),
        pytest.param("http://127。0。0。1/a.jpg", "private_host", id="Chinese full stops"),
        ("http://localhost:8000/a.jpg", "private_host"),
        ("http://LOCALHOST./a.jpg", "private_host"),
        ("http://img.localhost/a.jpg", "private_host"),
        ("http://me@10.0.0.1/a.jpg", "private_host"),
        ("http://192.168.1.1./a.jpg", "private_host"),
        ("http://169.254.169.254/a.jpg", "private_host"),
        ("http://[::1]/a.jpg", "private_host"),
        ("http://[fe80::1%25eth0]/a.jpg", "private_host"),
        ("http://[::ffff:10.0.0.1]/a.jpg", "private_host"),
        ("//10.0.0.1/a.jpg", "private_host"),
    ],
)
def test_refused(link: str, reason: str) -> None:
    assert resolve(link) == ("", reason)


@pytest.mark.parametrize(
    ("link", "base", "answer"),
    [
        pytest.param("a.jpg", "https://h.org", ("https://h.org/a.jpg", ""), id="no path"),
        pytest.param("a.jpg", "https://h.org?x/y", ("https://h.org/a.jpg", ""), id="slash in the query"),
        pytest.param("?x", "https://h.org", ("https://h.org/?x", ""), id="query alone"),
        pytest.param("a.jpg", "https://h.org/x#y/z", ("https://h.org/a.jpg", ""), id="slash in the fragment"),
        pytest.param("a.jpg", "dns:h.org", ("", "bad_url"), id="other scheme"),
        pytest.param("a.jpg", "", ("", "bad_url"), id="no base"),
        pytest.param("a.jpg", "http://10.0.0.1/", ("", "private_host"), id="private base"),
        pytest.param("http://h.org/a.jpg", "", ("http://h.org/a.jpg", ""), id="whole URL without base"),
    ],
)
def test_bases(link: str, base: str, answer: tuple[str, str]) -> None:
    assert resolve(link, base) == answer


def test_private_hosts_that_are_allowed() -> None:
    allowed = ("127.0.0.0/30", "::1/128")
    for link in ("http://127.0.0.1/a", "http://localhost/a", "http://127.1/a", "http://[::1]/a"):
        assert resolve(link, allow_private_hosts=allowed) == (link, "")
    assert resolve("http://127.0.0.9/a", allow_private_hosts=allowed) == ("", "private_host")


def test_blocked_hosts_with_their_subdomains() -> None:
    blocked = ("ads.org", "h.com")
    for link in ("http://ads.org/a", "http://x.Ads.org:80/a", "http://me@h.com./a"):
        assert resolve(link, block_hosts=blocked) == ("", "blocked_host")
    assert resolve("http://myads.org/a", block_hosts=blocked) == ("http://myads.org/a", "")


def test_joining_equals_the_standard_library() -> None:
    rng = random.Random(3)
    pieces = ["a", "..", ".", "b.png", "x;y", "%2e", "é", "...", "?z", "?q=/../", "q"]
    bases = [f"http{s}://example.org{path}" for s in ("", "s") for path in ("", "/", "/x", "/x/y.html?a/b", "/x/y/./z")]
    links = [
        rng.choice(("", "", "/", "//h.org/")) + "/".join(rng.choices(pieces, k=rng.randrange(1, 6)))
        for _ in range(20_000)
    ]
    page = np.array([rng.randrange(len(bases)) for _ in links], np.int32)
    resolved, reasons = resolve_urls(pa.array(links), pa.array(bases), page, url_rules())
    assert not reasons.any()
    for link, index, url in zip(links, page, resolved.to_pylist(), strict=True):
        # urljoin leaves the path away where base and link have none.
        pair = (url, urljoin(bases[index], link))
        ours, expected = (found.replace(".org/?", ".org?").removesuffix(".org/") for found in pair)
        assert ours == expected.removesuffix(".org"), (bases[index], link)


def test_slices_and_empty_arrays() -> None:
    links = pa.array(["x", "a.jpg", "b.jpg"])[1:]
    resolved, reasons = resolve_urls(links, pa.array(["-", BASE])[1:], np.zeros(2, np.int32), url_rules())
    assert resolved.to_pylist() == ["https://example.org/a/b/a.jpg", "https://example.org/a/b/b.jpg"]
    assert resolve_urls(links[:0], pa.array([BASE]), np.zeros(0, np.int32), url_rules())[0].to_pylist() == []
    assert reasons.tolist() == [0, 0]

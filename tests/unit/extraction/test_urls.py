"""URL rules: named cases, and joining against the standard library."""

import ipaddress
import json
import random
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import numpy as np
import pyarrow as pa
import pytest

from curation.core.addresses import is_public
from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.extraction.drop_reasons import URL_REASONS
from curation.extraction.extract import iter_pairs
from curation.extraction.urls import count_slashed, resolve_urls
from tests.unit.extraction.settings import ENGLISH, extraction_settings, url_rules

BASE = "https://example.org/a/b/page.html?q=1"


def resolve(link: str, base: str = BASE, version: int = 2, **rules: object) -> tuple[str, str]:
    """The URL if it is kept, and the reason if it is not."""
    page = np.zeros(1, np.int32)
    resolved, reasons = resolve_urls(pa.array([link]), pa.array([base]), page, url_rules(**rules), version)
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
        pytest.param("http://127.0.0.1\\@h.org/a.jpg", "private_host", id="backslash in the host"),
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
        for _ in range(10_000)
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
    links = pa.array(["\\", "a\\b", "c", "\\d", "x"])[1:4]
    resolved, _ = resolve_urls(links, pa.array(["-\\", BASE])[1:], np.zeros(3, np.int32), url_rules())
    assert [url.rpartition("example.org")[2] for url in resolved.to_pylist()] == ["/a/b/a/b", "/a/b/c", "/d"]


ANSWERS = json.loads((Path(__file__).parent / "url_answers.json").read_text())
"""Answers of Chromium's URL class (tests/browser/url_answers.py)."""


def test_backslashes_are_read_as_browsers_read_them() -> None:
    links = [(base, link, href) for base, link, href in ANSWERS["links"] if "\\" in base + link]
    compared = 0
    for base, link, href in links:
        url, reason = resolve(link, base)
        # A browser takes any number of slashes before a host, and removes dots from absolute URLs, too.
        slashed = re.split("[?#]", re.sub(r"\s", "", link))[0].replace("\\", "/")
        slashes = re.match("(https?:)?(/*)", slashed, re.IGNORECASE)
        if slashes[2] != "//" and (slashes[1] or len(slashes[2]) > 1):
            assert reason == "bad_url", (base, link)
        elif href and not href.startswith("http"):
            assert reason == "scheme", (base, link)
        elif url and not (slashes[2] and "/." in slashed):
            assert as_browser(url) == href.partition("#")[0], (base, link)
            compared += 1
        elif not url:
            assert reason == {"me": "", "127.0.0.1": "private_host"}.get(urlsplit(href or "").hostname, "bad_url")
    assert compared > 250


def as_browser(url: str) -> str:
    """Return a URL without what only browsers change: case of scheme and host, an empty path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path or "/"))


@pytest.mark.parametrize(
    ("link", "before", "now"),
    [
        pytest.param(
            "http://h.org/a\\b.jpg?c\\d", "http://h.org/a\\b.jpg?c\\d", "http://h.org/a/b.jpg?c\\d", id="path"
        ),
        pytest.param("\\\\h.org\\a", "https://example.org/a/b/\\\\h.org\\a", "https://h.org/a", id="network"),
        pytest.param("http:\\\\h.org/a", "bad_url", "http://h.org/a", id="behind the scheme"),
        pytest.param("http://h.org\\@127.0.0.1/a", "bad_url", "http://h.org/@127.0.0.1/a", id="in the host"),
        pytest.param("http://127.0.0.1\\@h.org/a", "bad_url", "private_host", id="private host"),
    ],
)
def test_a_run_of_version_1_keeps_its_backslashes(link: str, before: str, now: str) -> None:
    assert "".join(resolve(link, version=1)) == before
    assert "".join(resolve(link, version=2)) == now


def test_urls_that_backslashes_change_are_counted() -> None:
    links = pa.array(["a\\b", "a?b\\c", "http://x\\y", "\\\\127.0.0.1\\a", "z", "http://h.org/z"])
    bases, page = pa.array([BASE, "http://h.org\\x\\y"]), np.array([0, 0, 0, 0, 1, 1], np.int32)
    resolved, reasons = resolve_urls(links, bases, page, url_rules())
    assert resolved.to_pylist()[-2:] == ["http://h.org/x/z", "http://h.org/z"]
    assert count_slashed(links, bases, page, resolved, reasons) == 3
    assert count_slashed(links[4:], bases, page[4:], resolved[4:], reasons[4:]) == 1


def test_the_receipt_counts_urls_that_backslashes_change(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("url,text\nhttp://h.org\\a,A\nhttp://h.org/b,B\n")
    for rules, facts in ((1, {}), (2, {"backslash_urls": 1})):
        receipt = Receipt("a")
        settings = extraction_settings(source=SourceKind.table, language=ENGLISH, rules=rules)
        pairs = [
            row["url"] for batch in iter_pairs(f"{tmp_path}/a.csv", settings, receipt) for row in batch.to_pylist()
        ]
        assert pairs == ["http://h.org/a", "http://h.org/b"][rules == 1 :]
        assert {name: count for name, count in receipt.facts.items() if "slash" in name} == facts


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        pytest.param("bücher.example", "xn--bcher-kva.example", id="punycode"),
        pytest.param("xn--bcher-kva.example", "Bücher.example", id="list in Unicode"),
        pytest.param("img.so\xadft.example", "soft.example", id="soft hyphen"),
        pytest.param("食狮。公司.cn", "xn--85x722f.xn--55qx5d.cn", id="Chinese full stop"),
        pytest.param("0x08080808", "8.8.8.8", id="address"),
    ],
)
def test_hosts_are_blocked_however_they_are_spelt(host: str, listed: str) -> None:
    link = f"http://{host}/a"
    assert resolve(link, block_hosts=(listed,)) == ("", "blocked_host")
    assert resolve(link, block_hosts=(listed,), version=1) == (link, "")


def test_sharp_s_and_ss_are_two_hosts() -> None:
    assert resolve("http://faß.de/a", block_hosts=("fass.de",)) == ("http://faß.de/a", "")
    assert resolve("http://faß.de/a", block_hosts=("xn--fa-hia.de",)) == ("", "blocked_host")


def test_no_host_that_browsers_take_for_a_private_address_is_kept() -> None:
    private = 0
    for host, answer in ANSWERS["hosts"]:
        if answer is None or not re.fullmatch(r"[\d.]+|localhost", answer):
            continue
        reason = resolve(f"http://{host}/a")[1]
        is_private = answer == "localhost" or not is_public(ipaddress.ip_address(answer))
        assert reason == ("private_host" if is_private else ""), (host, answer)
        private += is_private
    assert private > 50

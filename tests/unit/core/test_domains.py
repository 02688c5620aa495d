"""Registrable domains: tricks with the spelling of a host make no further domain."""

import pyarrow as pa
import pytest
from publicsuffixlist import PSLFILE

from curation.balancing.domain_cap import limit_settings
from curation.core.domains import _short_domains, domain_of, domains_of, suffixes_version
from curation.core.parts import Part

DOMAINS = {
    "http://example.com/a.jpg": "example.com",
    "https://a.b.example.co.uk:8080/x?y#z": "example.co.uk",
    "http://me:pass@word@img.example.org/": "example.org",
    "http://example.org?//other.net/": "example.org",
    "http://example.org#@other.net/": "example.org",
    "http://EXAMPLE.ORG./": "example.org",
    "http://ｅｘａｍｐｌｅ．ｏｒｇ/": "example.org",
    "http://a.bücher.example/": "xn--bcher-kva.example",
    "http://a.xn--bcher-kva.example/": "xn--bcher-kva.example",
    "http://食狮.公司.cn/": "xn--85x722f.xn--55qx5d.cn",
    "http://a.straße.example/": "xn--strae-oqa.example",
    "http://a.so\xadft.example/": "soft.example",
    "http://a.xn--fa-hia.de/": "xn--fa-hia.de",
    "http://a.نامه\u200cای.com/": "xn--mgba3gch31f060k.com",
    "http://spam.github.io/a": "spam.github.io",
    "http://github.io/a": "github.io",
    "http://bucket.s3.amazonaws.com/a": "bucket.s3.amazonaws.com",
    "http://a.b.city.kawasaki.jp/": "city.kawasaki.jp",
    "http://a.unknown-ending/": "a.unknown-ending",
    "http://localhost/": "localhost",
    "http://8.8.8.8/": "8.8.8.8",
    "http://134744072/": "8.8.8.8",
    "http://0x8.8.010.8:80/": "8.8.8.8",
    "http://[2001:db8::1]:80/a": "[2001:db8::1]",
    "http://a..b/": "a..b",
    "": "",
    "no url": "",
    "http:///a": "",
}


def name_of(url: str) -> str:
    return (url if url.isascii() else f"{DOMAINS[url]} in Unicode") or "empty"


@pytest.mark.parametrize("url", DOMAINS, ids=name_of)
def test_domain_of_a_url(url: str) -> None:
    assert domains_of(pa.array(["http://x.org/", url]).slice(1)).to_pylist() == [DOMAINS[url]]


def test_a_balance_that_was_begun_with_another_form_of_hosts_keeps_it() -> None:
    assert domain_of("a.straße.example", 1) == "strasse.example"
    parts = [Part("/x", {"files": [], "settings": settings}) for settings in ({"t": 1.0}, {"max_per_domain": 5})]
    assert "host_form" not in limit_settings(7, parts)
    assert limit_settings(7, parts[:1])["host_form"] == limit_settings(7, [])["host_form"] == 2
    assert limit_settings(None, parts) == {}


def test_an_endless_host_takes_no_time() -> None:
    for host in ("ü." * 100_000, "a" * 1_000_000, "1." * 100_000):
        assert domain_of(host).startswith(host[0])


def test_no_rows() -> None:
    assert domains_of(pa.array([], pa.string())).to_pylist() == []
    assert len(suffixes_version()) == 16


def test_the_short_way_gives_the_domains_of_the_rules() -> None:
    """Each rule of the list as it is, below it and beside it, and names that the short way has to leave alone."""
    with open(PSLFILE, encoding="utf-8") as file:
        rules = [line.split()[0] for line in file if line.strip() and not line.startswith("//")]
    names = [rule.removeprefix("!").replace("*", "any") for rule in rules]
    odd = [
        "com", "a.com", "x.a.com", "a_b.com", "-.a.com", "a..com", "a.com.", ".a.com", "A.com", "a.Com", "x.unknown1",
        "b.x.unknown1", "1.2.3.4", "a.0x7f", "a.1", "a.xn--p1ai", "xn--a.com", f"{'a.' * 125}com", f"{'a' * 250}.com",
        "a.b\n.com", "a.com\n", "bücher.de", "co.uk", "a%2ecom", "",
    ]  # fmt: skip
    hosts = [
        *odd,
        *(f"{below}{name}" for name in names for below in ("", "a.", "b.a.")),
        *(f"z{name}" for name in names),
    ]
    expected = [domain_of(host) if len(host) <= 253 else host for host in hosts]
    fast = _short_domains(pa.array(hosts)).to_pylist()
    assert [found for found in fast if found] == [right for right, found in zip(expected, fast, strict=True) if found]
    assert fast[hosts.index("x.a.com")] == "a.com"
    urls = [f"http://{host}/" for host in hosts if "\n" not in host]
    assert domains_of(pa.array(urls)).to_pylist() == [
        right for host, right in zip(hosts, expected, strict=True) if "\n" not in host
    ]

"""The registrable domain of an image's address: what one owner registers, and can fill with as many hosts as he likes.

It is the public suffix of the host with one more label, by the list of publicsuffix.org that the package
publicsuffixlist brings along. Its private part counts as well: `a.github.io` and `b.github.io` have two owners.
"""

import hashlib
import socket
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.host_names import ascii_host, nfkc_host

_AUTHORITY = r"^[^:/?#]+://(?:[^/?#]*@)?(?P<host>\[[^\]/?#]*\]|[^/?#:]*)"
_TWO_LABELS = r"^(?:[a-z0-9_-]+\.)*(?P<pair>[a-z0-9_-]+\.(?P<last>[a-z][a-z0-9-]*))$"
_MAX_NAME = 253
"""A longer name is none; encoding it would take time that grows with the square of its length."""

HOST_FORM = 2
"""The version of the form in which hosts are compared: 1 is IDNA 2003, 2 is UTS 46 (host_names.py)."""


def domains_of(urls: pa.Array, host_form: int = HOST_FORM) -> pa.Array:
    """Return the registrable domain of each URL, string; "" for a URL without a host.

    >>> urls = ["http://img.example.co.uk:80/a.jpg", "https://me@b.github.io", "http://[::1]/", ""]
    >>> domains_of(pa.array(urls)).to_pylist()
    ['example.co.uk', 'b.github.io', '[::1]', '']
    """
    found = pc.struct_field(pc.extract_regex(urls, _AUTHORITY), "host")
    hosts = pc.fill_null(found, "").dictionary_encode()
    domains = _short_domains(hosts.dictionary)
    others = hosts.dictionary.filter(domains.is_null()).to_pylist()
    rest = [domain_of(host, host_form) if len(host) <= _MAX_NAME else host for host in others]
    return pc.replace_with_mask(domains, domains.is_null(), pa.array(rest, pa.string())).take(hosts.indices)


def _short_domains(hosts: pa.Array) -> pa.Array:
    """Return the domain of each host that is its last two labels in plain letters, as of most; null for the others.

    They are so where no rule of the list of public suffixes but that of the last label, if there is one, applies.
    """
    found = pc.extract_regex(hosts, _TWO_LABELS)
    pair, last = (pc.struct_field(found, name) for name in ("pair", "last"))
    pairs, lasts = _longer_suffixes()
    ruled = pc.or_(pc.is_in(pair, pairs), pc.is_in(last, lasts))
    special = pc.or_(ruled, pc.match_substring(pair, "xn--"))
    plain = pc.and_(pc.fill_null(pc.invert(special), False), pc.less_equal(pc.binary_length(hosts), _MAX_NAME))
    return pc.if_else(plain, pair, pa.scalar(None, pa.string()))


@lru_cache(1)
def _longer_suffixes() -> tuple[pa.Array, pa.Array]:
    """Return the last two labels of the rules with more than one, and the last labels that take any before them."""
    from publicsuffixlist import PSLFILE

    pairs, lasts = set(), set()
    with open(PSLFILE, encoding="utf-8") as file:
        rules = [line.split()[0].lower() for line in file if line.strip() and not line.startswith("//")]
    for rule in rules:
        labels = rule.removeprefix("!").removeprefix("*.").split(".")
        if len(labels) > 1:
            pairs.add(".".join(labels[-2:]))
        elif rule.startswith("*."):
            lasts.add(labels[0])
    return pa.array(sorted(pairs)), pa.array(sorted(lasts))


@lru_cache(1 << 16)
def domain_of(host: str, host_form: int = HOST_FORM) -> str:
    """Return the registrable domain of a host; an address, and a name without one, is its own domain.

    One host that is spelled in two ways has one domain: case, widths, Unicode or punycode, 127.1 or 127.0.0.1.

    >>> domain_of("cdn.Example.com."), domain_of("bücher.example"), domain_of("0x7f.1"), domain_of("com")
    ('example.com', 'xn--bcher-kva.example', '127.0.0.1', 'com')
    """
    name = (ascii_host(host) if host_form >= HOST_FORM else nfkc_host(host)).rstrip(".")
    if name.startswith("[") or not name:
        return name
    last = name.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        return _address(name)
    if len(name) > _MAX_NAME:
        return name
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return name
    return _suffixes().privatesuffix(name) or name


def suffixes_version() -> str:
    """Return the hash of the list of public suffixes: another list may give other domains."""
    from publicsuffixlist import PSLFILE

    with open(PSLFILE, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def _address(name: str) -> str:
    """Return the dotted address that resolvers read in decimal, octal or hexadecimal numbers; else the name."""
    try:
        return str(IPv4Address(socket.inet_aton(name)))
    except (OSError, ValueError):
        return name


@lru_cache(1)
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList  # takes 50 ms, which most tasks need not wait for

    return PublicSuffixList()

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
    domains = [domain_of(host, host_form) if len(host) <= _MAX_NAME else host for host in hosts.dictionary.to_pylist()]
    return pa.array(domains, pa.string()).take(hosts.indices)


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

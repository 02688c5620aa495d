"""The rule of hosts: URLs with a literal private address or a host on a block list are dropped."""

import ipaddress
from functools import lru_cache

from curation.core.addresses import is_public
from curation.core.host_names import compared_host, dotted_ipv4, nfkc_host
from curation.extraction.drop_reasons import BAD, KEPT, PRIVATE

UTS46 = 2
"""The version of the extraction rules from which on host names are compared in the form of UTS 46."""


@lru_cache(1 << 16)
def judge_host(authority: str, allow_private_hosts: tuple[str, ...] = (), version: int = UTS46) -> int:
    """Return KEPT, BAD or PRIVATE for an authority: the part of a URL between `//` and the path.

    Addresses are read as browsers and resolvers read them: `127.1`, `0x7f000001` and full-width digits are loopback
    too. `allow_private_hosts` are networks whose private addresses are KEPT. `version` is that of the extraction rules.

    >>> from curation.extraction.drop_reasons import URL_REASONS
    >>> [URL_REASONS[judge_host(name)] for name in ("example.org:80", "[::1]", "2130706433", "a b")]
    ['', 'private_host', 'private_host', 'bad_url']
    """
    if "\\" in authority:  # browsers take it for a slash, others do not: two readings, two hosts
        return BAD
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return BAD
        return _judge_address(address, allow_private_hosts) if _is_port(port[1:]) else BAD
    host, _, port = host.partition(":")
    if "%" in host:
        return BAD
    host = plain_host(host, version)
    if not host or not _is_port(port) or any(c <= " " or c in '%<>[]^|"`{}@#/?:' or c == "\x7f" for c in host):
        return BAD
    if host == "localhost" or host.endswith(".localhost"):
        return _judge_address("127.0.0.1", allow_private_hosts)
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        address = dotted_ipv4(host)
        return _judge_address(address, allow_private_hosts) if address else BAD
    return KEPT


def plain_host(host: str, version: int = UTS46) -> str:
    """Return a host name in the form for comparisons: that of UTS 46, or NFKC in version 1; no dot at the end."""
    return compared_host(host) if version >= UTS46 else nfkc_host(host).removesuffix(".")


def is_listed(host: str, hosts: frozenset[str]) -> bool:
    """Whether a host or a domain above it is in a list.

    >>> is_listed("img.example.org", frozenset({"example.org"}))
    True
    """
    while host:
        if host in hosts:
            return True
        host = host.partition(".")[2]
    return False


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdigit() and len(port) < 9 and int(port) < 65_536)


def _judge_address(text: str, allow_private_hosts: tuple[str, ...]) -> int:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return BAD
    if is_public(address):
        return KEPT
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    allowed = any(address in ipaddress.ip_network(network, strict=False) for network in allow_private_hosts)
    return KEPT if allowed else PRIVATE

"""The rule of hosts: URLs with a literal private address or a host on a block list are dropped."""

import ipaddress
import unicodedata
from functools import lru_cache

from curation.core.addresses import is_public
from curation.extraction.drop_reasons import BAD, KEPT, PRIVATE


@lru_cache(1 << 16)
def judge_host(authority: str, allow_private_hosts: tuple[str, ...] = ()) -> int:
    """Return KEPT, BAD or PRIVATE for an authority: the part of a URL between `//` and the path.

    Addresses are read as browsers and resolvers read them: `127.1`, `0x7f000001` and full-width digits are loopback
    too. `allow_private_hosts` are networks whose private addresses are KEPT.

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
    host = plain_host(host)
    if not host or not _is_port(port) or any(c <= " " or c in '%<>[]^|"`{}@#/?:' or c == "\x7f" for c in host):
        return BAD
    if host == "localhost" or host.endswith(".localhost"):
        return _judge_address("127.0.0.1", allow_private_hosts)
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        address = _legacy_ipv4(host)
        return _judge_address(address, allow_private_hosts) if address else BAD
    return KEPT


def plain_host(host: str) -> str:
    """Return a host name in the form for comparisons: NFKC, lower case, no dot at the end."""
    return unicodedata.normalize("NFKC", host).replace("。", ".").lower().removesuffix(".")


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


def _legacy_ipv4(host: str) -> str:
    """The dotted address that resolvers read in one to four decimal, octal or hexadecimal numbers; or nothing."""
    parts = host.split(".")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    if len(parts) > 4 or any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        return ""
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (24 - 8 * index)
    return str(ipaddress.IPv4Address(value))


def _number(part: str) -> int:
    if not part or len(part) > 20 or not part.isascii() or not part.isalnum():
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and len(part) > 1 else int(part)


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

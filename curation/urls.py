"""Image URLs: how a link becomes an absolute URL, which URLs are refused, and the uid of one.

The rules, in order: outer blanks and control characters are trimmed; tab, CR and LF are removed, as browsers do;
the fragment is dropped; the rest is joined with the page's base (RFC 3986) where it is relative. Nothing else is
changed: no case folding, no percent-encoding, no default ports. What is left must be http or https with a host that
is not a literal private address.
"""

import hashlib
import ipaddress
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

REASONS = ("", "empty_url", "data_url", "bad_url", "scheme", "private_host", "blocked_host", "removed")
"""Drop reasons by the number that `resolve_urls` gives; 0 is a URL that stays."""
KEPT, EMPTY, DATA, BAD, SCHEME, PRIVATE, BLOCKED, REMOVED = range(8)

_TRIM = bytes(range(0x21)).decode()
_REMOVE = {0x09: None, 0x0A: None, 0x0D: None}
_SCHEME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")


@dataclass(frozen=True)
class UrlRules:
    """Which hosts are refused.

    `allow_private_hosts` are networks such as `127.0.0.1/32` whose addresses (and, for loopback networks, the name
    `localhost`) are let through.
    """

    allow_private_hosts: tuple[str, ...] = field(default=())


def resolve_urls(urls: pa.Array, bases: pa.Array, page: np.ndarray, rules: UrlRules) -> tuple[pa.Array, np.ndarray]:
    """Resolve links against the base URL of their pages.

    `urls` are links as they stand in the page; `page[i]` is the index in `bases` of link i's page. Returns the
    absolute URLs, empty where refused, and a number in REASONS for each, uint8.
    """
    base_of = bases.to_pylist()
    reasons = np.zeros(len(urls), np.uint8)
    found: list[str] = []
    for row, (url, index) in enumerate(zip(urls.to_pylist(), page, strict=True)):
        absolute, reasons[row] = resolve(url, base_of[index], rules.allow_private_hosts)
        found.append(absolute)
    return pa.array(found, pa.string()), reasons


def resolve(url: str, base: str, allow_private_hosts: tuple[str, ...] = ()) -> tuple[str, int]:
    """Resolve one link; the URL is empty where the reason is not KEPT.

    >>> resolve("../b.png#top", "https://example.org/x/y.html")
    ('https://example.org/b.png', 0)
    >>> resolve("data:image/gif;base64,R0lG", "https://example.org/")[1] == DATA
    True
    """
    url = url.translate(_REMOVE).strip(_TRIM)
    if url[:5].lower() == "data:":
        return "", DATA
    url = url.partition("#")[0].rstrip(_TRIM)
    if not url:
        return "", EMPTY
    scheme = _scheme(url)
    if scheme:
        if scheme not in ("http", "https"):
            return "", SCHEME
        if not url.startswith("//", len(scheme) + 1):
            return "", BAD
        absolute = url
    else:
        absolute = _join(url, base)
        if not absolute:
            return "", BAD
    authority = absolute.partition("//")[2]
    for mark in "/?":
        authority = authority.partition(mark)[0]
    verdict = judge_host(authority, allow_private_hosts)
    return ("", verdict) if verdict else (absolute, KEPT)


def _scheme(url: str) -> str:
    """The scheme in lower case, or nothing: letters, digits, plus, dot and minus before the first colon."""
    head, colon, _ = url.partition(":")
    if colon and head and head[0].isascii() and head[0].isalpha() and _SCHEME_CHARS.issuperset(head):
        return head.lower()
    return ""


def _join(url: str, base: str) -> str:
    """RFC 3986, section 5.2, for a reference without scheme and fragment; nothing if the base is of no use."""
    base = base.partition("#")[0]
    scheme = _scheme(base)
    if scheme not in ("http", "https") or not base.startswith("//", len(scheme) + 1):
        return ""
    if url.startswith("//"):
        return f"{base[: len(scheme)]}:{url}"
    rest = base[len(scheme) + 3 :]
    end = min((index for index in (rest.find("/"), rest.find("?")) if index >= 0), default=len(rest))
    origin, rest = base[: len(scheme) + 3 + end], rest[end:]
    base_path = rest.partition("?")[0] or "/"
    if url.startswith("?"):
        return origin + base_path + url
    path, mark, query = url.partition("?")
    if not path.startswith("/"):
        path = base_path[: base_path.rindex("/") + 1] + path
    return origin + _remove_dots(path) + mark + query


def _remove_dots(path: str) -> str:
    """RFC 3986, section 5.2.4: `.` and `..` segments of a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


@lru_cache(1 << 16)
def judge_host(authority: str, allow_private_hosts: tuple[str, ...] = ()) -> int:
    """KEPT, BAD or PRIVATE for what stands between `//` and the path.

    Addresses are understood as browsers and resolvers do: `127.1`, `0x7f000001` and `２１３...` in full-width digits
    are loopback too.
    """
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return BAD
        return _judge_address(address, allow_private_hosts) if _is_port(port[1:]) else BAD
    host, _, port = host.partition(":")
    host = unicodedata.normalize("NFKC", host).replace("。", ".").lower().removesuffix(".")
    if not host or not _is_port(port) or any(c <= " " or c in '\\%<>[]^|"`{}@#/?:' or c == "\x7f" for c in host):
        return BAD
    if host == "localhost" or host.endswith(".localhost"):
        return _judge_address("127.0.0.1", allow_private_hosts)
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        address = _legacy_ipv4(host)
        return _judge_address(address, allow_private_hosts) if address else BAD
    return KEPT


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdigit() and int(port[-9:]) < 65_536 and len(port) < 9)


def _legacy_ipv4(host: str) -> str:
    """The dotted address that resolvers read in one to four decimal, octal or hexadecimal numbers."""
    parts = host.split(".")
    if len(parts) > 4:
        return ""
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return ""
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (24 - 8 * index)
    return str(ipaddress.IPv4Address(value))


def _number(part: str) -> int:
    if len(part) > 20 or not part.isascii() or not part.isalnum():
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and len(part) > 1 else int(part)


def _judge_address(text: str, allow_private_hosts: tuple[str, ...]) -> int:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return BAD
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_global and not address.is_multicast:
        return KEPT
    allowed = any(address in ipaddress.ip_network(network, strict=False) for network in allow_private_hosts)
    return KEPT if allowed else PRIVATE


def uids_of(urls: pa.Array) -> pa.Array:
    """The uid of each URL: the first 24 hex digits of SHA-224 of its UTF-8.

    >>> uids_of(pa.array(["https://example.org/a.jpg"])).to_pylist()
    ['1d63379d7e8c160931a17eb0']
    """
    sha224 = hashlib.sha224
    return pa.array([sha224(url.encode()).hexdigest()[:24] for url in urls.to_pylist()], pa.string())

"""Image URLs: how a link becomes an absolute URL, and which URLs are refused.

The rules, in order: outer blanks and control characters are trimmed; tab, CR and LF are removed, as browsers do;
the fragment is dropped; the rest is joined with the page's base (RFC 3986, section 5.2) where it is relative. Nothing
else is changed: no case folding, no percent-encoding, no default ports. What is left must be http or https with a
host that is not a literal private address.
"""

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.core.string_buffers import buffers_of, string_array
from curation.extraction import hosts, user_lists

REASONS = ("", "empty_url", "data_url", "bad_url", "scheme", "private_host", "blocked_host", "removed")
"""Drop reasons by the number that `resolve_urls` gives; 0 is a URL that stays."""
KEPT, EMPTY, DATA, BAD, SCHEME, PRIVATE, BLOCKED, REMOVED = range(8)
_ODD_HOST = 255


@dataclass(frozen=True)
class UrlRules:
    """Which hosts are refused.

    `allow_private_hosts` are networks such as `127.0.0.1/32` whose addresses (and, for loopback networks, the name
    `localhost`) are let through. `block_hosts` are names, or files of names, that are refused with all their
    subdomains. `removals` are uids or URLs, or files of them, that nobody wants to see again.
    """

    allow_private_hosts: tuple[str, ...]
    block_hosts: tuple[str, ...]
    removals: tuple[str, ...]


NO_LISTS = UrlRules((), (), ())
"""The rules that hold without any list of the user."""


def resolve_urls(urls: pa.Array, bases: pa.Array, page: np.ndarray, rules: UrlRules) -> tuple[pa.Array, np.ndarray]:
    """Resolve links against the base URL of their pages.

    `urls` are links as they stand in the page; `page[i]` is the index in `bases` of link i's page (int32). Returns
    the absolute URLs, empty where they cannot be resolved, and a number in REASONS for each, uint8.

    >>> links = pa.array(["../b.png#top", "data:image/gif;base64,R0lG"])
    >>> bases = pa.array(["https://example.org/x/y.html"])
    >>> resolved, reasons = resolve_urls(links, bases, np.zeros(2, np.int32), NO_LISTS)
    >>> resolved.to_pylist(), [REASONS[reason] for reason in reasons]
    (['https://example.org/b.png', ''], ['', 'data_url'])
    """
    offsets, data, reasons = _resolve_rows(*buffers_of(urls), *buffers_of(bases), page)
    resolved = string_array(offsets, data)
    odd = np.flatnonzero(reasons == _ODD_HOST)
    verdicts = (KEPT, BAD, PRIVATE)
    for row in odd.tolist():
        reasons[row] = verdicts[hosts.judge_host(authority_of(resolved[row].as_py()), rules.allow_private_hosts)]
    if rules.block_hosts:
        blocked = user_lists.read_hosts(rules.block_hosts)
        for row in np.flatnonzero(reasons == KEPT).tolist():
            if hosts.is_listed(host_of(resolved[row].as_py()), blocked):
                reasons[row] = BLOCKED
    return resolved, reasons


def join_bases(page_urls: pa.Array, bases: pa.Array) -> pa.Array:
    """Return the URL that each page's links are relative to: its `<base>` where that makes a URL, else its own.

    `bases` (string) holds the `<base>` as the page has it, null where it has none. A private host makes a URL, too:
    links relative to it are refused later.

    >>> join_bases(pa.array(["http://h.org/a/b", "http://h.org/c"]), pa.array(["/x/", None])).to_pylist()
    ['http://h.org/x/', 'http://h.org/c']
    """
    pages = np.flatnonzero(bases.is_valid())
    if not len(pages):
        return page_urls
    resolved, reasons = resolve_urls(bases.take(pa.array(pages)), page_urls, pages.astype(np.int32), NO_LISTS)
    joined = page_urls.to_pylist()
    for page, base, reason in zip(pages.tolist(), resolved.to_pylist(), reasons.tolist(), strict=True):
        joined[page] = base if reason in (KEPT, PRIVATE) else joined[page]
    return pa.array(joined, pa.string())


def authority_of(url: str) -> str:
    """What stands between `//` and the path of an absolute URL."""
    authority = url.partition("//")[2]
    return authority.partition("/")[0].partition("?")[0]


def host_of(url: str) -> str:
    """The host of an absolute URL, in the form in which hosts are compared.

    >>> host_of("https://me@Example.org:443/a.jpg")
    'example.org'
    """
    return hosts.plain_host(authority_of(url).rpartition("@")[2].partition(":")[0])


@numba.njit(cache=True, nogil=True)
def _resolve_rows(
    offsets: np.ndarray, data: np.ndarray, base_offsets: np.ndarray, base_data: np.ndarray, page: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = len(offsets) - 1
    longest, room = 0, 8
    for row in range(rows):
        size = offsets[row + 1] - offsets[row]
        longest = max(longest, size)
        room += size + base_offsets[page[row] + 1] - base_offsets[page[row]] + 2
    link = np.empty(longest + 8, np.uint8)
    resolved = np.empty(room, np.uint8)
    resolved_offsets = np.zeros(rows + 1, np.int32)
    reasons = np.zeros(rows, np.uint8)
    used, base_page = 0, -1
    base, scheme_end, origin_end, path_end, folder_end = 0, 0, 0, 0, 0
    for row in range(rows):
        start = used
        size, is_data = _tidy(data, offsets[row], offsets[row + 1], link)
        scheme = _scheme_size(link, 0, size)
        if is_data:
            reasons[row] = DATA
        elif size == 0:
            reasons[row] = EMPTY
        elif scheme:
            if not _is_http(link, 0, scheme):
                reasons[row] = SCHEME
            elif size < scheme + 3 or link[scheme + 1] != 47 or link[scheme + 2] != 47:
                reasons[row] = BAD
            else:
                used = _copy(link, 0, size, resolved, used)
        else:
            if page[row] != base_page:
                base_page = page[row]
                base = base_offsets[base_page]
                scheme_end, origin_end, path_end, folder_end = _parts(base_data, base, base_offsets[base_page + 1])
            if scheme_end < 0:
                reasons[row] = BAD
            elif size > 1 and link[0] == 47 and link[1] == 47:
                used = _copy(base_data, base, scheme_end + 1, resolved, used)
                used = _copy(link, 0, size, resolved, used)
            else:
                used = _copy(base_data, base, origin_end, resolved, used)
                path = used
                if link[0] == 63:  # a query alone keeps the path as it is
                    used = _copy(base_data, origin_end, path_end, resolved, used)
                    if path_end == origin_end:
                        resolved[used] = 47
                        used += 1
                    used = _copy(link, 0, size, resolved, used)
                else:
                    query = 0
                    while query < size and link[query] != 63:
                        query += 1
                    if link[0] != 47:
                        used = _copy(base_data, origin_end, folder_end, resolved, used)
                        if folder_end == origin_end:
                            resolved[used] = 47
                            used += 1
                    used = _copy(link, 0, query, resolved, used)
                    used = _remove_dots(resolved, path, used)
                    used = _copy(link, query, size, resolved, used)
        if reasons[row] == KEPT and not _is_plain_host(resolved, start, used):
            reasons[row] = _ODD_HOST
        resolved_offsets[row + 1] = used
    return resolved_offsets, resolved, reasons


@numba.njit(cache=True, nogil=True)
def _tidy(data: np.ndarray, at: int, end: int, link: np.ndarray) -> tuple[int, bool]:
    """Write the link without outer blanks, line breaks and fragment; its size, and whether it is a `data:` URL."""
    while at < end and data[at] <= 32:
        at += 1
    while end > at and data[end - 1] <= 32:
        end -= 1
    size = np.uint64(0)
    cut = False
    for index in range(np.uint64(at), np.uint64(end)):
        byte = data[index]
        if byte == 9 or byte == 10 or byte == 13:
            continue
        if byte == 35:
            cut = True
            break
        link[size] = byte
        size += np.uint64(1)
        if size == np.uint64(5) and byte == 58 and _is_data(link):
            return 0, True
    kept = np.int64(size)
    while cut and kept > 0 and link[kept - 1] <= 32:
        kept -= 1
    return kept, False


@numba.njit(cache=True, nogil=True)
def _is_data(link: np.ndarray) -> bool:
    return link[0] | 32 == 100 and link[1] | 32 == 97 and link[2] | 32 == 116 and link[3] | 32 == 97


@numba.njit(cache=True, nogil=True)
def _scheme_size(data: np.ndarray, at: int, end: int) -> int:
    """The size of the scheme in front of the first colon; 0 if there is none."""
    for index in range(at, end):
        byte = data[index]
        if byte == 58:
            return index - at
        letter = 97 <= byte | 32 <= 122
        if not (letter or (index > at and (48 <= byte <= 57 or byte == 43 or byte == 45 or byte == 46))):
            return 0
    return 0


@numba.njit(cache=True, nogil=True)
def _is_http(data: np.ndarray, at: int, size: int) -> bool:
    if size != 4 and not (size == 5 and data[at + 4] | 32 == 115):
        return False
    return data[at] | 32 == 104 and data[at + 1] | 32 == 116 and data[at + 2] | 32 == 116 and data[at + 3] | 32 == 112


@numba.njit(cache=True, nogil=True)
def _parts(data: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
    """Where a base URL's scheme, origin, path, and path up to its last slash end; -1 first if it is of no use."""
    size = _scheme_size(data, at, end)
    origin = at + size + 3
    if not size or not _is_http(data, at, size) or origin > end or data[origin - 2] != 47 or data[origin - 1] != 47:
        return -1, 0, 0, 0
    while origin < end and data[origin] != 47 and data[origin] != 63 and data[origin] != 35:
        origin += 1
    path = folder = origin
    while path < end and data[path] != 63 and data[path] != 35:
        path += 1
        if data[path - 1] == 47:
            folder = path
    return at + size, origin, path, folder


@numba.njit(cache=True, nogil=True)
def _remove_dots(data: np.ndarray, path: int, end: int) -> int:
    """RFC 3986, section 5.2.4, in place, for a path that begins with a slash; returns its new end."""
    at = used = path
    while at < end:
        stop = at + 1
        while stop < end and data[stop] != 47:
            stop += 1
        size = stop - at - 1
        if size == 1 and data[at + 1] == 46:
            keep = False
        elif size == 2 and data[at + 1] == 46 and data[at + 2] == 46:
            keep = False
            while used > path:
                used -= 1
                if data[used] == 47:
                    break
        else:
            keep = True
            used = stop if used == at else _copy(data, at, stop, data, used)
        if not keep and stop == end:
            data[used] = 47
            used += 1
        at = stop
    return used


@numba.njit(cache=True, nogil=True)
def _is_plain_host(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the host is a name of letters, digits, `-`, `_` and dots that nobody could take for an address."""
    while at < end and data[at] != 47:
        at += 1
    at += 2
    label = at
    while at < end and data[at] != 47 and data[at] != 63 and data[at] != 58:
        byte = data[at]
        if byte == 46:
            label = at + 1
        elif not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte == 45 or byte == 95):
            return False
        at += 1
    if at == label or not 97 <= data[label] | 32 <= 122:
        return False
    if at - label == 9 and data[label] | 32 == 108:  # localhost
        return False
    if at < end and data[at] == 58:
        port = at + 1
        at = port
        while at < end and 48 <= data[at] <= 57:
            at += 1
        if at - port > 4 or (at < end and data[at] != 47 and data[at] != 63):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _copy(source: np.ndarray, at: int, end: int, target: np.ndarray, used: int) -> int:
    place, index = np.uint64(used), np.uint64(at)
    for step in range(np.uint64(end - at)):
        target[place + step] = source[index + step]
    return used + end - at

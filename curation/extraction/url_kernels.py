"""The bytes of image URLs: links are joined with their bases by RFC 3986, section 5.2. `urls.py` has the rules."""

import numba
import numpy as np

from curation.core.kernel_types import signed
from curation.extraction.drop_reasons import BAD, DATA, EMPTY, KEPT, SCHEME

ODD_HOST = 255
"""The host is no plain name: it needs a closer look before the URL is kept."""
SLASH, QUESTION, HASH, COLON, DOT, PLUS, HYPHEN, UNDERSCORE = 47, 63, 35, 58, 46, 43, 45, 95
TAB, LF, CR, SPACE = 9, 10, 13, 32
DIGIT_0, DIGIT_9, LOWER_A, LOWER_L, LOWER_Z = 48, 57, 97, 108, 122
CASE_BIT = 32
"""Set in small letters of ASCII, not set in capital letters."""
_DATA, _HTTP, _HTTPS = tuple(b"data"), tuple(b"http"), tuple(b"https")


@numba.njit(cache=True, nogil=True)
def join_links(
    offsets: np.ndarray, data: np.ndarray, base_offsets: np.ndarray, base_data: np.ndarray, page: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join links with the bases of their pages: the URLs as (offsets, UTF-8 bytes), and a reason for each.

    Links and bases come as (offsets, UTF-8 bytes). A reason is KEPT, EMPTY, DATA, BAD, SCHEME, or ODD_HOST: such a host
    may be an address, and `hosts.judge_host` decides.
    """
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
            elif size < scheme + 3 or link[scheme + 1] != SLASH or link[scheme + 2] != SLASH:
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
            elif size > 1 and link[0] == SLASH and link[1] == SLASH:
                used = _copy(base_data, base, scheme_end + 1, resolved, used)
                used = _copy(link, 0, size, resolved, used)
            else:
                used = _copy(base_data, base, origin_end, resolved, used)
                path = used
                if link[0] == QUESTION:  # a query alone keeps the path as it is
                    used = _copy(base_data, origin_end, path_end, resolved, used)
                    if path_end == origin_end:
                        resolved[used] = SLASH
                        used += 1
                    used = _copy(link, 0, size, resolved, used)
                else:
                    query = 0
                    while query < size and link[query] != QUESTION:
                        query += 1
                    if link[0] != SLASH:
                        used = _copy(base_data, origin_end, folder_end, resolved, used)
                        if folder_end == origin_end:
                            resolved[used] = SLASH
                            used += 1
                    used = _copy(link, 0, query, resolved, used)
                    used = _remove_dots(resolved, path, used)
                    used = _copy(link, query, size, resolved, used)
        if reasons[row] == KEPT and not _is_plain_host(resolved, start, used):
            reasons[row] = ODD_HOST
        resolved_offsets[row + 1] = used
    return resolved_offsets, resolved, reasons


@numba.njit(cache=True, nogil=True)
def _tidy(data: np.ndarray, at: int, end: int, link: np.ndarray) -> tuple[int, bool]:
    """Write the link without outer blanks, line breaks and fragment; its size, and whether it is a `data:` URL."""
    while at < end and data[at] <= SPACE:
        at += 1
    while end > at and data[end - 1] <= SPACE:
        end -= 1
    size = np.uint64(0)
    cut = False
    for index in range(np.uint64(at), np.uint64(end)):
        byte = data[index]
        if byte in (TAB, LF, CR):
            continue
        if byte == HASH:
            cut = True
            break
        link[size] = byte
        size += np.uint64(1)
        if size == np.uint64(5) and byte == COLON and _is_data(link):
            return 0, True
    kept = signed(size)
    while cut and kept > 0 and link[kept - 1] <= SPACE:
        kept -= 1
    return kept, False


@numba.njit(cache=True, nogil=True)
def _is_data(link: np.ndarray) -> bool:
    return _spells(link, 0, _DATA)


@numba.njit(cache=True, nogil=True)
def _spells(data: np.ndarray, at: int, word: tuple[int, ...]) -> bool:
    """Whether letters in any case spell a word in lower case."""
    same = True
    for index in range(len(word)):
        same &= data[at + index] | CASE_BIT == word[index]
    return same


@numba.njit(cache=True, nogil=True)
def _is_letter(byte: int) -> bool:
    return LOWER_A <= byte | CASE_BIT <= LOWER_Z


@numba.njit(cache=True, nogil=True)
def _is_digit(byte: int) -> bool:
    return DIGIT_0 <= byte <= DIGIT_9


@numba.njit(cache=True, nogil=True)
def _scheme_size(data: np.ndarray, at: int, end: int) -> int:
    """The size of the scheme in front of the first colon; 0 if there is none."""
    for index in range(at, end):
        byte = data[index]
        if byte == COLON:
            return index - at
        letter = _is_letter(byte)
        if not (letter or (index > at and (_is_digit(byte) or byte in (PLUS, HYPHEN, DOT)))):
            return 0
    return 0


@numba.njit(cache=True, nogil=True)
def _is_http(data: np.ndarray, at: int, size: int) -> bool:
    return (size == 4 and _spells(data, at, _HTTP)) or (size == 5 and _spells(data, at, _HTTPS))


@numba.njit(cache=True, nogil=True)
def _parts(data: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
    """Where a base URL's scheme, origin, path, and path up to its last slash end; -1 first if it is of no use."""
    size = _scheme_size(data, at, end)
    origin = at + size + 3
    if (
        not size
        or not _is_http(data, at, size)
        or origin > end
        or data[origin - 2] != SLASH
        or data[origin - 1] != SLASH
    ):
        return -1, 0, 0, 0
    while origin < end and data[origin] != SLASH and data[origin] != QUESTION and data[origin] != HASH:
        origin += 1
    path = folder = origin
    while path < end and data[path] != QUESTION and data[path] != HASH:
        path += 1
        if data[path - 1] == SLASH:
            folder = path
    return at + size, origin, path, folder


@numba.njit(cache=True, nogil=True)
def _remove_dots(data: np.ndarray, path: int, end: int) -> int:
    """RFC 3986, section 5.2.4, in place, for a path that begins with a slash; returns its new end."""
    at = used = path
    while at < end:
        stop = at + 1
        while stop < end and data[stop] != SLASH:
            stop += 1
        size = stop - at - 1
        if size == 1 and data[at + 1] == DOT:
            keep = False
        elif size == 2 and data[at + 1] == DOT and data[at + 2] == DOT:
            keep = False
            while used > path:
                used -= 1
                if data[used] == SLASH:
                    break
        else:
            keep = True
            used = stop if used == at else _copy(data, at, stop, data, used)
        if not keep and stop == end:
            data[used] = SLASH
            used += 1
        at = stop
    return used


@numba.njit(cache=True, nogil=True)
def _is_plain_host(data: np.ndarray, at: int, end: int) -> bool:
    """Whether the host is a name of letters, digits, `-`, `_` and dots that nobody could take for an address."""
    while at < end and data[at] != SLASH:
        at += 1
    at += 2
    label = at
    while at < end and data[at] != SLASH and data[at] != QUESTION and data[at] != COLON:
        byte = data[at]
        if byte == DOT:
            label = at + 1
        elif not (_is_letter(byte) or _is_digit(byte) or byte in (HYPHEN, UNDERSCORE)):
            return False
        at += 1
    if at == label or not _is_letter(data[label]):
        return False
    if at - label == 9 and data[label] | CASE_BIT == LOWER_L:  # it may be localhost
        return False
    if at < end and data[at] == COLON:
        port = at + 1
        at = port
        while at < end and _is_digit(data[at]):
            at += 1
        if at - port > 4 or (at < end and data[at] != SLASH and data[at] != QUESTION):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _copy(source: np.ndarray, at: int, end: int, target: np.ndarray, used: int) -> int:
    place, index = np.uint64(used), np.uint64(at)
    for step in range(np.uint64(end - at)):
        target[place + step] = source[index + step]
    return used + end - at

"""The scan of a WAT's bytes: it finds image links without decoding the JSON around them.

The scan is exact. Inside a JSON string every quote is escaped, so an unescaped `"IMG@/src"` is always a whole string.
From there the scan reads the surrounding object in both directions, token by token. An image link without these bytes
must be spelt with escapes (`IMG@\\/src`, `\\u0049MG@/src`). The caller decodes a whole record if it holds such an
escape, or an image link that is not a flat object of strings.

Indexes of hot loops are unsigned, because numba checks whether a signed index is negative, which triples the time.
"""

from typing import NamedTuple

import numba
import numpy as np

from curation.core.kernel_types import signed

MORE, DECODE = 0, 1
"""Why a scan stopped: it needs more bytes, or the caller has to decode a whole record."""

MAX_HEADER_BYTES = 1 << 20
MAX_RECORD_BYTES = 32 << 20
"""A record is cut off here; the links before this place are kept."""

LINKS, PAGES, RECORDS, BROKEN, FOREIGN, OVERSIZED = range(6)
"""Places in Scan.counts. BROKEN counts records that end within their JSON, FOREIGN stretches of bytes in no record."""
BASE_SEEN, CUT_OFF = 1, 2
"""Bits of Scan.page_flags."""
URL_AT, ALT_AT, TITLE_AT = 0, 2, 4
"""Places in Scan.bounds: the begin and, one further, the end of a value of the current link; -1 without a value."""
URL, ALT, TITLE = 1, 2, 4
"""Members of a link, as bits."""


QUOTE, BACKSLASH, COLON, COMMA, BRACE, BRACE_END, SLASH = 34, 92, 58, 44, 123, 125, 47
TAB, LF, CR, SPACE = 9, 10, 13, 32


class Scan(NamedTuple):
    """The output of a scan: flat buffers with one row per link or page; offsets have a leading 0."""

    counts: np.ndarray
    link_page: np.ndarray
    url_offsets: np.ndarray
    url_data: np.ndarray
    alt_offsets: np.ndarray
    alt_data: np.ndarray
    alt_valid: np.ndarray
    title_offsets: np.ndarray
    title_data: np.ndarray
    title_valid: np.ndarray
    page_offsets: np.ndarray
    page_data: np.ndarray
    page_bodies: np.ndarray
    page_flags: np.ndarray
    bounds: np.ndarray


def new_scan(plain_bytes: int) -> Scan:
    """Return buffers that are large enough for any `plain_bytes` bytes; untouched memory costs nothing."""
    links = plain_bytes // 18 + 2
    pages = plain_bytes // 24 + 2
    return Scan(
        np.zeros(6, np.int64),
        np.empty(links, np.int32),
        np.zeros(links + 1, np.int32),
        np.empty(plain_bytes + 8, np.uint8),
        np.zeros(links + 1, np.int32),
        np.empty(plain_bytes, np.uint8),
        np.empty(links, np.bool_),
        np.zeros(links + 1, np.int32),
        np.empty(plain_bytes, np.uint8),
        np.empty(links, np.bool_),
        np.zeros(pages + 1, np.int32),
        np.empty(plain_bytes, np.uint8),
        np.empty((pages, 2), np.int64),
        np.zeros(pages, np.uint8),
        np.zeros(6, np.int64),
    )


@numba.njit(cache=True, nogil=True)
def scan_records(buf: np.ndarray, start: int, final: bool, out: Scan) -> tuple[int, int]:
    """Scan the records of `buf[start:]`; return where the scan stopped, and MORE or DECODE.

    `final` says that no more bytes follow. After DECODE the last page in `out` is the record to decode: `out` has none
    of its links, its body is `page_bodies[-1]`, and the next scan starts at the returned place.
    """
    at, end = start, len(buf)
    while True:
        while at < end and (buf[at] == LF or buf[at] == CR):
            at += 1
        if at + 5 > end and not final:
            return at, MORE
        if at >= end:
            return end, MORE
        if not _is_start(buf, at, end):
            out.counts[FOREIGN] += 1
            at = _next_start(buf, at, end)
            if at < 0:
                return (end if final else max(start, end - 6)), MORE
            continue
        body, length, target, target_end = _read_header(buf, at, end)
        if body < 0:
            if not final and end - at < MAX_HEADER_BYTES:
                return at, MORE
            out.counts[RECORDS] += 1
            out.counts[BROKEN] += 1
            at += 5
            continue
        stop = body + length
        if length < 0 or stop > end or not _ends_at(buf, stop, end, final):
            if length >= 0 and stop <= end and not final and end - stop < 16:
                return at, MORE
            stop = _next_start(buf, body, end)
            if stop < 0:
                if not final and end - at < MAX_RECORD_BYTES:
                    return at, MORE
                out.counts[OVERSIZED] += not final
                stop = end
        at = stop
        out.counts[RECORDS] += 1
        if stop - body < 32 or buf[body] != BRACE:
            continue
        if _scan_page(buf, body, stop, target, target_end, False, out) == DECODE:
            return at, DECODE


@numba.njit(cache=True, nogil=True)
def salvage_page(buf: np.ndarray, body: int, stop: int, out: Scan) -> None:
    """Add the complete image links of the last page in `out`, whose record is no valid JSON."""
    out.counts[PAGES] -= 1
    _scan_page(buf, body, stop, 0, 0, True, out)


@numba.njit(cache=True, nogil=True)
def _is_start(buf: np.ndarray, at: int, end: int) -> bool:
    return (
        at + 5 <= end
        and buf[at] == 87
        and buf[at + 1] == 65
        and buf[at + 2] == 82
        and buf[at + 3] == 67
        and buf[at + 4] == SLASH
    )


@numba.njit(cache=True, nogil=True)
def _next_start(buf: np.ndarray, at: int, end: int) -> int:
    """Return where the next line that starts with `WARC/` begins; -1 if there is none."""
    while True:
        found = _find(buf, at, end, np.uint8(10), np.uint8(87), np.uint8(65), np.uint8(82))
        if found < 0:
            return -1
        if _is_start(buf, found + 1, end):
            return found + 1
        at = found + 1


@numba.njit(cache=True, nogil=True)
def _find(buf: np.ndarray, at: int, end: int, a: np.uint8, b: np.uint8, c: np.uint8, d: np.uint8) -> int:
    """Return the next place of four bytes in a row; -1 if there is none.

    Three of the four bytes are compared at 128 places at once, without a branch.
    """
    index, last = np.uint64(at), np.uint64(max(at, end - 3))
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    while index + np.uint64(128) <= last:
        least = np.uint8(255)
        for step in range(128):
            place = index + np.uint64(step)
            # 0 if all three are equal; twice as fast as comparisons, whose results numba has to narrow.
            least = min(least, (buf[place] ^ a) | (buf[place + one] ^ b) | (buf[place + two] ^ c))
        if least == 0:
            for step in range(128):
                place = index + np.uint64(step)
                if buf[place] == a and buf[place + one] == b and buf[place + two] == c and buf[place + three] == d:
                    return signed(place)
        index += np.uint64(128)
    while index < last:
        if buf[index] == a and buf[index + one] == b and buf[index + two] == c and buf[index + three] == d:
            return signed(index)
        index += one
    return -1


@numba.njit(cache=True, nogil=True)
def _read_header(buf: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
    """Return the start of the body (-1: not in the buffer), Content-Length (-1: none), and the target URI's bounds."""
    length, target, target_end = -1, 0, 0
    line = at
    while True:
        stop = line
        while stop < end and buf[stop] != LF and stop - at < MAX_HEADER_BYTES:
            stop += 1
        if stop >= end or buf[stop] != LF:
            return -1, -1, 0, 0
        last = stop - 1 if stop > line and buf[stop - 1] == CR else stop
        if last == line:
            return stop + 1, length, target, target_end
        if last - line > 15 and buf[line + 14] == COLON and (buf[line] | 32) == 99 and (buf[line + 8] | 32) == 108:
            length = _number(buf, line + 15, last)  # content-length:
        elif (
            last - line > 16
            and buf[line + 15] == COLON
            and (buf[line + 5] | 32) == 116
            and (buf[line + 12] | 32) == 117
        ):
            target, target_end = _trim_target(buf, line + 16, last)  # warc-target-uri:
        line = stop + 1


@numba.njit(cache=True, nogil=True)
def _number(buf: np.ndarray, at: int, end: int) -> int:
    value, digits = 0, 0
    while at < end and (buf[at] == SPACE or buf[at] == TAB):
        at += 1
    while at < end and 48 <= buf[at] <= 57 and digits < 16:
        value = value * 10 + signed(buf[at]) - 48
        digits += 1
        at += 1
    return value if digits else -1


@numba.njit(cache=True, nogil=True)
def _trim_target(buf: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """Return the bounds of a URI without blanks and without the angle brackets that some writers put around it."""
    while at < end and (buf[at] <= SPACE or buf[at] == 60):
        at += 1
    while end > at and (buf[end - 1] <= SPACE or buf[end - 1] == 62):
        end -= 1
    return at, end


@numba.njit(cache=True, nogil=True)
def _ends_at(buf: np.ndarray, stop: int, end: int, final: bool) -> bool:
    """Return whether a line end follows, and then a record or the end of the file."""
    at = stop
    while at < end and (buf[at] == LF or buf[at] == CR) and at - stop < 8:
        at += 1
    if at >= end:
        return final
    return at > stop and _is_start(buf, at, end)


@numba.njit(cache=True, nogil=True)
def _scan_page(buf: np.ndarray, body: int, stop: int, target: int, target_end: int, again: bool, out: Scan) -> int:
    """Write a page and its image links and return MORE; or write the page alone and return DECODE.

    DECODE means that the scan cannot read each link. With `again` the page is in `out` already, and the scan adds each
    link that it can read.
    """
    whole = stop
    while whole > body and buf[whole - 1] <= SPACE:
        whole -= 1
    cut_off = buf[whole - 1] != BRACE_END
    if not again:
        out.counts[BROKEN] += cut_off
    salvage = again or cut_off
    links, page = out.counts[LINKS], out.counts[PAGES]
    decode = not salvage and _has_spelt_letters(buf, body, whole)
    at, seen = body, False
    while not decode:
        found = _find(buf, at, whole, np.uint8(73), np.uint8(77), np.uint8(71), np.uint8(64))  # IMG@
        if found < 0:
            break
        at = found + 4
        verdict = _read_link(buf, body, found - 1, whole, page, out)
        seen = seen or verdict > 0
        decode = verdict < 0 and not salvage
    if not (seen or decode or again):
        return MORE
    if not again:
        used = out.page_offsets[page]
        out.page_offsets[page + 1] = _copy(buf, target, target_end, out.page_data, used)
    out.page_bodies[page, 0], out.page_bodies[page, 1] = body, whole
    base = _find(buf, body, whole, np.uint8(34), np.uint8(66), np.uint8(97), np.uint8(115)) >= 0  # "Bas
    out.page_flags[page] = base * BASE_SEEN | cut_off * CUT_OFF
    out.counts[PAGES] = page + 1
    if decode:
        out.counts[LINKS] = links
        return DECODE
    return MORE


@numba.njit(cache=True, nogil=True)
def _has_spelt_letters(buf: np.ndarray, body: int, stop: int) -> bool:
    r"""Return whether a letter of IMG@/src is spelt as an escape, such as `\u0049`; `_read_link` finds `IMG@\/`."""
    at = body
    while True:
        at = _find(buf, at, stop, np.uint8(92), np.uint8(117), np.uint8(48), np.uint8(48))  # \u00
        if at < 0 or at + 6 > stop:
            return False
        high, low = buf[at + 4], buf[at + 5] | 32
        if high == 50:
            if low == 102:  # 2f
                return True
        elif high == 52:
            if low == 48 or low == 55 or low == 57 or low == 100:  # 40 47 49 4d
                return True
        elif high == 54:
            if low == 51:  # 63
                return True
        elif high == 55 and (low == 50 or low == 51):  # 72 73
            return True
        at += 6


@numba.njit(cache=True, nogil=True)
def _read_link(buf: np.ndarray, body: int, quote: int, stop: int, page: int, out: Scan) -> int:
    """Read the object around `"IMG@` at `quote`. Return 1: link written, 0: no image link, -1: decode."""
    if quote <= body or buf[quote] != QUOTE or buf[quote - 1] == BACKSLASH or quote + 10 > stop:
        return 0
    if buf[quote + 5] == BACKSLASH:  # IMG@\/src
        return -1
    if not (buf[quote + 5] == SLASH and buf[quote + 6] == 115 and buf[quote + 7] == 114 and buf[quote + 8] == 99):
        return 0
    if buf[quote + 9] != QUOTE:
        return 0
    at = _skip_back(buf, body, quote - 1)
    if buf[at] != COLON:
        return 0
    key_end = _skip_back(buf, body, at - 1)
    key = _string_before(buf, body, key_end)
    if key < 0:
        return -1
    if key_end - key != 5 or buf[key + 1] != 112 or buf[key + 2] != 97 or buf[key + 3] != 116 or buf[key + 4] != 104:
        return -1 if _has_backslash(buf, key, key_end) else 0

    bounds = out.bounds
    bounds[URL_AT] = bounds[URL_AT + 1] = 0
    bounds[ALT_AT] = bounds[ALT_AT + 1] = bounds[TITLE_AT] = bounds[TITLE_AT + 1] = -1
    seen = 0
    at = _skip_back(buf, body, key - 1)
    while buf[at] == COMMA:  # the members before "path", from the last to the first
        value_end = _skip_back(buf, body, at - 1)
        value = _string_before(buf, body, value_end)
        if value < 0:
            return -1
        at = _skip_back(buf, body, value - 1)
        if buf[at] != COLON:
            return -1
        key_end = _skip_back(buf, body, at - 1)
        key = _string_before(buf, body, key_end)
        if key < 0:
            return -1
        member = _take_member(buf, key + 1, key_end, value + 1, value_end, bounds)
        if member < 0 or seen & member:
            return -1
        seen |= member
        at = _skip_back(buf, body, key - 1)
    if buf[at] != BRACE:
        return -1
    at = _skip(buf, quote + 10, stop)
    while at < stop and buf[at] == COMMA:  # the members after it
        key = _skip(buf, at + 1, stop)
        key_end = _string_end(buf, key, stop)
        if key_end < 0:
            return -1
        at = _skip(buf, key_end + 1, stop)
        if at >= stop or buf[at] != COLON:
            return -1
        value = _skip(buf, at + 1, stop)
        value_end = _string_end(buf, value, stop)
        if value_end < 0:
            return -1
        member = _take_member(buf, key + 1, key_end, value + 1, value_end, bounds)
        if member < 0 or seen & member:
            return -1
        seen |= member
        at = _skip(buf, value_end + 1, stop)
    if at >= stop or buf[at] != BRACE_END:
        return -1

    row = out.counts[LINKS]
    out.link_page[row] = page
    url, url_end = bounds[URL_AT], bounds[URL_AT + 1]
    alt, alt_end = bounds[ALT_AT], bounds[ALT_AT + 1]
    title, title_end = bounds[TITLE_AT], bounds[TITLE_AT + 1]
    if url_end - url > 5 and _is_data(buf, url):
        url_end = url + 5  # the rest can hold a whole image
    out.url_offsets[row + 1] = _unescape(buf, url, url_end, out.url_data, out.url_offsets[row])
    out.alt_valid[row] = alt >= 0
    out.alt_offsets[row + 1] = _unescape(buf, alt, alt_end, out.alt_data, out.alt_offsets[row])
    out.title_valid[row] = title >= 0
    out.title_offsets[row + 1] = _unescape(buf, title, title_end, out.title_data, out.title_offsets[row])
    out.counts[LINKS] = row + 1
    return 1


@numba.njit(cache=True, nogil=True)
def _is_data(buf: np.ndarray, at: int) -> bool:
    return (
        (buf[at] | 32) == 100
        and (buf[at + 1] | 32) == 97
        and (buf[at + 2] | 32) == 116
        and (buf[at + 3] | 32) == 97
        and buf[at + 4] == COLON
    )


@numba.njit(cache=True, nogil=True)
def _take_member(buf: np.ndarray, key: int, key_end: int, value: int, value_end: int, bounds: np.ndarray) -> int:
    """Write the bounds of a member's value into `bounds`; return the member as `_kind` does."""
    member = _kind(buf, key, key_end)
    if member > 0:
        place = np.uint64(URL_AT if member == URL else ALT_AT if member == ALT else TITLE_AT)
        bounds[place], bounds[place + np.uint64(1)] = value, value_end
    return member


@numba.njit(cache=True, nogil=True)
def _kind(buf: np.ndarray, at: int, end: int) -> int:
    """Return URL, ALT or TITLE, 0 for another key, -1 for a second path or a key with escapes."""
    size = end - at
    if size == 3 and buf[at] == 117 and buf[at + 1] == 114 and buf[at + 2] == 108:
        return URL
    if size == 3 and buf[at] == 97 and buf[at + 1] == 108 and buf[at + 2] == 116:
        return ALT
    if size == 5 and buf[at] == 116 and buf[at + 1] == 105 and buf[at + 2] == 116 and buf[at + 3] == 108:
        return TITLE if buf[at + 4] == 101 else 0
    if size == 4 and buf[at] == 112 and buf[at + 1] == 97 and buf[at + 2] == 116 and buf[at + 3] == 104:
        return -1
    return -1 if _has_backslash(buf, at, end) else 0


@numba.njit(cache=True, nogil=True)
def _has_backslash(buf: np.ndarray, at: int, end: int) -> bool:
    found = False
    for index in range(np.uint64(at), np.uint64(end)):
        found |= buf[index] == BACKSLASH
    return found


@numba.njit(cache=True, nogil=True)
def _skip(buf: np.ndarray, at: int, stop: int) -> int:
    while at < stop and (buf[at] == SPACE or buf[at] == LF or buf[at] == CR or buf[at] == TAB):
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def _skip_back(buf: np.ndarray, body: int, at: int) -> int:
    while at > body and (buf[at] == SPACE or buf[at] == LF or buf[at] == CR or buf[at] == TAB):
        at -= 1
    return max(at, body)


@numba.njit(cache=True, nogil=True)
def _string_end(buf: np.ndarray, at: int, stop: int) -> int:
    """Return the closing quote of the string whose opening quote is at `at`; -1 if there is none."""
    if at >= stop or buf[at] != QUOTE:
        return -1
    index, last = np.uint64(at + 1), np.uint64(stop)
    while index < last:
        byte = buf[index]
        if byte == QUOTE:
            return signed(index)
        index += np.uint64(2) if byte == BACKSLASH else np.uint64(1)
    return -1


@numba.njit(cache=True, nogil=True)
def _string_before(buf: np.ndarray, body: int, at: int) -> int:
    """Return the opening quote of the string whose closing quote is at `at`; -1 if there is none."""
    if buf[at] != QUOTE:
        return -1
    at -= 1
    while at > body:
        if buf[at] == QUOTE:
            slash = at
            while slash > body and buf[slash - 1] == BACKSLASH:
                slash -= 1
            if (at - slash) % 2 == 0:
                return at
            at = slash
        at -= 1
    return -1


@numba.njit(cache=True, nogil=True)
def _copy(buf: np.ndarray, at: int, end: int, data: np.ndarray, used: int) -> int:
    source, place = np.uint64(at), np.uint64(used)
    size = np.uint64(end - at)
    for step in range(size):
        data[place + step] = buf[source + step]
    return used + end - at


@numba.njit(cache=True, nogil=True)
def _unescape(buf: np.ndarray, at: int, end: int, data: np.ndarray, used: int) -> int:
    """Write the value of a JSON string as UTF-8. A lone surrogate becomes U+FFFD; a broken escape stays as it is."""
    source, last, place = np.uint64(at), np.uint64(end), np.uint64(used)
    one = np.uint64(1)
    while source < last:
        byte = buf[source]
        if byte != BACKSLASH or source + one >= last:
            data[place] = byte
            source += one
            place += one
            continue
        mark = buf[source + one]
        if mark == 117:
            code = _hex4(buf, signed(source) + 2, end)
            if code >= 0:
                source += np.uint64(6)
                if 0xD800 <= code < 0xDC00:
                    low = _hex4(buf, signed(source) + 2, end) if signed(source) + 6 <= end else -1
                    if buf[source] == BACKSLASH and buf[source + one] == 117 and 0xDC00 <= low < 0xE000:
                        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                        source += np.uint64(6)
                    else:
                        code = 0xFFFD
                elif 0xDC00 <= code < 0xE000:
                    code = 0xFFFD
                place = np.uint64(_put_char(data, signed(place), code))
                continue
        elif mark == 110:
            mark = 10
        elif mark == 116:
            mark = 9
        elif mark == 114:
            mark = 13
        elif mark == 98:
            mark = 8
        elif mark == 102:
            mark = 12
        elif mark != 34 and mark != 92 and mark != 47:
            data[place] = 92
            place += one
        data[place] = mark
        place += one
        source += np.uint64(2)
    return signed(place)


@numba.njit(cache=True, nogil=True)
def _hex4(buf: np.ndarray, at: int, end: int) -> int:
    if at + 4 > end:
        return -1
    code = 0
    for index in range(at, at + 4):
        byte = signed(buf[index])
        if 48 <= byte <= 57:
            code = code * 16 + byte - 48
        elif 97 <= (byte | 32) <= 102:
            code = code * 16 + (byte | 32) - 87
        else:
            return -1
    return code


@numba.njit(cache=True, nogil=True)
def _put_char(data: np.ndarray, place: int, code: int) -> int:
    if code < 0x80:
        data[place] = code
        return place + 1
    if code < 0x800:
        data[place] = 0xC0 | code >> 6
        data[place + 1] = 0x80 | code & 63
        return place + 2
    if code < 0x10000:
        data[place] = 0xE0 | code >> 12
        data[place + 1] = 0x80 | code >> 6 & 63
        data[place + 2] = 0x80 | code & 63
        return place + 3
    data[place] = 0xF0 | code >> 18
    data[place + 1] = 0x80 | code >> 12 & 63
    data[place + 2] = 0x80 | code >> 6 & 63
    data[place + 3] = 0x80 | code & 63
    return place + 4

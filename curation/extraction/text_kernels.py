"""The bytes of texts: white space, lengths and broken characters. `text_rules.py` has the rules."""

import numba
import numpy as np

from curation.core.kernel_types import signed
from curation.extraction.drop_reasons import BLANK, BROKEN, LONG, SHORT

TAB, LF, CR, SPACE = 9, 10, 13, 32


@numba.njit(cache=True, nogil=True)
def clean_rows(
    offsets: np.ndarray, data: np.ndarray, min_chars: int, max_chars: int, max_share: float, collapse: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strip texts and check their lengths: the texts as (offsets, UTF-8 bytes), empty where dropped, and the reasons.

    Texts come as (offsets, UTF-8 bytes); a bound of 0 is no bound. With `collapse` a run of blanks becomes one blank.
    """
    rows = len(offsets) - 1
    cleaned = np.empty(offsets[rows] - offsets[0], np.uint8)
    cleaned_offsets = np.zeros(rows + 1, np.int32)
    reasons = np.zeros(rows, np.uint8)
    used = np.uint64(0)
    one = np.uint64(1)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while at < end:  # blanks in front
            width = _blank_width(data, at, end)
            if width == 0:
                break
            at += width
        start, chars, broken = used, 0, 0
        last = used  # behind the last character that is no blank
        last_chars = 0
        index, stop = np.uint64(at), np.uint64(end)
        pending = False  # a run of blanks to be collapsed
        while index < stop:
            byte = data[index]
            if byte > SPACE and byte < 128:  # the common case
                if pending:
                    cleaned[used] = SPACE
                    used += one
                    chars += 1
                    pending = False
                cleaned[used] = byte
                used += one
                index += one
                chars += 1
                last, last_chars = used, chars
                continue
            width = _blank_width(data, signed(index), end)
            if width:
                if collapse:
                    pending = True
                    index += np.uint64(width)
                    continue
                if byte in (TAB, LF, CR):
                    cleaned[used] = SPACE
                    used += one
                    index += one
                else:
                    for _ in range(width):
                        cleaned[used] = data[index]
                        used += one
                        index += one
                chars += 1
                continue
            if pending:
                cleaned[used] = SPACE
                used += one
                chars += 1
                pending = False
            if byte == 0xEF and index + np.uint64(2) < stop:  # U+FFFD is EF BF BD
                broken += data[index + one] == 0xBF and data[index + np.uint64(2)] == 0xBD
            cleaned[used] = byte
            used += one
            index += one
            while index < stop and data[index] & 0xC0 == 0x80:
                cleaned[used] = data[index]
                used += one
                index += one
            chars += 1
            last, last_chars = used, chars
        used = last
        if last_chars == 0:
            reasons[row] = BLANK
        elif last_chars < min_chars:
            reasons[row] = SHORT
        elif max_chars and last_chars > max_chars:
            reasons[row] = LONG
        elif broken > max_share * last_chars:
            reasons[row] = BROKEN
        if reasons[row]:
            used = start
        cleaned_offsets[row + 1] = used
    return cleaned_offsets, cleaned, reasons


@numba.njit(cache=True, nogil=True)
def _blank_width(data: np.ndarray, at: int, end: int) -> int:
    """Return the size of the white space character at `at` (white space by `str.isspace`), or 0."""
    byte = data[at]
    if byte <= SPACE:
        return 1 if byte == SPACE or 9 <= byte <= 13 or 28 <= byte <= 31 else 0
    if byte == 0xC2:  # U+0085, U+00A0
        return 2 if at + 1 < end and (data[at + 1] == 0x85 or data[at + 1] == 0xA0) else 0
    if byte < 0xE1 or byte > 0xE3 or at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:  # U+2000 to U+200A, U+2028, U+2029, U+202F
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0  # U+205F

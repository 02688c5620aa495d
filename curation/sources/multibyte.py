"""The bytes of the East Asian encodings, read as the WHATWG Encoding Standard says; multibyte_tables.py has tables."""

from typing import NamedTuple

import numba
import numpy as np

ERROR, LEAD, MORE = 0xFFFD, 0x110000, 0x110001
"""Values of tables beside code points: no character; the first byte of several; the first two bytes of several."""
COMBINED = 1 << 31
"""A value of two code points: this, 16 bits of the first, 16 of the second."""
BMP_POINTERS, ASTRAL_POINTER, LAST_POINTER = 39_420, 189_000, 1_237_575
"""The sequences of four bytes in gb18030, by number: those below U+10000, the one of U+10000, the last one."""


class PairTables(NamedTuple):
    """The tables of an encoding of one, two and more bytes.

    `single` (uint32, (256,)) and `pairs` (uint32, (256, 256)) hold the characters of one and of two bytes. `third`
    (uint32, (256, 256)) and `fours` (uint32, (BMP_POINTERS,)) go on where `pairs` has MORE: with the second and third
    of three bytes, or with four bytes. `fours` is empty where an encoding has no four.
    """

    single: np.ndarray
    pairs: np.ndarray
    third: np.ndarray
    fours: np.ndarray


def decode_pairs(data: bytes, tables: PairTables) -> str:
    """Return bytes as text; a sequence that means nothing becomes U+FFFD."""
    units = np.empty(len(data) + 1, np.uint16)
    return _text(units[: _decode(np.frombuffer(data, np.uint8), *tables, units)])


def decode_iso_2022_jp(data: bytes, jis0208: np.ndarray) -> str:
    """Return ISO-2022-JP as text; what means nothing becomes U+FFFD.

    `jis0208` (uint32, (94, 94)) holds the characters of JIS X 0208 by row and cell.
    """
    units = np.empty(len(data) + 1, np.uint16)
    return _text(units[: _decode_iso_2022_jp(np.frombuffer(data, np.uint8), jis0208, units)])


def _text(units: np.ndarray) -> str:
    return units.astype("<u2", copy=False).tobytes().decode("utf-16-le")


@numba.njit(cache=True, nogil=True)
def _decode(
    data: np.ndarray,
    single: np.ndarray,
    pairs: np.ndarray,
    third: np.ndarray,
    fours: np.ndarray,
    units: np.ndarray,
) -> int:
    """Fill `units` with UTF-16; return their count."""
    count, at, end = 0, 0, len(data)
    while at < end:
        first = data[at]
        value = single[first]
        at += 1
        if value == LEAD:
            value = ERROR  # unless more bytes follow
            if at < end:
                second = data[at]
                value = pairs[first, second]
                if value == MORE:
                    value, at = _more(data, first, at, third, fours)
                elif value != ERROR or second >= 0x80:  # else it is read again
                    at += 1
        if value >= COMBINED:
            units[count] = value >> 16 & 0x7FFF
            units[count + 1] = value & 0xFFFF
            count += 2
        elif value >= 0x10000:
            units[count] = 0xD7C0 + (value >> 10)
            units[count + 1] = 0xDC00 + (value & 0x3FF)
            count += 2
        else:
            units[count] = value
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _more(data: np.ndarray, first: int, at: int, third: np.ndarray, fours: np.ndarray) -> tuple[int, int]:
    """Return the character of three or four bytes, the second at `at`, and the place to read on."""
    rest = len(data) - at
    if not len(fours):
        if rest < 2:
            return ERROR, len(data)
        value = third[data[at], data[at + 1]]
        return value, at + 1 + (value != ERROR or data[at + 1] >= 0x80)
    if rest > 1 and not 0x81 <= data[at + 1] <= 0xFE:
        return ERROR, at
    if rest < 3:
        return ERROR, len(data)
    if not 0x30 <= data[at + 2] <= 0x39:
        return ERROR, at
    pointer = ((first - 0x81) * 10 + data[at] - 0x30) * 1260 + (data[at + 1] - 0x81) * 10 + data[at + 2] - 0x30
    if pointer < BMP_POINTERS:
        return fours[pointer], at + 3
    if ASTRAL_POINTER <= pointer <= LAST_POINTER:
        return pointer - ASTRAL_POINTER + 0x10000, at + 3
    return ERROR, at + 3


ASCII, ROMAN, KATAKANA, KANJI = range(4)
"""The states of ISO-2022-JP."""


@numba.njit(cache=True, nogil=True)
def _decode_iso_2022_jp(data: np.ndarray, jis0208: np.ndarray, units: np.ndarray) -> int:
    """Fill `units` with UTF-16; return their count. Two escape sequences in a row are an error."""
    count, at, end, state, switched = 0, 0, len(data), ASCII, False
    while at < end:
        first = data[at]
        value, size = ERROR, 1
        if first == 0x1B:
            new = _state(data[at + 1], data[at + 2]) if at + 2 < end else -1
            if new >= 0:
                state, size = new, 3
                if not switched:
                    at, switched = at + 3, True
                    continue
                switched = True
            else:
                switched = False
        else:
            switched = False
            if state == KATAKANA:
                value = first + (0xFF61 - 0x21) if 0x21 <= first <= 0x5F else ERROR
            elif state != KANJI:
                if first < 0x80 and first != 0x0E and first != 0x0F:
                    value = first
                if state == ROMAN:
                    value = 0xA5 if first == 0x5C else 0x203E if first == 0x7E else value
            elif 0x21 <= first <= 0x7E and at + 1 < end and data[at + 1] != 0x1B:
                size = 2
                if 0x21 <= data[at + 1] <= 0x7E:
                    value = jis0208[first - 0x21, data[at + 1] - 0x21]
        units[count] = value
        count, at = count + 1, at + size
    return count


@numba.njit(cache=True, nogil=True)
def _state(second: int, third: int) -> int:
    """Return the state that an escape sequence of these bytes begins; -1 if it is none."""
    if second == 0x28:  # (B, (J, (I
        return ASCII if third == 0x42 else ROMAN if third == 0x4A else KATAKANA if third == 0x49 else -1
    return KANJI if second == 0x24 and (third == 0x40 or third == 0x42) else -1  # $@, $B

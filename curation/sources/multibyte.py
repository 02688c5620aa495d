"""Decoders of the Web's East Asian encodings, as the WHATWG Encoding Standard defines them.

Python's codecs give the bulk of the tables. The corrections below are the places where the standard's indexes differ.
"""

import itertools
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np

ERROR, LEAD, MORE = 0xFFFD, 0x110000, 0x110001
"""Values of tables beside code points: no character; the first byte of several; the first two bytes of several."""
COMBINED = 1 << 31
"""A value of two code points: this, 16 bits of the first, 16 of the second."""
BMP_POINTERS, ASTRAL_POINTER, LAST_POINTER = 39_420, 189_000, 1_237_575
"""The sequences of four bytes in gb18030, by number: those below U+10000, the one of U+10000, the last one."""

_GB18030 = (
    "a3a0\u3000 a6d9\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16 a6ec\ufe17\ufe18 a6f3\ufe19 a8bc\u1e3f "
    "fe59\u9fb4 fe61\u9fb5 fe66\u9fb6\u9fb7 fe6d\u9fb8 fe7e\u9fb9 fe90\u9fba fea0\u9fbb"
)
"""Characters of the revision of 2022, and the ideographic blank at A3A0. Each word: two bytes in hexadecimal digits,
the character there, and those at the next trailing bytes."""
_BIG5 = (
    "877a㡵𡵓𣚞𦀡㻬 "
    "87a1𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁 "
    "87cf𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋 8e69箸 8e6f簆 8e7e糎 8eab緒 8eb4縝 8ecd者 8ed0耨 8f57菁 8f69蒨 "
    "8f6e萏 8fcb覦覩 8ffe起 906d都 907a銹 90dc靜 90f1響 91bf鼖 9244蔃 92af兙兛兝兞 92c8鍮 92d1瑹 9447浧 94ca禛 "
    "95d9邗 9644靝 96ed瀞 96fc嬨 9b76爁 9b78矗 9b7b纇 9bc6駖 9bde釔 9bec惞 9bf6澶 9c42輶 9c53侻 9c62營 9c68鄄 "
    "9c6b鷰 9c77菏 9cbc尐秣 9cd0婧 9d57輋 9d5a筑 9dc4拐 9ea9恢 9eef痹 9efd汊 9f60鬮 9f66鼗 9fcb僭 9fd8弌 a063蠏 "
    "a077拎 a0d5瑨 a0df煢 a0e4牐 a145‧ a14e﹑ a1c2¯ a1e3～ a1f2⊕⊙ a241∕﹨ a244￥ a246￠￡ "
    "a3c0␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€ c6cf廴 c6d3无 c6d5癶 c6d7隶 c6de〃仝 fa5f倩 fa66偽 fabd包 fac5卄 "
    "fad5卿 fb48嘅 fbb8婷 fbf3幵 fbf9廐 fc4f彘 fc6c悤 fcb9撐 fce2晴 fcf1杞 fdb7沜渝 fdbb港 fdf1煮 fe52猪 fe6f瑜 "
    "feaa瓩 fedd砉"
)
"""Characters of index big5 that Python's big5hkscs lacks or reads otherwise."""


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


def decode_iso_2022_jp(data: bytes) -> str:
    r"""Return ISO-2022-JP as text; what means nothing becomes U+FFFD.

    >>> decode_iso_2022_jp(b"a \x1b$B$\"\x1b(Jb\\")
    'a あb¥'
    """
    units = np.empty(len(data) + 1, np.uint16)
    return _text(units[: _decode_iso_2022_jp(np.frombuffer(data, np.uint8), _jis0208(), units)])


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


def tables_of(encoding: str) -> PairTables | None:
    """Return the tables of an encoding of two and more bytes; None for another encoding."""
    return _TABLES[encoding]() if encoding in _TABLES else None


def _tables(leads: Iterable[int], pairs: np.ndarray, third: np.ndarray | None = None, fours: str = "") -> PairTables:
    """Return tables in which bytes below 0x80 are ASCII, and other single bytes mean nothing."""
    single = np.full(256, ERROR, np.uint32)
    single[:0x80] = np.arange(0x80)
    single[list(leads)] = LEAD
    third = np.full((256, 256), ERROR, np.uint32) if third is None else third
    return PairTables(single, pairs, third, np.array([ord(character) for character in fours], np.uint32))


def _pairs(codec: str, leads: Iterable[int], trails: Iterable[int], prefix: bytes = b"") -> np.ndarray:
    """Return the characters that Python's codec gives for pairs of bytes, ERROR where it gives none."""
    pairs, trails = np.full((256, 256), ERROR, np.uint32), list(trails)
    for lead in leads:
        for trail in trails:
            try:
                text = (prefix + bytes((lead, trail))).decode(codec)
            except UnicodeDecodeError:
                continue
            pairs[lead, trail] = ord(text) if len(text) == 1 else COMBINED | ord(text[0]) << 16 | ord(text[1])
    return pairs


def _correct(pairs: np.ndarray, corrections: str) -> np.ndarray:
    for word in corrections.split(" "):
        lead, trail = bytes.fromhex(word[:4])
        for offset, character in enumerate(word[4:]):
            pairs[lead, trail + offset] = ord(character)
    return pairs


def _gb18030() -> PairTables:
    leads = range(0x81, 0xFF)
    pairs = _correct(_pairs("gb18030", leads, range(0x40, 0xFF)), _GB18030)
    pairs[0x81:0xFF, 0x30:0x3A] = MORE
    numbers = itertools.product(range(0x81, 0x85), range(0x30, 0x3A), range(0x81, 0xFF), range(0x30, 0x3A))
    fours = b"".join(map(bytes, itertools.islice(numbers, BMP_POINTERS))).decode("gb18030")
    tables = _tables(leads, pairs, fours=fours.replace("\u1e3f", "\ue7c7"))
    tables.single[0x80] = ord("€")
    return tables


def _big5() -> PairTables:
    leads = range(0x81, 0xFF)
    return _tables(leads, _correct(_pairs("big5hkscs", leads, range(0x40, 0xFF)), _BIG5))


def _euc_kr() -> PairTables:
    leads = range(0x81, 0xFF)
    return _tables(leads, _pairs("cp949", leads, range(0x41, 0xFF)))


def _shift_jis() -> PairTables:
    leads = [*range(0x81, 0xA0), *range(0xE0, 0xFD)]
    tables = _tables(leads, _pairs("cp932", leads, range(0x40, 0xFD)))
    tables.single[0x80] = 0x80
    tables.single[0xA1:0xE0] = np.arange(0xFF61, 0xFFA0)
    return tables


@lru_cache
def _jis0208() -> np.ndarray:
    """Return index jis0208 by row and cell, (94, 94). Shift_JIS holds two rows for each first byte."""
    numbers = np.arange(94 * 94)
    leads, trails = numbers // 188, numbers % 188
    leads = np.where(leads < 0x1F, leads + 0x81, leads + 0xC1)
    trails = np.where(trails < 0x3F, trails + 0x40, trails + 0x41)
    return _shift_jis().pairs[leads, trails].reshape(94, 94)


def _euc_jp() -> PairTables:
    pairs = np.full((256, 256), ERROR, np.uint32)
    pairs[0xA1:0xFF, 0xA1:0xFF] = _jis0208()
    pairs[0x8E, 0xA1:0xE0] = np.arange(0xFF61, 0xFFA0)
    pairs[0x8F, 0xA1:0xFF] = MORE
    jis0212 = _correct(_pairs("euc_jp", range(0xA1, 0xFF), range(0xA1, 0xFF), b"\x8f"), "a2b7～")
    return _tables([0x8E, 0x8F, *range(0xA1, 0xFF)], pairs, jis0212)


_TABLES: dict[str, Callable[[], PairTables]] = {
    "gbk": lru_cache(_gb18030),
    "big5": lru_cache(_big5),
    "euc-jp": lru_cache(_euc_jp),
    "shift_jis": lru_cache(_shift_jis),
    "euc-kr": lru_cache(_euc_kr),
}
_TABLES["gb18030"] = _TABLES["gbk"]

"""The characters of the Web's East Asian encodings, as the indexes of the WHATWG Encoding Standard have them.

Python's codecs give the bulk of them. The corrections are the places where the standard differs.
"""

import itertools
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

from curation.sources.multibyte import BMP_POINTERS, COMBINED, ERROR, LEAD, MORE, PairTables

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
def jis0208() -> np.ndarray:
    """Return index jis0208 by row and cell, (94, 94). Shift_JIS holds two rows for each first byte."""
    numbers = np.arange(94 * 94)
    leads, trails = numbers // 188, numbers % 188
    leads = np.where(leads < 0x1F, leads + 0x81, leads + 0xC1)
    trails = np.where(trails < 0x3F, trails + 0x40, trails + 0x41)
    return _shift_jis().pairs[leads, trails].reshape(94, 94)


def _euc_jp() -> PairTables:
    pairs = np.full((256, 256), ERROR, np.uint32)
    pairs[0xA1:0xFF, 0xA1:0xFF] = jis0208()
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

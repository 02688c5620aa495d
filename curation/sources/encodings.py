"""The encodings of the Web: their labels, and their decoders as the WHATWG Encoding Standard defines them.

Python's codecs of the same names differ: `cp1252` has holes, `big5` and `shift_jis` lack the extensions that pages use.
Here Python's codecs give the bulk of each table, and the places where they differ from the standard are written down.
The oracle is Chromium's TextDecoder (tests/browser/test_encodings.py); docs/extraction.md names where the two differ.

Source: https://encoding.spec.whatwg.org, its labels and the indexes of its encodings.
"""

import codecs
from functools import lru_cache

from curation.sources.multibyte import decode_iso_2022_jp, decode_pairs
from curation.sources.multibyte_tables import jis0208, tables_of

DEFAULT, REPLACEMENT = "windows-1252", "replacement"
"""The encoding that any bytes have, and the encoding of labels that browsers refuse: all bytes become one U+FFFD."""

LABELS = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8
ibm866: 866 cp866 csibm866 ibm866
iso-8859-2: csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso-8859-3: csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso-8859-4: csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso-8859-5: csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso-8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i
iso-8859-6: iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso-8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7
iso-8859-7: iso_8859-7:1987 sun_eu_greek
iso-8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8
iso-8859-8: iso_8859-8:1988 visual
iso-8859-8-i: csiso88598i iso-8859-8-i logical
iso-8859-10: csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso-8859-13: iso-8859-13 iso8859-13 iso885913
iso-8859-14: iso-8859-14 iso8859-14 iso885914
iso-8859-15: csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
iso-8859-16: iso-8859-16
koi8-r: cskoi8r koi koi8 koi8-r koi8_r
koi8-u: koi8-ru koi8-u
macintosh: csmacintosh mac macintosh x-mac-roman
windows-874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
windows-1250: cp1250 windows-1250 x-cp1250
windows-1251: cp1251 windows-1251 x-cp1251
windows-1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1
windows-1252: iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
windows-1253: cp1253 windows-1253 x-cp1253
windows-1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5
windows-1254: windows-1254 x-cp1254
windows-1255: cp1255 windows-1255 x-cp1255
windows-1256: cp1256 windows-1256 x-cp1256
windows-1257: cp1257 windows-1257 x-cp1257
windows-1258: cp1258 windows-1258 x-cp1258
x-mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
gbk: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk
gb18030: gb18030
big5: big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc-jp: cseucpkdfmtjapanese euc-jp x-euc-jp
iso-2022-jp: csiso2022jp iso-2022-jp
shift_jis: csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis
euc-kr: cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
replacement: csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement
utf-16be: unicodefffe utf-16be
utf-16le: csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le
x-user-defined: x-user-defined
"""
ENCODING_OF_LABEL = {
    label: line.partition(":")[0] for line in LABELS.split("\n") for label in line.partition(": ")[2].split()
}
ENCODINGS = tuple(dict.fromkeys(ENCODING_OF_LABEL.values()))
"""The names of all encodings, in the standard's order."""

_CODECS = {
    "ibm866": "cp866",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac-roman",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""Python's names of encodings of one byte, where they differ."""
_SINGLE_BYTES = {"koi8-u": {0xAE: "ў", 0xBE: "Ў"}, "windows-1255": {0xCA: "\u05ba"}}
"""Bytes that Python's codecs lack or read otherwise."""


def encoding_of(label: bytes) -> str | None:
    """Return the encoding that a label names in any case, with or without blanks around it; None if it names none.

    >>> encoding_of(b" Latin1"), encoding_of(b"GB2312"), encoding_of(b"utf-7")
    ('windows-1252', 'gbk', None)
    """
    return ENCODING_OF_LABEL.get(label.strip(b"\t\n\f\r ").lower().decode("latin-1"))


def decode(data: bytes, encoding: str) -> str:
    r"""Return bytes as text; bytes that mean nothing become U+FFFD. A byte order mark stays.

    `encoding` is one of ENCODINGS.

    >>> decode(b"\x80\x81", "windows-1252"), decode(b"\x87\x40\x81 ", "shift_jis")
    ('€\x81', '①� ')
    >>> decode(b"a \x1b$B$\"\x1b(Jb\\", "iso-2022-jp")
    'a あb¥'
    """
    if encoding in ("utf-8", "utf-16be", "utf-16le"):
        return data.decode(encoding, "replace")
    if encoding == REPLACEMENT:
        return "\ufffd" if data else ""
    if encoding == "iso-2022-jp":
        return decode_iso_2022_jp(data, jis0208())
    tables = tables_of(encoding)
    return decode_pairs(data, tables) if tables else codecs.charmap_decode(data, "strict", _single_bytes(encoding))[0]


@lru_cache
def _single_bytes(encoding: str) -> str:
    """Return the characters of all bytes in an encoding of one byte, U+FFFD where there is none."""
    if encoding == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    characters = list(bytes(range(256)).decode(_CODECS.get(encoding, encoding), "replace"))
    for byte in range(0x80, 0xA0):  # holes of Python's codecs; the standard fills them
        if characters[byte] == "\ufffd":
            characters[byte] = chr(byte)
    for byte, character in _SINGLE_BYTES.get(encoding, {}).items():
        characters[byte] = character
    return "".join(characters)

"""The encoding of text files of users, by their byte order mark: UTF-8 without one, UTF-16 and UTF-32 with one."""

import codecs
from collections.abc import Iterable, Iterator

_MARKS = (  # the mark of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MARK_BYTES = 4
"""The first bytes of a file that decide."""
_PACKED = {
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zX": "xz",
    b"PK\x03\x04": "zip",
    b"\x04\x22\x4d\x18": "lz4",
}


def encoding_of(head: bytes) -> str:
    r"""Return the name of the codec of a text that begins with `head`; decoding takes the mark away.

    >>> encoding_of(b"\xef\xbb\xbfurl"), encoding_of(b"\xff\xfeu\0"), encoding_of(b"url")
    ('utf-8-sig', 'utf-16', 'utf-8')
    """
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")


def packed_form(head: bytes) -> str:
    """Return the name of a packed form that text files are not read in, or an empty string.

    >>> packed_form(b"BZh91AY"), packed_form(b"url,text")
    ('bzip2', '')
    """
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")


def as_utf8(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a text in UTF-8, without a byte order mark; damage in UTF-16 or UTF-32 becomes U+FFFD."""
    pieces = iter(pieces)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= MARK_BYTES:
            break
    name = encoding_of(head)
    if name.startswith("utf-8"):
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(name)("replace")
    yield decoder.decode(head).encode()
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()

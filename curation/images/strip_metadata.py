"""Metadata is cut out of image files without a change of pixels: positions, names and comments are private."""

import re
from collections.abc import Iterator

KEPT_SEGMENTS = frozenset((*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD))
"""The segments of a JPEG that decoders need: frames, tables, scans. APPn, comments and reserved segments are cut."""
KEPT_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs")
)
"""The chunks of a PNG that decoders need; eXIf, tEXt, zTXt, iTXt, tIME, iCCP and unknown chunks are cut."""
KEPT_WEBP = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH"))
_ALPHA_AND_ANIMATION = 0b0001_0010
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""The first marker after entropy-coded data; within such data, ff is followed by 00 or by a restart marker."""


def strip_metadata(data: bytes, kind: str) -> bytes:
    """Return a JPEG, PNG or WebP file without EXIF, XMP, IPTC, comments, colour profiles and bytes after its end.

    The data must be an image that a decoder reads.
    """
    return b"".join({"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[kind](data))


def count_scans(data: bytes, most: int) -> int:
    """Return the number of scans of a JPEG's first picture, as a decoder meets them; counting ends beyond `most`."""
    at, scans = 2, 0
    while scans <= most and 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        marker = data[at + 1]
        if marker == 0xD9:
            break
        if marker in (0x00, 0xFF) or marker in _STANDALONE:
            at += 1 if marker in (0x00, 0xFF) else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            scans += 1
            found = _AFTER_SCAN.search(data, at)
            at = found.start() if found else len(data)
    return scans


def _jpeg(data: bytes) -> Iterator[bytes]:
    """Yield the kept segments, and the heads of JFIF (without thumbnail) and Adobe, which say how colours are coded."""
    yield data[:2]
    at = 2
    # Decoders skip bytes between segments, so these bytes are cut.
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        marker = data[at + 1]
        if marker in (0x00, 0xFF):
            at += 1
            continue
        if marker == 0xD9:
            break
        if marker in _STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            found = _AFTER_SCAN.search(data, end)
            end = found.start() if found else len(data)
        head = data[at + 4 : min(at + 16, end)]
        if marker in KEPT_SEGMENTS:
            yield data[at:end]
        elif marker == 0xE0 and head.startswith(b"JFIF\0") and len(head) == 12:
            yield b"\xff\xe0\x00\x10" + head + b"\0\0"
        elif marker == 0xEE and head.startswith(b"Adobe") and len(head) == 12:
            yield b"\xff\xee\x00\x0e" + head
        at = end
    yield b"\xff\xd9"


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind in KEPT_CHUNKS:
            yield data[at:end]
        if kind == b"IEND":
            break
        at = end


def _webp(data: bytes) -> Iterator[bytes]:
    body = b"".join(_webp_chunks(data))
    yield b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    at, stop = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= stop:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        chunk = data[at:end]
        if kind == b"VP8X":  # its flags announce chunks that are cut
            chunk = chunk[:8] + bytes([chunk[8] & _ALPHA_AND_ANIMATION]) + chunk[9:]
        if kind in KEPT_WEBP:
            yield chunk
        at = end

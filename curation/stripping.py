"""Cutting metadata out of image files without touching a pixel: positions, names, comments do not belong to us."""

from collections.abc import Iterator

KEPT_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs")
)
"""What a PNG needs to be drawn: eXIf, tEXt, zTXt, iTXt, tIME, iCCP and unknown chunks are not among them."""
DROPPED_WEBP = (b"EXIF", b"XMP ", b"ICCP")
_ALPHA_AND_ANIMATION = 0b0001_0010
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))


def strip_metadata(data: bytes, kind: str) -> bytes:
    """Return a JPEG, PNG or WebP file without EXIF, XMP, IPTC, comments, colour profiles or anything after its end.

    Raises ValueError where the file does not follow its format.
    """
    return b"".join({"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[kind](data))


def _jpeg(data: bytes) -> Iterator[bytes]:
    """Keep all segments but APPn (APP0 JFIF and APP14 Adobe, which say how to read colours, stay) and comments."""
    yield data[:2]
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("a JPEG segment does not begin with ff")
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if marker == 0xD9:
            break
        if marker in _STANDALONE:
            yield data[at : at + 2]
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            end = _scan_end(data, end)
        if not (0xE1 <= marker <= 0xEF and marker != 0xEE) and marker != 0xFE:
            yield data[at:end]
        at = end
    yield b"\xff\xd9"


def _scan_end(data: bytes, at: int) -> int:
    """The offset of the first marker after entropy-coded data, in which ff is followed by 00 or a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1
    return len(data)


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
        if kind == b"VP8X":  # its flags tell of the chunks that go
            chunk = chunk[:8] + bytes([chunk[8] & _ALPHA_AND_ANIMATION]) + chunk[9:]
        if kind not in DROPPED_WEBP:
            yield chunk
        at = end

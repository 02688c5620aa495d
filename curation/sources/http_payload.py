"""The HTML of an archived HTTP response, which can be chunked, compressed, cut off, and in any charset."""

import codecs
import io
import re
import zlib
from dataclasses import dataclass

from fastwarc.stream_io import BrotliReader
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from curation.core.codings import CodingError

MAX_HTML_BYTES = 8 << 20
"""A longer page is cut off here. CommonCrawl stores 1 MB of each page, and 5 MB since 2025."""

# `.*?` stands for any number of comments: in a loop around it, the time doubles with every comment.
_SNIFF = re.compile(rb"(?i)\A(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.DOTALL)
_CHARSET = re.compile(rb"(?i)charset\s*=\s*[\"']?([^\s\"';,]+)")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Payload:
    """The body of a response and its Content-Type; `fault` is the coding that could not be undone, if there is one."""

    content_type: bytes
    body: bytes
    fault: CodingError | None = None

    @property
    def is_html(self) -> bool:
        """Whether the Content-Type says HTML or, without a Content-Type, the body begins like HTML."""
        kind = self.content_type.partition(b";")[0].strip().lower()
        return b"html" in kind or (not kind and _SNIFF.match(self.body[:2048]) is not None)


def read_http(message: bytes) -> Payload:
    """Return the payload of an archived HTTP response by the first version of the rules of WARCs.

    Runs that were begun with it keep it; http_message.py has the present rules.
    """
    head, mark, body = message.partition(b"\r\n\r\n")
    if not mark:
        head, _, body = message.partition(b"\n\n")
    fields = parse_fields(head)
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        body = join_chunks(body)
    # Crawlers that store a decoded body rename the header (X-Crawl-Content-Encoding) or keep it unchanged.
    return Payload(fields.get(b"content-type", b""), unpack(body, fields.get(b"content-encoding", b"").lower()))


def parse_fields(head: bytes) -> dict[bytes, bytes]:
    r"""Return header fields by their names in lower case; of a repeated field, the first.

    >>> parse_fields(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncontent-type: text/plain")
    {b'content-type': b'text/html'}
    """
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def join_chunks(body: bytes) -> bytes:
    r"""Return the content of a chunked body. Bytes that are no chunk are kept as they are; a chunk can end early.

    >>> join_chunks(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), join_chunks(b"plain")
    (b'abcde', b'plain')
    """
    joined, at = bytearray(), 0
    while True:
        line_end = body.find(b"\n", at, at + 256)
        size = body[at : max(line_end, at)].partition(b";")[0].strip()
        if line_end < 0 or not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            return bytes(joined) + body[at:]
        length = int(size, 16)
        if length == 0:
            return bytes(joined)
        joined += body[line_end + 1 : line_end + 1 + length]
        at = line_end + 1 + length
        at += 2 if body.startswith(b"\r\n", at) else body.startswith(b"\n", at)
        if at >= len(body):
            return bytes(joined)


def unpack(body: bytes, encoding: bytes) -> bytes:
    """Return a body without its Content-Encoding; of a damaged body, the part before the damage.

    A body that is not packed as its header says is returned unchanged, because many archives hold decoded bodies.
    """
    if b"br" in encoding:
        return _unpack_brotli(body)
    if b"gzip" in encoding and body[:2] == b"\x1f\x8b":
        window_bits = zlib.MAX_WBITS | 16
    elif b"deflate" in encoding and body[:1] == b"\x78":
        window_bits = zlib.MAX_WBITS
    elif b"deflate" in encoding:
        window_bits = -zlib.MAX_WBITS
    else:
        return body
    inflater, unpacked = zlib.decompressobj(window_bits), bytearray()
    try:
        for at in range(0, len(body), 65_536):
            unpacked += inflater.decompress(body[at : at + 65_536], MAX_HTML_BYTES)
            if len(unpacked) > MAX_HTML_BYTES:
                break
    except zlib.error:
        pass
    return bytes(unpacked) or body


def _unpack_brotli(body: bytes) -> bytes:
    reader, unpacked = BrotliReader(io.BytesIO(body), fsspec_args=False), bytearray()
    try:
        while len(unpacked) <= MAX_HTML_BYTES and (piece := reader.read(65_536)):
            unpacked += piece
    except OSError:
        pass
    return bytes(unpacked) or body


def decode_html(page: Payload) -> str:
    """Return a page as text by the first version of the rules of WARCs; page_text.py has the present ones.

    The charset is the one of the byte order mark, else of the header, else of the page's `<meta>`, else a guess. If the
    bytes contradict the header, a guess that fits all bytes wins. If no charset fits, bad bytes become U+FFFD.
    """
    body = page.body[:MAX_HTML_BYTES]
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = _CHARSET.search(page.content_type)
    declared = _codec(named.group(1).decode("ascii", "replace")) if named else None
    for guess in (lambda: declared, lambda: detect_encoding(body, from_html_meta=True), lambda: detect_encoding(body)):
        try:
            return body.decode(guess() or "utf-8")
        except (UnicodeError, LookupError):
            continue
    return body.decode(declared or "utf-8", "replace")


def _codec(label: str) -> str | None:
    """Return the codec that browsers use for the name of a charset; None for a name outside the Encoding Standard.

    Python has further codecs, and some of them are no charset: `zlib` makes bytes of bytes, `undefined` always fails.
    """
    try:
        return codecs.lookup(map_encoding_to_html5(label, fallback_utf8=False) or "").name
    except (LookupError, TypeError, ValueError):
        return None

"""The archived HTTP responses of WARCs: header fields, the chunks of a transfer, and codings."""

import io
import re

from curation.core.codings import CHUNKED, NO_CODING, coding_names, undo_codings
from curation.sources.http_payload import MAX_HTML_BYTES, Payload

MAX_LINE_BYTES = 1 << 12
"""The longest line of a chunk's size and extensions."""
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_INTERIM = re.compile(rb"HTTP/\d(?:\.\d)? 1\d\d\b")
_SIZE = re.compile(rb"[ \t\r\n]{0,8}([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
"""The line before a chunk, with the end of the chunk before, and blank lines that some servers add."""
_LINE = re.compile(rb"\r?\n([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_TRAILER = re.compile(rb"\s*(?:\Z|[!#-'*+.0-9A-Z^-z|~-]+:)")


def read_response(message: bytes) -> Payload:
    """Return the payload of an archived HTTP response, without its codings if it may be HTML.

    Interim responses (100 Continue) before it are passed over. Of a damaged body the payload is the part before the
    damage, and `fault` says so. Many archives hold decoded bodies with the header of the coded ones.
    """
    head, body = _divide(message)
    while _INTERIM.match(head) and body.startswith(b"HTTP/"):
        head, body = _divide(body)
    fields = _fields(head)
    payload = Payload(next(iter(fields.get("content-type", ())), "").encode("latin-1"), body)
    if payload.content_type and not payload.is_html:
        return payload
    content, transfer = (
        coding_names(fields.get("content-encoding", ())),
        coding_names(fields.get("transfer-encoding", ())),
    )
    while CHUNKED in transfer:
        # Nothing may follow `chunked`, so `transfer` ends with it but for servers that write names in any order.
        transfer.remove(CHUNKED)
        body = join_chunks(body)
    codings = [name for name in (*content, *transfer) if name not in NO_CODING]
    if not codings:
        return Payload(payload.content_type, body)
    undone, fault = undo_codings(io.BytesIO(body), codings, MAX_HTML_BYTES, io.BytesIO)
    return Payload(payload.content_type, undone.read(), fault)


def _divide(message: bytes) -> tuple[bytes, bytes]:
    """Return head and body; a message without an end of its head is all head."""
    end = _HEAD_END.search(message)
    return (message[: end.start()], message[end.end() :]) if end else (message, b"")


def _fields(head: bytes) -> dict[str, list[str]]:
    """Return all values of each header field, without blanks around them, by the name in lower case."""
    fields: dict[str, list[str]] = {}
    for line in _FOLDED.sub(b" ", head).decode("latin-1").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), []).append(value.strip())
    return fields


def join_chunks(body: bytes) -> bytes:
    r"""Return the content of a chunked body, without extensions and trailers.

    A body that does not begin with a chunk is returned as it is. The last chunk can end early. A chunk whose size is
    wrong ends where the next chunk with a right size begins.

    >>> join_chunks(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"), join_chunks(b"plain")
    (b'abcde', b'plain')
    """
    joined, at = bytearray(), 0
    while line := _SIZE.match(body, at, at + MAX_LINE_BYTES):
        start, stop = line.end(), min(line.end() + int(line[1], 16), len(body) + 1)
        if stop == start:
            return bytes(joined) if at or _TRAILER.match(body, start) else body
        if not _ends_chunk(body, stop):
            stop = next((found.start() for found in _LINE.finditer(body, start) if _is_size(body, found)), len(body))
        joined += body[start:stop]
        at = stop
    return bytes(joined) if at else body


def _ends_chunk(body: bytes, place: int) -> bool:
    """Return whether a chunk ends here: the body does, or another chunk begins. The last size, 0, can be cut off."""
    if _SIZE.match(body, place, place + MAX_LINE_BYTES):
        return body[place : place + 1] in (b"\r", b"\n") and body[place - 1 : place + 1] != b"\r\n"
    return place <= len(body) <= place + MAX_LINE_BYTES and not body[place:].strip(b"0 \t\r\n")


def _is_size(body: bytes, line: re.Match[bytes]) -> bool:
    """Return whether a line of digits is the size of the chunk that follows."""
    length = int(line[1], 16)
    if length == 0:
        return _TRAILER.match(body, line.end()) is not None
    return _ends_chunk(body, line.end() + length)

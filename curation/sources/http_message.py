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
_SIZE = re.compile(rb"[ \t\r\n]{0,4}([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
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

    A body that does not begin with a chunk is returned as it is. From the place on where no chunk begins, because a
    size is wrong, the rest is kept as it is. The last chunk can end early.

    >>> join_chunks(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"), join_chunks(b"plain")
    (b'abcde', b'plain')
    """
    joined, at = bytearray(), 0
    while at < len(body):
        line = _SIZE.match(body, at, at + MAX_LINE_BYTES)
        if line is None:
            # The last chunk, `0`, can be cut off.
            return bytes(joined) + (body[at:] if not at or body[at:].strip(b"0 \t\r\n") else b"")
        length = int(line[1], 16)
        if length == 0:
            return bytes(joined) if at or _TRAILER.match(body, line.end()) else body
        joined += body[line.end() : line.end() + length]
        at = line.end() + length
        at += 2 if body.startswith(b"\r\n", at) else body.startswith(b"\n", at)
    return bytes(joined)

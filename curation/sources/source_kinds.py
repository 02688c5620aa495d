"""The kind of a source file, told by its first bytes: whoever names WARCs as WATs gets no pair of them."""

import itertools
import re
from typing import BinaryIO

from curation.core.choices import SourceKind
from curation.sources.archives import ReadLog, read_plain
from curation.sources.http_payload import parse_fields

HEAD_BYTES = 1 << 20
TAR_MAGIC = 257
"""Place of `ustar` in a tar."""
WET = "wet"
NAMES = {
    SourceKind.wat: "a WAT file",
    SourceKind.warc: "a WARC file",
    SourceKind.table: "a Parquet file",
    SourceKind.webdataset: "a tar file",
    WET: "a WET file",
}
_RECORD = re.compile(rb"(?:\A|[\r\n])WARC/[01]\.\d+[ \t]*\r?\n(.+?)\r?\n\r?\n(?=(.{0,64}))", re.DOTALL)
_PAGES = (b"request", b"response", b"resource", b"revisit")
_ENVELOPE = re.compile(rb'\s*\{\s*"(?:Envelope|Container)"')


def foreign_kind(file: BinaryIO, expected: SourceKind) -> str:
    """Return what a file is and which setting it wants, if it is plainly of another kind than expected; else "".

    >>> import io
    >>> foreign_kind(io.BytesIO(b"PAR1" + bytes(9)), SourceKind.wat)
    'it is a Parquet file, and source.kind is wat: set source=table'
    """
    found = _kind(file)
    if not found or found == expected:
        return ""
    cure = "a WET file holds no links: give the WAT files" if found == WET else f"set source={found}"
    return f"it is {NAMES[found]}, and source.kind is {expected.value}: {cure}"


def _kind(file: BinaryIO) -> str:
    """Return a SourceKind, WET, or "" for a file whose first bytes do not tell."""
    if file.read(4) == b"PAR1":
        return SourceKind.table
    file.seek(0)
    pieces = read_plain(file, ReadLog(HEAD_BYTES))
    head = b"".join(itertools.islice(pieces, 4))[:HEAD_BYTES]
    if head[TAR_MAGIC : TAR_MAGIC + 5] == b"ustar":
        return SourceKind.webdataset
    return _kind_of_records(head) if head.lstrip()[:5] == b"WARC/" else ""


def _kind_of_records(head: bytes) -> str:
    kinds: set[str] = set()
    for record in _RECORD.finditer(head):
        fields = parse_fields(record[1])
        kind = fields.get(b"warc-type", b"").strip().lower()
        if kind in _PAGES:
            kinds.add(SourceKind.warc)
        elif kind == b"metadata" and _ENVELOPE.match(record[2]):
            kinds.add(SourceKind.wat)
        elif kind == b"conversion":
            kinds.add(WET)
    # A WARC may hold metadata of any form, so its pages decide.
    order = (SourceKind.warc, SourceKind.wat, WET)
    return next((kind for kind in order if kind in kinds), "")

"""CommonCrawl WAT files: image links of the pages' metadata records.

A WAT holds a JSON record for each request, response and metadata record of its WARC. Those of HTML responses carry
`Envelope/Payload-Metadata/HTTP-Response-Metadata/HTML-Metadata` with `Head` and `Links`; any of these may be
missing or empty, the order of keys differs by year, and a link is an image if its path is `IMG@/src`.
"""

import html
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from curation.archives import ReadLog, read_plain
from curation.links import Links
from curation.urls import resolve

ENTITIES_DECODED_SINCE = "2019-07"
"""Extractors from then on write texts and URLs with HTML entities decoded."""
BATCH_LINKS = 50_000
TEXT_KEYS = ("alt", "title")

_IMAGE = b'"IMG@/src"'
_HEADER = re.compile(rb"(?im)^(warc-type|warc-target-uri|warc-date|ispartof)[ \t]*:[ \t]*(.*?)[ \t]*\r?$")
_START = re.compile(rb"(?:\A|\r?\n\r?\n)(?=WARC/[01]\.\d+[ \t]*\r?\n)")


@dataclass
class WatFacts:
    """What a file tells of itself, known once its first records are read."""

    crawl: str = ""
    decode_entities: bool | None = None
    counts: Counter[str] = field(default_factory=Counter)


def read_links(file: BinaryIO, log: ReadLog, facts: WatFacts) -> Iterator[Links]:
    """Yield the image links of a WAT in the order of the file.

    `facts.decode_entities` None leaves the decision to the date of the file's first record.
    """
    batch = _Batch()
    for head, body in _records(read_plain(file, log)):
        facts.counts["records_read"] += 1
        headers = {name.lower(): value for name, value in _HEADER.findall(head)}
        date = headers.get(b"warc-date", b"").decode("ascii", "replace")
        if facts.decode_entities is None and date:
            facts.decode_entities = date < ENTITIES_DECODED_SINCE
        if _IMAGE not in body:
            continue
        page = _decode(body)
        if page is None:
            log.faults.append((0, "broken JSON in a record"))
            facts.counts["broken_records"] += 1
            continue
        page_url = _text(headers.get(b"warc-target-uri", b"").decode("utf-8", "replace")).strip("<> ")
        base, links = _image_links(page)
        facts.counts["pages_read"] += 1
        batch.add(page_url, base, links, bool(facts.decode_entities))
        if len(batch.urls) >= BATCH_LINKS:
            yield batch.take()
    facts.counts["bytes_read"] += log.bytes_read
    if batch.urls:
        yield batch.take()


def _records(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    data = b""
    for piece in pieces:
        data += piece
        starts = [match.end() for match in _START.finditer(data)]
        for start, end in itertools.pairwise(starts):
            yield _split(data[start:end])
        if len(starts) > 1:
            data = data[starts[-1] :]
    start = _START.search(data)
    if start:
        yield _split(data[start.end() :])


def _split(record: bytes) -> tuple[bytes, bytes]:
    head, _, body = record.partition(b"\r\n\r\n")
    return head, body.rstrip()


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _image_links(page: Any) -> tuple[str, list[dict[str, Any]]]:
    metadata = page
    for key in ("Envelope", "Payload-Metadata", "HTTP-Response-Metadata", "HTML-Metadata"):
        metadata = metadata.get(key) if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict):
        return "", []
    head, links = metadata.get("Head"), metadata.get("Links")
    base = head.get("Base") if isinstance(head, dict) else None
    found = (
        [link for link in links if isinstance(link, dict) and link.get("path") == "IMG@/src"]
        if isinstance(links, list)
        else []
    )
    return base if isinstance(base, str) else "", found


def _text(value: str) -> str:
    """The text without lone surrogates, which JSON can spell and UTF-8 cannot."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Batch:
    def __init__(self) -> None:
        self.urls: list[str] = []
        self.page: list[int] = []
        self.page_urls: list[str] = []
        self.bases: list[str] = []
        self.texts: dict[str, list[str | None]] = {key: [] for key in TEXT_KEYS}

    def add(self, page_url: str, base: str, links: list[dict[str, Any]], decode_entities: bool) -> None:
        def tidy(value: Any) -> str | None:
            if not isinstance(value, str):
                return None
            return _text(html.unescape(value) if decode_entities and "&" in value else value)

        resolved = resolve(tidy(base) or "", page_url)[0]
        self.page_urls.append(page_url)
        self.bases.append(resolved or page_url)
        for link in links:
            self.urls.append(tidy(link.get("url")) or "")
            self.page.append(len(self.bases) - 1)
            for key in TEXT_KEYS:
                self.texts[key].append(tidy(link.get(key)))

    def take(self) -> Links:
        links = Links(
            pa.array(self.urls, pa.string()),
            np.asarray(self.page, np.int32),
            pa.array(self.page_urls, pa.string()),
            pa.array(self.bases, pa.string()),
            {key: pa.array(values, pa.string()) for key, values in self.texts.items()},
        )
        self.__init__()
        return links

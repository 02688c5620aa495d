"""WARC files: the image links of the HTML pages among their records."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from curation.core.choices import ImageAddresses
from curation.core.codings import DamagedError
from curation.sources.archives import HEAD_BYTES, ReadLog, crawl_in, fault_of_start, read_plain
from curation.sources.html_images import TEXT_KEYS, ImageLink, image_links, pieces_of
from curation.sources.http_message import read_response
from curation.sources.http_payload import Payload, decode_html, parse_fields, read_http
from curation.sources.links import Links
from curation.sources.page_images import CAPTION_KEYS, page_images
from curation.sources.page_languages import tag_of_html
from curation.sources.page_metadata import METADATA_KEYS, metadata_links
from curation.sources.page_scan import MAX_ATTRIBUTES
from curation.sources.page_text import page_text

BATCH_LINKS = 20_000
BATCH_CHARACTERS = 16 << 20
"""A page can repeat a long text: each of its addresses is a link of its own."""
MAX_RECORD_BYTES = 8 << 20
MAX_HEADER_BYTES = 1 << 20
_TOO_SHORT = "a record that is not as long as it says"
_START = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FOLDED = re.compile(rb"\r?\n[ \t]+")


class WarcReader:
    """Read the image links of one WARC. The iteration fills `counts` and `crawl`, as that of WatReader does.

    `addresses` says whether an image has one link or one for each of its addresses; `with_metadata` adds the images of
    JSON-LD and Open Graph. `rules` is the version of the rules (extraction/settings.py).
    With `languages` the links have their pages and the languages that these declare; a batch then has whole pages.
    """

    def __init__(
        self,
        file: BinaryIO,
        log: ReadLog,
        addresses: ImageAddresses = ImageAddresses.one,
        with_metadata: bool = False,
        rules: int = 2,
        languages: bool = False,
    ) -> None:
        self._file, self._log, self._with_metadata, self._rules = file, log, with_metadata, rules
        self._has_one_address = addresses == ImageAddresses.one
        self._keys = (CAPTION_KEYS if self._has_one_address else TEXT_KEYS) + (METADATA_KEYS if with_metadata else ())
        self._languages = languages
        self._tag = ""
        """The language that the page declares whose pieces are read."""
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""
        self._start = self._claimed = 0
        self._headless = 0
        """Up to here no header ends: of many records without an end of their header, each byte is searched once."""

    def __iter__(self) -> Iterator[Links]:
        batch = _Batch(self._keys)
        for number, (headers, body) in enumerate(self._records()):
            self.counts["records_read"] += 1
            images, has_images = self._images(headers, body), False
            del body  # as large as its text
            for base, links in self._log.parts_of_record(images):
                has_images = True
                batch.add(headers.get(b"warc-target-uri", b""), base, links, self._tag, number)
                if batch.is_full and not self._languages:
                    yield batch.links()
                    batch = _Batch(self._keys)
            self.counts["pages_read"] += has_images
            if batch.is_full:
                yield batch.links(self._languages)
                batch = _Batch(self._keys)
        if not self.counts["records_read"] and not self._log.faults:
            self._log.fault(0, "there is no WARC record in it")
        if batch.urls:
            yield batch.links(self._languages)

    def _images(self, headers: dict[bytes, bytes], body: bytes) -> Iterator[tuple[str, list[ImageLink]]]:
        """Yield the images of each piece of a page, with the page's `<base>`; nothing for a record of another kind."""
        page = page_of(headers, body, self._rules)
        if page and page.fault and not (isinstance(page.fault, DamagedError) and b"warc-truncated" in headers):
            self.counts["undecoded_pages"] += 1
            self._log.record_fault(f"a page whose coding cannot be undone ({page.fault})")
        if page is None or not page.is_html:
            return
        if len(body) >= MAX_RECORD_BYTES:
            self._log.record_fault(f"a page of more than {MAX_RECORD_BYTES} bytes is cut off there")
        text, base = self._text(page), ""
        self._tag = tag_of_html(text, body[:MAX_HEADER_BYTES]) if self._languages else ""
        del body, page
        for piece in pieces_of(text):
            found = page_images(piece) if self._has_one_address else image_links(piece)
            if found is None:
                self._log.record_fault("HTML that cannot be parsed")
                continue
            if not found.fits_tree:
                self.counts["too_large_trees"] += 1
            if found.cut_tags:
                self._log.record_fault(f"{found.cut_tags} tags with more than {MAX_ATTRIBUTES} attributes are cut off")
            base = base or found.base
            links = self._with_metadata_of(piece, found.links) if self._with_metadata else found.links
            if links:
                yield base, links

    def _with_metadata_of(self, piece: str, links: list[ImageLink]) -> list[ImageLink]:
        """Return the links of a page and those of its metadata, each with the texts of all keys."""
        own, further = [None] * (len(self._keys) - len(METADATA_KEYS)), [None] * len(METADATA_KEYS)
        found = [(url, [*own, *texts]) for url, texts in metadata_links(piece)]
        return [(url, [*texts, *further]) for url, texts in links] + found

    def _text(self, page: Payload) -> str:
        if self._rules == 1:
            return decode_html(page)
        text, is_guess, has_bad_bytes = page_text(page)
        if is_guess:
            self.counts["guessed_charsets"] += 1
        if has_bad_bytes:
            self.counts["pages_with_bad_bytes"] += 1
        return text

    def _records(self) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
        """Yield the headers (names in lower case) and the body of each record.

        A body is as long as its header says if another record, or the end of the file, follows there. Otherwise it ends
        where the next record begins.
        """
        data, wanted, final = bytearray(), 1, False
        pieces = read_plain(self._file, self._log)
        while not final:
            first = not data and not self.counts["records_read"]
            while len(data) < wanted and not final:
                piece = next(pieces, None)
                final = piece is None
                data += piece or b""
            if first:
                self.crawl = crawl_in(bytes(data[:HEAD_BYTES]))
                if fault := fault_of_start(bytes(data[:HEAD_BYTES])):
                    self._log.fault(0, fault)
            at = 0
            while record := self._next_record(data, at, final):
                headers, body, at = record
                if headers:
                    yield headers, body
                del body
            self._start += at
            del data[:at]
            # Always more than there is: a record with a long header needs more than the largest body.
            wanted = max(min(len(data) * 2, MAX_RECORD_BYTES), len(data)) + 1
        if self._start < self._claimed:
            self._log.fault(self._log.bytes_read, _TOO_SHORT)

    def _next_record(self, data: bytearray, at: int, final: bool) -> tuple[dict[bytes, bytes], bytes, int] | None:
        """Return the next record from `at` on, and where it ends; None if the rest of it is not read yet."""
        while at < len(data) and data[at] in b"\r\n":
            at += 1
        start = _START.match(data, at)
        if start is None:
            found = _find_start(data, at)
            if found is None:
                if len(data) - at > 32 and (final or len(data) - at > MAX_HEADER_BYTES):
                    self._fault_of_foreign(at)
                    return {}, b"", len(data) - (0 if final else 16)
                return None
            self._fault_of_foreign(at)
            start = found
        if self._start + start.start() < self._claimed:
            self._log.fault(self._log.bytes_read, _TOO_SHORT)
            self._claimed = self._start + start.start()
        searched = max(start.end() - 2, self._headless - self._start)
        head_end = _HEADER_END.search(data, searched, start.end() + MAX_HEADER_BYTES)
        if head_end is None:
            searched_to = min(len(data), start.end() + MAX_HEADER_BYTES) - 3  # a longer end can begin there
            self._headless = max(self._headless, self._start + searched_to)
            if not final and len(data) - start.start() < MAX_HEADER_BYTES:
                return None
            self._log.fault(self._log.bytes_read, "a record ends within its header")
            return {}, b"", min(start.end(), len(data))
        headers = parse_fields(_FOLDED.sub(b" ", bytes(data[start.end() : head_end.start()])))
        body, length = head_end.end(), _length(headers)
        stop = body + length
        if length >= 0 and stop <= len(data):
            follows = _behind_blank_lines(data, stop)
            if follows is None and not final:
                return None
            if follows is None or _START.match(data, follows):
                return headers, bytes(data[body:stop]), stop
        following = _find_start(data, body)
        if following is None and not final and len(data) - body < MAX_RECORD_BYTES:
            return None
        end = following.start() if following else len(data)
        if following or final or length < MAX_RECORD_BYTES:
            self._log.fault(self._log.bytes_read, _TOO_SHORT)
        else:  # the next pieces hold the rest of the record, which is skipped
            end = body + MAX_RECORD_BYTES
            self._claimed = self._start + stop
        return headers, bytes(data[body:end]), end

    def _fault_of_foreign(self, at: int) -> None:
        """Report bytes at `at` that belong to no record, unless they are the rest of a record that was too large."""
        if self._start + at >= self._claimed:
            self._log.fault(self._log.bytes_read, "bytes that belong to no record")


def _find_start(data: bytearray, at: int) -> re.Match[bytes] | None:
    """Return the next line that begins a record. Searching plain bytes first is 100 times as fast as the expression."""
    while (at := data.find(b"WARC/", at)) >= 0:
        found = _START.match(data, at)
        if found and (at == 0 or data[at - 1] in b"\r\n"):
            return found
        at += 5
    return None


def _length(headers: dict[bytes, bytes]) -> int:
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 16 else -1


def _behind_blank_lines(data: bytearray, at: int) -> int | None:
    """Return the first place after the line ends at `at`; None if fewer than 12 bytes are read from there on."""
    stop = at
    while stop < len(data) and stop - at < 8 and data[stop] in b"\r\n":
        stop += 1
    return stop if stop + 12 <= len(data) else None


def page_of(headers: dict[bytes, bytes], body: bytes, rules: int) -> Payload | None:
    """Return the payload of a record that is a page, or may be one that its coding hides; None for other records."""
    kind = headers.get(b"warc-type", b"").lower()
    if kind == b"response":
        payload = read_response(body) if rules > 1 else read_http(body)
    elif kind == b"resource":
        payload = Payload(headers.get(b"content-type", b""), body)
    else:
        return None
    return payload if payload.is_html or payload.fault else None


class _Batch:
    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self.characters = 0
        self.urls: list[str] = []
        self.page: list[int] = []
        self.page_urls: list[str] = []
        self.bases: list[str] = []
        self.texts: list[list[str | None]] = []
        self.tags: list[str] = []
        self.documents: list[int] = []

    @property
    def is_full(self) -> bool:
        return len(self.urls) >= BATCH_LINKS or self.characters >= BATCH_CHARACTERS

    def add(self, target: bytes, base: str, links: list[ImageLink], tag: str, document: int) -> None:
        self.page_urls.append(target.decode("utf-8", "replace").strip("<> "))
        self.bases.append(base)
        self.tags.append(tag)
        self.documents.append(document)
        self.characters += len(target) + len(base)
        for url, texts in links:
            self.characters += len(url) + sum(len(text) for text in texts if text)
            self.urls.append(url)
            self.page.append(len(self.bases) - 1)
            self.texts.append(texts)

    def links(self, languages: bool = False) -> Links:
        page_urls = pa.array(self.page_urls, pa.string())
        bases = pa.array([base or None for base in self.bases], pa.string())
        texts = {key: pa.array([row[index] for row in self.texts], pa.string()) for index, key in enumerate(self._keys)}
        page = np.asarray(self.page, np.int32)
        links = Links(pa.array(self.urls, pa.string()), page, page_urls, bases, texts)
        if not languages:
            return links
        tags, documents = pa.array(self.tags, pa.string()), np.asarray(self.documents, np.int64)
        return replace(links, languages=tags.take(pa.array(page)), documents=documents[page])

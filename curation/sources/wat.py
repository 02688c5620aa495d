"""CommonCrawl WAT files: image links of the pages' metadata records.

A WAT holds a JSON record for each request, response and metadata record of its WARC. Those of HTML responses carry
`Envelope/Payload-Metadata/HTTP-Response-Metadata/HTML-Metadata` with `Head` and `Links`; any of these may be
missing or empty, the order of keys differs by year, and a link is an image if its path is `IMG@/src`.

Most bytes are links that are no images. They are not decoded: see curation/sources/wat_scan.py.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import Entities
from curation.core.string_buffers import string_array
from curation.sources import wat_scan
from curation.sources.archives import HEAD_BYTES, ReadLog, crawl_in, fault_of_start, read_plain
from curation.sources.json_text import decode_json, plain_text
from curation.sources.links import Links, joined
from curation.sources.page_languages import tag_of_metadata, tags_of_wat

ENTITIES_DECODED_SINCE = "2019-07"
"""WATs written from then on hold texts and URLs with HTML entities decoded."""
WINDOW_BYTES = 1 << 22
BATCH_LINKS = 20_000
TEXT_KEYS = ("alt", "title")

_DATE = re.compile(rb"(?im)^WARC-Date:[ \t]*(\d{4}-\d\d)")
# The quantifiers never give back, so that no place of the text is remembered.
_BASE = re.compile(rb'"Base"\s*+:\s*+("(?:[^"\\]++|\\.)*+")')
_METADATA = ("Envelope", "Payload-Metadata", "HTTP-Response-Metadata", "HTML-Metadata")


class WatReader:
    """Reads the image links of one WAT.

    Entities.auto decides by the date of the file's first record, which is the date when the file was written.
    `counts` (records_read, pages_read, broken_records) and `crawl` (as the file names it) are filled while the links
    are read. With `languages` the links have their pages and the languages that these declare.
    """

    def __init__(self, file: BinaryIO, log: ReadLog, entities: Entities, languages: bool = False) -> None:
        self._file, self._log = file, log
        self._languages = languages
        self._entities = entities
        self._decode_entities = entities is Entities.always
        self._scan_room = wat_scan.new_scan(0)
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""

    def __iter__(self) -> Iterator[Links]:
        # Larger batches hold more texts that repeat, which the language is asked of once.
        return joined(self._windows(), BATCH_LINKS, WINDOW_BYTES) if self._languages else self._windows()

    def _windows(self) -> Iterator[Links]:
        window = _GrowingBuffer()
        started = False
        for piece in read_plain(self._file, self._log):
            window.append(piece)
            if not started and window.size:
                started = True
                self._read_head(window.bytes()[:HEAD_BYTES].tobytes())
            if window.size >= WINDOW_BYTES:
                yield from self._scan(window, final=False)
        yield from self._scan(window, final=True)
        if not self.counts["records_read"] and (self._log.plain_bytes or not self._log.faults):
            self._log.fault(0, "there is no WARC record in it")

    def _read_head(self, head: bytes) -> None:
        date = _DATE.search(head)
        if self._entities is Entities.auto:
            self._decode_entities = date is not None and date.group(1).decode() < ENTITIES_DECODED_SINCE
        self.crawl = crawl_in(head)
        if fault := fault_of_start(head):
            self._log.fault(0, fault)

    def _scan(self, window: "_GrowingBuffer", final: bool) -> Iterator[Links]:
        data, at, status = window.bytes(), 0, wat_scan.DECODE
        decoded: list[Links] = []
        if len(self._scan_room.url_data) < len(data):
            self._scan_room = wat_scan.new_scan(max(len(data), WINDOW_BYTES * 2))
        scan = self._scan_room
        while status == wat_scan.DECODE:
            scan.counts[:] = 0
            at, status = wat_scan.scan_records(data, at, final, scan)
            self._count(scan)
            if status == wat_scan.DECODE:
                body, stop = scan.page_bodies[scan.counts[wat_scan.PAGES] - 1].tolist()
                page = decode_json(data[body:stop].tobytes())
                if page is None:
                    self.counts["broken_records"] += 1
                    self._log.fault(self._log.bytes_read, "a record is no JSON")
                    wat_scan.salvage_page(data, body, stop, scan)
                    decoded.append(self._links_of(scan, data))
                else:
                    decoded.append(self._links_of(scan, data))
                    page_url = decoded[-1].page_urls[-1:]
                    read = partial(_links_of_page, page, page_url, self._languages)
                    if links := self._log.try_record(read, None):
                        decoded.append(links)
            else:
                decoded.append(self._links_of(scan, data))
        links = Links.concat([part for part in decoded if len(part)])
        del data, scan, decoded  # of a huge record they are as large as it is
        window.drop(at)
        if len(self._scan_room.alt_data) > WINDOW_BYTES * 2:
            self._scan_room = wat_scan.new_scan(0)
        if links is not None:
            yield self._without_entities(links) if self._decode_entities else links

    def _count(self, scan: wat_scan.Scan) -> None:
        counts = scan.counts.tolist()
        self.counts["records_read"] += counts[wat_scan.RECORDS]
        self.counts["pages_read"] += counts[wat_scan.PAGES]
        self.counts["broken_records"] += counts[wat_scan.BROKEN]
        for place, error in (
            (wat_scan.BROKEN, "a record ends too early"),
            (wat_scan.FOREIGN, "bytes that belong to no record"),
            (wat_scan.OVERSIZED, f"a record of more than {wat_scan.MAX_RECORD_BYTES} bytes is cut off there"),
        ):
            if counts[place]:
                self._log.fault(self._log.bytes_read, error)

    def _links_of(self, scan: wat_scan.Scan, data: np.ndarray) -> Links:
        links, pages = int(scan.counts[wat_scan.LINKS]), int(scan.counts[wat_scan.PAGES])
        page_urls = _strings(scan.page_offsets, scan.page_data, pages)
        with_base = np.flatnonzero(scan.page_flags[:pages] & wat_scan.BASE_SEEN)
        texts = {
            "alt": _strings(scan.alt_offsets, scan.alt_data, links, scan.alt_valid),
            "title": _strings(scan.title_offsets, scan.title_data, links, scan.title_valid),
        }
        bases: list[str | None] = [None] * pages
        for page in with_base.tolist():
            body = data[slice(*scan.page_bodies[page].tolist())].tobytes()
            bases[page] = self._log.try_record(partial(_base_of, body), "")
        urls = _strings(scan.url_offsets, scan.url_data, links)
        pages_of_links = scan.link_page[:links].copy()
        found = Links(urls, pages_of_links, page_urls, pa.array(bases, pa.string()), texts)
        if not self._languages:
            return found
        tags = pa.array(tags_of_wat(data, scan.page_bodies[:pages]), pa.string())
        languages = pa.DictionaryArray.from_arrays(pa.array(pages_of_links), tags)
        return replace(found, languages=languages, documents=pages_of_links.astype(np.int64))

    def _without_entities(self, links: Links) -> Links:
        texts = {key: _unescape_entities(values) for key, values in links.texts.items()}
        return replace(links, urls=_unescape_entities(links.urls), texts=texts)


class _GrowingBuffer:
    """Bytes that are appended behind and dropped in front, in one array."""

    def __init__(self) -> None:
        self._data = np.empty(WINDOW_BYTES * 2, np.uint8)
        self.size = 0

    def append(self, piece: bytes) -> None:
        if self.size + len(piece) > len(self._data):
            # Room for the largest record at once: what stays untouched costs nothing, a copy would.
            room = max(wat_scan.MAX_RECORD_BYTES + 2 * WINDOW_BYTES, self.size + len(piece))
            grown = np.empty(room, np.uint8)
            grown[: self.size] = self._data[: self.size]
            self._data = grown
        self._data[self.size : self.size + len(piece)] = np.frombuffer(piece, np.uint8)
        self.size += len(piece)

    def bytes(self) -> np.ndarray:
        return self._data[: self.size]

    def drop(self, count: int) -> None:
        rest = self._data[count : self.size].copy()
        if len(self._data) > WINDOW_BYTES * 2 >= len(rest):  # it grew for a huge record
            self._data = np.empty(WINDOW_BYTES * 2, np.uint8)
        self.size = len(rest)
        self._data[: self.size] = rest


def _strings(offsets: np.ndarray, data: np.ndarray, rows: int, valid: np.ndarray | None = None) -> pa.Array:
    """Return a copy of strings that a scan wrote, because the next scan overwrites its buffers."""
    used = offsets[: rows + 1].copy()
    return string_array(used, data[: used[-1]].copy(), None if valid is None else valid[:rows])


def _metadata_of(page: Any, keys: tuple[str, ...] = _METADATA) -> dict[str, Any]:
    for key in keys:
        page = page.get(key) if isinstance(page, dict) else None
    return page if isinstance(page, dict) else {}


def _base_of(body: bytes) -> str:
    """Return `Head.Base` of a record, or an empty string. If the record is no JSON, return the first match of _BASE."""
    page = decode_json(body)
    if page is None:
        found = _BASE.search(body)
        base = decode_json(found.group(1)) if found else None
    else:
        head = _metadata_of(page).get("Head")
        base = head.get("Base") if isinstance(head, dict) else None
    return plain_text(base) if isinstance(base, str) else ""


def _links_of_page(page: Any, page_url: pa.Array, languages: bool) -> Links:
    """The image links of a record that was decoded as a whole."""
    metadata = _metadata_of(page)
    head, links = metadata.get("Head"), metadata.get("Links")
    found = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    images = [link for link in found if link.get("path") == "IMG@/src"]
    base = head.get("Base") if isinstance(head, dict) else None
    bases = pa.array([plain_text(base) if isinstance(base, str) else None], pa.string())
    columns = {
        key: pa.array(
            [plain_text(link[key]) if isinstance(link.get(key), str) else None for link in images], pa.string()
        )
        for key in ("url", *TEXT_KEYS)
    }
    number = np.zeros(len(images), np.int32)
    image_links = Links(pc.fill_null(columns.pop("url"), ""), number, page_url, bases, columns)
    if not languages:
        return image_links
    tag = pa.array([tag_of_metadata(_metadata_of(page, _METADATA[:-1]))], pa.string())
    languages = pa.DictionaryArray.from_arrays(pa.array(number), tag)
    return replace(image_links, languages=languages, documents=number.astype(np.int64))


def _unescape_entities(texts: pa.Array) -> pa.Array:
    marked = pc.match_substring(texts, "&")
    if not marked.true_count:
        return texts
    decoded = [plain_text(html.unescape(text)) for text in texts.filter(marked).to_pylist()]
    return pc.replace_with_mask(texts, pc.fill_null(marked, False), pa.array(decoded, pa.string()))

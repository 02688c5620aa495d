"""Reads the pages of Wikipedia's database dumps: whole, truncated or damaged, of one bz2 stream or many.

A task reads a range of the compressed file. A stream belongs to the range that holds its first byte, a page to the
stream that holds its first byte, so any cut into ranges gives every page once. The tasks of a multistream dump (100
pages a stream) run on many machines; a file of one stream is read by the task of its first byte.
"""

import bz2
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO
from xml.etree import ElementTree

from curation.core.languages import Language, language_of
from curation.core.receipts import Receipt
from curation.core.remote import RemoteError, open_patiently

_STREAM = re.compile(rb"BZh[1-9]1AY&SY")
_READ = 1 << 20
_FEED = 1 << 15
"""Input bytes of one call of bz2, which copies its unused input: streams are often smaller."""
_FREE_BYTES, _MAX_RATIO = 64 << 20, 1000
"""A stream that expands further counts as damaged: 45 bytes of bz2 can stand for 45 MB; wikitext expands fivefold."""
MAX_FAILURES = 50
"""Failures of one range that are listed; further ones are counted."""
_PAGE, _PAGE_END, _DUMP_END = b"<page>", b"</page>", b"</mediawiki>"
_SITE_BYTES = 4 << 20
_TAG_BYTES = 4096
_LANG = re.compile(rb'<mediawiki[^>]*xml:lang="([A-Za-z_-]+)"')
_NUMBER = re.compile("-?[0-9]{1,6}")
# A redirect in an old dump, which has no element for redirects: the magic word in any language, then a link.
_REDIRECT = re.compile(r"\s*+#[^\W\d_]++(?: [^\W\d_]++)?\s*+:?\s*+\[\[")


@dataclass(frozen=True)
class Site:
    """The wiki of a dump: its language, None if it is no known Wikipedia, and its namespaces' names by number."""

    language: Language | None
    namespaces: dict[int, str]

    @property
    def link_names(self) -> list[str]:
        """Names of the namespaces whose links are not text of the page: Media, File, Category."""
        return [self.namespaces[number] for number in (-2, 6, 14) if self.namespaces.get(number)]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The numbers of namespaces by their names in lower case; the first of several."""
        return {name.lower(): number for number, name in reversed(self.namespaces.items())}

    @property
    def prefixes(self) -> frozenset[str]:
        """Names, in lower case, of all namespaces except that of articles."""
        return frozenset(name.lower() for number, name in self.namespaces.items() if number and name)


@dataclass(frozen=True)
class Page:
    """A page of a dump. `wikitext` is the text of its last revision, None if it was deleted or is no wikitext."""

    title: str
    namespace: int
    is_redirect: bool
    wikitext: str | None


def read_site(path: str) -> Site:
    """Return the wiki that the head of a dump names; without a readable head it has no language and no names."""
    head = b""
    with open_patiently(path) as file:
        for _, data in _decompressed(file, path, 0, Receipt(path)):
            if data is None:
                break
            head += data
            if b"</siteinfo>" in head or _PAGE in head or len(head) > _SITE_BYTES:
                break
    start, end = head.find(b"<siteinfo>"), head.find(b"</siteinfo>")
    lang = _LANG.search(head, max(0, tag := head.find(b"<mediawiki")), tag + _TAG_BYTES)
    if start < 0 or end < 0:
        return Site(language_of(lang[1].decode()) if lang else None, {})
    try:
        info = ElementTree.fromstring(head[start : end + len(b"</siteinfo>")])
    except ElementTree.ParseError:
        return Site(None, {})
    spaces = [(entry.get("key", ""), entry.text or "") for entry in info.iter("namespace")]
    names = {int(key): name for key, name in spaces if _NUMBER.fullmatch(key)}
    database = (info.findtext("dbname") or "").strip()
    if database:
        return Site(language_of(database.removesuffix("wiki")) if database.endswith("wiki") else None, names)
    return Site(language_of(lang[1].decode()) if lang else None, names)


def plan_ranges(path: str, size: int, range_bytes: int) -> list[tuple[int, int | None]]:
    """Return the ranges (first byte, end) of a file; the end of the last one is None. Only bz2 is cut."""
    if not path.endswith(".bz2") or size < 2 * range_bytes:
        return [(0, None)]
    starts = range(0, size - range_bytes // 2, range_bytes)
    return list(zip(starts, [*starts[1:], None], strict=True))


def read_pages(
    path: str, start: int, end: int | None, max_page_bytes: int, site: Site, receipt: Receipt
) -> Iterator[Page]:
    """Yield the pages that begin in a range.

    Rows in of the receipt are all pages, its drops the unreadable ones: `cut_off` by damage or the end of the file,
    `too_large`, `bad_xml`. Damage is added to its `failures`; pages before it are kept, and reading resumes at the next
    stream.
    """
    cutter = _PageCutter(max_page_bytes, receipt)
    offset, damaged = None, False
    with open_patiently(path) as file:
        for offset, data in _decompressed(file, path, start, receipt):
            if data is None:
                cutter.cut_off()
                damaged = True
            if end is not None and offset >= end:
                cutter.leave()
            for chunk in cutter.feed(data or b""):
                receipt.facts["xml_bytes"] += len(chunk)
                page = _parse_page(chunk, site)
                if page is None:
                    receipt.drops["bad_xml"] += 1
                else:
                    yield page
            if cutter.finished:
                return
    cutter.cut_off()
    if end is None and offset is not None and not (damaged or cutter.saw_end):
        _note(receipt, path, offset, EOFError("the dump ends without </mediawiki>: it is cut off"))


def _decompressed(file: BinaryIO, path: str, start: int, receipt: Receipt) -> Iterator[tuple[int, bytes | None]]:
    """Yield (offset of the compressed stream, decompressed bytes) from the first stream at or after `start` on.

    None instead of bytes means damage: the next bytes do not continue the last ones.
    """
    file.seek(start)
    head = file.read(6)
    file.seek(start)
    if start == 0 and not head.startswith(b"BZh"):
        yield from _plain(gzip.GzipFile(fileobj=file) if head.startswith(b"\x1f\x8b") else file, path, receipt)
        return
    ahead = _Ahead(file, start)
    offset = ahead.find_stream()
    while offset is not None:
        machine = bz2.BZ2Decompressor()
        given = 0
        try:
            while not machine.eof:
                fed = ahead.take(_FEED) if machine.needs_input else b""
                if machine.needs_input and not fed:
                    raise EOFError("the file ends within a stream")
                data = machine.decompress(fed, _READ)
                given += len(data)
                if given > _FREE_BYTES + _MAX_RATIO * (ahead.offset - offset):
                    raise OSError(f"a stream of more than {_MAX_RATIO} times its compressed size")
                if data:
                    yield offset, data
        except (OSError, EOFError) as error:
            _note(receipt, path, offset, error)
            if isinstance(error, EOFError):
                yield offset, None
                return
            ahead.go_to(offset + 4)
            offset = ahead.find_stream()
            if offset is not None:
                yield offset, None
            continue
        ahead.at -= len(machine.unused_data)
        receipt.facts["compressed_bytes"] += ahead.offset - offset
        offset = ahead.find_stream()


class _Ahead:
    """The bytes of a file that were read ahead: `data` from file offset `start` on, used up to `at`."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self.start, self.data, self.at = file, start, b"", 0

    @property
    def offset(self) -> int:
        """The file offset of the next byte."""
        return self.start + self.at

    def find_stream(self) -> int | None:
        """Go to the next stream and return its offset, None if there is none."""
        while True:
            if found := _STREAM.search(self.data, self.at):
                self.at = found.start()
                return self.offset
            if not self._fill(max(self.at, len(self.data) - 9)):
                return None

    def take(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, none at the end of the file."""
        if self.at == len(self.data):
            self._fill(self.at)
        taken = self.data[self.at : self.at + size]
        self.at += len(taken)
        return taken

    def go_to(self, offset: int) -> None:
        """Go back to an offset, without reading again if its bytes are still there."""
        if offset < self.start:
            self._file.seek(offset)
            self.start, self.data = offset, b""
        self.at = offset - self.start

    def _fill(self, used: int) -> bool:
        more = self._file.read(_READ)
        self.data, self.start, self.at = self.data[used:] + more, self.start + used, max(self.at - used, 0)
        return bool(more)


def _plain(file: BinaryIO | gzip.GzipFile, path: str, receipt: Receipt) -> Iterator[tuple[int, bytes | None]]:
    read = 0
    try:
        while data := file.read(_READ):
            read += len(data)
            yield 0, data
    except (OSError, EOFError) as error:
        _note(receipt, path, read, error)
        yield 0, None


def _note(receipt: Receipt, path: str, offset: int, error: Exception) -> None:
    """Add damage to the failures; raises the error of a store, which is no damage."""
    if isinstance(error, RemoteError):
        raise error
    text = str(error) or type(error).__name__
    if len(receipt.failures) >= MAX_FAILURES:
        receipt.facts["more_failures"] += 1
        text = f"and {receipt.facts['more_failures']} more failures"
        del receipt.failures[MAX_FAILURES:]
    receipt.failures.append({"file": path, "offset": offset, "error": text, "records_read": receipt.rows_in})


class _PageCutter:
    """Cuts the decompressed bytes of a range into pages, `<page>...</page>`; each is a row in of the receipt."""

    def __init__(self, max_page_bytes: int, receipt: Receipt) -> None:
        self._max_page_bytes, self._receipt = max_page_bytes, receipt
        self._buffer = bytearray()
        self._own: int | None = None  # bytes of the buffer in which a page of this range can begin; None: all
        self._in_page = False  # the buffer begins with a page, or with the rest of one that is too large
        self._too_large = False
        self._searched = 0
        self.saw_end = False

    @property
    def finished(self) -> bool:
        """Whether no page of the range is open or can begin."""
        return not self._in_page and self._own is not None and self._own <= 0

    def leave(self) -> None:
        """Mark the end of the range: pages that begin in later bytes belong to the next one."""
        if self._own is None:
            self._own = len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the pages that end in these bytes."""
        self._buffer += data
        while not self.finished:
            if not self._in_page and not self._find_page():
                return
            page = self._end_page()
            if page is None:
                return
            if page:
                yield page

    def cut_off(self) -> None:
        """Count the open page as lost, because the next bytes do not continue it."""
        if self._in_page:
            self._receipt.rows_in += 1
            self._receipt.drops["cut_off"] += 1
        self._in_page = self._too_large = False
        self._forget(len(self._buffer))

    def _forget(self, size: int) -> None:
        del self._buffer[:size]
        self._own = None if self._own is None else self._own - size
        self._searched = 0

    def _find_page(self) -> bool:
        begin = self._buffer.find(_PAGE)
        self.saw_end = self.saw_end or (begin < 0 and _DUMP_END in self._buffer)
        # Without a page keep the last bytes: the tag of a page, or of the dump's end, may begin in them.
        self._forget(begin if begin >= 0 else max(0, len(self._buffer) - len(_DUMP_END) + 1))
        self._in_page = begin >= 0 and (self._own is None or self._own > 0)
        return self._in_page

    def _end_page(self) -> bytes | None:
        """Return the page at the start of the buffer, None if its end is not there yet, empty if it was too large."""
        close = self._buffer.find(_PAGE_END, self._searched)
        if close < 0:
            self._searched = max(0, len(self._buffer) - len(_PAGE_END) + 1)
            if len(self._buffer) > self._max_page_bytes:
                self._too_large = True
                self._forget(self._searched)
            return None
        close += len(_PAGE_END)
        self._too_large = self._too_large or close > self._max_page_bytes
        page = b"" if self._too_large else bytes(self._buffer[:close])
        self._receipt.rows_in += 1
        if self._too_large:
            self._receipt.drops["too_large"] += 1
        self._forget(close)
        self._in_page = self._too_large = False
        return page


def _parse_page(chunk: bytes, site: Site) -> Page | None:
    try:
        page = ElementTree.fromstring(chunk)
    except (ElementTree.ParseError, ValueError):
        return None
    title = page.findtext("title") or ""
    number = page.findtext("ns")
    namespace = int(number) if number and _NUMBER.fullmatch(number) else _namespace_of(title, site)
    revision = (page.findall("revision") or [page])[-1]
    wikitext = revision.findtext("text") if revision.findtext("model", "wikitext") == "wikitext" else None
    is_redirect = page.find("redirect") is not None or bool(_REDIRECT.match(wikitext or ""))
    return Page(title, namespace, is_redirect, wikitext or None)


def _namespace_of(title: str, site: Site) -> int:
    """Return the namespace that a title names, for dumps without an element for it: schema 0.5 and before."""
    prefix, colon, _ = title.partition(":")
    if not colon:
        return 0
    return site.numbers.get(prefix.lower(), 0)

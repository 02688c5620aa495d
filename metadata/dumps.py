"""Wikipedia's database dumps, from bytes to pages: whole, truncated, damaged, in one bz2 stream or many.

A task reads a range of the compressed file. A stream belongs to the range in which its first byte lies, a page to the
streams in which its first byte lies; so any cutting into ranges gives every page once. Multistream dumps (100 pages a
stream) spread over a cluster that way; a file of one stream is read by the task of its first byte.
"""

import bz2
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree import ElementTree

from curation.receipts import Receipt
from curation.storage import open_input
from metadata.languages import Language, language_of

_STREAM = re.compile(rb"BZh[1-9]1AY&SY")
_READ = 1 << 20
_PAGE, _PAGE_END, _DUMP_END = b"<page>", b"</page>", b"</mediawiki>"
_SITE_BYTES = 4 << 20
_NUMBER = re.compile("-?[0-9]{1,6}")
# A redirect of an old dump, which has no element for it: the magic word in any language, then a link.
_REDIRECT = re.compile(r"\s*#[^\W\d_]+(?: [^\W\d_]+)?\s*:?\s*\[\[")


@dataclass(frozen=True)
class Site:
    """The wiki of a dump: its language, where it is a Wikipedia that we know, and its namespaces' names by number."""

    language: Language | None
    namespaces: dict[int, str]

    @property
    def link_names(self) -> list[str]:
        """Names of the namespaces whose links are no text: Media, File, Category."""
        return [self.namespaces[number] for number in (-2, 6, 14) if self.namespaces.get(number)]

    @property
    def prefixes(self) -> frozenset[str]:
        """Lower-cased names of all namespaces but that of articles."""
        return frozenset(name.lower() for number, name in self.namespaces.items() if number and name)


@dataclass(frozen=True)
class Page:
    """A page of a dump. `wikitext` is that of its last revision, None where it was deleted or is something else."""

    title: str
    namespace: int
    is_redirect: bool
    wikitext: str | None


def read_site(path: str) -> Site:
    """Return the wiki that a dump's head names; one without a readable head gets no language and no names."""
    head = b""
    with open_input(path) as file:
        for _, data in _decompressed(file, path, 0, Receipt(path)):
            head += data
            if b"</siteinfo>" in head or _PAGE in head or len(head) > _SITE_BYTES:
                break
    start, end = head.find(b"<siteinfo>"), head.find(b"</siteinfo>")
    lang = re.search(rb'<mediawiki[^>]*xml:lang="([A-Za-z_-]+)"', head)
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
    """Return the ranges (first byte, end) that a file is read in; the last one is open. Only bz2 is cut."""
    if not path.endswith(".bz2") or size < 2 * range_bytes:
        return [(0, None)]
    starts = range(0, size - range_bytes // 2, range_bytes)
    return list(zip(starts, [*starts[1:], None], strict=True))


def read_pages(
    path: str, start: int, end: int | None, max_page_bytes: int, site: Site, receipt: Receipt
) -> Iterator[Page]:
    """Yield the pages of a range in which a page begins.

    The receipt gets each page as a row in, and those that cannot be read as drops: `cut_off` by damage or the end of
    the file, `too_large`, `bad_xml`. Damage goes to its `failures`, what came before it is kept, and reading goes on
    at the next stream.
    """
    with open_input(path) as file:
        stream = _decompressed(file, path, start, receipt)
        for chunk in _split_pages(stream, path, end, max_page_bytes, receipt):
            receipt.facts["xml_bytes"] += len(chunk)
            page = _parse_page(chunk, site)
            if page is None:
                receipt.drops["bad_xml"] += 1
            else:
                yield page


def _decompressed(file: BinaryIO, path: str, start: int, receipt: Receipt) -> Iterator[tuple[int, bytes | None]]:
    """Yield (offset of the compressed stream, decompressed bytes) from the first stream at or after `start` on.

    None instead of bytes: what follows does not continue what came before, for there is damage between.
    """
    file.seek(start)
    head = file.read(6)
    file.seek(start)
    if start == 0 and not head.startswith(b"BZh"):
        yield from _plain(gzip.GzipFile(fileobj=file) if head.startswith(b"\x1f\x8b") else file, path, receipt)
        return
    offset, pending = _next_stream(file, start, b"")
    while offset is not None and pending is not None:
        machine = bz2.BZ2Decompressor()
        consumed = 0
        try:
            while not machine.eof:
                data = machine.decompress(pending, _READ)
                consumed += len(pending)
                if data:
                    yield offset, data
                pending = b""
                if machine.needs_input and not machine.eof:
                    pending = file.read(_READ)
                    if not pending:
                        raise EOFError("the file ends within a stream")
        except (OSError, EOFError) as error:
            _note(receipt, path, offset, error)
            if isinstance(error, EOFError):
                yield offset, None
                return
            file.seek(offset + 4)
            offset, pending = _next_stream(file, offset + 4, b"")
            if offset is not None:
                yield offset, None
            continue
        receipt.facts["compressed_bytes"] += consumed - len(machine.unused_data)
        after = offset + consumed - len(machine.unused_data)
        offset, pending = _next_stream(file, after, machine.unused_data)


def _next_stream(file: BinaryIO, position: int, rest: bytes) -> tuple[int | None, bytes | None]:
    """Return offset and first bytes of the first stream at or after `position`; `rest` is what is read already."""
    while True:
        if found := _STREAM.search(rest):
            return position + found.start(), rest[found.start() :]
        more = file.read(_READ)
        if not more:
            return None, None
        keep = rest[-9:]
        position += len(rest) - len(keep)
        rest = keep + more


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
    receipt.failures.append(
        {"file": path, "offset": offset, "error": str(error) or type(error).__name__, "records_read": receipt.rows_in}
    )


def _split_pages(
    stream: Iterator[tuple[int, bytes | None]], path: str, end: int | None, max_page_bytes: int, receipt: Receipt
) -> Iterator[bytes]:
    """Cut decompressed bytes into `<page>...</page>`; stop where a page begins in a stream at or after `end`."""
    buffer = bytearray()
    foreign: int | None = None  # position in the buffer from which pages belong to the next range
    searched = 0
    oversized = closed = False
    offset = None
    for offset, data in stream:
        if data is None:
            closed = True  # the damage is noted already
            if buffer.startswith(_PAGE) or oversized:
                receipt.rows_in += 1
                receipt.drops["cut_off"] += 1
            buffer, searched, oversized = bytearray(), 0, False
            if end is not None and offset >= end:
                return
            continue
        if end is not None and foreign is None and offset >= end:
            foreign = len(buffer)
        buffer += data
        while foreign is None or foreign > 0:
            if not buffer.startswith(_PAGE) and not oversized:
                begin = buffer.find(_PAGE)
                closed = closed or (begin < 0 and _DUMP_END in buffer)
                cut = begin if begin >= 0 else max(0, len(buffer) - len(_DUMP_END) + 1)
                del buffer[:cut]
                foreign = None if foreign is None else foreign - cut
                searched = 0
                if begin < 0:
                    break
                continue
            close = buffer.find(_PAGE_END, searched)
            if close < 0:
                searched = max(0, len(buffer) - len(_PAGE_END) + 1)
                if len(buffer) > max_page_bytes:
                    # Keep nothing of it but what may be the beginning of its end.
                    oversized = True
                    foreign = None if foreign is None else max(1, foreign - searched)
                    del buffer[:searched]
                    searched = 0
                break
            receipt.rows_in += 1
            close += len(_PAGE_END)
            if oversized or close > max_page_bytes:
                receipt.drops["too_large"] += 1
                oversized = False
            else:
                yield bytes(buffer[:close])
            del buffer[:close]
            foreign = None if foreign is None else foreign - close
            searched = 0
        else:
            return
    if buffer.startswith(_PAGE) or oversized:
        receipt.rows_in += 1
        receipt.drops["cut_off"] += 1
    if not closed and end is None and offset is not None:
        _note(receipt, path, offset, EOFError("the dump ends without </mediawiki>: it is cut off"))


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
    """The namespace that a title names, for dumps older than the element: schema 0.5 and before."""
    prefix, colon, _ = title.partition(":")
    if not colon:
        return 0
    name = prefix.lower()
    return next((number for number, known in site.namespaces.items() if known.lower() == name), 0)

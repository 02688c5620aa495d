"""Counts the page views of article titles in Wikimedia's hourly files.

A row is `domain title views bytes`, in the present files (pageviews, since May 2015) and the former ones
(pagecounts-raw). The domain `en` is the English Wikipedia, `en.m` its mobile site, `en.b` another project, `commons.m`
no language. Titles have `_` for blanks and percent-codes for some characters.
"""

import gzip
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

import pyarrow as pa

from curation.core.languages import language_of
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.remote import RemoteError, open_patiently

LOGIC_VERSION = 1
"""Raise it when the same input gives other counts."""

VIEWS = pa.schema(
    [
        pa.field("lang", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("views", pa.int64(), nullable=False),
    ]
)
"""Partial sums: several rows may hold one title."""

# English names of namespaces, which every wiki understands beside its own.
_NAMESPACES = frozenset(
    {
        "media", "special", "talk", "user", "user talk", "wikipedia", "wikipedia talk", "project", "project talk",
        "file", "file talk", "image", "image talk", "mediawiki", "mediawiki talk", "template", "template talk", "help",
        "help talk", "category", "category talk", "portal", "portal talk", "draft", "draft talk", "module",
        "module talk", "timedtext", "wp",
    }
)  # fmt: skip
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
_MAX_TITLES, _MAX_TITLE_BYTES = 1 << 20, 1 << 28
MAX_LINE_BYTES = 1 << 16
"""A longer line is malformed: titles have at most 255 bytes, three times as many with percent-codes."""
MAX_VIEWS = 10**10
"""More views of one title in an hour are malformed: a sum of such numbers must not overflow."""


@dataclass(frozen=True)
class TitleSettings:
    """Which rows are counted.

    `languages` are Wikipedia codes. Rows with fewer views than `min_row_views` are dropped. `any_colon` drops every
    title with a colon (the first paper's rule); otherwise titles with the prefix of a namespace are dropped, one of
    `namespaces` (names in lower case by language, from the dumps) or an English name.
    """

    languages: tuple[str, ...]
    min_row_views: int
    any_colon: bool
    namespaces: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class ViewsTask:
    """One hourly page-view file."""

    input: str
    output: str


def count_views(task: ViewsTask, settings: TitleSettings) -> Receipt:
    """Write the partial sums (`VIEWS`) of a page-view file.

    Rows in and out are rows of the file. Drops: `malformed`, `other_project`, `other_language`, `few_views`,
    `bad_title` (no UTF-8, control characters, or the `-` of unknown pages), `namespace`. A truncated file is a failure;
    the rows before its end are counted.
    """
    receipt = Receipt(task.input)
    namespaces = {lang: _NAMESPACES.union(names) for lang, names in settings.namespaces.items()}
    sums: Counter[tuple[str, str]] = Counter()
    held_bytes = 0
    with ParquetSink(task.output, VIEWS) as sink, open_patiently(task.input) as file:
        for line in _lines(file, task.input, receipt):
            receipt.rows_in += 1
            read = _read_row(line, settings, namespaces)
            if isinstance(read, str):
                receipt.drops[read] += 1
                continue
            receipt.rows_out += 1
            lang, title, views = read
            held_bytes += 0 if (lang, title) in sums else len(title)
            sums[lang, title] += views
            receipt.facts[f"views_{lang}"] += views
            if len(sums) >= _MAX_TITLES or held_bytes >= _MAX_TITLE_BYTES:
                sink.write(_batch(sums))
                sums.clear()
                held_bytes = 0
        sink.write(_batch(sums))
    receipt.outputs.append(sink.output())
    return receipt


def _lines(file: BinaryIO, path: str, receipt: Receipt) -> Iterator[bytes]:
    head = file.read(2)
    file.seek(0)
    try:
        lines = gzip.GzipFile(fileobj=file) if head == b"\x1f\x8b" else file
        if lines.read(len(BOM_UTF8)) != BOM_UTF8:
            lines.seek(0)
        whole = True
        while line := lines.readline(MAX_LINE_BYTES):
            if whole:
                yield line  # the first piece of a longer line, which is malformed
            whole = line.endswith(b"\n")
    except RemoteError:
        raise
    except (OSError, EOFError) as error:
        failure = {"file": path, "offset": file.tell(), "error": str(error), "records_read": receipt.rows_in}
        receipt.failures.append(failure)


@lru_cache(maxsize=4096)
def _wikipedia(domain: bytes) -> str | None:
    """Return the code of the Wikipedia of a domain, None for another project."""
    name, _, suffix = domain.partition(b".")
    language = language_of(name.decode("ascii", "replace")) if suffix in (b"", b"m", b"zero") else None
    return language.code if language else None


def _read_row(
    line: bytes, settings: TitleSettings, namespaces: dict[str, frozenset[str]]
) -> tuple[str, str, int] | str:
    """Return (language, title, views), or the drop reason of the row."""
    cells = line.rstrip(b"\r\n").split(b" ")
    if len(cells) != 4 or not cells[2].isdigit() or not cells[1] or not cells[0] or len(line) >= MAX_LINE_BYTES:
        return "malformed"
    code = _wikipedia(cells[0])
    if code not in settings.languages:
        return "other_language" if code else "other_project"
    views = int(cells[2][:15])
    if views > MAX_VIEWS:
        return "malformed"
    if views < settings.min_row_views:
        return "few_views"
    raw = unquote_to_bytes(cells[1]) if _PERCENT.search(cells[1]) else cells[1]
    try:
        title = raw.decode().replace("_", " ").strip()
    except UnicodeDecodeError:
        return "bad_title"
    if title in ("", "-") or _CONTROL.search(title):
        return "bad_title"
    prefix, colon, _ = title.partition(":")
    if colon and (settings.any_colon or prefix.strip().lower() in namespaces.get(code, _NAMESPACES)):
        return "namespace"
    return code, title, views


def _batch(sums: Counter[tuple[str, str]]) -> pa.RecordBatch:
    langs, titles = zip(*sums, strict=True) if sums else ((), ())
    columns = [pa.array(langs, pa.string()), pa.array(titles, pa.string()), pa.array(sums.values(), pa.int64())]
    return pa.RecordBatch.from_arrays(columns, schema=VIEWS)

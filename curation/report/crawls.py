"""When pages were crawled: pairs by month, and how many images could still be fetched by the year of the crawl.

The name of an archive tells the month (`CC-MAIN-20240520123456-...`), else the week of its crawl does, if one of the
two names has it (`CC-MAIN-2024-22`). Both are columns of pairs that are constant in each file, so months are counted
from the statistics of the files. Years of images are those of a sample of pairs: a table of pairs may hold billions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.draws import draw
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import PAIRS
from curation.core.table_reader import open_table_file, read_rows
from curation.report.counters import Stats
from curation.report.spread import hashes_of

FILES_OF_YEAR = 16
"""Files of pairs whose images are followed, by year."""
MAX_LINKS = 4_000_000
"""Pairs that are followed in all; ten bytes each in the driver and in each task of downloads."""
LINKS = pa.schema([pa.field("key", pa.uint64(), nullable=False), pa.field("year", pa.int16(), nullable=False)])
"""Images of a sample of pairs: the hash of the uid, and the last year in which a page showed it. Sorted by hash."""
_NAMES = ["crawl", "source_file"]
_ARCHIVE = re.compile(r"\bCC-(?:MAIN|NEWS)-(\d{4})(\d\d)(\d\d)\d{6}\b", re.ASCII)
_CRAWL = re.compile(r"\bCC-MAIN-\d{4}-\d\d\b", re.ASCII)
UNKNOWN = "unknown"
NO_LINKS = (np.zeros(0, np.uint64), np.zeros(0, np.int16))


@lru_cache(1 << 12)
def month_of(crawl: str, source_file: str) -> str:
    """Return the month of a crawl as `2024-05`, or UNKNOWN.

    >>> month_of("CC-MAIN-2024-22", "CC-MAIN-20240519001122-20240519031122-00000.warc.wat.gz")
    '2024-05'
    >>> month_of("CC-MAIN-2024-51", "a.wat.gz"), month_of("mine", "CC-MAIN-20249901001122-0.wat.gz")
    ('2024-12', 'unknown')
    """
    try:
        if found := _ARCHIVE.search(source_file):
            return date(*(int(number) for number in found.groups())).isoformat()[:7]
        week = _CRAWL.search(crawl) or _CRAWL.search(source_file)
        return first_day(week.group())[:7] if week else UNKNOWN
    except ValueError:
        return UNKNOWN


def first_day(crawl: str) -> str:
    """Return the Monday of the week that names a crawl.

    >>> first_day("CC-MAIN-2024-51")
    '2024-12-16'
    """
    year, week = (int(number) for number in crawl.rsplit("-", 2)[1:])
    return date.fromisocalendar(year, max(1, min(week, 52)), 1).isoformat()


@dataclass
class CrawlStats(Stats):
    """Pairs by month."""

    months: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class CrawlsTask:
    """Files of pairs to count."""

    files: list[str]


def plan_crawls(parts: Sequence[Part], max_tasks: int) -> list[CrawlsTask]:
    """Return at most `max_tasks` tasks for the files of pairs that were not cleaned."""
    files = [file for part in parts if not part.cleaned for file in part.files]
    size = max(1, -(-len(files) // max_tasks))
    return [CrawlsTask(files[start : start + size]) for start in range(0, len(files), size)]


def count_crawls(task: CrawlsTask, seed: int) -> Receipt:
    """Count pairs by month. Rows are pairs; outputs are the files with the smallest draws of each year.

    A file that is gone or damaged is a failure of the receipt: the report does without its dates.
    """
    stats, receipt, found = CrawlStats(), Receipt(f"{len(task.files)} files of pairs"), list[dict[str, Any]]()
    draws = draw(seed, "crawls", pa.array([file.rpartition("/")[2] for file in task.files], pa.string()))
    for file, drawn in zip(task.files, draws.tolist(), strict=True):
        try:
            with open_table_file(file, PAIRS, None) as opened:
                months = Counter(dict(_months(opened)))
        except (HeadtailError, OSError, pa.ArrowException) as error:
            refuse_outage(error)
            receipt.failures.append({"file": file, "offset": 0, "error": str(error), "records_read": 0})
            continue
        stats.months += months
        years = {month[:4] for month in months} - {UNKNOWN[:4]}
        found += [{"year": int(year), "draw": drawn, "file": file} for year in sorted(years)]
    receipt.rows_in = receipt.rows_out = stats.months.total()
    receipt.facts.update(stats.to_facts())
    receipt.outputs = _first(found)
    return receipt


def _months(file: pq.ParquetFile) -> Iterator[tuple[str, int]]:
    """Yield (month, pairs), each month once; reads rows only where a row group has several crawls or archives."""
    counts: Counter[str] = Counter()
    places = [file.schema_arrow.names.index(name) for name in _NAMES]
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        bounds = [group.column(place).statistics for place in places]
        if all(map(_is_constant, bounds)):
            counts[month_of(*(str(each.min) for each in bounds))] += group.num_rows
            continue
        for batch in file.iter_batches(row_groups=[index], columns=_NAMES):
            rows = pa.table(batch).group_by(_NAMES).aggregate([([], "count_all")])
            for row in rows.to_pylist():
                counts[month_of(row["crawl"] or "", row["source_file"] or "")] += row["count_all"]
    yield from counts.items()


def _is_constant(bounds: pq.Statistics | None) -> bool:
    return bounds is not None and bounds.has_min_max and bounds.min == bounds.max and bounds.null_count == 0


def _first(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the FILES_OF_YEAR files of each year with the smallest draws."""
    chosen: Counter[int] = Counter()
    kept = []
    for each in sorted(found, key=lambda one: (one["year"], one["draw"], one["file"])):
        chosen[each["year"]] += 1
        if chosen[each["year"]] <= FILES_OF_YEAR:
            kept.append(dict(each))
    return kept


@dataclass(frozen=True)
class LinksTask:
    """A file of pairs whose images are followed; at most `rows` of them are written to `output`."""

    file: str
    rows: int
    output: str


def plan_links(receipts: Sequence[Receipt], work: str) -> list[LinksTask]:
    """Return a task for each of the files that `count_crawls` chose; they write into the folder `work`."""
    files = sorted({each["file"] for each in _first(out for receipt in receipts for out in receipt.outputs)})
    rows = MAX_LINKS // max(1, len(files))
    return [LinksTask(file, rows, storage.join(work, f"links-{k:05d}.parquet")) for k, file in enumerate(files)]


def read_links(task: LinksTask, seed: int) -> Receipt:
    """Write the images of a file of pairs with the years of their crawls: those with the smallest keyed draws.

    Reads row groups in the order of their draws, until `rows` pairs are found. Rows are those that are written. A file
    that is damaged is a failure of the receipt, and has none.
    """
    receipt = Receipt(task.file)
    try:
        rows = _draw_links(task, seed)
    except (HeadtailError, OSError, pa.ArrowException) as error:
        refuse_outage(error)
        receipt.failures.append({"file": task.file, "offset": 0, "error": str(error), "records_read": 0})
        rows = LINKS.empty_table()
    write_rows(task.output, rows)
    receipt.rows_in = receipt.rows_out = rows.num_rows
    return receipt


def _draw_links(task: LinksTask, seed: int) -> pa.Table:
    with open_table_file(task.file, PAIRS, None) as file:
        groups = np.arange(file.metadata.num_row_groups)
        names = pa.array([f"{task.file.rpartition('/')[2]} {group}" for group in groups.tolist()], pa.string())
        order = groups[np.argsort(draw(seed, "crawls", names), kind="stable")].tolist()
        tables, found = [LINKS.empty_table()], 0
        while order and found < task.rows:
            tables.append(_links(file.read_row_group(order.pop(0), columns=["uid", *_NAMES])))
            found += tables[-1].num_rows
    return _last_years(tables).slice(0, task.rows)  # sorted by a hash, so these are the smallest draws


def _links(pairs: pa.Table) -> pa.Table:
    """Return the rows of LINKS of pairs whose year is known."""
    names = (pc.fill_null(pairs[name], "") for name in _NAMES)
    named = pc.binary_join_element_wise(*names, "\n").combine_chunks().dictionary_encode()
    months = [month_of(*name.split("\n", 1)) for name in named.dictionary.to_pylist()]
    years = np.array([0 if month == UNKNOWN else int(month[:4]) for month in months], np.int16)
    mine = years[named.indices.to_numpy()] if len(years) else np.zeros(0, np.int16)
    keys = hashes_of(pairs["uid"].combine_chunks())
    return pa.table([pa.array(keys[mine > 0]), pa.array(mine[mine > 0])], LINKS)


def _last_years(tables: Sequence[pa.Table]) -> pa.Table:
    """Return each image once, with the last of its years."""
    rows = pa.concat_tables(tables)
    keys, years = rows["key"].to_numpy(), rows["year"].to_numpy()
    order = np.lexsort((years, keys))
    keys, years = keys[order], years[order]
    last = np.ones(len(keys), bool)
    last[:-1] = keys[1:] != keys[:-1]
    return pa.table([pa.array(keys[last]), pa.array(years[last])], LINKS)


def join_links(tasks: Sequence[LinksTask], path: str) -> str:
    """Write the images of all tasks into one file, and return its path; "" without tasks."""
    if not tasks:
        return ""
    write_rows(path, _last_years([read_rows(task.output, LINKS) for task in tasks]))
    return path


def open_links(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted hashes of the images that are followed, uint64, and their years, int16."""
    rows = read_rows(path, LINKS)
    return rows["key"].to_numpy(), rows["year"].to_numpy()


def count_years(
    counter: Counter[str], links: tuple[np.ndarray, np.ndarray], uids: pa.Array, arrived: np.ndarray
) -> None:
    """Count the attempted images that are followed by year: `attempted 2024` and `arrived 2024`."""
    keys, years = links
    if not len(keys) or not len(uids):
        return
    hashes = hashes_of(uids)
    at = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
    followed = keys[at] == hashes
    for name, chosen in (("attempted", followed), ("arrived", followed & arrived)):
        found, counts = np.unique(years[at[chosen]], return_counts=True)
        counter.update({f"{name} {year}": n for year, n in zip(found.tolist(), counts.tolist(), strict=True)})


def crawl_values(receipts: Sequence[Receipt], years: Mapping[str, int]) -> dict[str, Any] | None:
    """Return pairs by month, and attempts and arrivals by year; None where no pair has a date.

    `years` is what `count_years` counted.
    """
    months = CrawlStats.from_facts(merge_receipts("crawls", receipts).facts).months if receipts else Counter[str]()
    unknown = months.pop(UNKNOWN, 0)
    if not months:
        return None
    known = sorted({key.partition(" ")[2] for key in years})
    return {
        "unknown": unknown,
        "months": [{"month": month, "pairs": months[month]} for month in sorted(months)],
        "years": [
            {"year": year, **{name: years.get(f"{name} {year}", 0) for name in ("attempted", "arrived")}}
            for year in known
        ],
    }

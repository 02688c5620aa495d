"""Which images two tables share, in bounded memory: ranges of uids one after the other.

Tables that are sorted by uid, such as `curated`, are read once: of a file only the row groups of the range are opened.
Others, such as the side-cars of shards, are read once for each range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.progress import waiting
from curation.core.table_reader import open_table_file

RANGE_ROWS = 1_000_000
"""Rows of the larger table in memory: some 300 MB with those of the other one."""
EXAMPLES = 5
COLUMNS = ("uid", "url", "text")
_PREFIX_DIGITS = 6


@dataclass
class Overlap:
    """Images of two tables: how many each has, how many both have, of how many of these the caption is the same.

    The examples are the rows with the smallest uids that one table alone has: uid, url and text.
    """

    first: int = 0
    second: int = 0
    both: int = 0
    same_text: int = 0
    only_first: list[dict[str, Any]] = field(default_factory=list)
    only_second: list[dict[str, Any]] = field(default_factory=list)

    @property
    def union(self) -> int:
        """The number of images that one of the tables has."""
        return self.first + self.second - self.both


def overlap(first: Sequence[str], second: Sequence[str], schema: pa.Schema, range_rows: int = RANGE_ROWS) -> Overlap:
    """Return the overlap of two tables by their files, which hold the columns of `schema`."""
    found = Overlap()
    ranges = _ranges(max(_rows(first, schema), _rows(second, schema)), range_rows)
    for number, (low, high) in enumerate(ranges, 1):
        with waiting(f"comparing images: range {number} of {len(ranges)}"):
            rows, others = (_read(files, schema, low, high) for files in (first, second))
            _add(found, rows, others)
    return found


def _add(found: Overlap, rows: pa.Table, others: pa.Table) -> None:
    places = pc.index_in(rows["uid"], others["uid"].combine_chunks())
    common = places.is_valid()
    texts = others["text"].take(places.drop_null())
    found.first += rows.num_rows
    found.second += others.num_rows
    found.both += pc.sum(common, min_count=0).as_py()
    found.same_text += pc.sum(pc.equal(rows["text"].filter(common), texts), min_count=0).as_py()
    if len(found.only_first) < EXAMPLES:
        found.only_first += _examples(rows.filter(pc.invert(common)), EXAMPLES - len(found.only_first))
    if len(found.only_second) < EXAMPLES:
        missing = pc.invert(pc.is_in(others["uid"], rows["uid"].combine_chunks()))
        found.only_second += _examples(others.filter(missing), EXAMPLES - len(found.only_second))


def _examples(rows: pa.Table, count: int) -> list[dict[str, Any]]:
    return rows.take(pc.sort_indices(rows["uid"])[:count]).to_pylist()


def _ranges(rows: int, range_rows: int) -> list[tuple[str, str]]:
    """Return the lower and upper bounds of ranges of uids, which are hexadecimal hashes; "" is no upper bound."""
    count, whole = max(1, -(-rows // range_rows)), 16**_PREFIX_DIGITS
    bounds = [f"{k * whole // count:0{_PREFIX_DIGITS}x}" for k in range(1, count)]
    return list(zip(["", *bounds], [*bounds, ""], strict=True))


def _rows(files: Sequence[str], schema: pa.Schema) -> int:
    total = 0
    for path in files:
        with open_table_file(path, schema, further=None) as file:
            total += file.metadata.num_rows
    return total


def _read(files: Sequence[str], schema: pa.Schema, low: str, high: str) -> pa.Table:
    """Return uid, url and text of the rows with low <= uid < high."""
    empty = pa.schema([schema.field(name) for name in COLUMNS])
    batches = [each for path in files for each in _batches(path, schema, low, high)]
    return pa.Table.from_batches([batch.cast(empty) for batch in batches], empty)


def _batches(path: str, schema: pa.Schema, low: str, high: str) -> Iterator[pa.RecordBatch]:
    with open_table_file(path, schema, further=None) as file:
        place = file.schema_arrow.names.index("uid")
        groups = [k for k in range(file.metadata.num_row_groups) if _may_hold(file, k, place, low, high)]
        for batch in file.iter_batches(row_groups=groups, columns=list(COLUMNS)) if groups else ():
            inside = pc.greater_equal(batch["uid"], low)
            if high:
                inside = pc.and_(inside, pc.less(batch["uid"], high))
            yield batch.filter(inside)


def _may_hold(file: Any, group: int, place: int, low: str, high: str) -> bool:
    found = file.metadata.row_group(group).column(place).statistics
    return found is None or not found.has_min_max or (found.max >= low and (not high or found.min < high))

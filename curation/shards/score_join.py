"""Scores of users' tables, joined to the images that may become samples, before the filter and for the side-cars."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import open_table_file, read_rows
from curation.images.ranges import list_name
from curation.shards.joined import Joined, Runner, run_join
from curation.shards.keyed_join import (
    SliceWriter,
    buckets_of,
    count_buckets,
    digest_of,
    done_once,
    given_schema,
    order_of,
    write_row_keys,
)
from curation.shards.score_layouts import Vectors, score_key
from curation.shards.scores import ScoreTable, named_in
from curation.shards.steps import SCORED, SelectionSteps
from curation.shards.vector_rows import open_vectors

BATCH_ROWS = 1024
MAX_ROWS = 1000
"""Rows that one image may have in all tables together: a filter tries each."""
PAYLOAD = "score "
"""Beginning of the names of scores on their way: they may be called as the join's columns."""


@dataclass(frozen=True)
class ScoreSettings:
    """The score tables, whether side-cars get their columns, and the SQL expression of the filter ("": none).

    `boxes` is the column of the boxes of faces, `vectors` that of embeddings ("": none).
    """

    tables: tuple[ScoreTable, ...]
    in_sidecars: bool
    expression: str
    boxes: str = ""
    vectors: str = ""

    @property
    def every(self) -> bool:
        """Whether all rows of an image are read, not only the first by hash."""
        return bool(self.expression or self.boxes)

    @property
    def wanted(self) -> pa.Schema:
        """The scores that somebody reads."""
        fields = [field for table in self.tables for field in table.scores]
        names = [field.name for field in fields]
        read = names if self.in_sidecars else named_in(self.expression, names) if self.expression else []
        return pa.schema([field for field in fields if field.name in (*read, self.boxes, self.vectors)])


@dataclass(frozen=True)
class DealCandidatesTask:
    """The candidates of a group of ranges by file, the columns of keys, and the prefix of the slices to write."""

    group: int
    candidates: tuple[str, ...]
    columns: tuple[str, ...]
    prefix: str
    buckets: int


@dataclass(frozen=True)
class DealScoresTask:
    """A file of scores, the number of its table, and the prefix of the slices to write; schemas are as hex digits.

    `vectors` are columns in arrays beside the file. Of the column `raw` ("": none) the bytes stand for a row's content,
    which is faster for embeddings; of the others it is Python's text.
    """

    path: str
    key: str
    table: int
    columns: tuple[str, ...]
    schema: str
    prefix: str
    receipt: str
    buckets: int
    vectors: tuple[Vectors, ...] = ()
    raw: str = ""


@dataclass(frozen=True)
class ScoreFiles:
    """The scores of a group of ranges: its candidates by file, and folder and number of its joined slices ("": none).

    `schema` are the scores, as hex digits; `tables` numbers the table of each.
    """

    candidates: tuple[str, ...]
    joined: tuple[str, int]
    schema: str
    tables: tuple[int, ...]


@dataclass(frozen=True)
class ScoredTask:
    """A group whose images are counted by table, and the files of scores by range to write (none: only counted)."""

    scores: ScoreFiles
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class JoinedScores:
    """The scores of each group, and counts by table."""

    groups: list[ScoreFiles]
    counts: list[dict[str, Any]]


def join_scores(run: Runner, steps: SelectionSteps, settings: ScoreSettings, images: int) -> JoinedScores:
    """Join the scores with the candidates; for side-cars, write a file of scores for each range to `scored`.

    `images` is the number of candidates. For a filter and for boxes all rows of an image are joined, for side-cars the
    first by hash counts.
    """
    wanted = settings.wanted
    files = [
        tuple(storage.join(steps.folder("candidates"), list_name(number)) for number in steps.ranges.in_group(group))
        for group in range(steps.ranges.groups)
    ]
    numbers = {field.name: number for number, table in enumerate(settings.tables) for field in table.scores}
    schema, tables = _hex(wanted), tuple(numbers[name] for name in wanted.names)
    if not tables:
        return JoinedScores([ScoreFiles(each, ("", 0), schema, ()) for each in files], [])
    read = [(number, table) for number, table in enumerate(settings.tables) if number in tables]
    columns = tuple({"sha256" if table.key == "sha256" else "uid": None for _, table in read})
    buckets = count_buckets(images * len(columns), len(read))
    folder = steps.folder("scores")
    keys, rows = storage.join(folder, "keys"), storage.join(folder, f"rows-{buckets}")
    storage.remove(keys)
    deals = [
        DealCandidatesTask(group, mine, columns, storage.join(keys, f"{group:06d}"), buckets)
        for group, mine in enumerate(files)
    ]
    dealt_keys = run(deal_candidates, deals)
    given = run(
        deal_scores,
        [task for number, table in read for task in _plan(number, table, wanted, rows, buckets, settings.vectors)],
    )
    made = storage.join(folder, f"of-{digest_of(dealt_keys)}")
    fitted, joined = run_join(run, keys, rows, made, buckets, len(files), every=settings.every)
    groups = [ScoreFiles(mine, joined.of(group), schema, tables) for group, mine in enumerate(files)]
    scored = [
        tuple(storage.join(steps.folder(SCORED), list_name(number)) for number in steps.ranges.in_group(group))
        for group in range(len(files))
    ]
    if not settings.in_sidecars:
        scored = [()] * len(files)
    written = run(write_scores, [ScoredTask(group, outputs) for group, outputs in zip(groups, scored, strict=True)])
    dealt, total = merge_receipts("scores", given), merge_receipts("scores", written)
    return JoinedScores(groups, [_counts(number, table, dealt, fitted, total) for number, table in read])


def _counts(number: int, table: ScoreTable, dealt: Receipt, fitted: Receipt, written: Receipt) -> dict[str, Any]:
    counts = {name: dealt.facts[f"{name} {number}"] for name in ("rows", "faulty_rows")}
    counts |= {name: fitted.facts[f"{name} {number}"] for name in ("fits_no_image", "same_key")}
    counts["joined"] = counts["rows"] - counts["faulty_rows"] - counts["fits_no_image"] - counts["same_key"]
    counts["images_with"] = written.facts[f"with {number}"]
    counts["images_without"] = written.rows_in - counts["images_with"]
    return {"key": table.key, "columns": table.scores.names, **counts}


def _plan(
    number: int, table: ScoreTable, wanted: pa.Schema, folder: str, buckets: int, raw: str
) -> Iterator[DealScoresTask]:
    columns = tuple(name for name in table.scores.names if name in wanted.names)
    for place, file in enumerate(table.files):
        name = f"{number:03d}-{place:06d}"
        paths = (storage.join(folder, name), storage.join(folder, "receipts", f"{name}.json"))
        vectors = tuple(each for each in table.vectors.get(file.path, ()) if each.column in columns)
        mine = raw if raw in columns else ""
        yield DealScoresTask(file.path, table.key, number, columns, _hex(wanted), *paths, buckets, vectors, mine)


def _hex(schema: pa.Schema) -> str:
    return schema.serialize().to_pybytes().hex()


def schema_of(digits: str) -> pa.Schema:
    """Return a schema from its hex digits, as a task holds it."""
    return pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(digits)))


def deal_candidates(task: DealCandidatesTask) -> Receipt:
    """Write the keys of the candidates of a group as slices for the buckets."""
    tables = (read_rows(path, CANDIDATES, list(task.columns)) for path in task.candidates)
    return write_row_keys(Receipt(task.prefix), tables, task.columns, task.group, task.buckets)


@done_once
def deal_scores(task: DealScoresTask) -> Receipt:
    """Write the scores of a file as slices for the buckets; reason: faulty_row, a key that is none."""
    receipt, schema = Receipt(task.prefix), schema_of(task.schema)
    given = given_schema(pa.schema([field.with_name(f"{PAYLOAD}{field.name}") for field in schema]))
    out = SliceWriter(task.prefix, given, task.buckets)
    try:
        with storage.open_input(task.path) as file, ExitStack() as stack:
            bounded = BoundedParquet(file)
            columns = [name for name in task.columns if name in bounded.schema.names]
            if bounded.schema.names.count(task.key) != 1:
                raise ValueError(f"it has no column {task.key}, which files before it have")
            rows = sum(bounded.group_rows)
            arrays = {
                each.column: stack.enter_context(open_vectors(each.path, each.member, rows)) for each in task.vectors
            }
            step = min([BATCH_ROWS, *(array.at_once for array in arrays.values())])
            for group in range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, [task.key, *columns], step):
                    for name, array in arrays.items():
                        batch = batch.append_column(name, array.read(batch.num_rows))
                    receipt.rows_in += batch.num_rows
                    receipt.rows_out += _deal(batch, task, schema, given, out)
    except (*ERRORS, TypeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise HeadtailError(f"scores: {task.path} cannot be joined: {error}") from error
    out.close()
    receipt.drops["faulty_row"] = receipt.rows_in - receipt.rows_out
    receipt.facts[f"rows {task.table}"] = receipt.rows_in
    receipt.facts[f"faulty_rows {task.table}"] = receipt.drops["faulty_row"]
    return receipt


def _deal(batch: pa.RecordBatch, task: DealScoresTask, schema: pa.Schema, given: pa.Schema, out: SliceWriter) -> int:
    """Add the rows of a batch that have a key; return their number."""
    keys = [score_key(task.key, value) for value in batch[task.key].to_pylist()]
    mine = [key for key in keys if key is not None]
    kept = pa.array([key is not None for key in keys], pa.bool_())
    columns = [
        batch[field.name].cast(field.type, safe=False).filter(kept)
        if field.name in batch.schema.names and field.name in task.columns
        else pa.nulls(len(mine), field.type)
        for field in schema
    ]
    mine_only = [
        (field.name, column) for field, column in zip(schema, columns, strict=True) if field.name in task.columns
    ]
    own = [column.to_pylist() for name, column in mine_only if name != task.raw]
    rows = [repr(row).encode() for row in (zip(*own, strict=True) if own else [()] * len(mine))]
    if task.raw:
        rows = [row + data for row, data in zip(rows, _bytes_of(dict(mine_only)[task.raw]), strict=True)]
    tables, sizes = np.full(len(mine), task.table, np.int16), np.array([*map(len, rows)], np.int32)
    heads = [mine, tables, [*map(order_of, rows)], sizes]
    arrays = [pa.array(values, kind) for values, kind in zip(heads, given.types, strict=False)]
    out.add(
        pa.RecordBatch.from_arrays([*arrays, *columns], schema=given), buckets_of(mine, task.buckets), int(sizes.sum())
    )
    return len(mine)


def _bytes_of(lists: pa.ListArray) -> Iterator[bytes]:
    """Yield the numbers of each list as bytes; none for a null."""
    values, offsets = lists.values.to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
    known = np.asarray(lists.is_valid())  # a null may have numbers, which mean nothing
    for start, end, is_known in zip(offsets[:-1].tolist(), offsets[1:].tolist(), known.tolist(), strict=True):
        yield values[start:end].tobytes() if is_known else b""


def write_scores(task: ScoredTask) -> Receipt:
    """Count the images of a group that each table has; write the scores of each range, a row for each candidate."""
    counts, schema = [count_rows(path) for path in task.scores.candidates], schema_of(task.scores.schema)
    joined = Joined(task.scores.joined, sum(counts), MAX_ROWS)
    receipt = Receipt("/".join(map(str, task.scores.joined)), sum(counts), sum(counts))
    receipt.facts.update({f"with {table}": count for table, count in joined.images_with.items()})
    windows = joined.windows(counts)
    for path, count in zip(task.outputs, counts, strict=bool(task.outputs)):
        with ParquetSink(path, schema) as sink:
            end = 0
            while end < count:
                first, last, rows = next(windows)
                found = {table: RowsOf(rows, table, first, last) for table in task.scores.tables}
                picks = {table: mine.nth(np.arange(last - first)) for table, mine in found.items()}
                sink.write(
                    pa.RecordBatch.from_arrays(score_arrays(rows, task.scores.tables, schema, picks), schema=schema)
                )
                end += last - first
    return receipt


class RowsOf:
    """Where the rows of one table lie for each image of a window, [first, last)."""

    def __init__(self, rows: pa.Table | None, table: int, first: int, last: int) -> None:
        self._places = np.flatnonzero(rows["table"].to_numpy() == table) if rows else np.zeros(0, np.int64)
        images = rows["row"].to_numpy()[self._places] - first if rows else np.zeros(0, np.int64)
        self.counts = np.bincount(images, minlength=last - first)
        self._starts = np.cumsum(self.counts) - self.counts

    def nth(self, images: np.ndarray, number: np.ndarray | int = 0) -> np.ndarray:
        """Return the place of an image's row of some number, -1 for an image without rows."""
        there = self.counts[images] > 0
        at = np.where(there, self._starts[images] + number, 0)
        return np.where(there, self._places[at] if len(self._places) else 0, -1)


def score_arrays(
    rows: pa.Table | None, tables: Sequence[int], schema: pa.Schema, picks: dict[int, np.ndarray]
) -> list[pa.Array]:
    """Return the columns of scores, with the row of each table that was picked for each image."""
    columns = []
    for field, table in zip(schema, tables, strict=True):
        places = picks[table]
        if rows is None:
            columns.append(pa.nulls(len(places), field.type))
        else:
            indices = pa.array(places, mask=places < 0)
            columns.append(rows[f"{PAYLOAD}{field.name}"].combine_chunks().take(indices))
    return columns


def count_rows(path: str) -> int:
    """Return the number of candidates in a file."""
    with open_table_file(path, CANDIDATES) as file:
        return file.metadata.num_rows

"""The candidates with their scores, as an SQL filter gets them: an image once for each combination of its rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.schemas import CANDIDATES, SAMPLES
from curation.core.table_reader import read_batches, read_rows
from curation.shards.joined import Joined
from curation.shards.score_join import MAX_ROWS, JoinedScores, RowsOf, ScoreFiles, count_rows, schema_of, score_arrays
from curation.shards.scores import named_in

EXPANDED_ROWS = 16_384
MAX_COMBINATIONS = 100_000
"""Combinations of the rows of one image in several tables."""


@dataclass(frozen=True)
class FilterTask:
    """A group whose candidates a filter reads: the columns of the side-car that it names, and the scores."""

    columns: tuple[str, ...]
    scores: ScoreFiles

    @property
    def schema(self) -> pa.Schema:
        """The columns that the filter gets."""
        return pa.schema([*(SAMPLES.field(name) for name in self.columns), *schema_of(self.scores.schema)])


def plan_filter(joined: JoinedScores, expression: str) -> list[FilterTask]:
    """Return a task of `iter_scored` for each group."""
    columns = tuple(dict.fromkeys(["uid", *named_in(expression, SAMPLES.names)]))
    return [FilterTask(columns, group) for group in joined.groups]


def iter_scored(task: FilterTask) -> Iterator[pa.RecordBatch]:
    """Yield the candidates of a group with their scores, null where there are none.

    An image with several rows is there several times, with several tables once for each combination. Raises
    HeadtailError for an image with more than MAX_ROWS rows, or MAX_COMBINATIONS.
    """
    tables, schema = task.scores.tables, schema_of(task.scores.schema)
    if not tables:
        for path in task.scores.candidates:
            yield from read_batches(path, CANDIDATES, task.columns)
        return
    counts = [count_rows(path) for path in task.scores.candidates]
    windows = Joined(task.scores.joined, sum(counts), MAX_ROWS, every=True).windows(counts)
    for path, count in zip(task.scores.candidates, counts, strict=True):
        images = read_rows(path, CANDIDATES, list(task.columns)).combine_chunks()
        end = 0
        while end < count:
            first, last, rows = next(windows)
            found = {table: RowsOf(rows, table, first, last) for table in tables}
            for numbers, picks in _combinations(found, last - first):
                mine = images.take(pa.array(end + numbers)).combine_chunks().columns
                arrays = [*(column.chunk(0) for column in mine), *score_arrays(rows, tables, schema, picks)]
                yield pa.RecordBatch.from_arrays(arrays, schema=task.schema)
            end += last - first


def _combinations(found: dict[int, RowsOf], images: int) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray]]]:
    """Yield images, and a row of each table for them, with each combination of an image; EXPANDED_ROWS at a time."""
    each = np.ones(images, np.int64)
    for mine in found.values():
        each *= np.maximum(mine.counts, 1)
    if each.max(initial=0) > MAX_COMBINATIONS:
        raise HeadtailError(
            f"scores: the rows of one image in several tables make {each.max():,} combinations, more than "
            f"{MAX_COMBINATIONS:,}: give each image one row in each table"
        )
    ends = np.cumsum(each)
    start = 0
    while start < images:
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + EXPANDED_ROWS, side="right")))
        numbers, picks = np.arange(start, end), dict[int, np.ndarray]()
        for table, mine in found.items():
            several = np.maximum(mine.counts[numbers], 1)
            again = np.repeat(np.arange(len(numbers)), several)
            within = np.arange(len(again)) - np.repeat(np.cumsum(several) - several, several)
            numbers, picks = numbers[again], {known: places[again] for known, places in picks.items()}
            picks[table] = mine.nth(numbers, within)
        yield numbers, picks
        start = end

"""The embeddings of the candidates, out of the joined scores, as vectors of whole numbers: a file for each range."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.parquet_sink import ParquetSink, write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.images.ranges import list_name
from curation.shards.cells import PIVOTS, CellPlans, draw_pivots
from curation.shards.joined import Joined
from curation.shards.score_join import MAX_ROWS, PAYLOAD, JoinedScores, RowsOf, ScoreFiles, count_rows, schema_of
from curation.shards.steps import PIVOTS_OF_GROUPS, VECTORS, SelectionSteps
from curation.shards.stored_vectors import VECTORS_SCHEMA, to_vectors


@dataclass(frozen=True)
class VectorsTask:
    """The joined scores of a group of ranges, the column of embeddings, and the files to write.

    These are one for each range, and that of the group's pivots.
    """

    scores: ScoreFiles
    column: str
    outputs: tuple[str, ...]
    pivots: str


def plan_vectors(joined: JoinedScores, steps: SelectionSteps, column: str) -> list[VectorsTask]:
    """Return a task of `write_vectors` for each group."""
    tasks = []
    for group, scores in enumerate(joined.groups):
        names = [list_name(number) for number in steps.ranges.in_group(group)]
        outputs = tuple(storage.join(steps.folder(VECTORS), name) for name in names)
        tasks.append(VectorsTask(scores, column, outputs, steps.file(PIVOTS_OF_GROUPS, group, "parquet")))
    return tasks


def write_vectors(task: VectorsTask, plans: CellPlans, seed: int) -> Receipt:
    """Write the vector of each candidate of a group, and the pivots among them.

    Of several rows of an image the first by hash counts. The fact `vectors` counts the images that have one.
    """
    counts = [count_rows(path) for path in task.scores.candidates]
    table = task.scores.tables[schema_of(task.scores.schema).names.index(task.column)]
    windows = Joined(task.scores.joined, sum(counts), MAX_ROWS).windows(counts)
    receipt = Receipt(task.pivots, sum(counts), sum(counts))
    pivots = []
    for candidates, path, count in zip(task.scores.candidates, task.outputs, counts, strict=True):
        uids = read_rows(candidates, CANDIDATES, ["uid"])["uid"].combine_chunks()
        with ParquetSink(path, VECTORS_SCHEMA) as sink:
            end = 0
            while end < count:
                first, last, rows = next(windows)
                for offset, stored in _of_images(rows, table, task.column, first, last):
                    sink.write(pa.RecordBatch.from_arrays([stored], schema=VECTORS_SCHEMA))
                    known = stored.is_valid()
                    receipt.facts["vectors"] += len(stored) - stored.null_count
                    mine = pa.array(uids.slice(end + offset, len(stored)), pa.string()).filter(known)
                    pivots.append(draw_pivots(mine, stored.filter(known), plans, seed))
                end += last - first
    write_rows(task.pivots, pa.concat_tables([PIVOTS.empty_table(), *pivots]))
    return receipt


_BATCH = 1024


def _of_images(rows: pa.Table | None, table: int, column: str, first: int, last: int) -> Iterator[tuple[int, pa.Array]]:
    """Yield stretches of the images of a window: the place of the first one, and their vectors."""
    places = RowsOf(rows, table, first, last).nth(np.arange(last - first))
    for start in range(0, last - first, _BATCH):
        mine = places[start : start + _BATCH]
        if rows is None:
            yield start, pa.nulls(len(mine), pa.binary())
        else:
            taken = rows[f"{PAYLOAD}{column}"].combine_chunks().take(pa.array(mine, mask=mine < 0))
            yield start, to_vectors(taken)

"""The boxes of the candidates, out of the joined scores: a file for each range."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.images.ranges import list_name
from curation.shards.face_boxes import BOXES_SCHEMA, MAX_BOXES, Box, read_boxes
from curation.shards.joined import Joined
from curation.shards.score_join import MAX_ROWS, PAYLOAD, JoinedScores, ScoreFiles, count_rows, schema_of
from curation.shards.steps import BOXES, SelectionSteps


@dataclass(frozen=True)
class BoxesTask:
    """The joined scores of a group of ranges, the column of boxes, and the file to write for each range."""

    scores: ScoreFiles
    column: str
    outputs: tuple[str, ...]


def plan_boxes(joined: JoinedScores, steps: SelectionSteps, column: str) -> list[BoxesTask]:
    """Return a task of `write_boxes` for each group."""
    tasks = []
    for group, scores in enumerate(joined.groups):
        names = [list_name(number) for number in steps.ranges.in_group(group)]
        tasks.append(BoxesTask(scores, column, tuple(storage.join(steps.folder(BOXES), name) for name in names)))
    return tasks


def write_boxes(task: BoxesTask) -> Receipt:
    """Write the boxes of each candidate of a group; an image with several rows has the boxes of all of them."""
    counts = [count_rows(path) for path in task.scores.candidates]
    table = task.scores.tables[schema_of(task.scores.schema).names.index(task.column)]
    windows = Joined(task.scores.joined, sum(counts), MAX_ROWS, every=True).windows(counts)
    for path, count in zip(task.outputs, counts, strict=True):
        with ParquetSink(path, BOXES_SCHEMA) as sink:
            end = 0
            while end < count:
                first, last, rows = next(windows)
                boxes = list(_of_images(rows, table, task.column, first, last))
                sink.write(pa.RecordBatch.from_arrays([pa.array(boxes, BOXES_SCHEMA.types[0])], schema=BOXES_SCHEMA))
                end += last - first
    return Receipt("/".join(map(str, task.scores.joined)), sum(counts), sum(counts))


def _of_images(rows: pa.Table | None, table: int, column: str, first: int, last: int) -> Iterator[list[Box] | None]:
    """Yield the boxes of each image of a window, None where they are not known."""
    found: dict[int, set[Box] | None] = {}
    if rows is not None:
        mine = rows.filter(pc.equal(rows["table"], table))
        for image, value in zip(mine["row"].to_pylist(), mine[f"{PAYLOAD}{column}"].to_pylist(), strict=True):
            known, boxes = found.get(image, set()), read_boxes(value)
            found[image] = None if known is None or boxes is None else known | {*boxes}
    for image in range(first, last):
        united = found.get(image)
        yield None if united is None or len(united) > MAX_BOXES else sorted(united)

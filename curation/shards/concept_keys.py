"""Survivors and tables of concepts on their way to each other: keys and rows, dealt into the buckets of a join."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from curation.balancing.concept_rows import DealConceptsTask, plan_dealing
from curation.balancing.concept_tables import IDS, SHA256, UID, ConceptTable, read_by_hash, read_concepts
from curation.core import storage
from curation.core.beats import watch
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.images.ranges import Ranges, list_name
from curation.shards.keyed_join import ORDER_BYTES, SliceWriter, buckets_of, done_once, given_schema, write_row_keys
from curation.shards.row_keys import key_of
from curation.shards.second_balance import read_survivors

BATCH_ROWS = 8192
GIVEN = given_schema(pa.schema([(IDS, pa.list_(pa.int64()))]))
DIGITS = {UID: 24, SHA256: 64}


@dataclass(frozen=True)
class KeySurvivorsTask:
    """The survivors of a group of ranges, the columns of keys, and the prefix of the slices to write."""

    group: int
    survivors: str
    candidates: str
    columns: tuple[str, ...]
    prefix: str
    buckets: int


@dataclass(frozen=True)
class DealRowsTask:
    """Files of a namespace, its key and number; the prefix of the files is that of the slices to write."""

    files: DealConceptsTask
    key: str
    table: int
    receipt: str
    buckets: int


def plan_rows(tables: Sequence[ConceptTable], folder: str, buckets: int) -> list[DealRowsTask]:
    """Return the tasks of `deal_rows`, which write to `folder`; tables are known by their numbers."""
    tasks = []
    for number, table in enumerate(tables):
        for files in plan_dealing(table, storage.join(folder, f"{number:03d}")):
            name = files.prefix.rpartition("/")[2]
            mine = replace(files, prefix=storage.join(folder, f"{number:03d}-{name}"))
            receipt = storage.join(folder, "receipts", f"{number:03d}-{name}.json")
            tasks.append(DealRowsTask(mine, table.key, number, receipt, buckets))
    return tasks


def key_survivors(task: KeySurvivorsTask, ranges: Ranges) -> Receipt:
    """Write the keys of the survivors of a group as slices for the buckets."""
    watch(receipt := Receipt(task.prefix))

    def tables() -> Iterator[pa.Table]:
        for number in ranges.in_group(task.group):
            survivors = read_survivors(task.survivors, number)
            rows = read_rows(storage.join(task.candidates, list_name(number)), CANDIDATES, list(task.columns))
            yield rows.take(survivors["place"])

    return write_row_keys(receipt, tables(), task.columns, task.group, task.buckets)


@done_once
def deal_rows(task: DealRowsTask) -> Receipt:
    """Write the rows of files of a namespace as slices for the buckets. Raises HeadtailError for a key that is none."""
    files, receipt = task.files, Receipt(task.files.prefix)
    watch(receipt)
    out = SliceWriter(files.prefix, GIVEN, task.buckets)
    groups = range(*files.groups) if files.groups else None
    read = read_by_hash if task.key == SHA256 else read_concepts
    for path in files.paths:
        for batch in read(files.name, path, files.size, files.weighted, groups, BATCH_ROWS):
            keys = _keys(batch[task.key], task.key, f"concepts.{files.name}: {path}")
            ids, rows = batch[IDS].cast(GIVEN.field(IDS).type), batch.num_rows
            sizes = (8 * np.diff(ids.offsets.to_numpy())).astype(np.int32)
            columns = [
                pa.array(keys, pa.string()),
                pa.array(np.full(rows, task.table, np.int16)),
                pa.array([bytes(ORDER_BYTES)] * rows, pa.binary(ORDER_BYTES)),  # two rows of one key are refused
                pa.array(sizes),
                ids,
            ]
            out.add(pa.RecordBatch.from_arrays(columns, schema=GIVEN), buckets_of(keys, task.buckets), int(sizes.sum()))
            receipt.rows_in += rows
    out.close()
    receipt.rows_out = receipt.facts[f"rows {task.table}"] = receipt.rows_in
    return receipt


def _keys(values: pa.StringArray, kind: str, where: str) -> list[str]:
    """Return the keys of rows, whatever the case of a sha256; raises HeadtailError for a value that is none."""
    given = values.to_pylist()
    keys = [key_of(kind, value.lower() if kind == SHA256 else value) for value in given]
    if None in keys:
        wrong = given[keys.index(None)]
        raise HeadtailError(
            f"{where} cannot be joined: {wrong[:100]!r} is no {kind}, which has {DIGITS[kind]} digits of 0-9 and a-f"
        )
    return [key for key in keys if key]

"""Concepts of the survivors, for the second balance: joined by uid, url or sha256, and their counts estimated.

A range's file has a column for each namespace, a list of ids for each of its survivors in their order, as the buckets
of a first balance have it (curation/balancing/concept_join.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from curation.balancing.concept_counts import describe_namespace, target_values
from curation.balancing.concept_join import joined_path
from curation.balancing.concept_rows import ids_type
from curation.balancing.concept_tables import IDS
from curation.balancing.concepts import ConceptDraw
from curation.balancing.counts import CountArrays, CountFiles, merge_partials, save_array, write_partial
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.weighted_ids import BITS, unpack
from curation.core import storage
from curation.core.amounts import counted
from curation.core.beats import watch
from curation.core.choices import Unit
from curation.core.errors import HeadtailError
from curation.core.exchange import write_batches
from curation.core.receipts import Receipt, merge_receipts
from curation.images.ranges import Ranges, list_name
from curation.shards.concept_keys import KeySurvivorsTask, deal_rows, key_survivors, plan_rows
from curation.shards.joined import Joined, Runner, run_join
from curation.shards.keyed_join import count_buckets, digest_of
from curation.shards.score_join import RowsOf
from curation.shards.second_balance import FirstBalance, curated_rows, estimated_counts, image_weights, read_survivors
from curation.shards.second_concepts import SecondConcepts
from curation.shards.steps import SURVIVORS, SelectionSteps


@dataclass(frozen=True)
class WeighConceptsTask:
    """A group of ranges, folder and number of its joined slices; the folder and the file of counts to write.

    `weighted` has each namespace, in the order of their numbers: whether it has weights.
    """

    group: int
    survivors: str
    lists: str
    joined: tuple[str, int]
    weighted: dict[str, bool]
    output: str
    counts: str


@dataclass(frozen=True)
class SurvivorConcepts:
    """The concepts of survivors: how they draw them, and the numbers of each namespace for the manifest."""

    draw: ConceptDraw
    numbers: Mapping[str, Mapping[str, Any]]

    def lines(self) -> Iterator[str]:
        """Yield what is told of each namespace."""
        for name, found in self.numbers.items():
            yield (
                f"concepts.{name}: t={found['t']:,.8g}, {counted(found['images_with'], 'images')} with a concept, "
                f"{found['images_without']:,} without; {found['rows_without_image']:,} of "
                f"{counted(found['rows'], 'rows')} have the {found['key']} of no image that is left"
            )


def join_survivors(run: Runner, steps: SelectionSteps, first: FirstBalance, images: int) -> SurvivorConcepts:
    """Join the concepts with the survivors, `images` in number, estimate their counts, and choose the thresholds.

    Raises HeadtailError for a table whose rows mean nothing, for two rows with the key of one image, and where no
    survivor has a concept of a namespace.
    """
    concepts = first.concepts
    assert concepts is not None
    folder, groups = steps.folder("concepts"), range(steps.ranges.groups)
    columns = tuple(sorted({table.key for table in concepts.tables}))
    buckets = count_buckets(images * len(columns), len(concepts.tables))
    keys, rows = storage.join(folder, "keys"), storage.join(folder, f"rows-{buckets}")
    storage.remove(keys)
    survivors, candidates = steps.folder(SURVIVORS), steps.folder("candidates")
    keyed = run(
        partial(key_survivors, ranges=steps.ranges),
        [
            KeySurvivorsTask(group, survivors, candidates, columns, storage.join(keys, f"{group:06d}"), buckets)
            for group in groups
        ],
    )
    dealt = merge_receipts("concepts", run(deal_rows, plan_rows(concepts.tables, rows, buckets)))
    made = storage.join(folder, f"of-{digest_of(keyed)}")
    fitted, files = run_join(run, keys, rows, made, buckets, len(groups))
    for number, table in enumerate(concepts.tables):
        if twice := fitted.facts[f"same_key {number}"]:
            raise HeadtailError(
                f"concepts.{table.name}: {counted(twice, 'rows')} with the {table.key} of an image that another row "
                "has: give each image one row with all its concepts"
            )
    weighted, joined = {table.name: table.weighted for table in concepts.tables}, storage.join(folder, "joined")
    weights = [steps.file("concept-weights", group, "parquet") for group in groups]
    tasks = [
        WeighConceptsTask(group, survivors, steps.lists, files.of(group), weighted, joined, weights[group])
        for group in groups
    ]
    weighed = merge_receipts("concepts", run(partial(weigh_concepts, ranges=steps.ranges, unit=first.unit), tasks))
    for number, table in enumerate(concepts.tables):
        if not weighed.facts[f"with {number}"] and not concepts.allow_empty:
            raise HeadtailError(
                f"concepts.{table.name}: no image that is left has a concept in it: its {table.key}s are of other "
                "images, or its lists are empty; allow_empty=true balances without it"
            )
    counts = CountFiles(storage.join(folder, "counts"))
    for name, values in merge_partials(weights):
        save_array(storage.join(counts.folder, f"{name}.npy"), estimated_counts(values))
    targets = first.targets.of_concepts() if first.targets else None
    t = {
        table.name: concepts.goals[table.name].threshold(
            counts[table.name], target_values(targets, table.name, counts[table.name])
        )
        for table in concepts.tables
    }
    draw = ConceptDraw(t, concepts.combine, counts.folder, joined, "", targets)
    return SurvivorConcepts(draw, dict(_numbers(concepts, draw, counts, dealt, fitted, weighed)))


def _numbers(
    concepts: SecondConcepts, draw: ConceptDraw, counts: CountFiles, dealt: Receipt, fitted: Receipt, weighed: Receipt
) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, table in enumerate(concepts.tables):
        given = {
            "key": table.key,
            "rows": dealt.facts[f"rows {number}"],
            "rows_without_image": fitted.facts[f"fits_no_image {number}"],
        }
        mine, images_with = counts[table.name], weighed.facts[f"with {number}"]
        values = target_values(draw.targets, table.name, mine)
        found = describe_namespace(mine, draw.t[table.name], weighed.rows_in, images_with, np.zeros(0), values)
        found.pop("kept")  # what the second draw keeps is what is written
        yield table.name, found | given


def weigh_concepts(task: WeighConceptsTask, ranges: Ranges, unit: Unit) -> Receipt:
    """Write the concepts of the survivors of each range, and estimate their counts.

    Rows of the receipt are survivors; its facts are, by the number of the namespace, `with 0`: those with a concept.
    """
    receipt, counts = Receipt(task.counts), CountArrays()
    watch(receipt)
    numbers = ranges.in_group(task.group)
    survivors = [read_survivors(task.survivors, number) for number in numbers]
    sizes = [rows.num_rows for rows in survivors]
    windows = Joined(task.joined, sum(sizes)).windows(sizes)
    schema = pa.schema([(name, ids_type(each)) for name, each in task.weighted.items()])

    def concepts(weights: np.ndarray) -> Iterator[pa.RecordBatch]:
        """Yield the concepts of a range, whose survivors weigh `weights`."""
        done = 0
        while done < len(weights):
            first, last, rows = next(windows)
            mine = weights[done : done + last - first]
            columns = []
            for table, (name, weighted) in enumerate(task.weighted.items()):
                places = RowsOf(rows, table, first, last).nth(np.arange(last - first))
                offsets, ids = _lists(rows, places, weighted)
                _count(counts, name, ids, np.repeat(mine, np.diff(offsets)))
                receipt.facts[f"with {table}"] += int((np.diff(offsets) > 0).sum())
                columns.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            done += last - first

    for number, rows in zip(numbers, survivors, strict=True):
        listed = curated_rows(task.lists, number, rows)
        weights = [np.zeros(0, np.int64), *(image_weights(MatchedBatch(batch), unit) for batch in listed)]
        write_batches(joined_path(task.output, list_name(number)), schema, concepts(np.concatenate(weights)))
    write_partial(task.counts, counts)
    receipt.rows_in = receipt.rows_out = sum(sizes)
    return receipt


def _lists(rows: pa.Table | None, places: np.ndarray, weighted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of images, sorted and each once, as offsets int32[n + 1] and ids; of an id the largest weight.

    `places` are the rows of the images, -1 for one without a row.
    """
    if rows is None:
        return np.zeros(len(places) + 1, np.int32), np.zeros(0, np.int64 if weighted else np.int32)
    lists = rows[IDS].combine_chunks().take(pa.array(places, mask=places < 0))
    ids, sizes = lists.flatten().to_numpy(), lists.value_lengths().fill_null(0).to_numpy()
    images = np.repeat(np.arange(len(places)), sizes)
    order = np.lexsort((ids, images))
    ids, images = ids[order], images[order]
    concepts = ids >> BITS if weighted else ids
    last = np.ones(len(ids), bool)
    last[:-1] = (np.diff(concepts) != 0) | (np.diff(images) != 0)
    counts = np.bincount(images[last], minlength=len(places))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return offsets, ids[last] if weighted else ids[last].astype(np.int32)


def _count(counts: CountArrays, name: str, ids: np.ndarray, weights: np.ndarray) -> None:
    """Count ids with the weights of their images, and with their own if they have some."""
    if ids.dtype == np.int64:
        ids, shares = unpack(ids)
        weights = np.rint(weights * shares).astype(np.int64)
    counts.add_with_weights(name, ids, weights)

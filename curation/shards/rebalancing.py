"""The second balance over what download and filters left, before it is packed into shards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.balancing.balance import curated_batch
from curation.balancing.counts import CountFiles, merge_partials, save_array, write_partial
from curation.balancing.distributions import Distributions
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core import storage
from curation.core.choices import Unit
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES, CURATED
from curation.images.ranges import Ranges, list_name
from curation.shards.second_balance import (
    SecondDrawing,
    Shortfall,
    draw_survivors,
    estimated_counts,
    second_thresholds,
    weigh_survivors,
)
from curation.shards.selection import survivors_output, write_rows

BATCH_ROWS = 8192


@dataclass(frozen=True)
class FirstBalance:
    """What the first pass was asked for, as the manifest of `curated` tells it."""

    unit: Unit
    seed: int
    goal: BalanceGoal

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> "FirstBalance":
        """Return it from the settings of balance_pairs, with what it solved for."""
        asked = {name: settings[name] for name in ("t", "tail_share", "target_images", "headroom", "solved_t")}
        return cls(Unit(settings["unit"]), settings["seed"], BalanceGoal(ThresholdRule(**settings["rule"]), **asked))


def weigh_images(task: dict, ranges: Ranges, unit: Unit) -> Receipt:
    """Count the entries that a group's survivors stand for.

    `task` holds group, survivors and lists (folders) and weights (path of the counts to write).
    """
    receipt = Receipt(f"weights of group {task['group']}")
    rows = [batch for number in ranges.in_group(task["group"]) for batch in _curated(task, number)]
    write_partial(task["weights"], weigh_survivors(rows, unit))
    receipt.rows_in = receipt.rows_out = sum(batch.num_rows for batch in rows)
    return receipt


def _curated(task: dict, number: int) -> Iterator[pa.RecordBatch]:
    """The curated rows of a range's survivors, in their order."""
    rows = _read(storage.join(task["survivors"], list_name(number)), ["row"])["row"]
    listed = _read(storage.join(task["lists"], list_name(number)), CURATED.names)
    yield from listed.take(rows).combine_chunks().to_batches(BATCH_ROWS)


def plan_second_draw(weights: list[str], first: FirstBalance, folder: str) -> SecondDrawing:
    """Add the weights of all groups, store the estimated counts as flat files, and derive the thresholds."""
    for lang, weighted in merge_partials(weights):
        save_array(storage.join(folder, f"{lang}.npy"), estimated_counts(weighted))
    counts = CountFiles(folder)
    t = second_thresholds(first.goal, Distributions.of_files(counts))
    return SecondDrawing(first.unit, first.seed, counts, t)


def draw_images(task: dict, ranges: Ranges, second: SecondDrawing) -> Receipt:
    """Draw a group's survivors again, and write those that stay with the texts that stayed.

    `task` holds group, survivors and lists (folders to read), balanced and drawn (folders to write: survivors, and
    their curated rows). One output a range. Reasons: not_drawn. Facts carry the shortfall.
    """
    receipt = Receipt(f"second balance of group {task['group']}")
    shortfall = Shortfall()
    for number in ranges.in_group(task["group"]):
        images = _read(storage.join(task["survivors"], list_name(number)))
        rows, kept = [], []
        for matched, drawn in draw_survivors(_curated(task, number), second, shortfall):
            rows.append(curated_batch(matched, drawn))
            kept.append(drawn.chosen >= 0)
        curated = pa.Table.from_batches(rows, CURATED)
        left = images.filter(pa.array(np.concatenate(kept))) if kept else images
        write_rows(storage.join(task["drawn"], list_name(number)), curated)
        path = storage.join(task["balanced"], list_name(number))
        receipt.outputs.append(survivors_output(number, path, _with_draws(left, curated)))
        receipt.rows_in += images.num_rows
        receipt.rows_out += left.num_rows
        receipt.drops["not_drawn"] += images.num_rows - left.num_rows
    receipt.facts.update(shortfall.facts())
    return receipt


def _with_draws(images: pa.Table, curated: pa.Table) -> pa.Table:
    """Survivors with the text and probability of the second draw, pointing to their rows in its file."""
    fresh = {name: curated[name] for name in ("text", "lang", "keep_probability")}
    fresh["row"] = pa.chunked_array([np.arange(images.num_rows, dtype=np.int32)])
    return pa.table([fresh.get(name, images[name]) for name in CANDIDATES.names], CANDIDATES)


def _read(path: str, columns: list[str] | None = None) -> pa.Table:
    with storage.open_input(path) as file:
        return pq.read_table(file, columns=columns)

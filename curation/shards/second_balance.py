"""The second balance: after download and filters, with the entry counts of the survivors.

t is a threshold for the counts of the survivors, which are unknown before the download. The first pass draws with
t / headroom and stores P1, the keep probabilities. Each survivor of the first pass stands for 1 / P1 images like it,
most of them never fetched, so sums weighted with 1 / P1 estimate the counts over all that would have survived. These
counts give thresholds and P2, and a unit stays iff its same u is below min(P1, P2).

Where concepts had a part in the first pass, its draws are repeated with these, and what both passes keep stays
(second_concepts.py).

Plain counts of the survivors are wrong: the first pass has already thinned the head, so the texts of the head get too
large a P2. With the same u the head ends too large, with a fresh u it is thinned twice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.balance import DrawnBatch, curated_batch, draw_batch, text_probabilities
from curation.balancing.concepts import BucketConcepts, ConceptDraw
from curation.balancing.counts import CountArrays, CountFiles, merge_partials, save_array, write_partial
from curation.balancing.distributions import Distributions
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.targets import EntryTargets, with_targets
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core import storage
from curation.core.choices import Unit
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED
from curation.core.table_reader import read_rows
from curation.images.ranges import Ranges, list_name
from curation.shards.dropped import add_examples
from curation.shards.second_concepts import SecondConcepts, draw_with_concepts
from curation.shards.selection import CHOSEN, read_list, write_survivors

BATCH_ROWS = 8192
WEIGHT = 2**20
"""Weights are int64 multiples of 1 / WEIGHT, so that no order of addition can show."""
BINS = 1000
CONCEPTS = "concepts"
"""The setting of a balance that names tables of concepts; its draws are more than those of entries."""


@dataclass(frozen=True)
class FirstBalance:
    """The settings of the first pass, as the manifest of `curated` holds them.

    `targets` are those of entries, their own t in counts of survivors; `concepts` take part in the second balance.
    """

    unit: Unit
    seed: int
    goal: BalanceGoal
    targets: EntryTargets | None = None
    concepts: SecondConcepts | None = None

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any], targets: EntryTargets | None = None) -> Self:
        """Return the first balance of the settings of balance_pairs and what it solved (`solution`)."""
        asked = {name: settings[name] for name in ("t", "tail_share", "target_images", "headroom", "solved_t")}
        rule = ThresholdRule(**settings["rule"])
        goal = BalanceGoal(replace(rule, yields=settings.get("yields", rule.yields)), **asked)
        return cls(Unit(settings["unit"]), settings["seed"], goal, targets)


@dataclass(frozen=True)
class SecondDraw:
    """How survivors are drawn: `counts` and thresholds `t` are estimated over them; `targets` are in their counts.

    `concepts` draw images as well.
    """

    unit: Unit
    seed: int
    counts: CountFiles | dict[str, np.ndarray]
    t: dict[str, float]
    targets: EntryTargets | None = None
    concepts: ConceptDraw | None = None

    def open(self, number: int) -> AbstractContextManager[BucketConcepts | None]:
        """Open the concepts of the survivors of a range, None without any."""
        return self.concepts.read(list_name(number)) if self.concepts else nullcontext()


@dataclass(frozen=True)
class WeighTask:
    """A group of ranges; reads the folders `survivors` and `lists`, and writes the file of counts `weights`."""

    group: int
    survivors: str
    lists: str
    weights: str


@dataclass(frozen=True)
class DrawTask:
    """A group of ranges; reads the folders `survivors` and `lists`.

    Writes the folders `balanced` (the images that stay) and `drawn` (their curated rows).
    """

    group: int
    survivors: str
    lists: str
    balanced: str
    drawn: str


def weigh_images(task: WeighTask, ranges: Ranges, unit: Unit) -> Receipt:
    """Estimate the entry counts of a group from its survivors."""
    receipt = Receipt(f"weights of group {task.group}")
    rows = [
        batch
        for number in ranges.in_group(task.group)
        for batch in curated_rows(task.lists, number, read_survivors(task.survivors, number))
    ]
    write_partial(task.weights, weigh_survivors(rows, unit))
    receipt.rows_in = receipt.rows_out = sum(batch.num_rows for batch in rows)
    return receipt


def plan_second_draw(weights: Sequence[str], first: FirstBalance, folder: str) -> SecondDraw:
    """Add the weights of all groups, store the estimated counts as flat files, and derive the thresholds."""
    for lang, weighted in merge_partials(weights):
        save_array(storage.join(folder, f"{lang}.npy"), estimated_counts(weighted))
    counts = CountFiles(folder)
    t = second_thresholds(first.goal, Distributions.of_files(counts, first.targets))
    return SecondDraw(first.unit, first.seed, counts, t, first.targets)


def draw_images(task: DrawTask, ranges: Ranges, second: SecondDraw) -> Receipt:
    """Draw a group's survivors again, and write the images that stay and their curated rows.

    Reasons: not_drawn. The facts of the receipt hold the missing texts.
    """
    receipt = Receipt(f"second balance of group {task.group}")
    missing = MissingTexts()
    for number in ranges.in_group(task.group):
        images = read_survivors(task.survivors, number)
        rows, kept = [], [np.zeros(0, bool)]
        for matched, drawn in _draw_range(task, number, images, second, missing):
            rows.append(curated_batch(matched, drawn))
            kept.append(drawn.chosen >= 0)
        stays = pa.array(np.concatenate(kept))
        left = images.filter(stays)
        add_examples(receipt, "not_drawn", images["uid"].filter(pc.invert(stays)), ranges.seed)
        write_rows(storage.join(task.drawn, list_name(number)), pa.Table.from_batches(rows, CURATED))
        drawn_rows = pa.array(np.arange(left.num_rows, dtype=np.int32))
        left = left.set_column(left.column_names.index("row"), CHOSEN.field("row"), drawn_rows)
        receipt.outputs.append(write_survivors(task.balanced, number, left))
        receipt.rows_in += images.num_rows
        receipt.rows_out += left.num_rows
        receipt.drops["not_drawn"] += images.num_rows - left.num_rows
    receipt.facts.update(missing.facts())
    return receipt


def _draw_range(
    task: DrawTask, number: int, images: pa.Table, second: SecondDraw, missing: "MissingTexts"
) -> Iterator[tuple[MatchedBatch, DrawnBatch]]:
    with second.open(number) as concepts:
        yield from draw_survivors(curated_rows(task.lists, number, images), second, missing, concepts)


def read_survivors(folder: str, number: int) -> pa.Table:
    """Return the survivors of a range."""
    return read_rows(storage.join(folder, list_name(number)), CHOSEN)


def curated_rows(lists: str, number: int, survivors: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the curated rows of a range's survivors, in their order."""
    listed = read_list(lists, number, CURATED.names)
    yield from listed.take(survivors["row"]).combine_chunks().to_batches(BATCH_ROWS)


def weigh_survivors(batches: Iterable[pa.RecordBatch], unit: Unit) -> CountArrays:
    """Return the entry counts that survivors (rows of `curated`) stand for, in units of 1 / WEIGHT.

    unit=pair: each kept text counts 1 / P1. unit=image: each text of an image counts 1 / the mean P1 of its texts,
    because the image's text was drawn at random among them.
    """
    counts = CountArrays()
    for batch in batches:
        matched = MatchedBatch(batch)
        counts.add_weighted(matched, _weights(matched, unit))
    return counts


def _weights(matched: MatchedBatch, unit: Unit) -> np.ndarray:
    first = first_probabilities(matched)
    if unit == Unit.pair:
        kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
        shares = np.where(kept, first, np.inf)
    else:
        sizes = np.diff(matched.starts)
        means = np.add.reduceat(first, matched.starts[:-1]) / sizes if len(sizes) else first
        shares = np.repeat(means, sizes)
    return _inverse(shares)


def image_weights(matched: MatchedBatch, unit: Unit) -> np.ndarray:
    """Return what each survivor stands for, int64[n], in units of 1 / WEIGHT: 1 / the probability of its image."""
    if unit == Unit.image:
        return _weights(matched, unit)[matched.starts[:-1]]
    return _inverse(matched.batch["keep_probability"].to_numpy())


def _inverse(probabilities: np.ndarray) -> np.ndarray:
    # A probability whose weight could overflow a sum is so small that no draw is below it.
    return np.rint(WEIGHT / np.maximum(probabilities, 1e-9)).astype(np.int64)


def first_probabilities(matched: MatchedBatch) -> np.ndarray:
    """Return P1 of every text, float64[k]."""
    return pc.struct_field(matched.structs, "keep_probability").to_numpy()


def estimated_counts(weighted: np.ndarray) -> np.ndarray:
    """Return weighted sums as counts, float64."""
    return weighted / WEIGHT


def second_thresholds(goal: BalanceGoal, distributions: Distributions) -> dict[str, float]:
    """Return each language's t over the estimated counts, from the settings of the first pass and its solved t."""
    return goal.of_survivors().thresholds(distributions)


def draw_survivors(
    batches: Iterable[pa.RecordBatch],
    second: SecondDraw,
    missing: "MissingTexts",
    concepts: BucketConcepts | None = None,
) -> Iterator[tuple[MatchedBatch, DrawnBatch]]:
    """Yield batches of survivors with the result of the second draw, and add to the missing texts.

    The draws u are those of the first pass: no text that it dropped comes back, and where P2 <= P1 the result is that
    of a single draw with P2. `concepts` are those of the survivors, if they take part.
    """
    counts = with_targets(second.counts, second.targets)
    for batch in batches:
        matched = MatchedBatch(batch)
        first = first_probabilities(matched)
        # A language without a kept text has no estimate, and none of its texts can come back.
        wanted = text_probabilities(matched, counts, second.t, unknown=1.0)
        weights = _weights(matched, second.unit)
        if second.unit == Unit.image:  # one text of an image is drawn, each with the same chance
            sizes = np.diff(matched.starts)
            weights //= np.repeat(sizes, sizes)
        if concepts is None:
            missing.add(first, wanted, weights)
            yield matched, draw_batch(matched, np.minimum(first, wanted), second.unit, second.seed)
        else:
            wanted, drawn = draw_with_concepts(matched, wanted, concepts, second.unit, second.seed)
            missing.add(first, wanted, weights)
            yield matched, drawn


class MissingTexts:
    """Texts that the second balance would keep and the first pass dropped (P2 > P1); parts add up.

    `missing` and `wanted` are sums of weights; `ratios` is a histogram of P1 / P2 over the survivors' texts.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.wanted = 0
        self.ratios = np.zeros(BINS + 1, np.int64)

    def add(self, first: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> None:
        """Add texts: their P1, P2 and weights (0 for a text that stands for none)."""
        self.missing += int(np.rint(np.maximum(wanted - first, 0.0) * weights).sum())
        self.wanted += int(np.rint(wanted * weights).sum())
        ratios = np.divide(first, wanted, out=np.ones_like(first), where=wanted > first)[weights > 0]
        self.ratios += np.bincount((ratios * BINS).astype(np.int64), minlength=BINS + 1)

    def merge(self, facts: Counter[str]) -> None:
        """Add the missing texts that the `facts` of a receipt hold."""
        self.missing += facts["missing"]
        self.wanted += facts["wanted"]
        for index in range(BINS + 1):
            self.ratios[index] += facts[f"ratio:{index}"]

    def facts(self) -> dict[str, int]:
        """Return the missing texts as facts of a receipt."""
        ratios = {f"ratio:{index}": int(n) for index, n in enumerate(self.ratios) if n}
        return {"missing": self.missing, "wanted": self.wanted, **ratios}

    def describe(self, goal: BalanceGoal) -> dict[str, Any]:
        """Return the number of missing texts, their share of the wanted texts, and a headroom that is low enough.

        With that headroom 99% of the survivors' texts have P2 <= P1, as far as P1 grows with t. A tail share has no
        such headroom: its first pass does not depend on the headroom.
        """
        texts = int(self.ratios.sum())
        below = np.cumsum(self.ratios)
        ratio = int(np.searchsorted(below, 0.01 * texts, side="right")) / BINS if texts else 1.0
        return {
            "missing_texts": self.missing / WEIGHT,
            "missing_share": self.missing / self.wanted if self.wanted else 0.0,
            "sufficient_headroom": goal.headroom * ratio if goal.tail_share is None else None,
        }

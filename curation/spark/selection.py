"""The steps between downloads and shards, run on the cluster: each is a list of tasks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from curation.core.choices import Faces
from curation.core.progress import say
from curation.core.receipts import Receipt, merge_receipts
from curation.shards.benchmark_images import count_hits
from curation.shards.box_files import plan_boxes, write_boxes
from curation.shards.cells import CellPlans
from curation.shards.dropped import EXAMPLES_KEY, smallest, uids_by_reason
from curation.shards.duplicates import UniqueRules, drop_duplicates, find_duplicates, key_images
from curation.shards.near_steps import NO_OTHERS, drop_near_images, prepare_vectors
from curation.shards.other_sets import OtherSets, deal_other_keys
from curation.shards.perceptual_hash import hash_images
from curation.shards.score_filter import plan_filter
from curation.shards.score_join import ScoreSettings, join_scores
from curation.shards.second_balance import (
    CONCEPTS,
    FirstBalance,
    MissingTexts,
    draw_images,
    plan_second_draw,
    weigh_images,
)
from curation.shards.selection import ImageFilters, select_images
from curation.shards.shard_set import STAGE
from curation.shards.steps import BALANCED, SURVIVORS, UNIQUE, SelectionSteps
from curation.shards.survivor_concepts import join_survivors
from curation.spark.sql_filter import filter_images
from curation.spark.tasks import run_tasks

REPORTED_SHARE = 0.001
"""A smaller share of missing texts is not reported."""
NO_HEADROOM = (
    "with balance.tail_share no headroom helps; balance.t and balance.target_images draw more with a lower headroom"
)


@dataclass(frozen=True)
class SelectionSettings:
    """Which images become samples: bounds, duplicates and removals, score tables and an SQL expression, faces.

    `near_cosine` is the cosine from which on embeddings are those of near duplicates; None: they are not compared. The
    images of `others` are left out.
    """

    filters: ImageFilters
    unique: UniqueRules
    scores: ScoreSettings
    faces: Faces = Faces.keep
    near_cosine: float | None = None
    others: OtherSets = NO_OTHERS


@dataclass(frozen=True)
class Chosen:
    """The images that become samples: the receipt of all steps, the folder of their texts, facts for the manifest.

    `folder` is the name of the folder of the images by range.
    """

    receipt: Receipt
    texts: str
    facts: dict[str, Any]
    folder: str


def choose_samples(
    spark: SparkSession, steps: SelectionSteps, settings: SelectionSettings, first: FirstBalance | None
) -> Chosen:
    """Select among the images; if `first` is given, the balance of before, balance those again that are left."""
    selection, facts = select_samples(spark, steps, settings)
    texts, folder = steps.lists, SURVIVORS
    if first and selection.rows_out:
        selection, facts["second_balance"] = balance_again(spark, steps, first, selection)
        texts, folder = steps.folder("drawn"), BALANCED
    if examples := uids_by_reason(selection):
        facts[EXAMPLES_KEY] = examples
    return Chosen(selection, texts, facts, folder)


def select_samples(
    spark: SparkSession, steps: SelectionSteps, settings: SelectionSettings
) -> tuple[Receipt, dict[str, Any]]:
    """Filter, remove and deduplicate; return the receipt of all steps, whose outputs are the survivors by range.

    Also returns facts for the manifest: the counts of score tables, and the images of benchmarks that were found.
    """
    ranges, expression, others = steps.ranges, settings.scores.expression, settings.others
    select = partial(select_images, ranges=ranges, filters=settings.filters, removals=settings.unique.removals)
    selected = run_tasks(spark, select, steps.select(), steps.work)
    candidates = sum(receipt.rows_out for receipt in selected)
    run_each = partial(run_tasks, spark, folder=steps.work)
    joined = join_scores(run_each, steps, settings.scores, candidates)
    if expression:
        filter_images(spark, plan_filter(joined, expression), expression, steps.folder("passed"))
    if settings.faces != Faces.keep:
        run_tasks(spark, write_boxes, plan_boxes(joined, steps, settings.scores.boxes), steps.work)
    known = run_each(partial(deal_other_keys, ranges=ranges), others.key_tasks(steps, settings.unique.near_version))
    known_images = sum(receipt.rows_out for receipt in known)
    plans, vectors = CellPlans.of(candidates, known_images), dict[str, int]()
    if settings.scores.vectors:
        vectors = prepare_vectors(run_each, steps, joined, settings.scores.vectors, plans)
    if versions := settings.unique.versions:
        run_tasks(spark, hash_images, steps.hash(versions), steps.work)
    key = partial(key_images, ranges=ranges, rules=replace(settings.unique, others=bool(others.files)))
    tasks = steps.key(bool(expression), settings.faces, settings.unique.benchmarks.cosine is not None)
    keyed = run_tasks(spark, key, tasks, steps.work)
    facts: dict[str, Any] = {"scores": joined.counts} if joined.counts else {}
    if others.files:
        facts["against"] = {"images": known_images}
    if benchmarks := settings.unique.benchmarks:
        facts["benchmarks"] = count_hits([task.hits for task in tasks], benchmarks)
    run_tasks(spark, partial(find_duplicates, ranges=ranges), steps.find(), steps.work)
    cosine = settings.near_cosine
    drop = partial(drop_duplicates, ranges=ranges)
    unique = run_tasks(spark, drop, steps.drop(UNIQUE if cosine else SURVIVORS), steps.work)
    if not cosine:
        return chain_receipts(selected, keyed, unique), facts
    near, found = drop_near_images(run_each, steps, plans, cosine, candidates + known_images, others)
    facts["near_duplicates"] = found | vectors
    return chain_receipts(selected, keyed, unique, near), facts


def balance_again(
    spark: SparkSession, steps: SelectionSteps, first: FirstBalance, selection: Receipt
) -> tuple[Receipt, dict[str, Any]]:
    """Draw again among the survivors; return the receipt of all steps, and the facts of the draw for the manifest."""
    ranges, tasks = steps.ranges, steps.weigh()
    run_tasks(spark, partial(weigh_images, ranges=ranges, unit=first.unit), tasks, steps.work)
    second = plan_second_draw([task.weights for task in tasks], first, steps.folder("counts"))
    told: dict[str, Any] = {}
    if first.concepts:
        found = join_survivors(partial(run_tasks, spark, folder=steps.work), steps, first, selection.rows_out)
        second, told[CONCEPTS] = replace(second, concepts=found.draw), found.numbers
        for line in found.lines():
            say(STAGE, line)
    drawn = run_tasks(spark, partial(draw_images, ranges=ranges, second=second), steps.draw(), steps.work)
    missing = MissingTexts()
    for receipt in drawn:
        missing.merge(receipt.facts)
    facts = missing.describe(first.goal)
    if facts["missing_share"] >= REPORTED_SHARE:
        enough = facts["sufficient_headroom"]
        cure = NO_HEADROOM if enough is None else f"balance.headroom={enough:.2g} would have kept them"
        say(STAGE, f"the first balance dropped {facts['missing_share']:.1%} of the texts wanted now: {cure}")
    return chain_receipts([selection], drawn), {"t": dict(second.t), **told, **facts}


def chain_receipts(*steps: Sequence[Receipt]) -> Receipt:
    """Return one receipt for consecutive steps: rows in of the first, rows out and outputs of the last, all drops."""
    receipts = [merge_receipts(STAGE, step) for step in steps]
    drops = sum((receipt.drops for receipt in receipts), Counter())
    last = receipts[-1]
    examples = smallest(each for receipt in receipts for each in receipt.examples)
    return Receipt(STAGE, receipts[0].rows_in, last.rows_out, drops, outputs=last.outputs, examples=examples).check()

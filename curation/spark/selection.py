"""The steps between downloads and shards: each a list of tasks, handing files on in a work folder."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from curation.core.progress import say
from curation.core.receipts import Receipt, merge_receipts
from curation.images.ranges import Ranges
from curation.shards.duplicates import UniqueRules, drop_duplicates, find_duplicates, key_images
from curation.shards.perceptual_hash import hash_images
from curation.shards.rebalancing import FirstBalance, draw_images, plan_second_draw, weigh_images
from curation.shards.second_balance import Shortfall
from curation.shards.selection import ImageFilters, select_images
from curation.shards.shard_set import STAGE
from curation.shards.steps import Selecting
from curation.spark.sql_filter import filter_images
from curation.spark.tasks import run_tasks

TOLD_SHARE = 0.001
"""A shortfall below this is not worth a line."""
NO_SLACK = "balance.tail_share leaves no slack for an uneven loss, balance.t and balance.target_images with headroom do"


def select(
    spark: SparkSession,
    steps: Selecting,
    ranges: Ranges,
    filters: ImageFilters,
    rules: UniqueRules,
    expression: str,
    scores: Sequence[str],
) -> Receipt:
    """Filter, remove and deduplicate; return the account of all steps, whose outputs are the survivors by range."""
    selected = run_tasks(spark, partial(select_images, ranges=ranges, filters=filters), steps.select(), steps.work)
    if expression:
        folders = (steps.folder("candidates"), steps.folder("passed"))
        filter_images(spark, [folders[0]], scores, expression, folders[1], ranges.groups)
    if rules.near:
        run_tasks(spark, hash_images, steps.hash(), steps.work)
    keyed = run_tasks(spark, partial(key_images, ranges=ranges, rules=rules), steps.key(bool(expression)), steps.work)
    run_tasks(spark, partial(find_duplicates, ranges=ranges), steps.find(), steps.work)
    unique = run_tasks(spark, partial(drop_duplicates, ranges=ranges), steps.drop(), steps.work)
    return follow(selected, keyed, unique)


def balance_again(
    spark: SparkSession,
    steps: Selecting,
    ranges: Ranges,
    first: FirstBalance,
    selection: Receipt,
) -> tuple[Receipt, dict[str, Any]]:
    """Draw again among the survivors; return the account of all steps, and what the manifest tells of the draw."""
    tasks = steps.weigh()
    run_tasks(spark, partial(weigh_images, ranges=ranges, unit=first.unit), tasks, steps.work)
    second = plan_second_draw([task["weights"] for task in tasks], first, steps.folder("counts"))
    drawn = run_tasks(spark, partial(draw_images, ranges=ranges, second=second), steps.draw(), steps.work)
    shortfall = Shortfall()
    for receipt in drawn:
        shortfall.merge(receipt.facts)
    told = shortfall.describe(first.goal)
    if told["missing_share"] >= TOLD_SHARE:
        enough = told["sufficient_headroom"]
        cure = NO_SLACK if enough is None else f"balance.headroom={enough:.2g} would have kept it"
        say(STAGE, f"the first balance threw away {told['missing_share']:.1%} of what is wanted now: {cure}")
    return follow([selection], drawn), {"t": dict(second.t), **told}


def follow(*steps: Sequence[Receipt]) -> Receipt:
    """Return the account of steps that follow one another: rows in of the first, out of the last, all reasons."""
    accounts = [merge_receipts(STAGE, receipts) for receipts in steps]
    drops = sum((account.drops for account in accounts), Counter())
    last = accounts[-1]
    return Receipt(STAGE, accounts[0].rows_in, last.rows_out, drops, outputs=last.outputs).check()

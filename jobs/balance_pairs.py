"""Thin the head: derive a threshold for each language and draw the images to keep."""

from dataclasses import asdict
from functools import partial

from conf.schema import BalancePairsConfig
from curation.counts import open_counts
from curation.curated import LOGIC_VERSION, Drawing, balance_bucket, plan_balancing, take_expectations
from curation.matched import MatchesTables
from curation.progress import Stage, say
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from curation.tables import Recipe, Table
from curation.thresholds import Distributions, Rule, Wish, write_probabilities, write_thresholds
from jobs.cli import launch

NAME = "balance_pairs"


def run(config: BalancePairsConfig) -> None:
    """Write `thresholds`, `entry_probabilities` and `curated`, unless they were made by these very settings."""
    asked = config.balance
    wish = Wish(
        Rule(asked.reference, asked.others.value, asked.t_by_language), asked.t, asked.wished_tail_share, asked.headroom
    )
    matches = MatchesTables([config.matches, *config.more_matches])
    counts = open_counts(config.entry_counts, matches)
    settings = {"seed": config.seed, "unit": asked.unit.value, **asdict(wish)}
    recipe = Recipe(NAME, LOGIC_VERSION, settings, matches.inputs())
    thresholds, curated = Table(config.thresholds), Table(config.curated)
    if thresholds.done(recipe) and (done := curated.done(recipe)):
        say(NAME, f"is done: {done.receipt.rows_out:,} images in {curated.path}")
        return
    t = wish.thresholds(Distributions.of_files(counts))
    stage = Stage(NAME, f"{len(matches.buckets):,} buckets, {wish.describe(t)}")
    spark = open_session(NAME, **vars(config.spark))
    thresholds_folder, curated_folder = thresholds.begin(0), curated.begin(0)
    drawing = Drawing(asked.unit.value, config.seed, counts.folder, t, matches.max_texts)
    tasks = plan_balancing(matches.buckets, curated_folder)
    receipts = run_tasks(spark, partial(balance_bucket, drawing=drawing), tasks)
    expected = take_expectations(receipts)
    write_probabilities(counts, t, config.entry_probabilities)
    receipt = write_thresholds(counts, t, expected, thresholds_folder)
    part = curated.commit(0, recipe, receipts, stage.seconds)
    thresholds.commit(0, recipe, [receipt], stage.seconds)
    stage.end(part.receipt)


if __name__ == "__main__":
    launch(run)

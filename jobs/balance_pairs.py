"""Thin the head: derive a threshold for each language and draw the images to keep."""

from collections.abc import Collection
from dataclasses import asdict
from functools import partial

from conf.schema.jobs import BalancePairsConfig
from curation.balancing.balance import LOGIC_VERSION, Drawing, balance_bucket, plan_balancing, take_expectations
from curation.balancing.counts import open_counts
from curation.balancing.distributions import Distributions
from curation.balancing.forecast_table import ForecastPlan, Rates
from curation.balancing.thresholds import Rule, Wish, write_probabilities, write_thresholds
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, THRESHOLDS
from curation.core.storage import join
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.matching.parts import MatchesTables
from curation.spark.forecast import Forecaster
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch

NAME = "balance_pairs"


def run(config: BalancePairsConfig) -> None:
    """Write `thresholds`, `entry_probabilities` and `curated`, unless they were made by these very settings."""
    wish = wish_of(config)
    matches = MatchesTables([config.matches, *config.more_matches])
    counts = open_counts(config.entry_counts, matches)
    unit = config.balance.unit.value
    recipe = Recipe(NAME, LOGIC_VERSION, {"seed": config.seed, "unit": unit, **asdict(wish)}, matches.inputs())
    thresholds, curated = Table(config.thresholds, THRESHOLDS), Table(config.curated, CURATED)
    if not config.forecast and (first := thresholds.done(recipe)) and (done := curated.done(recipe)):
        write_probabilities(counts, first, config.entry_probabilities)
        say(NAME, f"is done: {done.receipt.rows_out:,} images in {curated.path}")
        return
    if not counts.langs():
        say(NAME, "no text matches an entry: see entry_lists and languages of match_pairs")
    if strangers := sorted(set(wish.rule.t_by_language) - set(counts.langs())):
        say(NAME, f"no text matches an entry in {', '.join(strangers)}: their balance.t_by_language is not used")
    stage = Stage(NAME, f"{len(matches.buckets):,} buckets{', a forecast' * config.forecast}")
    spark = open_session(NAME, **vars(config.spark))
    forecaster = Forecaster(spark, matches, counts, unit, config.seed, join(config.forecasts, "_pass"))
    solved = forecaster.solve(wish)
    t = solved.thresholds(Distributions.of_files(counts))
    say(NAME, f"{solved.describe(t)}")
    if config.forecast:
        plan = ForecastPlan(tuple(config.forecast_grid), Rates(config.balance.headroom, **vars(config.rates)))
        table = Table(config.forecasts)
        sizes = entries_of_lists(config.entry_lists, matches.languages)
        print(forecaster.forecast(solved, t, plan, sizes, table, recipe))  # noqa: T201 what was asked for
        return
    thresholds_folder, curated_folder = thresholds.begin(0), curated.begin(0)
    drawing = Drawing(unit, config.seed, counts.folder, t, matches.max_texts)
    tasks = plan_balancing(matches.buckets, curated_folder)
    receipts = run_tasks(spark, partial(balance_bucket, drawing=drawing), tasks, curated_folder)
    expected = take_expectations(receipts)
    receipt = write_thresholds(counts, t, expected, thresholds_folder)
    part = curated.commit(0, recipe, receipts, stage.seconds, solved_t=solved.solved_t)
    first = thresholds.commit(0, recipe, [receipt], stage.seconds)
    write_probabilities(counts, first, config.entry_probabilities)
    stage.end(part.receipt)


def entries_of_lists(path: str, langs: Collection[str]) -> dict[str, int]:
    """Return how many usable entries the list of each language has (no `langs`: of all); nothing without lists."""
    if not path:
        return {}
    store = EntryStore.open(path)
    return {lang: len(store.entries(lang).drop_null()) for lang in store.languages if not langs or lang in langs}


def wish_of(config: BalancePairsConfig) -> Wish:
    """Return what the configuration asks for."""
    asked = config.balance
    rule = Rule(asked.reference, asked.others.value, asked.t_by_language)
    return Wish(rule, asked.t, asked.goal_tail_share, asked.target_images, asked.headroom)


if __name__ == "__main__":
    launch(run)

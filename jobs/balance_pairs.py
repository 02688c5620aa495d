"""Thin the head: derive a threshold for each language, and draw the images that are kept."""

from collections.abc import Callable
from functools import partial

from headtail.start import launch
from conf.schema.jobs import BalancePairsConfig
from curation.balancing.balance import (
    BalanceSettings,
    balance_bucket,
    draw_by_entries,
    plan_balancing,
    take_expectations,
)
from curation.balancing.counts import CountFiles, open_counts
from curation.balancing.distributions import Distributions
from curation.balancing.forecast_table import FORECASTS, ForecastPlan, Rates
from curation.balancing.targets import EntryTargets, targets_of, write_targets
from curation.balancing.thresholds import BalanceGoal, write_probabilities, write_thresholds
from curation.core.amounts import counted
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.receipts import merge_receipts
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, THRESHOLDS
from curation.core.storage import join, remove
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.matching.parts import MATCHLESS, MatchesTables
from curation.spark.concepts import JoinedConcepts
from curation.spark.domain_cap import cap_domains
from curation.spark.forecast import Forecaster
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.balance_settings import NAME, goal_of, read_targets, recipe_of
from jobs.concept_settings import Concepts
from jobs.entries import entries_to_write, write_counts
from jobs.entry_lists import with_lists
from jobs.outputs import writing

KEEPLESS = "a higher threshold keeps more: see balance.t, balance.tail_share, balance.target_images"
"""Where to look if balancing keeps no image."""
WORK = "_concepts"
"""The folder in which concepts are joined, in that of the table that is written."""


def folders_of(config: BalancePairsConfig) -> list[str]:
    """Return the folders that the job writes."""
    if config.forecast:
        return [config.forecasts]
    tables = [config.thresholds, config.curated, config.entry_probabilities, config.forecasts]
    tables += [config.concept_counts] if config.concepts else []
    return [*tables, *entries_to_write(config.entries)]


@writing(NAME, folders_of)
def run(config: BalancePairsConfig, check_later: Callable[[], None] = lambda: None) -> None:
    """Write `thresholds`, `entry_probabilities` and `curated`, unless they were made with these settings.

    With `forecast=true` it writes and prints `forecasts` instead. `check_later` raises HeadtailError if a later job
    could not go on from other images than the finished ones.
    """
    goal = goal_of(config)
    matches = MatchesTables([config.matches, *config.more_matches])
    counts = open_counts(config.entry_counts, matches)
    concepts = Concepts.of(config)
    recipe = recipe_of(config, matches.inputs())
    seed, limit = recipe.settings["seed"], config.balance.max_per_domain
    if config.forecast:
        write_forecast(config, goal, matches, counts, recipe, seed, concepts)
        return
    thresholds, curated = Table(config.thresholds, THRESHOLDS), Table(config.curated, CURATED)
    work = join(curated.path, WORK)  # a table that is refused costs no finished part
    if (first := thresholds.done(recipe)) and (done := curated.done(recipe)) and concepts.is_done(recipe):
        write_probabilities(counts, first, config.entry_probabilities, targets_of(first), config.balance.max_repeats)
        remove_work(config)
        say(NAME, f"is done: {counted(done.receipt.rows_out, 'images')} in {curated.path}")
        return
    refuse_nothing(sum_receipts(matches.parts), "match", MATCHLESS, config.allow_empty)
    matches.check_files()
    if curated.parts() and not curated.done(recipe):
        check_later()
    targets = read_targets(config, matches)
    folders = [config.thresholds, config.curated, config.entry_probabilities]
    folders += [config.concept_counts] if config.concepts else []
    check_writable([*folders, *entries_to_write(config.entries)])
    report_limits(config, goal, counts)
    stage = Stage(NAME, counted(len(matches.buckets), "buckets"))
    before = goal.first_pass_targets(targets)
    joined = concepts.join(open_session(NAME, **vars(config.spark)), matches, work, config.allow_empty, before)
    forecaster = open_forecaster(config, matches, counts, seed, before, joined)
    solved = forecaster.solve(goal)
    t = solved.thresholds(forecaster.distributions)
    say(NAME, solved.describe(t))
    thresholds_folder, curated_folder = thresholds.begin(0), curated.begin(0)
    merged = (matches.max_texts, matches.salt)
    draw = BalanceSettings(config.balance.unit, seed, counts.folder, t, *merged, forecaster.targets)
    drawn_folder = join(curated_folder, "_drawn") if limit else curated_folder
    tasks = plan_balancing(matches.buckets, drawn_folder)
    open_draw = joined.draw.open if joined else draw_by_entries
    balance = partial(balance_bucket, settings=draw, open_draw=open_draw)
    images = Amount(sum_receipts(matches.parts).facts["images"], "images")
    receipts = run_tasks(forecaster.spark, balance, tasks, curated_folder, amount=images)
    expected = take_expectations(receipts)
    refuse_nothing(merge_receipts(NAME, receipts), "kept image", KEEPLESS, config.allow_empty)
    if limit:
        host_form = recipe.settings.get("host_form", 1)
        receipts = [cap_domains(forecaster.spark, receipts, limit, seed, host_form, curated_folder)]
        remove(drawn_folder)
    concepts.commit(joined, recipe, work)
    remove_work(config)
    write_counts(NAME, config.entries, matches, counts, config.entry_counts, config.thresholds, recipe)
    receipt = write_thresholds(forecaster.distributions, t, expected, thresholds_folder)
    write_targets(forecaster.targets, thresholds_folder)
    write_targets(targets, curated_folder)
    part = curated.commit(0, recipe, receipts, stage.seconds, **solved.solution)
    first = thresholds.commit(0, recipe, [receipt], stage.seconds)
    write_probabilities(counts, first, config.entry_probabilities, forecaster.targets, config.balance.max_repeats)
    stage.end(part.receipt)


def remove_work(config: BalancePairsConfig) -> None:
    """Remove the concepts that a stopped run has joined, those of a stopped forecast, too."""
    for folder in (config.curated, config.forecasts):
        remove(join(folder, WORK))


def write_forecast(
    config: BalancePairsConfig,
    goal: BalanceGoal,
    matches: MatchesTables,
    counts: CountFiles,
    recipe: Recipe,
    seed: int,
    concepts: Concepts,
) -> None:
    """Write and print `forecasts`: the images that the goal and a grid of thresholds would keep. Draws nothing."""
    config = with_lists(config)
    matches.check_files()
    targets = goal.first_pass_targets(read_targets(config, matches))
    Distributions.of_files(counts).reference(goal.rule.reference)  # refused before Spark starts
    report_limits(config, goal, counts)
    say(NAME, f"starts: {counted(len(matches.buckets), 'buckets')}, a forecast")
    work = join(config.forecasts, WORK)
    joined = concepts.join(open_session(NAME, **vars(config.spark)), matches, work, config.allow_empty, targets)
    forecaster = open_forecaster(config, matches, counts, seed, targets, joined)
    solved = forecaster.solve(goal)
    t = solved.thresholds(forecaster.distributions)
    say(NAME, solved.describe(t))
    sizes = EntryStore.open(config.entry_lists).list_sizes(matches.languages) if config.entry_lists else {}
    plan = ForecastPlan(tuple(config.forecast_grid), Rates(**vars(config.rates)), sizes)
    print(forecaster.forecast(solved, t, plan, Table(config.forecasts, FORECASTS), recipe))  # noqa: T201 the job's result
    remove(work)


def open_forecaster(
    config: BalancePairsConfig,
    matches: MatchesTables,
    counts: CountFiles,
    seed: int,
    targets: EntryTargets | None,
    joined: JoinedConcepts | None,
) -> Forecaster:
    """Start Spark, and return the Forecaster, which also solves a goal for t; `targets` are those of the first pass."""
    spark = open_session(NAME, **vars(config.spark))
    more = (targets, joined.draw if joined else None)
    return Forecaster(spark, matches, counts, config.balance.unit, seed, join(config.forecasts, "_pass"), *more)


def report_limits(config: BalancePairsConfig, goal: BalanceGoal, counts: CountFiles) -> None:
    """Print a line where nothing matches at all, or where a setting does not do what one may expect of it."""
    for line in goal.cautions(counts.langs(), config.balance.max_per_domain, config.forecast):
        say(NAME, line)


if __name__ == "__main__":
    launch(run)

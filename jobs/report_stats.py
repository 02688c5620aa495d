"""Write the report of a run: index.html, entries/<lang>.js and report.json."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import SparkSession

from headtail.start import launch
from conf.schema.jobs import EstimateConfig, ReportStatsConfig
from conf.schema.topics import RatesConfig
from curation.balancing.counts import CountFiles
from curation.balancing.entry_table import Words
from curation.balancing.forecast import forecast_buckets
from curation.balancing.forecast_table import Rates
from curation.core.amounts import counted
from curation.core.outputs import check_writable
from curation.core.progress import Stage, say
from curation.core.receipts import Receipt
from curation.core.seeds import is_drawn, run_seed
from curation.core.storage import join, remove
from curation.matching.entry_store import EntryStore
from curation.report import values
from curation.report.class_coverage import CoverageNumbers, coverage_values
from curation.report.class_lists import class_settings, read_class_lists
from curation.report.class_lookup import find_classes, notes_on_classes, plan_classes
from curation.report.entry_numbers import EntriesPlan, count_captions
from curation.report.examples import Example, pair_examples, plan_pairs, plan_texts, read_texts, smallest
from curation.report.hosts import add_domains, count_domains, host_values
from curation.report.kept_texts import merge_texts
from curation.report.page import is_written, write_report
from curation.report.previews import ListSummary, plan_entries, plan_previews, read_entries, read_previews
from curation.report.repeats import count_repeats, repeat_values
from curation.report.run_paths import RunPaths
from curation.report.run_tables import STAGE, RunTables, RunTotals, check_files
from curation.report.search_examples import PoolText, merge_pool, plan_pool, read_pool
from curation.report.search_files import SearchPlan, search_settings
from curation.report.search_rows import SearchNumbers
from curation.report.spread import Exchanges
from curation.report.stats import count_curated, count_downloads, count_matches, count_shards
from curation.report.whatif import WhatIf
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.entries import entries_to_write
from jobs.entry_lists import with_lists
from jobs.outputs import writing

TASKS_PER_CORE = 8


@writing(STAGE, lambda config: [config.report, *entries_to_write(config.entries)])
def run(config: ReportStatsConfig) -> None:
    """Write the report, unless the folder holds a report that was made from the same tables."""
    config = with_lists(config)
    names = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads", "shards")
    tables = RunTables.open({name: getattr(config, name) for name in names}, config.more_matches)
    store = EntryStore.open(config.entry_lists, tables.edges)
    seed = run_seed(config.output, config.seed)
    classes = read_class_lists(config.benchmarks)
    recipe_of = {"seed": seed, "metadata": tables.check_metadata(store.hash)}
    asked = class_settings(config.benchmarks, classes) | search_settings(config.search_megabytes)
    recipe = tables.recipe(recipe_of | asked)
    words = Words.of_lists(store, tables.matches.languages)
    for note in (*tables.notes, *notes_on_classes(classes, words.languages)):
        say(STAGE, note)
    listed = EntriesPlan.make({name: getattr(config, name) for name in (*names, "entries")}, words, tables)
    if is_written(config.report, recipe.id) and not (listed and listed.is_open()):
        say(STAGE, f"is done: {config.report}/index.html")
        return
    check_files(tables.parts)
    check_writable([config.report, *([listed.path] if listed else [])])
    buckets = counted(len(tables.matches.buckets), "buckets")
    progress = Stage(STAGE, f"{buckets} of matches, and the tables made from them")
    spark = open_session(STAGE, **vars(config.spark))
    work = join(config.report, ".work")
    tasks = tables.plan(TASKS_PER_CORE * spark.sparkContext.defaultParallelism, work)
    sent = Exchanges.of(work, tables.matched)
    wanted = values.wanted_entries(tables.counts, tables.thresholds(), seed, tables.shards.removal_lists())
    balanced = listed.balanced if listed else None
    matched = partial(count_matches, max_texts=tables.matches.max_texts, salt=tables.matches.salt, balanced=balanced)
    curated = run_tasks(spark, partial(count_curated, wanted=wanted, repeats=sent.kept), tasks.curated, work)
    fetched = partial(count_downloads, seed=seed, domains=sent.domains, repeats=sent.images)
    downloads = run_tasks(spark, fetched, tasks.downloads, work)
    totals = RunTotals.of_receipts(
        run_tasks(spark, partial(matched, repeats=sent.texts), tasks.matches, work),
        curated,
        downloads,
        run_tasks(spark, partial(count_shards, seed=seed), tasks.shards),
        partials=[task.output for task in tasks.curated],
    )
    hosts = run_tasks(spark, partial(count_domains, spread=sent.domains, seed=seed), tables.plan_domains(), work)
    domains = host_values(run_tasks(spark, add_domains, sent.domains.tasks()))
    repeats = {name: repeat_values(run_tasks(spark, count_repeats, each.tasks())) for name, each in sent.repeats()}
    added = None
    if listed:
        captions = listed.captions([task.sidecars for task in tasks.shards], work)
        run_tasks(spark, partial(count_captions, ranges=listed.ranges), captions, work)
        added = listed.write([task.output for task in tasks.matches], [task.output for task in captions], work)
    previews = run_tasks(spark, read_previews, plan_previews(totals.samples))
    samples = values.sort_as_drawn((output for receipt in previews for output in receipt.outputs), totals.samples)
    thresholds = tables.thresholds()
    kept_counts = CountFiles(join(work, "kept-counts"))
    counts = values.compare_languages(tables.counts, values.saved(totals.counts_kept(), kept_counts.folder), thresholds)
    expected = CountFiles(join(work, "expected")) if balanced else None
    tails = values.head_tails(counts, tables.counts, kept_counts, expected, wanted)
    kept_texts, tail_texts = merge_texts([output for receipt in curated for output in receipt.outputs])
    needed = values.needed_entries(counts, samples, tails, kept_texts)
    entries = plan_entries(store.languages, needed, tables.counts.folder, kept_counts.folder)
    shown = run_examples(spark, tables, store, seed, [*downloads, *hosts])
    look_up = partial(find_classes, store=store, counts=tables.counts.folder)
    looked_up = run_tasks(spark, look_up, plan_classes(classes, words.languages))
    summaries = run_tasks(spark, partial(read_entries, store=store), entries)
    lists = {output["lang"]: ListSummary(**output) for receipt in summaries for output in receipt.outputs}
    found = [output for receipt in looked_up for output in receipt.outputs]
    paths = RunPaths(config.output)
    written = tables.written(paths.shown(tables.shards.path))
    inputs = values.ReportInputs(
        tables.stages(),
        totals,
        counts,
        thresholds,
        lists,
        samples,
        tables.second_balance(),
        written,
        domains,
        tables.notes,
        tails,
        tail_texts,
        kept_texts,
        repeats,
        shown,
        EstimateConfig.price_core_hour,
        coverage_values(classes, found, CoverageNumbers.of(tables.counts, thresholds, added)),
        forecast=run_forecast(spark, tables, join(work, "forecast")),
    )
    report = values.report_values(
        inputs,
        run={
            "id": recipe.id,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": None if is_drawn(seed) else seed,
        },
        metadata={"id": store.hash},
    )
    pool = run_pool(spark, tables, seed) if config.search_megabytes else {}
    search = SearchPlan(words, SearchNumbers(tables.counts, kept_counts, added.in_shards if added else None), pool)
    searched = search.write(config.report, report, config.search_megabytes, config.entries)
    write_report(config.report, paths.report(report), searched)
    remove(work)
    progress.close(f"{config.report}/index.html")


def run_forecast(spark: SparkSession, tables: RunTables, work: str) -> values.Values | None:
    """Return the forecast of other thresholds; None where there is none to make."""
    plan = WhatIf.make(tables)
    if plan is None:
        return None
    tasks = plan.tasks(spark.sparkContext.defaultParallelism, work)
    run_tasks(spark, partial(forecast_buckets, grid=plan.grid), tasks, work)
    assumed = Rates(RatesConfig.images_per_second, RatesConfig.bytes_per_image)
    return plan.values([task.output for task in tasks], tables.stages(), assumed)


def run_pool(spark: SparkSession, tables: RunTables, seed: int) -> dict[str, list[PoolText]]:
    """Return kept texts by language, as examples of entries."""
    look = partial(read_pool, seed=seed, removals=tuple(tables.shards.removal_lists()))
    return merge_pool(run_tasks(spark, look, plan_pool(tables.parts["balance_pairs"])))


def run_examples(
    spark: SparkSession, tables: RunTables, store: EntryStore, seed: int, receipts: Sequence[Receipt]
) -> list[Example]:
    """Return examples of what was dropped: those that `receipts` found, and those of pairs without a match."""
    languages = sorted(tables.matches.languages)
    look = partial(pair_examples, store=store, languages=languages, seed=seed)
    unmatched = run_tasks(spark, look, plan_pairs(tables.parts["extract_pairs"], seed))
    for failure in (each for receipt in unmatched for each in receipt.failures):
        say(STAGE, f"shows no examples of {failure['file']}: {failure['error']}")
    found = smallest(Example(**output) for receipt in [*receipts, *unmatched] for output in receipt.outputs)
    without = [example for example in found if not (example.text or example.url)]
    texts = run_tasks(spark, read_texts, plan_texts(without, tables.matches.buckets))
    with_texts = [Example(**output) for receipt in texts for output in receipt.outputs]
    return smallest([*(example for example in found if example.text or example.url), *with_texts])


if __name__ == "__main__":
    launch(run)

"""Write the report of a run: index.html, entries/<lang>.js and report.json."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from headtail.start import launch
from conf.schema.jobs import ReportStatsConfig
from conf.schema.topics import PricesConfig, RatesConfig
from curation.balancing.entry_table import Words
from curation.balancing.forecast_table import Rates
from curation.core.amounts import counted
from curation.core.outputs import check_writable
from curation.core.progress import Stage, say
from curation.core.seeds import is_drawn, run_seed
from curation.core.storage import join, remove
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.report.class_lists import class_settings, read_class_lists
from curation.report.class_lookup import notes_on_classes
from curation.report.concept_values import concept_values, counts_of
from curation.report.entry_numbers import EntriesPlan
from curation.report.page import is_written, write_report
from curation.report.passes import ReportPasses
from curation.report.run_paths import RunPaths
from curation.report.run_tables import STAGE, RunTables, check_files
from curation.report.search_files import SearchPlan, search_settings
from curation.report.unseen import removal_settings
from curation.report.values import report_values
from curation.signals.presets import count_faces
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
    balance = next(iter(tables.parts["balance_pairs"]), None)
    concepts = counts_of(config.concept_counts, balance)
    recipe_of |= {"concept_counts": concepts.id} if concepts else {}
    asked = class_settings(config.benchmarks, classes) | search_settings(config.search_megabytes)
    asked |= removal_settings(config.removals)
    signals = Table(config.image_signals).parts()
    faces = count_faces(signals)
    more = {"image_signals": [part.id for part in signals]} if faces else {}
    recipe = tables.recipe(recipe_of | asked | more)
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
    passes = ReportPasses(partial(run_tasks, spark), tables, store, seed, work, listed, tuple(config.removals))
    paths, cores = RunPaths(config.output), spark.sparkContext.defaultParallelism
    shards, price = paths.shown(tables.shards.path), PricesConfig.core_hour
    max_tasks = TASKS_PER_CORE * cores
    inputs, numbers = passes.inputs(max_tasks, classes, words.languages, shards, price)
    forecast = passes.forecast(cores, Rates(RatesConfig.images_per_second, RatesConfig.bytes_per_image))
    report = report_values(
        replace(inputs, forecast=forecast, concepts=concept_values(config.concept_counts, balance)),
        run={
            "id": recipe.id,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": None if is_drawn(seed) else seed,
        },
        metadata={"id": store.hash},
    )
    report |= {"faces": faces} if faces else {}
    search = SearchPlan(words, numbers, passes.pool(max_tasks) if config.search_megabytes else {})
    searched = search.write(config.report, report, config.search_megabytes, config.entries)
    write_report(config.report, paths.report(report), searched)
    remove(work)
    progress.close(f"{config.report}/index.html")


if __name__ == "__main__":
    launch(run)

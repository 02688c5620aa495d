"""Write the report: index.html and report.json, from what all stages left behind."""

from datetime import UTC, datetime
from functools import partial

from conf.schema.jobs import ReportStatsConfig
from curation.core.languages import LANGUAGES
from curation.core.progress import Stage, say
from curation.core.storage import join, remove
from curation.matching.entry_store import EntryStore
from curation.report import values as values
from curation.report.page import is_written, write_report
from curation.report.previews import plan_entries, plan_previews, read_entries, read_previews
from curation.report.run_tables import STAGE, RunTables, Sums, count_part
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch

TASKS_PER_CORE = 8


def run(config: ReportStatsConfig) -> None:
    """Write the report, unless it was made from these very tables."""
    names = ("pairs", "matches", "entry_counts", "thresholds", "curated", "downloads", "shards")
    tables = RunTables.open({name: getattr(config, name) for name in names}, config.more_matches)
    store = EntryStore.open(config.entry_lists, tables.edges)
    recipe = tables.recipe({"seed": config.seed, "metadata": tables.metadata(store.hash)})
    if is_written(config.report, recipe.id):
        say(STAGE, f"is done: {config.report}/index.html")
        return
    progress = Stage(STAGE, f"{len(tables.matches.buckets):,} buckets of matches, and what came of them")
    spark = open_session(STAGE, **vars(config.spark))
    work = join(config.report, ".work")
    tasks = tables.plan(TASKS_PER_CORE * spark.sparkContext.defaultParallelism, work)
    counting = partial(count_part, seed=config.seed, max_texts=tables.matches.max_texts)
    sums = Sums.of(tasks, run_tasks(spark, counting, tasks, work))
    previews = run_tasks(spark, read_previews, plan_previews(sums.samples))
    samples = values.in_order([output for receipt in previews for output in receipt.outputs], sums.samples)
    thresholds = tables.thresholds()
    counts = values.compare_languages(tables.counts, sums.counts_kept(), thresholds)
    entries = plan_entries(store.languages, values.needed_entries(counts, samples))
    named = run_tasks(spark, partial(read_entries, store=store), entries)
    lists = values.named_lists([output for receipt in named for output in receipt.outputs], LANGUAGES)
    report = values.report_values(
        values.Found(
            tables.stages(), sums, counts, thresholds, lists, samples, tables.second_balance(), tables.written()
        ),
        run={"id": recipe.id, "finished": datetime.now(UTC).isoformat(timespec="seconds"), "seed": config.seed},
        metadata={"id": store.hash},
    )
    write_report(config.report, report)
    remove(work)
    say(STAGE, f"done: {config.report}/index.html, {progress.seconds:.1f} s")


if __name__ == "__main__":
    launch(run)

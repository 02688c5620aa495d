"""Count how many texts match each entry of each language."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import CountEntriesConfig
from curation.balancing.counts import LOGIC_VERSION, count_buckets, plan_counting, write_entry_counts
from curation.core.amounts import counted
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.recipes import Recipe
from curation.core.schemas import ENTRY_COUNTS
from curation.core.tables import Table
from curation.matching.parts import MATCHLESS, SALT, MatchesTables
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.outputs import writing

NAME = "count_entries"


@writing(NAME, lambda config: [config.entry_counts])
def run(config: CountEntriesConfig) -> None:
    """Write `entry_counts`, unless it exists and was made from these matches."""
    matches = MatchesTables([config.matches, *config.more_matches])
    table = Table(config.entry_counts, ENTRY_COUNTS)
    settings = {"max_texts": matches.max_texts, **({SALT: matches.salt} if matches.salt else {})}
    recipe = Recipe(NAME, LOGIC_VERSION, settings, matches.inputs())
    if done := table.done(recipe):
        say(NAME, f"is done: {counted(done.receipt.facts['entries'], 'entries')} in {table.path}")
        return
    refuse_nothing(sum_receipts(matches.parts), "match", MATCHLESS, config.allow_empty)
    matches.check_files()
    check_writable([config.entry_counts])
    stage = Stage(NAME, f"{counted(len(matches.buckets), 'buckets')} of {counted(len(matches.parts), 'parts')}")
    spark = open_session(NAME, **vars(config.spark))
    folder = table.begin(0)
    tasks = plan_counting(matches.buckets, spark.sparkContext.defaultParallelism, folder)
    count = partial(count_buckets, max_texts=matches.max_texts, salt=matches.salt)
    images = Amount(sum_receipts(matches.parts).facts["images"], "images")
    receipts = run_tasks(spark, count, tasks, folder, amount=images)
    receipts.append(write_entry_counts(tasks, folder))
    stage.end(table.commit(0, recipe, receipts, stage.seconds).receipt)


if __name__ == "__main__":
    launch(run)

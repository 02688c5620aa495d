"""Read shards as a trainer does, and report each problem that it would meet."""

from headtail.start import launch
from conf.schema.jobs import CheckShardsConfig
from curation.core.errors import HeadtailError
from curation.core.progress import Stage, say
from curation.core.receipts import merge_receipts
from curation.core.storage import join, list_folder
from curation.shards.cautions import cautions
from curation.shards.check import check_shard, plan_checks
from curation.shards.readers import SetFolder, readings
from curation.shards.readme import command_anywhere
from curation.shards.traits import Traits
from curation.spark.session import open_session
from curation.spark.shared_keys import shared_keys
from curation.spark.tasks import run_tasks

NAME = "check_shards"
MAX_SHOWN = 20


def run(config: CheckShardsConfig) -> None:
    """Check every shard of a folder; report readers, cautions and problems, one a line.

    Raises HeadtailError for problems.
    """
    tasks, problems = plan_checks(config.shards)
    stage = Stage(NAME, f"{len(tasks):,} tars in {config.shards}")
    spark = open_session(NAME, **vars(config.spark))
    total = merge_receipts(NAME, run_tasks(spark, check_shard, tasks))
    stage.end(total)
    names = list_folder(config.shards)
    sidecars = [join(config.shards, name) for name in names if name.endswith(".parquet")]
    problems += [f"key {key} is in several tars" for key in shared_keys(spark, sidecars)]
    count = len(problems) + total.facts["problems"]
    problems += [f"{failure['file']}: {failure['error']}" for failure in total.failures]
    for line in cautions(total.facts):
        say(NAME, line)
    sizes = {output["tar"]: output["traits"]["samples"] for output in total.outputs}
    for reading in readings(Traits.of_shards(output["traits"] for output in total.outputs), SetFolder(sizes, names)):
        say(NAME, str(reading))
    for problem in problems[:MAX_SHOWN]:
        say(NAME, problem)
    if problems:
        raise HeadtailError(f"{count:,} problems in {config.shards}, the first {min(count, MAX_SHOWN)} are above")
    say(NAME, f"{total.rows_out:,} samples in {len(tasks):,} tars are fit for training")
    say(NAME, f"train on them: {command_anywhere(config.shards, sizes)}")


if __name__ == "__main__":
    launch(run)

"""Write WebDataset shards of the downloaded images, ready for training."""

from dataclasses import asdict
from functools import partial

from conf.schema import WriteShardsConfig
from curation.downloads import Downloads
from curation.progress import Stage, say
from curation.receipts import merge_receipts
from curation.selection import ImageFilters, find_duplicates, keep_images, select_images
from curation.shard_set import STAGE, ShardSet, plan_shard_tasks, selection_tasks
from curation.shards import LOGIC_VERSION, write_shard
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from curation.tables import Recipe, Table
from jobs.cli import launch


def run(config: WriteShardsConfig) -> None:
    """Select among the downloaded images, and write those that stay in the final order."""
    filters = ImageFilters(**vars(config.filters))
    lists = Table(config.lists).require("download_images")[0]
    downloads = Downloads(config.downloads)
    ranges = downloads.ranges()
    shards = ShardSet(config.shards)
    settings = {"filters": asdict(filters), "samples_per_shard": config.samples_per_shard}
    recipe = Recipe(STAGE, LOGIC_VERSION, settings, [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        say(STAGE, f"is done: {part.receipt.rows_out:,} samples in {len(part.files):,} shards in {shards.path}")
        return
    stage = Stage(STAGE, f"{lists.receipt.rows_out:,} images of {ranges.count:,} lists")
    spark = open_session(STAGE, **vars(config.spark))
    work, status = shards.work_folder(recipe), downloads.status_files()
    steps = selection_tasks(ranges, lists.path, work, status)
    selected = run_tasks(spark, partial(select_images, ranges=ranges, filters=filters), steps["select"])
    run_tasks(spark, partial(find_duplicates, ranges=ranges), steps["duplicates"])
    kept = run_tasks(spark, partial(keep_images, ranges=ranges), steps["keep"])
    selection = merge_receipts("kept", kept)
    tasks = plan_shard_tasks(shards.path, work, lists.path, selection, status, config.samples_per_shard)
    shards.retract()
    receipts = run_tasks(spark, write_shard, tasks)
    first = merge_receipts("selected", selected)
    selection.rows_in, selection.drops = first.rows_in, first.drops + selection.drops
    stage.end(shards.publish(recipe, work, receipts, selection, stage.seconds).receipt)


if __name__ == "__main__":
    launch(run)

"""Write WebDataset shards of the downloaded images, ready for training."""

from functools import partial

from pyspark.sql import SparkSession

from conf.schema import WriteShardsConfig
from curation.downloads import Downloads
from curation.duplicates import UniqueRules, drop_duplicates, find_duplicates, key_images
from curation.lists import Ranges
from curation.perceptual import hash_images
from curation.progress import Stage, say
from curation.receipts import Receipt, merge_receipts
from curation.selection import ImageFilters, select_images
from curation.shard_set import STAGE, Selecting, ShardSet, plan_shard_tasks
from curation.shards import LOGIC_VERSION, write_shard
from curation.spark.filtering import filter_images
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from curation.storage import list_files
from curation.tables import Recipe, Table
from jobs.cli import launch


def run(config: WriteShardsConfig) -> None:
    """Select among the downloaded images, and write those that stay in the final order."""
    lists = Table(config.lists).require("download_images")[0]
    downloads = Downloads(config.downloads)
    ranges, status = downloads.ranges(), downloads.status_files()
    shards = ShardSet(config.shards)
    recipe = Recipe(STAGE, LOGIC_VERSION, shard_settings(config), [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        say(STAGE, f"is done: {part.receipt.rows_out:,} samples in {len(part.files):,} shards in {shards.path}")
        return
    stage = Stage(STAGE, f"{lists.receipt.rows_out:,} images of {ranges.count:,} lists")
    spark = open_session(STAGE, **vars(config.spark))
    work = shards.work_folder(recipe)
    selection = select(spark, config, ranges, Selecting(ranges, lists.path, work, status))
    tasks = plan_shard_tasks(shards.path, work, lists.path, selection, status, config.samples_per_shard)
    shards.retract()
    receipts = run_tasks(spark, write_shard, tasks)
    stage.end(shards.publish(recipe, work, receipts, selection, stage.seconds).receipt)


def select(spark: SparkSession, config: WriteShardsConfig, ranges: Ranges, steps: Selecting) -> Receipt:
    """Filter, remove and deduplicate; return the account of all steps, whose outputs are the survivors by range."""
    bounds = {name: value for name, value in vars(config.filters).items() if name != "near_duplicates"}
    filters, rules = ImageFilters(**bounds), UniqueRules(config.filters.near_duplicates, tuple(config.removals))
    accounts = [run_tasks(spark, partial(select_images, ranges=ranges, filters=filters), steps.select())]
    if config.filter:
        filter_images(
            spark, [steps.folder("candidates")], config.scores, config.filter, steps.folder("passed"), ranges.groups
        )
    if rules.near:
        run_tasks(spark, hash_images, steps.hash())
    accounts.append(run_tasks(spark, partial(key_images, ranges=ranges, rules=rules), steps.key(bool(config.filter))))
    run_tasks(spark, partial(find_duplicates, ranges=ranges), steps.find())
    accounts.append(run_tasks(spark, partial(drop_duplicates, ranges=ranges), steps.drop()))
    first, *others = [merge_receipts(STAGE, receipts) for receipts in accounts]
    for step in others:
        first.drops += step.drops
    return Receipt(STAGE, first.rows_in, others[-1].rows_out, first.drops, outputs=others[-1].outputs).check()


def shard_settings(config: WriteShardsConfig) -> dict:
    """Return what decides the shards, the files that filters read among it."""
    files = {name: [vars(file) for file in list_files(getattr(config, name))] for name in ("removals", "scores")}
    return {
        "filters": vars(config.filters),
        "filter": config.filter,
        "samples_per_shard": config.samples_per_shard,
        **files,
    }


if __name__ == "__main__":
    launch(run)

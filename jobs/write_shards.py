"""Write WebDataset shards of the downloaded images, ready for training."""

from conf.schema.jobs import WriteShardsConfig
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.removal_lists import divide_sources, read_removals
from curation.core.schemas import LISTS, STORED
from curation.core.storage import list_files
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards.duplicates import UniqueRules
from curation.shards.rebalancing import FirstBalance
from curation.shards.selection import ImageFilters
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.steps import Selecting
from curation.shards.write import LOGIC_VERSION, plan_shard_tasks, write_shard
from curation.spark.selection import balance_again, select
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch


def run(config: WriteShardsConfig) -> None:
    """Select among the downloaded images, balance again where asked, and write the rest in the final order."""
    lists = Table(config.lists, LISTS, STORED.names).require("download_images")[0]
    downloads = Downloads(config.downloads)
    ranges = Ranges(**lists.manifest["settings"])
    status = downloads.status_files(ranges)
    shards = ShardSet(config.shards)
    first = FirstBalance.of_settings(lists.manifest["balance"])
    again = first.goal.headroom < 1.0 if config.second_balance is None else config.second_balance
    settings = shard_settings(config) | {"second_balance": again}
    recipe = Recipe(STAGE, LOGIC_VERSION, settings, [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        say(STAGE, f"is done: {part.receipt.rows_out:,} samples in {len(part.files):,} shards in {shards.path}")
        return
    removals = (*config.removals, *shards.removal_lists())
    unchecked = 0 if config.filters.near_duplicates else read_removals(removals).count("phash")
    if unchecked:
        say(
            STAGE,
            f"{unchecked:,} perceptual hashes in removals are not compared: filters.near_duplicates=true does that",
        )
    stage = Stage(STAGE, f"{lists.receipt.rows_out:,} images of {ranges.count:,} lists")
    spark = open_session(STAGE, **vars(config.spark))
    steps, facts = Selecting(ranges, lists.path, shards.work_folder(recipe), status), {}
    sides = {name: value for name, value in vars(config.filters).items() if name != "near_duplicates"}
    rules = UniqueRules(config.filters.near_duplicates, removals)
    selection = select(spark, steps, ranges, ImageFilters(**sides), rules, config.filter, config.scores)
    rows = lists.path
    if again and selection.rows_out:
        selection, facts["second_balance"] = balance_again(spark, steps, ranges, first, selection)
        rows = steps.folder("drawn")
    bounds = (config.samples_per_shard, config.max_shard_bytes)
    tasks = plan_shard_tasks(shards.path, steps.work, rows, selection, status, *bounds)
    shards.retract()
    receipts = run_tasks(spark, write_shard, tasks, shards.path)
    stage.end(shards.publish(recipe, steps.work, receipts, selection, stage.seconds, **facts).receipt)


def shard_settings(config: WriteShardsConfig) -> dict:
    """Return what decides the shards, the files that filters read among it."""
    values, lists = divide_sources(config.removals)
    files = {
        name: [vars(file) for file in list_files(paths)]
        for name, paths in (("removals", lists), ("scores", config.scores))
    }
    files["removals"] += values
    chosen = {name: getattr(config, name) for name in ("filter", "samples_per_shard", "max_shard_bytes")}
    return {"filters": vars(config.filters), **chosen, **files}


if __name__ == "__main__":
    launch(run)

"""Write WebDataset shards of the downloaded images, ready for training."""

from typing import Any

from conf.schema.jobs import WriteShardsConfig
from curation.core.leases import writing
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe, recipe_settings
from curation.core.removal_lists import divide_sources, read_removals
from curation.core.schemas import LISTS, STORED
from curation.core.storage import list_files
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards.consume import (
    WARNING,
    begin_consuming,
    check_images_left,
    end_consuming,
    plan_consuming,
    write_and_consume,
)
from curation.shards.duplicates import UniqueRules
from curation.shards.second_balance import FirstBalance
from curation.shards.selection import ImageFilters, check_inputs
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.steps import SelectionSteps
from curation.shards.write import LOGIC_VERSION, ShardSize, plan_shard_tasks, write_shard
from curation.spark.selection import SelectionSettings, balance_again, select_samples
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch


def folders_of(config: WriteShardsConfig) -> list[str]:
    """Return the folders that the job writes."""
    return [config.shards] if config.keep_downloads else [config.shards, config.downloads]


@writing(STAGE, folders_of)
def run(config: WriteShardsConfig) -> None:
    """Select among the downloaded images, balance again if the settings say so, and write shards in the final order."""
    lists = Table(config.lists, LISTS, STORED.names).require("download_images")[0]
    downloads = Downloads(config.downloads)
    ranges = Ranges(**lists.manifest["settings"])
    status = downloads.status_files(ranges)
    shards = ShardSet(config.shards)
    first = FirstBalance.of_settings(lists.manifest["balance"])
    again = first.goal.headroom < 1.0 if config.second_balance is None else config.second_balance
    recipe_of = shard_settings(config) | {"second_balance": again}
    recipe = Recipe(STAGE, LOGIC_VERSION, recipe_of, [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        say(STAGE, f"is done: {part.receipt.rows_out:,} samples in {len(part.files):,} shards in {shards.path}")
        return
    check_inputs(lists, status)
    downloads.check_images(recipe.id)
    settings = selection_settings(config, shards.removal_lists())
    stage = Stage(STAGE, f"{lists.receipt.rows_out:,} images of {ranges.count:,} lists")
    spark = open_session(STAGE, **vars(config.spark))
    steps = SelectionSteps(ranges, lists.path, shards.work_folder(recipe), status)
    selection, texts, facts = select_samples(spark, steps, settings), lists.path, {}
    if again and selection.rows_out:
        selection, facts["second_balance"] = balance_again(spark, steps, first, selection)
        texts = steps.folder("drawn")
    size = ShardSize(config.samples_per_shard, config.max_shard_bytes)
    tasks = plan_shard_tasks(shards.path, steps, texts, selection, size)
    check_images_left(tasks, downloads)
    shards.retract()
    if config.keep_downloads:
        receipts = run_tasks(spark, write_shard, tasks, shards.path)
    else:
        say(STAGE, WARNING)
        begin_consuming(downloads, recipe.id)
        receipts = run_tasks(spark, write_and_consume, plan_consuming(tasks), shards.path)
        end_consuming(downloads)
    stage.end(shards.publish(recipe, steps.work, receipts, selection, stage.seconds, **facts).receipt)


def selection_settings(config: WriteShardsConfig, removed: list[str]) -> SelectionSettings:
    """Return which images become samples; `removed` are the lists of samples that were removed from the set before.

    Raises HeadtailError for a removal list with an invalid line.
    """
    bounds = {name: value for name, value in vars(config.filters).items() if name != "near_duplicates"}
    unique = UniqueRules(config.filters.near_duplicates, (*config.removals, *removed))
    hashes = read_removals(unique.removals).count("phash")
    if hashes and not unique.near:
        say(STAGE, f"ignores {hashes:,} perceptual hashes in removals: filters.near_duplicates=true compares them")
    return SelectionSettings(ImageFilters(**bounds), unique, config.filter, tuple(config.scores))


def shard_settings(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the settings that decide the shards, and the files that they name."""
    values, lists = divide_sources(config.removals)
    files: dict[str, list] = {
        "removals": [*(vars(file) for file in list_files(lists)), *values],
        "scores": [vars(file) for file in list_files(config.scores)],
    }
    plain = {name: getattr(config, name) for name in ("filter", "samples_per_shard", "max_shard_bytes")}
    return {"filters": recipe_settings(config.filters), **plain, **files}


if __name__ == "__main__":
    launch(run)

"""Run the whole chain: archives in, balanced shards and a report out."""

from conf.schema.jobs import CurateConfig
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.storage import join, read_json
from curation.images.downloads import download_recipe
from curation.shards.readme import openclip_command
from curation.shards.shard_set import SIZES
from jobs import (
    balance_pairs,
    count_entries,
    download_images,
    extract_pairs,
    match_pairs,
    report_stats,
    write_shards,
)
from jobs.cli import launch
from jobs.outputs import check_folders


def run(config: CurateConfig) -> None:
    """Run each job in turn; a job whose work is done says so and costs nothing."""
    check_folders(config)
    match_pairs.open_lists(config)  # a missing list is refused before days of extraction
    writes = config.download_images and not config.forecast
    before = write_shards.check_finished_set(config, upstream(config), config.balance.headroom) if writes else None
    extract_pairs.run(config)
    match_pairs.run(config)
    count_entries.run(config)
    balance_pairs.run(config)
    if config.forecast:
        return
    if config.download_images:
        download_images.run(config)
        write_shards.run(config, before)
    report_stats.run(config)
    if config.download_images:
        sizes = read_json(join(config.shards, SIZES))
        say("curate", f"shards: {sum(sizes.values()):,} samples in {len(sizes):,} shards in {config.shards}")
        if sizes:
            say("curate", f"train on them: {openclip_command(config.shards, sizes)}")
    say("curate", f"report: {config.report}/index.html")


def upstream(config: CurateConfig) -> list[Recipe]:
    """Return the recipes, without inputs, of the stages that run again on other settings without being asked to."""
    download = download_recipe(download_images.download_settings(config))
    return [balance_pairs.recipe_of(config, []), download]


if __name__ == "__main__":
    launch(run)

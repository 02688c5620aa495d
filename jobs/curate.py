"""Run the whole chain: archives in, balanced shards and a report out."""

from conf.schema.jobs import CurateConfig
from curation.core.leases import writing
from curation.core.progress import say
from curation.core.storage import join, read_json
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


def folders_of(config: CurateConfig) -> list[str]:
    """Return the folders that the jobs write."""
    folders = [config.pairs, config.matches, config.entry_counts, *balance_pairs.folders_of(config)]
    if config.forecast:
        return folders
    images = [config.lists, config.downloads, config.shards] if config.download_images else []
    return [*folders, *images, config.report]


@writing("curate", folders_of)
def run(config: CurateConfig) -> None:
    """Run each job in turn; a job whose work is done says so and costs nothing."""
    match_pairs.open_lists(config)  # a missing list is refused before days of extraction
    extract_pairs.run(config)
    match_pairs.run(config)
    count_entries.run(config)
    balance_pairs.run(config)
    if config.forecast:
        return
    if config.download_images:
        download_images.run(config)
        write_shards.run(config)
    report_stats.run(config)
    if config.download_images:
        sizes = read_json(join(config.shards, SIZES))
        say("curate", f"shards: {sum(sizes.values()):,} samples in {len(sizes):,} shards in {config.shards}")
        if sizes:
            say("curate", f"train on them: {openclip_command(config.shards, sizes)}")
    say("curate", f"report: {config.report}/index.html")


if __name__ == "__main__":
    launch(run)

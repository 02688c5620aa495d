"""Remove samples from finished shards: opt-outs, benchmark images."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import RemoveSamplesConfig
from curation.core.amounts import counted
from curation.core.leases import writing
from curation.core.outputs import check_writable
from curation.core.progress import Stage, say
from curation.core.receipts import merge_receipts
from curation.core.removal_lists import read_removals
from curation.core.storage import exists, join, list_folder
from curation.shards.companion_set import FOLDER
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.shard_set import CROISSANT, ShardSet
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks

NAME = "remove_samples"


@writing(NAME, lambda config: [config.shards])
def run(config: RemoveSamplesConfig) -> None:
    """Write again only the shards that hold the samples; later sets in the folder leave the samples out, too."""
    removals = read_removals(tuple(config.uids))
    if unchecked := removals.count("phash"):
        say(NAME, f"ignores {unchecked:,} perceptual hashes in uids: finished shards hold uid and sha256 only")
    shards = ShardSet(config.shards)
    (part,) = shards.require("write_shards")
    check_writable([shards.path])
    stage = Stage(NAME, f"{counted(len(part.files), 'shards')} in {shards.path}")
    spark = open_session(NAME, **vars(config.spark))
    receipts = run_tasks(spark, partial(remove_from_shard, removals=removals), plan_removing(part), shards.path)
    total = merge_receipts(NAME, receipts)
    if total.outputs:
        if exists(join(shards.path, CROISSANT)):
            say(NAME, "the card told of the shards before: run report_stats and card again")
        shards.amend(receipts)
        for name in list_folder(join(shards.path, FOLDER)):
            say(NAME, f"{FOLDER}/{name} may hold the removed samples: attach it again with overwrite=true")
    stage.end(total)
    removed = counted(total.drops["removed"], "samples")
    say(NAME, f"{removed} removed, {counted(len(total.outputs), 'shards')} written again")


if __name__ == "__main__":
    launch(run)

"""Export the curated samples in the format of another project."""

import os
from functools import partial
from secrets import randbits

from headtail.start import launch
from conf.schema.jobs import ExportConfig
from curation.balancing.datacomp import (
    check_inputs,
    collect_uids,
    merge_uids,
    plan_collection,
    plan_slices,
    slice_pairs,
)
from curation.core.amounts import counted
from curation.core.choices import ExportFormat
from curation.core.leases import writing
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.progress import Stage
from curation.core.receipts import merge_receipts
from curation.core.schemas import CURATED, PAIRS
from curation.core.storage import join, remove
from curation.core.tables import Table
from curation.shards.caption_requests import plan_requests, write_requests
from curation.shards.shard_set import ShardSet
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks

NAME = "export"


def file_of(config: ExportConfig) -> str:
    """Return the path of the file, or of the folder, to write."""
    name = "caption_requests" if config.format is ExportFormat.caption_requests else "datacomp_uids.npy"
    return config.exported or join(config.output, name)


def folder_of(config: ExportConfig) -> str:
    """Return the folder that the job writes into."""
    output = file_of(config)
    return output if config.format is ExportFormat.caption_requests else os.path.dirname(output) or "."


@writing(NAME, lambda config: [folder_of(config)])
def run(config: ExportConfig) -> None:
    """Write the sorted DataComp uids of `curated`, or a table of the images in the shards."""
    if config.format is ExportFormat.caption_requests:
        export_requests(config)
        return
    curated = [file for part in Table(config.curated, CURATED).require("balance_pairs") for file in part.files]
    pairs = [file for part in Table(config.pairs, PAIRS, None).require("extract_pairs") for file in part.files]
    check_inputs(pairs, curated, config.pairs)
    output = file_of(config)
    check_writable([os.path.dirname(output)])
    stage = Stage(NAME, f"DataComp uids of {counted(len(curated), 'buckets')} to {output}")
    spark = open_session(NAME, **vars(config.spark))
    work = f"{output}.parts"
    slices = join(work, "slices")
    remove(work)
    seed = randbits(64)
    run_tasks(spark, partial(slice_pairs, buckets=len(curated), seed=seed), plan_slices(pairs, slices), slices)
    tasks = plan_collection(curated, slices, work)
    receipts = run_tasks(spark, partial(collect_uids, seed=seed), tasks, work)
    total = merge_receipts(NAME, receipts)
    refuse_nothing(total, "DataComp uid", "are pairs those that curated was made of?", config.allow_empty)
    merge_uids([task.output for task in tasks], output)
    remove(work)
    stage.end(total)


def export_requests(config: ExportConfig) -> None:
    """Write a Parquet file for each shard: where each image lies, and its texts."""
    (part,) = ShardSet(config.shards).require("write_shards")
    output = file_of(config)
    check_writable([output])
    stage = Stage(NAME, f"caption requests of {counted(len(part.files), 'shards')} to {output}")
    spark = open_session(NAME, **vars(config.spark))
    stage.end(merge_receipts(NAME, run_tasks(spark, write_requests, plan_requests(part, output), output)))


if __name__ == "__main__":
    launch(run)

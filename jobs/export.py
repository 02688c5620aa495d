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
from curation.core.leases import writing
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.progress import Stage
from curation.core.receipts import merge_receipts
from curation.core.schemas import CURATED, PAIRS
from curation.core.storage import join, remove
from curation.core.tables import Table
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks

NAME = "export"


def file_of(config: ExportConfig) -> str:
    """Return the path of the file to write."""
    return config.exported or join(config.output, "datacomp_uids.npy")


@writing(NAME, lambda config: [os.path.dirname(file_of(config)) or "."])
def run(config: ExportConfig) -> None:
    """Write the sorted DataComp uids of `curated`."""
    curated = [file for part in Table(config.curated, CURATED).require("balance_pairs") for file in part.files]
    pairs = [file for part in Table(config.pairs, PAIRS, None).require("extract_pairs") for file in part.files]
    check_inputs(pairs, curated, config.pairs)
    output = file_of(config)
    check_writable([os.path.dirname(output)])
    stage = Stage(NAME, f"DataComp uids of {len(curated):,} buckets")
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


if __name__ == "__main__":
    launch(run)

"""Export the curated samples in the format of another project."""

from functools import partial
from secrets import randbits

from conf.schema.jobs import ExportConfig
from curation.balancing.datacomp import (
    check_inputs,
    collect_uids,
    merge_uids,
    plan_collection,
    plan_slices,
    slice_pairs,
)
from curation.core.progress import Stage
from curation.core.receipts import merge_receipts
from curation.core.schemas import CURATED, PAIRS
from curation.core.storage import join, remove
from curation.core.tables import Table
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch

NAME = "export"


def run(config: ExportConfig) -> None:
    """Write the sorted DataComp uids of `curated`."""
    curated = [file for part in Table(config.curated, CURATED).require("balance_pairs") for file in part.files]
    pairs = [file for part in Table(config.pairs, PAIRS, None).require("extract_pairs") for file in part.files]
    check_inputs(pairs, curated, config.pairs)
    output = config.exported or join(config.output, "datacomp_uids.npy")
    stage = Stage(NAME, f"DataComp uids of {len(curated):,} buckets")
    spark = open_session(NAME, **vars(config.spark))
    work = f"{output}.parts"
    slices = join(work, "slices")
    remove(work)
    seed = randbits(64)
    run_tasks(spark, partial(slice_pairs, buckets=len(curated), seed=seed), plan_slices(pairs, slices), slices)
    tasks = plan_collection(curated, slices, work)
    receipts = run_tasks(spark, partial(collect_uids, seed=seed), tasks, work)
    merge_uids([task.output for task in tasks], output)
    remove(work)
    stage.end(merge_receipts(NAME, receipts))


if __name__ == "__main__":
    launch(run)

"""Export what was curated in another project's format."""

from functools import partial

from conf.schema.jobs import ExportConfig
from curation.balancing.datacomp import check_pairs, collect_uids, merge_uids, slice_pairs
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
    """Write the DataComp uids of `curated`, sorted."""
    curated = [file for part in Table(config.curated, CURATED).require("balance_pairs") for file in part.files]
    pairs = [file for part in Table(config.pairs, PAIRS, None).require("extract_pairs") for file in part.files]
    check_pairs(pairs, config.pairs)
    output = config.exported or join(config.output, "datacomp_uids.npy")
    stage = Stage(NAME, f"DataComp uids of {len(curated):,} buckets")
    spark = open_session(NAME, **vars(config.spark))
    work = f"{output}.parts"
    remove(work)
    sliced = [{"path": file, "out": join(work, "slices", f"{k:06d}")} for k, file in enumerate(pairs)]
    run_tasks(spark, partial(slice_pairs, buckets=len(curated)), sliced, join(work, "slices"))
    tasks = [
        {"curated": file, "receiver": k, "slices": join(work, "slices"), "output": join(work, f"{k:06d}.npy")}
        for k, file in enumerate(curated)
    ]
    receipts = run_tasks(spark, collect_uids, tasks, work)
    merge_uids([task["output"] for task in tasks], output)
    remove(work)
    stage.end(merge_receipts(NAME, receipts))


if __name__ == "__main__":
    launch(run)

"""The limit of images per domain on the cluster: three lists of tasks after the draw."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession

from curation.balancing.domain_cap import (
    DomainCap,
    cap_bucket,
    count_receivers,
    find_excess,
    plan_cap,
    plan_excess,
    slice_domains,
)
from curation.core import storage
from curation.core.receipts import Receipt, merge_receipts
from curation.spark.tasks import run_tasks


def cap_domains(
    spark: SparkSession, drawn: Sequence[Receipt], max_images: int, seed: int, host_form: int, folder: str
) -> Receipt:
    """Write the buckets of `curated` to `folder`, with at most `max_images` of each domain.

    `drawn` are the receipts of balancing, whose outputs are the drawn buckets, in their order. `host_form` is the
    version of the form in which hosts are compared. Returns the receipt of balancing and limit together.
    """
    first = merge_receipts(folder, drawn)
    work = storage.join(folder, "_domains")
    tasks = plan_cap([output["path"] for receipt in drawn for output in receipt.outputs], folder, work)
    cap = DomainCap(max_images, seed, count_receivers(first.rows_out), len(tasks), host_form)
    run_tasks(spark, partial(slice_domains, cap=cap), tasks, folder)
    run_tasks(spark, partial(find_excess, cap=cap), plan_excess(tasks, cap), folder)
    capped = run_tasks(spark, cap_bucket, tasks, folder)
    storage.remove(work)
    del first.facts["texts_kept"]  # counted again
    return first.followed_by(merge_receipts(folder, capped))

"""Asking the hosts of download lists what they forbid, a step of download_images."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession

from conf.schema.jobs import DownloadImagesConfig
from curation.core.amounts import counted
from curation.core.outputs import check_writable
from curation.core.parts import Part
from curation.core.progress import Amount, Stage, say
from curation.images.download import DownloadSettings
from curation.images.download_rows import DownloadTask
from curation.images.host_rules import FILES
from curation.images.hosts import STAGE, HostPlan, ask_hosts, slice_hosts
from curation.images.ranges import Ranges
from curation.spark.tasks import run_tasks


def with_rules_of_hosts(
    config: DownloadImagesConfig,
    spark: SparkSession,
    settings: DownloadSettings,
    lists: Part,
    ranges: Ranges,
    tasks: Sequence[DownloadTask],
) -> list[DownloadTask]:
    """Return download tasks that know what hosts forbid, after the hosts were asked; as they are if none is to be.

    The hosts are asked once for the same lists, and again with download.retry_failed.
    """
    if not any(file in settings.fetch.obey for file in FILES):
        return list(tasks)
    plan = HostPlan(config.hosts, lists, settings.fetch, ranges)
    if settings.retry_failed or plan.finished() is None:
        check_writable([config.hosts])
        stage = Stage(STAGE, f"hosts of {counted(len(tasks), 'lists')}")
        plan.begin(settings.retry_failed)
        slices = partial(slice_hosts, groups=ranges.groups, retry_failed=settings.retry_failed)
        run_tasks(spark, slices, plan.slice_tasks(tasks), plan.folder)
        ask = partial(ask_hosts, settings=settings.fetch, threads=settings.threads, groups=ranges.groups)
        ask = partial(ask, detect_outage=settings.detect_outage)
        asked = run_tasks(spark, ask, plan.ask_tasks(), plan.folder, amount=Amount(None, "hosts"))
        part = plan.commit(asked, stage.seconds)
        facts = part.receipt.facts
        stage.end(part.receipt)
        say(
            STAGE,
            f"{counted(facts['forbidding'], 'hosts')} forbid something, the robots.txt of "
            f"{counted(facts['failed'], 'hosts')} could not be had",
        )
    return plan.with_rules(tasks)

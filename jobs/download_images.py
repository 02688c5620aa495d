"""Download the images of the curated table: one task fetches one download list."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import DownloadImagesConfig
from conf.schema.topics import RatesConfig
from curation.core.amounts import counted
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable, warn_of_space
from curation.core.parts import Part, sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.receipts import merge_receipts
from curation.core.schemas import CURATED, LISTS, PAIRS, STORED
from curation.core.seeds import run_seed
from curation.core.table_reader import check_file
from curation.core.tables import Table
from curation.images.download import download_list
from curation.images.download_lists import STAGE as LISTS_STAGE
from curation.images.download_lists import ListPlan, slice_curated, slice_places, write_lists
from curation.images.downloads import STAGE, Downloads, download_recipe, plan_downloads
from curation.images.preflight import (
    CheckNamesTask,
    check_contact,
    check_names,
    check_success,
    judged_receipt,
    name_advice,
)
from curation.images.stored_images import parts_with_places
from curation.spark.session import open_session
from curation.spark.tasks import fork_from, require_single_attempts, run_tasks
from jobs.download_settings import download_settings
from jobs.hosts import with_rules_of_hosts
from jobs.outputs import writing


@writing(STAGE, lambda config: [config.lists, config.hosts, config.downloads])
def run(config: DownloadImagesConfig) -> None:
    """Write the download lists, and fetch the images that no earlier run has attempted."""
    curated = Table(config.curated, CURATED).require("balance_pairs")
    images = sum(part.receipt.rows_out for part in curated)
    downloads = Downloads(config.downloads)
    if closed := downloads.close_unfinished():
        say(STAGE, f"continues a stopped run, which attempted {counted(closed.rows_in, 'images')}")
    settings = downloads.with_kept_rules(download_settings(config), config.overwrite)
    seed = run_seed(config.output, config.seed, [config.lists, config.downloads])
    pairs = Table(config.pairs, PAIRS, None)
    to_fetch = 0 if parts_with_places(pairs) else images

    def check() -> None:
        check_contact(to_fetch, config.download.contact)
        refuse_nothing(sum_receipts(curated), "kept image", "balance_pairs kept none", config.allow_empty)
        check_writable([config.lists, downloads.path])

    ranges = downloads.plan_ranges(settings, images, config.download.images_per_list, seed, config.overwrite, check)
    plan = ListPlan(config.lists, curated, pairs, ranges)
    lists = plan.finished()
    if not (lists and downloads.has_all(lists)):
        check_contact(to_fetch, config.download.contact)
    if lists is None or not downloads.has_all(lists) or settings.retry_failed:
        downloads.check_images()  # no shards could be written of further images alone
    lists = lists or make_lists(config, plan)
    if downloads.has_all(lists) and not settings.retry_failed:
        say(STAGE, f"is done: {counted(sum_receipts(downloads.parts()).rows_out, 'images')} in {downloads.path}")
        return
    refuse_nothing(sum_receipts(curated), "kept image", "balance_pairs kept none", config.allow_empty)
    check_writable([downloads.path])
    missing = images - sum_receipts(downloads.parts()).rows_out
    warn_of_space(STAGE, downloads.path, missing * int(RatesConfig().bytes_per_image), counted(missing, "images"))
    check_file(lists.files[0], LISTS, STORED.names)
    stage = Stage(STAGE, f"{counted(ranges.count, 'lists')} of {counted(images, 'images')}")
    recipe = download_recipe(settings, [lists])
    number = downloads.begin_generation(recipe, ranges)
    folder = downloads.part_path(number)
    tasks = plan_downloads(downloads, lists, ranges, folder)
    spark = open_session(STAGE, **vars(config.spark))
    require_single_attempts(spark)
    fork_from(spark, download_list.__module__)  # workers that have made lists hold numba
    names = [CheckNamesTask(tasks[0].list_path)]
    look_up = partial(check_names, threads=settings.threads, detect_outage=settings.detect_outage)
    if advice := name_advice(run_tasks(spark, look_up, names)[0]):
        say(STAGE, advice)
    tasks = with_rules_of_hosts(config, spark, settings, lists, ranges, tasks)
    fetch, first = partial(download_list, settings=settings), spark.sparkContext.defaultParallelism
    amount = Amount(None if settings.retry_failed else images - sum_receipts(downloads.parts()).rows_in, "images")
    receipts = run_tasks(spark, fetch, tasks[:first], folder, amount=amount)
    judged = judged_receipt(receipts, downloads.parts(), settings.retry_failed)
    check_success(judged, config.download.min_success_share)
    receipts += run_tasks(spark, fetch, tasks[first:], folder, amount=amount)
    stage.end(downloads.end_generation(number, recipe, ranges, receipts, stage.seconds))
    accepts = config.allow_empty or not config.download.min_success_share
    refuse_nothing(sum_receipts(downloads.parts()), "image", "see download_status for the errors", accepts)


def make_lists(config: DownloadImagesConfig, plan: ListPlan) -> Part:
    """Write the download lists of a plan, as the table `lists`."""
    ranges = plan.ranges
    check_writable([config.lists])
    stage = Stage(LISTS_STAGE, f"{counted(ranges.count, 'ranges')} of the final order")
    plan.begin()
    spark = open_session(STAGE, **vars(config.spark))
    sliced = run_tasks(spark, partial(slice_curated, ranges=ranges), plan.curated_tasks(), plan.slices)
    cut = run_tasks(spark, partial(slice_places, ranges=ranges), plan.places_tasks(), plan.places)
    places = merge_receipts(LISTS_STAGE, cut)
    if refused := places.drops["foreign_place"]:
        example = places.failures[0]["error"]
        images = counted(refused, "images")
        say(LISTS_STAGE, f"ignores places of {images} that are not in the shards of pairs, such as {example}")
    written = run_tasks(spark, partial(write_lists, ranges=ranges), plan.list_tasks(), plan.folder)
    part = plan.commit(sliced, places, written, stage.seconds)
    stage.end(part.receipt)
    return part


if __name__ == "__main__":
    launch(run)

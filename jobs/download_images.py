"""Download the images that were kept: lists of the final order, each fetched by one task."""

from functools import partial

from conf.schema.jobs import DownloadImagesConfig
from curation.core.progress import Stage, say
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.storage import join, remove
from curation.core.tables import Part, Table, sum_receipts
from curation.images.download import DownloadSettings, download_list
from curation.images.download_lists import SliceTask, WriteListsTask, slice_curated, slice_places, write_lists
from curation.images.downloads import LOGIC_VERSION, STAGE, Downloads, compared, plan_downloads
from curation.images.encoding import ImageSettings
from curation.images.fetch import FetchSettings
from curation.images.preflight import MIN_JUDGED, CheckNamesTask, check_names, check_success, name_advice
from curation.images.ranges import Ranges
from curation.images.stored_images import hold_images
from curation.spark.session import open_session
from curation.spark.tasks import require_single_attempts, run_tasks
from jobs.cli import launch


def run(config: DownloadImagesConfig) -> None:
    """Plan the lists of what was curated, and fetch what no earlier run has attempted."""
    settings = download_settings(config)
    curated = Table(config.curated).require("balance_pairs")
    images = sum(part.receipt.rows_out for part in curated)
    downloads = Downloads(config.downloads)
    if closed := downloads.close_unfinished():
        say(STAGE, f"goes on: {closed.rows_in:,} images were attempted by a run that was stopped")
    ranges = downloads.plan_ranges(settings, images, config.download.images_per_list, config.seed, config.overwrite)
    lists = plan_lists(config, curated, ranges)
    if downloads.has_all(lists) and not settings.retry_failed:
        say(STAGE, f"is done: {sum_receipts(downloads.parts()).rows_out:,} images in {downloads.path}")
        return
    stage = Stage(STAGE, f"{ranges.count:,} lists of {images:,} images")
    recipe = Recipe(STAGE, LOGIC_VERSION, compared(settings), [lists.input()])
    number = downloads.begin_generation(recipe, ranges)
    folder = downloads.part_path(number)
    tasks = plan_downloads(downloads, lists, ranges, folder)
    spark = open_session(STAGE, **vars(config.spark))
    require_single_attempts(spark)
    first = spark.sparkContext.defaultParallelism
    names = run_tasks(spark, partial(check_names, threads=settings.threads), [CheckNamesTask(tasks[0].list_path)])
    if advice := name_advice(names[0]):
        say(STAGE, advice)
    fetch = partial(download_list, settings=settings)
    receipts = run_tasks(spark, fetch, tasks[:first], folder)
    judged = merge_receipts(STAGE, receipts)
    if judged.rows_in < MIN_JUDGED and not settings.retry_failed:
        # Too little is new: a run that was stopped for its failures is not over because nothing is left to fetch.
        judged = merge_receipts(STAGE, [*(part.receipt for part in downloads.parts()), judged])
    check_success(judged, config.download.min_success_share)
    receipts += run_tasks(spark, fetch, tasks[first:], folder)
    stage.end(downloads.end_generation(number, recipe, ranges, receipts, stage.seconds))


def download_settings(config: DownloadImagesConfig) -> DownloadSettings:
    """Return the settings of the pure functions."""
    chosen = config.download
    return DownloadSettings(
        fetch=FetchSettings(
            timeout_seconds=chosen.timeout_seconds,
            retries=chosen.retries,
            max_bytes=chosen.max_bytes,
            user_agent_token=chosen.user_agent_token,
            directives=tuple(directive.strip().lower() for directive in chosen.opt_out),
            allow_private_hosts=tuple(config.urls.allow_private_hosts),
        ),
        image=ImageSettings(
            resize=chosen.resize.value,
            size=chosen.size,
            only_if_bigger=chosen.only_if_bigger,
            quality=chosen.quality,
            max_pixels=chosen.max_pixels,
        ),
        threads=chosen.threads,
        retry_failed=chosen.retry_failed,
        doubt_network=chosen.min_success_share > 0,
    )


def plan_lists(config: DownloadImagesConfig, curated: list[Part], ranges: Ranges) -> Part:
    """Write the lists of the present `curated`, if they are not there: images that lie in shards with their places."""
    table, pairs = Table(config.lists), Table(config.pairs)
    stored = pairs.parts() if hold_images(pairs.files()) else []
    recipe = Recipe("plan_lists", 1, vars(ranges), [part.input() for part in (*curated, *stored)])
    if part := table.done(recipe):
        return part
    balance = curated[0].manifest["settings"] | {"solved_t": curated[0].manifest["solved_t"]}
    stage = Stage("plan_lists", f"{ranges.count:,} ranges of the final order")
    spark = open_session(STAGE, **vars(config.spark))
    folder = table.begin(0)
    slices, places = join(folder, "_slices"), join(folder, "_places")
    sliced = run_tasks(spark, partial(slice_curated, ranges=ranges), _slicing(curated, slices), slices)
    run_tasks(spark, partial(slice_places, ranges=ranges), _slicing(stored, places), places)
    groups = [WriteListsTask(group, slices, places if stored else None, folder) for group in range(ranges.groups)]
    receipts: list[Receipt] = run_tasks(spark, partial(write_lists, ranges=ranges), groups, folder)
    remove(slices)
    remove(places)
    if sum(one.rows_out for one in sliced) != sum(one.rows_in for one in receipts):
        raise AssertionError(f"{table.path}: rows were lost between slices and lists")
    part = table.commit(0, recipe, receipts, stage.seconds, balance=balance)
    stage.end(part.receipt)
    return part


def _slicing(parts: list[Part], folder: str) -> list[SliceTask]:
    files = [file for part in parts for file in part.files]
    return [SliceTask(path, join(folder, f"{index:06d}")) for index, path in enumerate(files)]


if __name__ == "__main__":
    launch(run)

"""download_images against img2dataset, as `make bench NAME=shards` runs them."""

import json
import os
import random
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.schemas import LISTS
from curation.images.download import DownloadSettings, DownloadTask, download_list
from curation.images.ranges import Ranges
from tests.benchmarks.image_host import ImageHost
from tests.benchmarks.memory import core_seconds
from tests.benchmarks.shard_inputs import pictures
from tests.benchmarks.sides import Side, peak_mib
from tests.unit.images.settings import download_settings, fetch_settings, image_settings

WIDTHS = {1600: 2, 1280: 4, 800: 10, 640: 11, 400: 24, 320: 14, 225: 35}
"""How many of a hundred images have which width. Of LAION-400M 2.3% have 1,024 pixels or more on both sides, 6.3% on
one; 16% have 512 on both, 27% on one; 65% have 256 on one (laion.ai/blog/laion-400-open-dataset)."""
FEW = 8
"""Images of a run that shows what starting costs."""


@dataclass(frozen=True)
class Fetching:
    """What both sides of downloads do: fetch `count` URLs and store them with a smaller side of `size` pixels."""

    folder: Path
    count: int
    size: int
    threads: int

    def settings(self) -> DownloadSettings:
        """Return our settings."""
        fetch, image = fetch_settings(allow_private_hosts=("127.0.0.1/32",)), image_settings(size=self.size)
        return download_settings(fetch=fetch, image=image, threads=self.threads)

    def tasks(self, what: str = "", lists: int = 4) -> list[DownloadTask]:
        """Return a task for each list of the URLs; `warm`: of a few."""
        out, count = self.folder / "ours", FEW if what == "warm" else self.count
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        rows = pq.read_table(self.folder / "urls.parquet").slice(0, count)
        tasks = []
        for number in range(lists):
            mine = rows.slice(number * count // lists, count // lists)
            pq.write_table(mine, out / f"list-{number}.parquet")
            tasks.append(DownloadTask(f"{out}/list-{number}.parquet", (), f"{out}/range-{number:06d}.parquet"))
        return tasks


def prepare_download_images(cores: int, fetching: Fetching) -> Callable[[str], tuple[float, float]]:
    """The job's tasks in a warm session: its seconds, and its core-seconds."""
    from curation.spark.session import open_session
    from curation.spark.tasks import run_tasks

    spark = open_session("bench", f"local[{cores}]", "1g", {})
    settings = fetching.settings()

    def run(what: str) -> tuple[float, float]:
        tasks = fetching.tasks(what)
        start, worked = time.perf_counter(), core_seconds()
        receipts = run_tasks(spark, partial(download_list, settings=settings), tasks)
        seconds, worked = time.perf_counter() - start, core_seconds() - worked
        assert sum(receipt.rows_out for receipt in receipts) == sum(receipt.rows_in for receipt in receipts) > 0
        return seconds, worked

    run("warm")
    return run


def prepare_img2dataset(cores: int, fetching: Fetching) -> Callable[[str], tuple[float, float]]:
    """img2dataset as its users call it: the seconds that it tells, and core-seconds without those of starting."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import img2dataset

    folder = fetching.folder
    pq.write_table(pq.read_table(folder / "urls.parquet").slice(0, FEW), folder / "few.parquet")

    def children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def run(what: str) -> tuple[float, float]:
        out, before = folder / "theirs", children()
        count = FEW if what == "warm" else fetching.count
        shutil.rmtree(out, ignore_errors=True)
        img2dataset.download(
            url_list=str(folder / ("few.parquet" if what == "warm" else "urls.parquet")), input_format="parquet",
            url_col="url", output_format="webdataset", output_folder=str(out), processes_count=cores,
            thread_count=fetching.threads, image_size=fetching.size, resize_mode="keep_ratio",
            resize_only_if_bigger=True, encode_quality=95, compute_hash="sha256", number_sample_per_shard=count // 4,
            extract_exif=False, retries=1,
        )  # fmt: skip
        told = [json.loads(path.read_text()) for path in out.glob("*_stats.json")]
        assert sum(one["successes"] for one in told) == count
        seconds = max(one["end_time"] for one in told) - min(one["start_time"] for one in told)
        return seconds, children() - before

    _, starting = run("warm")

    def run_started(what: str) -> tuple[float, float]:
        seconds, worked = run(what)
        return seconds, worked - starting

    return run_started


def prepare_memory(_: int, fetching: Fetching) -> Callable[[str], int]:
    """The most memory that one task takes, in MiB: a process does nothing else."""

    def run(what: str) -> int:
        (task,) = fetching.tasks(what, lists=1)
        download_list(task, fetching.settings())
        return peak_mib()

    return run


def laion_pictures() -> list[bytes]:
    """Return a hundred images of WIDTHS, shuffled."""
    found = [picture for width, count in WIDTHS.items() for picture in pictures(count, width, 88, seed=width)]
    random.Random(0).shuffle(found)
    return found


def measure_downloads(fetching: Fetching, host: ImageHost, rounds: int) -> dict[str, float]:
    """download_images and img2dataset, two processes each, from one local server."""
    count, cores = fetching.count, 2
    urls = [host.url(number) for number in range(count)]
    uids = pa.array([f"{number:024x}" for number in range(count)])
    order = pa.array(Ranges(1, 0).order(uids))
    listed = pa.table({"uid": uids, "url": urls, "order": order}).sort_by("order").to_pylist()
    filled = {"text": "", "lang": "en", "keep_probability": 1.0, "texts": []}
    rows = pa.Table.from_pylist([filled | row for row in listed], LISTS)
    pq.write_table(rows, fetching.folder / "urls.parquet")
    ours, theirs = Side(prepare_download_images, cores, fetching), Side(prepare_img2dataset, cores, fetching)
    costs: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, side in (("theirs", theirs), ("ours", ours)):
            costs[name].append(side.run())
            print("{:10} {:.2f} s, {:.2f} core-seconds".format(name, *costs[name][-1]), flush=True)
    for side in (ours, theirs):
        side.close()
    memory = Side(prepare_memory, 1, fetching)
    peak = memory.run()
    memory.close()
    best = {name: [min(each) for each in zip(*found, strict=True)] for name, found in costs.items()}
    (seconds, worked), (their_seconds, they_worked) = best["ours"], best["theirs"]
    return {
        "urls": count,
        "ratio_img2dataset": seconds / their_seconds,
        "ratio_img2dataset_core_seconds": worked / they_worked,
        "download_images_seconds": seconds,
        "img2dataset_seconds": their_seconds,
        "images_per_second_core": count / seconds / cores,
        "images_per_second_thread": count / seconds / cores / fetching.threads,
        "images_per_core_second": count / worked,
        "img2dataset_images_per_second_core": count / their_seconds / cores,
        "img2dataset_images_per_second_thread": count / their_seconds / cores / fetching.threads,
        "img2dataset_images_per_core_second": count / they_worked,
        "peak_mib_of_one_list": peak,
    }

"""Speed of write_shards against copying the same tars with webdataset, and of download_images against img2dataset.

Last line: one JSON object. `ratio_tar_copy` and `ratio_tar_copy_two_cores` are the job's time in a warm session, on one
core and on two, over that of reading the same samples with webdataset and writing them with its ShardWriter on one
core; `ratio_img2dataset` is the time of fetching and encoding the lists over what img2dataset's own statistics say it
took for the same URLs with as many processes and threads, its start not counted. Sides take turns; each figure is the
smallest of the rounds.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.schemas import LISTS
from curation.core.tables import Table
from curation.images.download import DownloadSettings, DownloadTask, download_list
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from tests.benchmarks.image_host import ImageHost
from tests.benchmarks.shard_inputs import pictures, write_downloads
from tests.unit.images.settings import download_settings, fetch_settings, image_settings

THREADS, SIDE = 32, 256
spawn = multiprocessing.get_context("spawn")


class Side:
    """One side of a comparison: a process on some cores that is ready and works when told to."""

    def __init__(self, prepare: Callable[..., Callable[[str], Any]], cores: int, *arguments: Any) -> None:
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, prepare, cores, arguments))
        self._process.start()
        self._pipe.recv()

    def run(self, what: str = "") -> Any:
        """Do it once; return what it gives, its seconds as a rule."""
        self._pipe.send(what)
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def _serve(pipe: Connection, prepare: Callable[..., Callable[[str], Any]], cores: int, arguments: tuple) -> None:
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    work = prepare(cores, *arguments)
    pipe.send("ready")
    while (what := pipe.recv()) is not None:
        pipe.send(work(what))


def prepare_write_shards(cores: int, folder: Path) -> Callable[[str], float]:
    """The job in a warm session; `near` looks for near duplicates, too, with nothing remembered."""
    from conf.compose import compose_config
    from conf.schema.jobs import WriteShardsConfig
    from jobs import write_shards

    def run(what: str, source: Path = folder) -> float:
        shutil.rmtree(folder / "shards", ignore_errors=True)
        for path in source.glob("downloads/*/*.phashes*"):
            path.unlink()
        overrides = [f"output={source}", f"spark.master=local[{cores}]", "spark.driver_memory=1g"]
        overrides += [f"shards={folder}/shards", f"filters.near_duplicates={'hash' if what == 'near' else 'false'}"]
        config = compose_config("write_shards", WriteShardsConfig, overrides)
        start = time.perf_counter()
        write_shards.run(config)
        return time.perf_counter() - start

    run("near", folder / "small")
    return run


def prepare_tar_copy(_: int, folder: Path) -> Callable[[str], float]:
    """webdataset's own way from tars to tars; the samples' parts stay bytes."""
    import webdataset

    def run(_: str) -> float:
        out = folder / "copied"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        sources = [str(path) for path in sorted((folder / "shards").glob("*.tar"))]
        start = time.perf_counter()
        with webdataset.ShardWriter(str(out / "%05d.tar"), maxcount=10_000, verbose=0) as writer:
            for sample in webdataset.WebDataset(sources, shardshuffle=False):
                writer.write({name: sample[name] for name in ("__key__", "jpg", "txt", "json")})
        return time.perf_counter() - start

    return run


def prepare_download_images(cores: int, folder: Path, count: int) -> Callable[[str], float]:
    """The job's tasks in a warm session."""
    from curation.spark.session import open_session
    from curation.spark.tasks import run_tasks

    spark = open_session("bench", f"local[{cores}]", "1g", {})
    settings = common_settings()

    def run(what: str) -> float:
        tasks = download_tasks(folder, folder / "ours", 8 if what == "warm" else count)
        start = time.perf_counter()
        receipts = run_tasks(spark, partial(download_list, settings=settings), tasks)
        seconds = time.perf_counter() - start
        assert sum(receipt.rows_out for receipt in receipts) == sum(receipt.rows_in for receipt in receipts) > 0
        return seconds

    run("warm")
    return run


def common_settings() -> DownloadSettings:
    """Both sides resize alike."""
    fetch, image = fetch_settings(allow_private_hosts=("127.0.0.1/32",)), image_settings(size=SIDE)
    return download_settings(fetch=fetch, image=image, threads=THREADS)


def download_tasks(folder: Path, out: Path, count: int, lists: int = 4) -> list[DownloadTask]:
    """A task for each list of the URLs."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    rows = pq.read_table(folder / "urls.parquet").slice(0, count)
    tasks = []
    for number in range(lists):
        mine = rows.slice(number * count // lists, count // lists)
        pq.write_table(mine, out / f"list-{number}.parquet")
        tasks.append(DownloadTask(f"{out}/list-{number}.parquet", (), f"{out}/range-{number:06d}.parquet"))
    return tasks


def prepare_img2dataset(cores: int, folder: Path, count: int) -> Callable[[str], float]:
    """img2dataset as its users call it."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import img2dataset

    def run(_: str) -> float:
        out = folder / "theirs"
        shutil.rmtree(out, ignore_errors=True)
        img2dataset.download(
            url_list=str(folder / "urls.parquet"), input_format="parquet", url_col="url", output_format="webdataset",
            output_folder=str(out), processes_count=cores, thread_count=THREADS, image_size=SIDE,
            resize_mode="keep_ratio", resize_only_if_bigger=True, encode_quality=95, compute_hash="sha256",
            number_sample_per_shard=count // 4, extract_exif=False, retries=1,
        )  # fmt: skip
        told = [json.loads(path.read_text()) for path in out.glob("*_stats.json")]
        assert sum(one["successes"] for one in told) == count
        return max(one["end_time"] for one in told) - min(one["start_time"] for one in told)

    return run


def prepare_memory(_: int, folder: Path, count: int) -> Callable[[str], int]:
    """The most memory that one task takes, in MiB: a process does nothing else."""

    def run(what: str) -> int:
        if what == "write_shard":
            from tests.unit.shards.test_write import make_shards

            downloads = Downloads(f"{folder}/downloads")
            (lists,) = Table(f"{folder}/lists").parts()
            make_shards(folder, downloads, lists, Ranges(**lists.manifest["settings"]), size=1 << 30)
        else:
            (task,) = download_tasks(folder, folder / "ours", count, lists=1)
            download_list(task, common_settings())
        # ru_maxrss would be that of the process this one was forked from, if larger.
        told = Path("/proc/self/status").read_text()
        return int(told.split("VmHWM:")[1].split()[0]) >> 10

    return run


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--urls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-shards").absolute())
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    try:
        found = measure_shards(asked.folder, asked.images, asked.rounds)
        found |= measure_downloads(asked.folder, asked.urls, asked.rounds)
    finally:
        shutil.rmtree(asked.folder, ignore_errors=True)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


def measure_shards(folder: Path, images: int, rounds: int) -> dict[str, float]:
    """write_shards on one core and on two, and webdataset's copy on one."""
    write_downloads(folder, images)
    write_downloads(folder / "small", 300)
    tars = sum(path.stat().st_size for path in folder.glob("downloads/*/*.tar"))
    print(f"{images:,} images of {tars / images / 1000:.1f} kB", flush=True)
    one, two = Side(prepare_write_shards, 1, folder), Side(prepare_write_shards, 2, folder)
    copy = Side(prepare_tar_copy, 1, folder)
    times: dict[str, list[float]] = {"one": [], "copy": [], "two": [], "near": []}
    for _ in range(rounds):
        for name, side, what in (("one", one, ""), ("copy", copy, ""), ("near", one, "near"), ("two", two, "")):
            times[name].append(side.run(what))
            print(f"{name:10} {times[name][-1]:.2f} s", flush=True)
    for side in (one, two, copy):
        side.close()
    memory = Side(prepare_memory, 1, folder, 0)
    peak = memory.run("write_shard")
    memory.close()
    best = {name: min(values) for name, values in times.items()}
    return {
        "images": images,
        "ratio_tar_copy": best["one"] / best["copy"],
        "ratio_tar_copy_two_cores": best["two"] / best["copy"],
        "near_duplicates_cost": best["near"] / best["one"],
        "write_shards_seconds": best["one"],
        "tar_copy_seconds": best["copy"],
        "peak_mib_of_one_shard_of_all": peak,
    }


def measure_downloads(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """download_images and img2dataset, two processes each, from one local server."""
    faces = list(pictures(64, 640, 88, seed=1))
    with ImageHost(faces) as host:
        urls = [host.url(number) for number in range(count)]
        uids = pa.array([f"{number:024x}" for number in range(count)])
        order = pa.array(Ranges(1, 0).order(uids))
        listed = pa.table({"uid": uids, "url": urls, "order": order}).sort_by("order").to_pylist()
        filled = {"text": "", "lang": "en", "keep_probability": 1.0, "texts": []}
        rows = pa.Table.from_pylist([filled | row for row in listed], LISTS)
        pq.write_table(rows, folder / "urls.parquet")
        ours = Side(prepare_download_images, 2, folder, count)
        theirs = Side(prepare_img2dataset, 2, folder, count)
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(rounds):
            for name, side in (("theirs", theirs), ("ours", ours)):
                times[name].append(side.run())
                print(f"{name:10} {times[name][-1]:.2f} s", flush=True)
        for side in (ours, theirs):
            side.close()
        memory = Side(prepare_memory, 1, folder, count)
        peak = memory.run("download_list")
        memory.close()
    return {
        "urls": count,
        "kilobytes_per_image": sum(map(len, faces)) / len(faces) / 1000,
        "ratio_img2dataset": min(times["ours"]) / min(times["theirs"]),
        "download_images_seconds": min(times["ours"]),
        "img2dataset_seconds": min(times["theirs"]),
        "peak_mib_of_one_list": peak,
    }


if __name__ == "__main__":
    main()

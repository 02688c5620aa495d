"""Speed of write_shards against copying the same tars with webdataset, and of download_images against img2dataset.

Last line: one JSON object. `ratio_tar_copy` and `ratio_tar_copy_two_cores` are the job's time in a warm session, on one
core and on two, over that of reading the same samples with webdataset and writing them with its ShardWriter on one
core; `ratio_img2dataset` is the time of fetching and encoding the lists over what img2dataset's own statistics say it
took for the same URLs with as many processes and threads, its start not counted. Sides take turns; each figure is the
smallest of the rounds.

Images a second of the clock are told for a core and for a thread, and images for a second of CPU time: of ours that of
the session with its JVM, of theirs that of the processes it starts, less what they need for a few images.
`--downloads --laion --side 512` measures downloads alone, at the default size, over images of the sizes of LAION-400M;
`--delay 0.05`, `--tls` and `--closing` make the local server more like those of the web.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from tests.benchmarks.downloads import Fetching, laion_pictures, measure_downloads
from tests.benchmarks.image_host import ImageHost, Manners
from tests.benchmarks.shard_inputs import pictures, write_downloads
from tests.benchmarks.sides import Side, peak_mib
from tests.certificate import write_certificate


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


def prepare_memory(_: int, folder: Path) -> Callable[[str], int]:
    """The most memory that one task takes, in MiB: a process does nothing else."""

    def run(_: str) -> int:
        from tests.unit.shards.test_write import make_shards

        downloads = Downloads(f"{folder}/downloads")
        (lists,) = Table(f"{folder}/lists").parts()
        make_shards(folder, downloads, lists, Ranges(**lists.manifest["settings"]), size=1 << 30)
        return peak_mib()

    return run


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--urls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--downloads", action="store_true", help="downloads alone")
    parser.add_argument("--side", type=int, default=256, help="downloads: the smaller side of stored images")
    parser.add_argument("--threads", type=int, default=32, help="downloads: threads of each of the two processes")
    parser.add_argument("--laion", action="store_true", help="downloads: images of LAION's sizes, not of 640 x 480")
    parser.add_argument("--delay", type=float, default=0.0, help="downloads: seconds before the server answers")
    parser.add_argument("--tls", action="store_true", help="downloads: the server speaks TLS")
    parser.add_argument("--closing", action="store_true", help="downloads: the server closes after each answer")
    parser.add_argument("--folder", type=Path, default=Path("build/bench-shards").absolute())
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    try:
        found = {} if asked.downloads else measure_shards(asked.folder, asked.images, asked.rounds)
        certificate = write_certificate(asked.folder / "certificate.pem") if asked.tls else None
        if certificate:
            os.environ["SSL_CERT_FILE"] = str(certificate)  # both sides trust it
        faces = laion_pictures() if asked.laion else list(pictures(64, 640, 88, seed=1))
        fetching = Fetching(asked.folder, asked.urls, asked.side, asked.threads)
        with ImageHost(faces, Manners(asked.delay, certificate, asked.closing)) as host:
            found["kilobytes_per_image"] = sum(map(len, faces)) / len(faces) / 1000
            found |= measure_downloads(fetching, host, asked.rounds)
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
    memory = Side(prepare_memory, 1, folder)
    peak = memory.run()
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


if __name__ == "__main__":
    main()

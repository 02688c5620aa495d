"""One part of a sitting, in a process of its own; the last line is a JSON object of its figures.

Arguments: NAME SCALE FOLDER. All sizes are multiplied by SCALE; 1 takes a quarter of an hour for all parts on two idle
cores. The figures mean something at 1 alone: smaller sizes show that the parts work.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.figures.parts import PARTS
from tests.benchmarks.sides import Side

CORES = 2
Figures = dict[str, float]


def extract(folder: Path, scale: float) -> Figures:
    """CPU seconds of one archive's extraction under the careful rule, the fastest of three rounds."""
    from curation.report.estimate import MEASURED_LINKS
    from tests.benchmarks.extract import seconds_of, with_careful_language
    from tests.benchmarks.generate_wat import write_wat

    counts = write_wat(folder / "large.wat.gz", sized(300, scale, 2))
    write_wat(folder / "small.wat.gz", 2)
    seconds_of(with_careful_language, str(folder / "small.wat.gz"))  # kernels are compiled, the model is loaded
    best = min(seconds_of(with_careful_language, str(folder / "large.wat.gz")) for _ in range(3))
    return {"extract_core_seconds": best * MEASURED_LINKS / counts["image_links"]}


def match(folder: Path, scale: float) -> Figures:
    """CPU seconds of all processes of the job, less those of a job with few pairs; the list is compiled before."""
    from curation.core.tables import Table
    from tests.benchmarks.chain.process_tree import run
    from tests.benchmarks.match import english_store
    from tests.benchmarks.scale.workers import write_pairs

    store = english_store(folder)
    entries, compiled = len(store.entries("en")), store.compile("en").stat().st_size
    sizes = {"warm": 10_000, "few": 10_000, "many": sized(5_000_000, scale, 20_000)}
    written: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    for name, rows in sizes.items():
        place = folder / name
        place.mkdir()
        written[name] = write_pairs(place / "pairs", rows, 8, [{"path": name, "id": name}])
        settings = [f"output={place}", f"entry_lists={folder / 'english'}", f"spark.master=local[{CORES}]"]
        command = [sys.executable, "-m", "jobs.match_pairs", *settings, "seed=0", "buckets=64"]
        seconds[name] = run(command, place, dict(os.environ), place / "log.txt").core_seconds
        print(f"match: {rows:,} pairs, {seconds[name]:.1f} core-seconds ({name})", flush=True)
    rows = sizes["many"]
    print(f"match: {seconds['many'] / rows * 1e6:.2f} core-seconds a million with the job's fixed costs", flush=True)
    (part,) = Table(str(folder / "many/matches")).parts()
    return {
        "match_core_seconds": (seconds["many"] - seconds["few"]) / (rows - sizes["few"]) * 1e6,
        "bytes_per_pair": sum(Path(path).stat().st_size for path in written["many"]) / rows,
        "bytes_per_match": sum(file["bytes"] for file in part.manifest["files"]) / part.receipt.rows_out,
        "list_bytes_per_entry": compiled / entries,
    }


def shuffle(folder: Path, scale: float) -> Figures:
    """Bytes of the shuffle, as Spark counts them."""
    from tests.benchmarks.scale.shuffle import measure

    found = measure(folder, sized(1_400_000, scale, 20_000), 64)
    return {"shuffle_bytes_per_match": found["shuffle_bytes_per_match"]}


def growth(folder: Path, scale: float) -> Figures:
    """Both jobs on a table and on a tenth of it: seconds of both cores for what the table has more."""
    from tests.benchmarks.scale.growth import measure

    found = measure(folder, sized(16_000_000, scale, 200_000))
    millions = 0.9 * found["growth_texts"] / 1e6
    seconds = {name: found[f"{name}_seconds"] - found[f"{name}_seconds_tenth"] for name in ("count", "balance")}
    return {
        **{f"{name}_core_seconds": CORES * each / millions for name, each in seconds.items()},
        "bytes_per_curated": found["curated_bytes_per_image"],
        "balance_memory": found["growth_worker_gib"],
    }


def images(folder: Path, scale: float) -> Figures:
    """Shards on one core, downloads on both, and the peak of a process that does nothing else."""
    from curation.core.schemas import LISTS
    from curation.images.ranges import Ranges
    from tests.benchmarks import downloads, shards
    from tests.benchmarks.image_host import ImageHost
    from tests.benchmarks.shard_inputs import write_downloads

    count, urls = sized(20_000, scale, 200), sized(4_000, scale, 80)
    write_downloads(folder, count)
    write_downloads(folder / "small", 300)
    gigabytes = sum(path.stat().st_size for path in folder.glob("downloads/*/*.tar")) / 1e9
    writing = fastest(Side(shards.prepare_write_shards, 1, folder))
    writer = peak(Side(shards.prepare_memory, 1, folder))
    with ImageHost(downloads.laion_pictures()) as host:
        uids = [f"{number:024x}" for number in range(urls)]
        orders = Ranges(1, 0).order(pa.array(uids)).tolist()
        filled = {"text": "", "lang": "en", "keep_probability": 1.0, "texts": []}
        rows = [
            filled | {"uid": uid, "url": host.url(number), "order": order}
            for number, (uid, order) in enumerate(zip(uids, orders, strict=True))
        ]
        listed = pa.Table.from_pylist(sorted(rows, key=lambda row: row["order"]), LISTS)
        pq.write_table(listed, folder / "urls.parquet")
        fetching = downloads.Fetching(folder, urls, size=512, threads=32)
        fetching_seconds, _ = fastest(Side(downloads.prepare_download_images, CORES, fetching))
        fetcher = peak(Side(downloads.prepare_memory, 1, fetching))
    return {
        "download_core_seconds": CORES * fetching_seconds / urls * 1000,
        "shards_core_seconds": writing / gigabytes,
        "download_memory": fetcher,
        "shards_memory": writer,
    }


def fastest(side: Side, rounds: int = 2) -> Any:
    """Return what the fastest round of a side gives, its seconds first, and end its process."""
    try:
        return min(side.run() for _ in range(rounds))
    finally:
        side.close()


def peak(side: Side) -> float:
    """Return the most memory that a side took, in GiB, and end its process."""
    try:
        return side.run() / 1024
    finally:
        side.close()


def signals(_: Path, scale: float) -> Figures:
    """CPU seconds of each model for a thousand images, decoding apart."""
    import resource

    from curation.signals.score import open_models
    from tests.benchmarks.shard_inputs import pictures
    from tests.benchmarks.signals import SIDES, seconds_of

    bodies, rounds = list(pictures(sized(100, scale, 4), 512, 95)), 2
    models = {"decode": ()} | {name: open_models(SIDES[name]) for name in ("faces", "nsfw", "text")}
    for used in models.values():
        seconds_of(bodies[:2], used, 512)
    best = {
        name: min(seconds_of(bodies, used, 512) for _ in range(rounds)) / len(bodies) * 1000
        for name, used in models.items()
    }
    alone = {f"{name}_core_seconds": seconds - best["decode"] for name, seconds in best.items() if name != "decode"}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"decode_core_seconds": best["decode"], **alone, "signals_memory": memory}


def skew(folder: Path, scale: float) -> Figures:
    """The largest worker where one image has a million texts."""
    from tests.benchmarks.scale.skew import one_image

    return {"match_memory": one_image(folder, sized(1_000_000, scale, 2_000))["skew_worker_gib"]}


def extract_memory(folder: Path, scale: float) -> Figures:
    """The largest worker over several files, each with one that does nothing else."""
    from tests.benchmarks.extract_memory import measure

    peaks = measure(folder, sized(300, scale, 2), sized(2_000_000, scale, 2_000))
    return {"extract_memory": max(peaks.values()) / 1024}


def workers(folder: Path, scale: float) -> Figures:
    """Both jobs on one worker and on two."""
    from tests.benchmarks.scale.workers import measure

    found = measure(folder, sized(80, scale, 2), sized(800_000, scale, 8_000), rounds=1)
    return {"speedup_two_workers": found["speedup_two_workers"]}


MEASURES: dict[str, Callable[[Path, float], Figures]] = {
    each.__name__: each for each in (extract, match, shuffle, growth, images, signals, skew, extract_memory, workers)
}


def sized(full: int, scale: float, least: int) -> int:
    """Return a size at a scale, at least the smallest that works."""
    return max(least, round(full * scale))


def main(name: str, scale: float, folder: Path) -> None:
    """Measure the part on the first cores, and print its figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    started = time.monotonic()
    found = MEASURES[name](folder, scale)
    if missing := PARTS[name].keys() ^ found.keys():
        raise AssertionError(f"{name} measures other figures than it says: {missing}")
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))

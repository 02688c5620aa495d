"""The whole chain beside the tools that a user would chain by hand: `make bench NAME=chain`.

Both sides read the same WATs (crawl.py) and the list of 415,854 entries, on the same cores, and end with the URLs of
the kept images. Ours are the jobs of `curate` until `curated`, with the rules that the peers have, too: the
classifier's first label, blank edges, the same t. The others (peers.py, in an environment of their own, build/peers)
are cc2dataset, fasttext-predict with the same model, the published matching loop on pyahocorasick, and the published
balancing loop.

- `core_seconds`: CPU seconds of all processes, the JVM and those that outlive a step included; `stages` splits them:
  `core_seconds`, `share`, and `per_gigabyte`, which is the difference of both sizes over the difference in uncompressed
  gigabytes.
- `ratio_with_fixed`: theirs over ours, on all archives; `ratio_without_fixed`: the differences between all archives and
  the first `small` ones. The compiling of the entry list is a fixed cost of ours: the compiled list is deleted before.
- `peak_gib`: proportional shares of memory of the whole tree; `table_bytes`: files at the end; `peak_disk_bytes`: files
  and temporary files at the worst time.
- `same`: pairs and entries of both sides, and the kept images beside the number that the counts make expected. The
  draws themselves differ: ours are keyed hashes, theirs a generator's.

Arguments: files=8 small=2 megabytes=100 rounds=1 cores=2 folder=(a temporary one; in a given one the archives stay,
and all else if a step fails). The last line is one JSON object.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from curation.core.choices import Edges
from curation.extraction.language import DEFAULT_MODEL, path_of_model
from curation.matching.entry_store import EntryStore
from curation.spark.java import java_home
from tests.benchmarks.chain.agreement import compare
from tests.benchmarks.chain.crawl import write_crawl, write_entries
from tests.benchmarks.chain.process_tree import Cost, run
from tests.benchmarks.memory import bytes_in

ROOT = Path(__file__).parents[3]
PEERS = ROOT / "build/peers/bin/python"
MEGABYTES_PER_T = 10


def run_ours(folder: Path, wats: list[Path], lists: Path, t: float, cores: int) -> Cost:
    """Run the jobs on an entry list that is not compiled yet."""
    EntryStore.open(str(lists), Edges.blank).compile("en").unlink()
    (folder / "temporary").mkdir(parents=True)
    settings = [
        f"output={folder / 'run'}",
        f"source.paths=[{','.join(map(str, wats))}]",
        f"entry_lists={lists}",
        f"spark.master=local[{cores}]",
        f"balance.t={t}",
        "matching.edges=blank",
        "languages=[en]",
        "language.rule=published",
        "seed=0",
    ]
    command = [sys.executable, "-m", "tests.benchmarks.chain.ours", *settings]
    return run(command, folder, os.environ | {"TMPDIR": str(folder / "temporary")}, folder / "log.txt")


def run_peers(folder: Path, wats: list[Path], lists: Path, t: float, cores: int) -> Cost:
    """Run their steps, one process after the other."""
    (folder / "run").mkdir(parents=True)
    (folder / "temporary").mkdir()
    temporary = str(folder / "temporary")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"TMPDIR": temporary, "SPARK_LOCAL_DIRS": temporary}
    environment |= {"JAVA_HOME": java_home(), "PYSPARK_PYTHON": str(PEERS), "SPARK_LOCAL_IP": "127.0.0.1"}
    model = path_of_model(DEFAULT_MODEL)
    steps: dict[str, dict] = {
        "extract": {"wats": [str(path) for path in wats]},
        "match": {"entries": str(lists / "en.json"), "model": model},
        "balance": {"t": t},
    }
    total = Cost()
    for step, options in steps.items():
        arguments = [step, str(folder / "run"), json.dumps(options | {"cores": cores})]
        command = [str(PEERS), str(Path(__file__).with_name("peers.py")), *arguments]
        cost = run(command, folder, environment, folder / f"{step}.txt")
        cost.stages = {step: cost.core_seconds}
        total = total.then(cost)
    return total


def told(small: Cost, large: Cost, gigabytes: float, table_bytes: int) -> dict[str, object]:
    """Return the figures of one side; `gigabytes` is the difference between the two sizes."""
    stages = {
        name: {
            "core_seconds": round(seconds, 2),
            "share": round(seconds / large.core_seconds, 3),
            "per_gigabyte": round((seconds - small.stages[name]) / gigabytes, 2),
        }
        for name, seconds in large.stages.items()
    }
    return {
        "core_seconds": round(large.core_seconds, 1),
        "core_seconds_small": round(small.core_seconds, 1),
        "core_seconds_per_gigabyte": round((large.core_seconds - small.core_seconds) / gigabytes, 1),
        "seconds": round(large.seconds, 1),
        "peak_gib": round(large.peak_gib, 2),
        "table_bytes": table_bytes,
        "peak_disk_bytes": large.peak_bytes,
        "stages": stages,
    }


def measure(folder: Path, files: int, small: int, megabytes: int, rounds: int, cores: int) -> dict[str, object]:
    """Make the inputs, warm up, take the sides in turn; the cheapest round of each counts."""
    crawl, lists, work = folder / f"crawl-{megabytes}", write_entries(folder / "entries"), folder / "work"
    warm = write_crawl(folder / "warm", 1, 2, 1)
    wats = write_crawl(crawl, files, megabytes, cores)
    sides: dict[str, Callable[..., Cost]] = {"ours": run_ours, "peers": run_peers}
    shutil.rmtree(work, ignore_errors=True)
    for name, side in sides.items():  # kernels are compiled, classes archived, files read once
        side(work / f"warm-{name}", warm, lists, 2, cores)
    best: dict[tuple[str, int], Cost] = {}
    sizes: dict[str, int] = {}
    same: dict[str, float] = {}
    for _ in range(rounds):
        for count in (small, files):
            t = max(2, count * megabytes // MEGABYTES_PER_T)
            places = {name: work / f"{name}-{count}" for name in sides}
            for name, side in sides.items():
                shutil.rmtree(places[name], ignore_errors=True)
                cost = side(places[name], wats[:count], lists, t, cores)
                print(f"{name}, {count} WATs: {cost}", flush=True)
                if cost.core_seconds < best.get((name, count), Cost(float("inf"))).core_seconds:
                    best[name, count] = cost
                sizes[name] = bytes_in(places[name] / "run")
            same = compare(places["ours"] / "run", places["peers"] / "run", lists / "en.json", t)
            print(f"{count} WATs: {same}", flush=True)
    gigabytes = (files - small) * megabytes / 1000
    figures = {name: told(best[name, small], best[name, files], gigabytes, sizes[name]) for name in sides}
    ours, peers = ((best[name, small].core_seconds, best[name, files].core_seconds) for name in sides)
    return {
        "ratio_without_fixed": round((peers[1] - peers[0]) / (ours[1] - ours[0]), 2),
        "ratio_with_fixed": round(peers[1] / ours[1], 2),
        "ratio_with_fixed_small": round(peers[0] / ours[0], 2),
        "gigabytes": files * megabytes / 1000,
        **figures,
        "same": same,
    }


def main(arguments: list[str]) -> None:
    """Bind everything to the same cores, and measure."""
    given = dict(argument.split("=", 1) for argument in arguments)
    defaults = {"files": 8, "small": 2, "megabytes": 100, "rounds": 1, "cores": 2}
    if unknown := given.keys() - {*defaults, "folder"}:
        sys.exit(f"chain: no such argument: {', '.join(sorted(unknown))}")
    asked = {name: int(given.get(name, value)) for name, value in defaults.items()}
    if not 0 < asked["small"] < asked["files"]:
        sys.exit("chain: small must be at least 1 and below files")
    if not PEERS.exists():
        sys.exit("chain: the peers' environment build/peers is missing: run make bench NAME=chain")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
    with tempfile.TemporaryDirectory(prefix="headtail-chain-") as temporary:
        folder = Path(given.get("folder", temporary))
        folder.mkdir(exist_ok=True)
        figures = measure(folder, **asked)
        shutil.rmtree(folder / "work")
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])

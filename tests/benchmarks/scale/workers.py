"""Two workers with a core each against one worker with one core: the same jobs, real processes of a standalone cluster.

`extract_pairs` reads synthetic WATs, `match_pairs` real captions with the list of 415,854 entries, each in tasks of
equal size. Each worker is bound to a core; the driver is not. A session is started and warmed by both jobs on little
input before anything is timed. The sides are taken in turn, the fastest round of each counting; `speedup_two_workers`
is of both jobs together.
"""

import shutil
import time
from pathlib import Path

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig, MatchPairsConfig
from curation.core.input_files import list_files
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.spark.session import close_session
from jobs import extract_pairs, match_pairs
from tests.benchmarks.generate_wat import write_wat
from tests.benchmarks.match import english_store
from tests.benchmarks.scale.shuffle import write_real_pairs
from tests.benchmarks.scale.standalone import Standalone

FILES = 8


def measure(folder: Path, megabytes: int, rows: int, rounds: int) -> dict[str, float]:
    """Make the inputs, then run both jobs on one worker and on two."""
    for name, size, pairs in (("work", megabytes, rows), ("warm", 10, 10_000)):
        make_inputs(folder / name, size, pairs)
    english_store(folder).compile("en")
    best: dict[str, float] = {}
    for number in range(2 * rounds):
        workers = 1 + number % 2
        place = folder / f"cluster-{number}"
        place.mkdir()
        with Standalone(place, workers) as cluster:
            options = [f"spark.master={cluster.master}", "spark.driver_memory=1g"]
            run_jobs(folder / "warm", folder, options)
            for job, seconds in run_jobs(folder / "work", folder, options).items():
                key = f"{job}_seconds_{workers}"
                print(f"workers: {key} {seconds:.1f}", flush=True)
                best[key] = min(best.get(key, seconds), seconds)
            close_session()
    one, two = ([best[f"{job}_seconds_{workers}"] for job in ("extract", "match")] for workers in (1, 2))
    return best | {
        "speedup_extract": one[0] / two[0],
        "speedup_match": one[1] / two[1],
        "speedup_two_workers": sum(one) / sum(two),
    }


def make_inputs(folder: Path, megabytes: int, rows: int) -> None:
    """Write FILES equal WATs, and a table of pairs in as many files."""
    crawl = folder / "crawl"
    crawl.mkdir(parents=True)
    first = crawl / "0.wat.gz"
    write_wat(first, megabytes)
    for number in range(1, FILES):
        shutil.copy(first, crawl / f"{number}.wat.gz")
    write_pairs(folder / "captions/pairs", rows, FILES, [vars(file) for file in list_files([str(crawl)])])


def write_pairs(folder: Path, rows: int, files: int, inputs: list[dict]) -> list[str]:
    """Write real captions as a table of pairs, each file as large as a task; return the paths of the files."""
    table = Table(str(folder))
    part = Path(table.begin(0))
    part.mkdir(parents=True)
    paths = write_real_pairs(part, rows, files)
    receipts = [
        Receipt(path, rows // files, rows // files, outputs=[{"path": path, "rows": rows // files, "bytes": 64 << 20}])
        for path in paths
    ]
    table.commit(0, Recipe("extract_pairs", 1, {}, inputs), receipts, 0.0)
    return paths


def run_jobs(folder: Path, lists: Path, options: list[str]) -> dict[str, float]:
    """Seconds of both jobs, made anew."""
    for name in ("out/pairs", "out/matches"):
        shutil.rmtree(folder / name, ignore_errors=True)
    start = time.monotonic()
    extract_pairs.run(
        compose_config(
            "extract_pairs",
            ExtractPairsConfig,
            ["seed=0", f"output={folder / 'out'}", f"source.paths={folder / 'crawl'}", *options],
        )
    )
    extracted = time.monotonic()
    pairs = f"pairs={folder / 'captions/pairs'}"
    match_pairs.run(
        compose_config(
            "match_pairs",
            MatchPairsConfig,
            ["seed=0", f"output={folder / 'out'}", pairs, f"entry_lists={lists / 'english'}", *options],
        )
    )
    return {"extract": extracted - start, "match": time.monotonic() - extracted}

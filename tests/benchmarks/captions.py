"""Join a table of captions by URL with a set of samples, as write_shards does before it writes. The last line is JSON.

Half of the samples have a caption, a hundredth of the rows have a key that was given before, and the other rows fit no
sample. Each step runs in processes of its own, whose memory is measured; `--rows`, `--samples`, `--processes`.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.parquet_sink import write_rows
from curation.core.schemas import CANDIDATES
from curation.core.uids import uids_of
from curation.shards.caption_join import join_captions
from curation.shards.caption_tables import open_captions
from curation.shards.sample_captions import CaptionFiles, SampleCaptions
from curation.shards.sample_json import SampleForm
from curation.shards.selection import CHOSEN
from curation.shards.write import PieceFiles, ShardTask

SAMPLES_PER_SHARD, ROWS_PER_FILE = 10_000, 500_000
PHRASES, PHRASES_PER_CAPTION = 20_000, 10


def url(number: int) -> str:
    """The URL of an image."""
    return f"https://images.example.org/{number % 977}/some/path/{number}.jpg"


def make_samples(folder: str, samples: int) -> list[ShardTask]:
    """Write candidates and survivors, and return the shards that are to be written: images 0, 1, ..."""
    tasks = []
    for shard, start in enumerate(range(0, samples, SAMPLES_PER_SHARD)):
        numbers = range(start, min(samples, start + SAMPLES_PER_SHARD))
        urls = pa.array([url(number) for number in numbers])
        known = {"uid": uids_of(urls), "url": urls}
        columns = [
            known.get(field.name) or pa.array(np.zeros(len(urls))).cast(pa.int64()).cast(field.type)
            for field in CANDIDATES
        ]
        paths = (f"{folder}/survivors/{shard}.parquet", f"{folder}/candidates/{shard}.parquet")
        write_rows(paths[1], pa.table(columns, CANDIDATES))
        rows = np.arange(len(urls), dtype=np.int32)
        chosen = [known["uid"], rows, rows, np.zeros(len(urls), np.int64)]
        write_rows(paths[0], pa.table(chosen, CHOSEN))
        piece = PieceFiles(*paths, "", (), 0, len(urls))
        tasks.append(ShardTask("", "", "", (piece,), SampleForm(2)))
    return tasks


def make_file(place: tuple[str, int, int]) -> int:
    """Write a file of captions; return its bytes."""
    path, first, last = place
    draw = np.random.default_rng(first)
    numbers = np.arange(first, last) * 2  # every other sample has a caption
    numbers[::100] = numbers[1::100][: len(numbers[::100])]
    draw.shuffle(numbers)
    words = draw.integers(97, 123, (PHRASES, 4, 6), np.uint8).view("S6")[..., 0].astype(str)
    phrases = [" ".join(each) for each in words.tolist()]
    picks = draw.integers(0, PHRASES, (len(numbers), PHRASES_PER_CAPTION)).tolist()
    captions = [" ".join([phrases[pick] for pick in mine]) for mine in picks]
    pq.write_table(pa.table({"url": [url(number) for number in numbers.tolist()], "caption": captions}), path)
    return Path(path).stat().st_size


def measured(function: Callable[[Any], Any], task: Any) -> tuple[Any, float, int, int]:
    """Do a task; return its result, the seconds of this process's core, and its peak memory in MiB."""
    start = time.process_time()
    result = function(task)
    return result, time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, os.getpid()


def read_captions(files: CaptionFiles) -> int:
    """Read the captions of a shard as write_shard does."""
    return sum(1 for texts in SampleCaptions(files, SAMPLES_PER_SHARD) if texts[0])


class Steps:
    """Runs tasks in new processes for each step, and adds up what they take."""

    def __init__(self, processes: int) -> None:
        self.processes, self.core_seconds, self.by_step = processes, 0.0, dict[str, dict[str, float]]()

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """Return the results in the order of the tasks."""
        start = time.monotonic()
        with ProcessPoolExecutor(self.processes, get_context("forkserver")) as pool:
            done = list(pool.map(partial(measured, function), tasks))
        seconds = sum(each[1] for each in done)
        self.core_seconds += seconds
        told = {"seconds": time.monotonic() - start, "core_seconds": seconds, "mib": max(each[2] for each in done)}
        self.by_step[function.__name__] = {name: round(value, 1) for name, value in told.items()}
        return [each[0] for each in done]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=400_000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shards = make_samples(folder, asked.samples)
        Path(folder, "table").mkdir()
        starts = range(0, asked.rows, ROWS_PER_FILE)
        places = [
            (f"{folder}/table/{first:012d}.parquet", first, min(asked.rows, first + ROWS_PER_FILE)) for first in starts
        ]
        size = sum(Steps(asked.processes).run(make_file, places))
        steps = Steps(asked.processes)
        start = time.monotonic()
        tables = open_captions({"x": f"{folder}/table"})
        tasks, counts = join_captions(steps.run, shards, tables, [], f"{folder}/work", False, False)
        found = steps.run(read_captions, [task.captions for task in tasks])
        seconds = time.monotonic() - start
        work = sum(path.stat().st_size for path in Path(folder, "work").rglob("*") if path.is_file())
    assert sum(found) == counts["x"]["joined"]
    told = {
        "rows": asked.rows,
        "samples": asked.samples,
        "joined": counts["x"]["joined"],
        "fits_no_image": counts["x"]["fits_no_image"],
        "same_key": counts["x"]["same_key"],
        "table_bytes": size,
        "work_bytes": work,
        "seconds": round(seconds, 1),
        "core_seconds_per_million_rows": round(steps.core_seconds / asked.rows * 1e6, 1),
        "peak_mib": max(step["mib"] for step in steps.by_step.values()),
        "steps": steps.by_step,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

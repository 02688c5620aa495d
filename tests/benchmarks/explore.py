"""How long `headtail explore` takes to find the first twenty images of entries: frequent, rare, and without an image.

    python -m tests.benchmarks.explore images=10000000 entries=500000 folder=/data/bench

It writes a table `curated` of so many images, each with one text of 4 to 12 entries drawn by a Zipf law, in 64 buckets;
one that is there from an earlier call is taken again. Times are those of whole pages, with all look-ups, the files in
the page cache. The last line is one JSON object.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, CURATED_TEXT
from curation.core.tables import Table
from curation.explore.explored_run import ExploredRun, files_of
from curation.explore.guard import TOKEN
from curation.explore.pages import make_app
from curation.matching.buckets import bucket_path
from curation.matching.entry_store import EntryStore
from tests.benchmarks.memory import PeakMemory

BUCKETS, BATCH, PORT = 64, 65_536, 1
RARE = (3, 20, 200)


def main(images: int = 10_000_000, entries: int = 500_000, folder: str = "") -> None:
    """Write the tables, then ask for pages."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(folder or temporary, f"run-{images}-{entries}")
        if not (run / "entries").exists():
            write_run(run, images, entries)
        with PeakMemory() as peak:
            figures = ask(ExploredRun(str(run)))
        print(
            json.dumps(
                {"benchmark": "explore", "images": images, **figures, "peak_megabytes": round(peak.driver * 1024)}
            )
        )


def write_run(run: Path, images: int, entries: int) -> None:
    """Write `curated` and `entries`."""
    rng = np.random.default_rng(7)
    counts = np.zeros(entries, np.int64)
    weights = 1.0 / np.arange(1, entries + 1) ** 1.05
    cumulated = np.cumsum(weights / weights.sum())
    table = Table(str(run / "curated"), CURATED)
    part, receipts = table.begin(0), []
    for bucket in range(BUCKETS):
        count = images // BUCKETS
        low, high = bucket * 65536 // BUCKETS, (bucket + 1) * 65536 // BUCKETS
        heads = np.sort(rng.integers(low << 32, high << 32, count, dtype=np.uint64))
        with ParquetSink(bucket_path(part, bucket), CURATED) as sink:
            for start in range(0, count, BATCH):
                sink.write(rows(rng, heads[start : start + BATCH], cumulated, counts))
        receipts.append(Receipt(str(bucket), rows_in=count, rows_out=count, outputs=[sink.output()]))
    table.commit(0, Recipe("balance_pairs", 1, {}, []), receipts, 0.0)
    lists = run / "lists"
    lists.mkdir()
    (lists / "en.txt").write_text("".join(f"entry {number}\n" for number in range(entries)))
    save_array(str(run / "counts/en.npy"), counts)
    numbers = EntryNumbers(CountFiles(str(run / "counts")))
    write_entries(str(run / "entries"), Words.of_lists(EntryStore.open(str(lists)), []), numbers)


def rows(rng: np.random.Generator, heads: np.ndarray, cumulated: np.ndarray, counts: np.ndarray) -> pa.RecordBatch:
    """Return images whose uids begin with `heads`, and add their entries to the counts."""
    count = len(heads)
    sizes = rng.integers(4, 13, count)
    ids = np.searchsorted(cumulated, rng.random(int(sizes.sum()))).astype(np.int32)
    np.add.at(counts, ids, 1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    uids = [f"{int(head):012x}{number:012x}" for number, head in enumerate(heads.tolist())]
    texts = [f"a photo of entry {first} and some more words" for first in ids[offsets[:-1]].tolist()]
    columns = {
        "text": pa.array(texts), "text_key": pa.repeat("alt", count), "lang": pa.repeat("en", count),
        "lang_score": pa.repeat(pa.scalar(0.9, pa.float32()), count),
        "entry_ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)),
        "keep_probability": pa.array(rng.random(count)), "kept": pa.repeat(True, count),
    }  # fmt: skip
    structs = pa.StructArray.from_arrays(list(columns.values()), list(columns)).cast(CURATED_TEXT)
    lists = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32)), structs)
    urls = pa.array([f"https://host{number % 5000}.example.org/{uid}.jpg" for number, uid in enumerate(uids)])
    values = [pa.array(uids), urls, columns["text"], columns["lang"], columns["keep_probability"], lists]
    return pa.record_batch(
        [value.cast(field.type) for value, field in zip(values, CURATED, strict=True)], schema=CURATED
    )


def ask(run: ExploredRun) -> dict[str, float]:
    """Ask for the pages of entries and hosts; rare ones until they are at their end."""
    client = make_app(run, "token", PORT, 0.5).test_client()
    headers = {"Host": f"127.0.0.1:{PORT}"}

    def seconds(path: str) -> float:
        started = time.monotonic()
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 302), answer.text
        return round(time.monotonic() - started, 2)

    seconds(f"/?{TOKEN}=token")
    figures = {"first_page_seconds": seconds("/"), "entries_seconds": seconds("/entries?lang=en&q=77")}
    counts = run.entries_of("en").rows["count"].to_numpy()
    figures["frequent_seconds"] = seconds("/entry/en/0")
    for wanted in RARE:
        entry = int(np.abs(counts - wanted).argmin())
        figures[f"seconds_of_{counts[entry]}_images"] = seconds(f"/entry/en/{entry}")
    figures["host_seconds"] = seconds("/images?host=host4321.example.org")
    uid = pq.ParquetFile(files_of(run.curated)[-1]).read_row_group(0, columns=["uid"])["uid"][7].as_py()
    figures["image_seconds"] = seconds(f"/image/{uid}")
    figures["gigabytes"] = round(sum(Path(file).stat().st_size for file in files_of(run.curated)) / 1e9, 2)
    return figures


if __name__ == "__main__":
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    main(**{name: value if name == "folder" else int(value) for name, value in words.items()})

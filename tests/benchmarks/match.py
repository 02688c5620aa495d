"""Matching against the published automata, and what a worker pays for it: `make bench NAME=match`.

All on one core, both sides in one run and in turn, seconds of the core (not of the clock: another load on the machine
then counts for neither side), the fastest round of each. Texts are the distinct real ones, repeated; each row is
matched anew, the reuse of repeated texts is off. Ids are asserted to be identical.

- `ratio_pyahocorasick`, `ratio_ahocorasick_rs`: one call per text, on texts that are spaced already (ours spaces them
  within its time), the set of ids (for ahocorasick_rs: the list of matches as it comes) kept for each, as the published
  demo does. `..._discarded`: the same with each result thrown away at once, which spares the peers' memory management.
- `compile_seconds`: the list of 415,854 entries to its compiled form, kernels loaded. `open_seconds`: a new process
  that finds it, until its first text is matched, without `import_seconds` and `kernel_seconds` (loading numba's cache).
- `private_mb_per_worker`: what opening the list and matching a batch adds to the private memory of a second process,
  kernels included, imports not.
- `ratio_ahocorasick_rs_cjk`: Chinese and Japanese lemmas on unspaced texts.
- `ratio_spark_copy`: seconds (of the clock) of `match_pairs` over those of an identity mapInArrow with a shuffle of the
  rows that match by Spark's own means, and these rows out, warm session.

Arguments: rounds=5 spark_rows=5000000 folder=(a temporary one). The last line is one JSON object.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import ahocorasick
import ahocorasick_rs
import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from curation.core.choices import Engine
from curation.core.input_files import list_files
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import PAIRS
from curation.core.table_reader import read_batches
from curation.matching.entry_store import EntryStore
from curation.matching.match import READ_COLUMNS, MatchTask, match_batch
from curation.matching.spacing import pad_entry, space_text
from curation.spark.matching import match_to_buckets
from curation.spark.session import close_session, open_session
from tests.benchmarks.row_shuffle import SHUFFLED, pack_rows, shuffle_to_buckets
from tests.real_texts import captions, english_entries, lemmas, sentences, wat_texts
from tests.unit.matching.settings import match_settings

Figures = dict[str, float]
CJK_TEXTS = 100_000
ROWS = 200_000


def race(sides: dict[str, Callable[[], object]], rounds: int) -> Figures:
    """The fewest seconds of the core that each side took, the sides in turn."""
    best: Figures = {}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.thread_time()
            result = side()
            seconds = time.thread_time() - start
            del result  # outside the time: letting go of a million sets takes its while
            best[name] = min(best.get(name, seconds), seconds)
    return best


def compare(store: EntryStore, lang: str, texts: list[str], rounds: int, peers: tuple[str, ...]) -> Figures:
    """Seconds of each peer over ours, kept and discarded."""
    padded = {index: pad_entry(text, store.edges) for index, text in enumerate(store.entries(lang).to_pylist()) if text}
    spaced = [space_text(text) for text in texts]
    array = pa.array(texts)
    matcher = store.matcher(lang, "tokens")
    python = ahocorasick.Automaton()
    for index, entry in padded.items():
        python.add_word(entry, index)
    python.make_automaton()
    ids = np.array(list(padded), np.int32)
    rust = ahocorasick_rs.AhoCorasick(list(padded.values()))

    def ask_python(text: str) -> set[int]:
        return {index for _, index in python.iter(text)}

    ask_rust = partial(rust.find_matches_as_indexes, overlapping=True)
    ask = {"pyahocorasick": ask_python, "ahocorasick_rs": ask_rust}
    found = matcher.match(array).to_pylist()
    assert found == [sorted(ask_python(text)) for text in spaced]
    assert found == [sorted({int(ids[index]) for index, _, _ in ask_rust(text)}) for text in spaced]
    del found
    sides: dict[str, Callable[[], object]] = {"ours": lambda: matcher.match(array)}
    for peer in peers:
        sides[peer] = lambda peer=peer: [ask[peer](text) for text in spaced]
        sides[f"{peer}_discarded"] = lambda peer=peer: [None for text in spaced if ask[peer](text) is None]
    best = race(sides, rounds)
    print(lang, {name: f"{len(texts) / seconds / 1000:.0f}k texts/s" for name, seconds in best.items()})
    return {f"ratio_{name}": best[name] / best["ours"] for name in best if name != "ours"}


def compare_english(folder: Path, rounds: int) -> Figures:
    """English entries on captions and alts."""
    distinct = captions() + wat_texts()
    texts = distinct * -(-ROWS // len(distinct))
    print(f"{len(distinct):,} distinct texts, {len(texts):,} rows")
    return compare(english_store(folder), "en", texts, rounds, ("pyahocorasick", "ahocorasick_rs"))


def english_store(folder: Path) -> EntryStore:
    """The big list in a folder of its own."""
    lists = folder / "english"
    if not lists.exists():
        lists.mkdir()
        (lists / "en.json").write_text(json.dumps(english_entries(), ensure_ascii=False))
    return EntryStore.open(str(lists))


def compare_cjk(folder: Path, rounds: int) -> Figures:
    """Chinese and Japanese lemmas on sentences and on lemmas joined without blanks."""
    entries = list(dict.fromkeys(lemmas("cow/wn-data-cmn") + lemmas("wikt/wn-wikt-jpn")))
    draw = random.Random(0)
    texts = [text for code in ("zho-CN", "zho-TW", "jpn") for text in sentences()[code]]
    texts += ["".join(draw.choices(entries, k=draw.randint(3, 12))) for _ in range(CJK_TEXTS - len(texts))]
    lists = folder / "cjk"
    lists.mkdir(exist_ok=True)
    (lists / "zh.json").write_text(json.dumps(entries))
    print(f"{len(entries):,} Chinese and Japanese entries, {len(texts):,} texts")
    found = compare(EntryStore.open(str(lists)), "zh", texts, rounds, ("ahocorasick_rs",))
    return {f"{name}_cjk": ratio for name, ratio in found.items()}


# What a new worker does, with the seconds and the private memory of each step.
WORKER = """
import json, sys, time
def private():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) / 1024
start = time.perf_counter()
import pyarrow as pa
from curation.matching.entry_store import EntryStore
steps = {"import_seconds": time.perf_counter() - start}
texts = pa.array(json.load(open(sys.argv[2])))
before = private()
start = time.perf_counter()
EntryStore.open(sys.argv[3]).matcher("en").match(texts[:1])
steps["kernel_seconds"] = time.perf_counter() - start
kernel = private()
start = time.perf_counter()
matcher = EntryStore.open(sys.argv[1]).matcher("en")
matcher.match(texts[:1])
steps["open_seconds"] = time.perf_counter() - start
ids = matcher.match(texts)
steps |= {"private_mb_per_worker": private() - before, "kernel_mb": kernel - before}
print(json.dumps(steps), flush=True)
sys.stdin.read()
"""


def measure_worker(folder: Path) -> Figures:
    """Compile once, then let one worker after another open the list, the first still there."""
    store = english_store(folder)
    (folder / "tiny").mkdir()
    (folder / "tiny/en.txt").write_text("dog\n")
    EntryStore.open(str(folder / "tiny")).matcher("en")  # loads the kernels
    path = store.compile("en")
    path.unlink()
    store = english_store(folder)
    start = time.perf_counter()
    store.compile("en")
    compile_seconds = time.perf_counter() - start
    (folder / "batch.json").write_text(json.dumps(captions()[:16_384]))
    command = [sys.executable, "-c", WORKER, folder / "english", folder / "batch.json", folder / "tiny"]
    workers = []
    for _ in range(3):
        workers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        steps = json.loads(workers[-1].stdout.readline())
        print(f"worker {len(workers)}: {steps}")
    for worker in workers:
        worker.communicate()
    ratio = steps["open_seconds"] / compile_seconds
    return {"compile_seconds": compile_seconds, **steps, "ratio_open_to_compile": ratio}


def write_pairs(folder: Path, rows: int, files: int = 8) -> list[dict]:
    """Tables of pairs: captions under URLs of which a fifth has two texts; each text stands once or a few times."""
    texts = captions()
    array = pa.array(texts)
    draw = np.random.default_rng(0)
    size = rows // files
    for number in range(files):
        with ParquetSink(str(folder / f"{number}.parquet"), PAIRS) as sink:
            for start in range(0, size, 50_000):
                count = min(50_000, size - start)
                image = draw.integers(0, int(0.8 * rows), count)
                uids = [f"{(key * 0x9E3779B97F4A7C15) % (1 << 64):016x}{key:08x}" for key in image.tolist()]
                urls = [f"https://images.example.org/{key % 997}/photograph-{key}.jpg" for key in image.tolist()]
                constant = [pa.repeat(value, count) for value in ("alt", "en")]
                score, page = pa.repeat(pa.scalar(0.9, pa.float32()), count), pa.nulls(count, pa.string())
                text = array.take(pa.array(draw.integers(0, len(texts), count)))
                crawl = [pa.repeat(value, count) for value in ("bench", "bench.wat.gz")]
                columns = [pa.array(uids), pa.array(urls), text, *constant, score, page, *crawl]
                sink.write(pa.record_batch(columns, schema=PAIRS))
    return [{"path": file.path, "bytes": file.size} for file in list_files([str(folder)])]


def copy_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield what comes."""
    yield from batches


def compare_spark(folder: Path, rows: int, rounds: int) -> Figures:
    """match_pairs and an identity with a shuffle of rows, on the same session."""
    spark = open_session("bench", "local[2]", "3g", {})
    (folder / "pairs").mkdir()
    files = write_pairs(folder / "pairs", rows)
    store = english_store(folder)
    store.compile("en")
    # The rows that match, for the copy.
    matched = folder / "matched"
    matched.mkdir()
    schema = None
    for file in files:
        pairs = read_batches(file["path"], PAIRS, READ_COLUMNS)
        batches = (match_batch(batch, store, Engine.tokens)[0] for batch in pairs)
        for number, batch in enumerate(pack_rows(batch, 64) for batch in batches):
            schema = schema or batch.schema
            if number == 0:
                sink = ParquetSink(str(matched / Path(file["path"]).name), schema).__enter__()
            sink.write(batch)
        sink.__exit__(None, None, None)
    best: Figures = {}
    for _ in range(rounds):
        for name, side in (("copy", run_copy), ("ours", run_match)):
            start = time.perf_counter()
            side(spark, files, folder, store)
            seconds = time.perf_counter() - start
            print(f"spark {name}: {seconds:.1f} s")
            best[name] = min(best.get(name, seconds), seconds)
    close_session()
    return {"ratio_spark_copy": best["ours"] / best["copy"], "spark_rows_per_second": rows / best["ours"]}


def run_match(spark: SparkSession, files: list[dict], folder: Path, store: EntryStore) -> None:
    """What the job does."""
    tasks = [MatchTask((file["path"],)) for file in files]
    receipt: Receipt = match_to_buckets(spark, tasks, store, match_settings(), 64, str(folder / "matches"))
    assert receipt.rows_in > 0


def run_copy(spark: SparkSession, _files: list[dict], folder: Path, _store: EntryStore) -> None:
    """The rows that match through a shuffle by Spark's own reader and writer, with an identity in between."""
    rows = spark.read.parquet(str(folder / "matched")).mapInArrow(copy_rows, SHUFFLED)
    shuffle_to_buckets(rows, 64).write.mode("overwrite").parquet(str(folder / "copied"), compression="zstd")


def main(arguments: list[str]) -> None:
    """Run all parts."""
    options = {"rounds": "5", "spark_rows": "5000000"} | dict(argument.split("=", 1) for argument in arguments)
    rounds = int(options["rounds"])
    with tempfile.TemporaryDirectory(dir=options.get("folder")) as name:
        folder = Path(name)
        figures = compare_english(folder, rounds) | compare_cjk(folder, rounds) | measure_worker(folder)
        if rows := int(options["spark_rows"]):
            figures |= compare_spark(folder, rows, min(rounds, 3))
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a user would chain by hand, in the environment of the peers: nothing of ours is imported.

- `extract`: cc2dataset's own session, its `process_wat` for each archive, its deduplication with its 256 files. The
  columns are named with their types, which spares it the first archive that it reads twice to find them out, and its
  random order at the end is left out, for which nothing here has a use.
- `match`: fastText's label for each distinct pair, then the published loop: a text is spaced, an automaton of the
  spaced entries finds those that are substrings, each counts once. Counts are added up in the same pass. The automaton
  is made once, and shared by the processes of a pool.
- `balance`: entry_probability = t / max(count, t), one draw for each entry of a text until one succeeds.

Both loops are written from what the papers say (arXiv 2309.16671).
"""

import json
import random
import sys
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MARKS = ",.;:?!`"
SCHEMA = pa.schema({"url": pa.string(), "text": pa.string(), "entry_ids": pa.list_(pa.int32())})


def extract(folder: Path, wats: list[str], cores: int) -> None:
    """Write the distinct pairs of URL and alt."""
    from cc2dataset.main import deduplicate_repartition_count, process_wat
    from cc2dataset.spark_session_builder import build_spark_session

    spark = build_spark_session("local", cores, 2)
    rows = spark.sparkContext.parallelize(wats, len(wats)).flatMap(lambda path: process_wat(path, "image"))
    pairs = rows.toDF("uid string, url string, alt string, cc_filename string, page_url string")
    deduplicate_repartition_count(pairs, str(folder / "pairs"), len(wats), spark)
    spark.stop()


def space(text: str) -> str:
    """Return the text with blanks around its marks and at both ends."""
    for character in "\t\n\r":
        text = text.replace(character, " ")
    for mark in MARKS:
        text = text.replace(mark, f" {mark} ")
    return f" {text} "


def match(folder: Path, entries: str, model: str, cores: int) -> None:
    """Write the English pairs that match, and the counts of all entries."""
    import ahocorasick
    import fasttext

    names = json.loads(Path(entries).read_text())
    automaton = ahocorasick.Automaton()
    for number, entry in enumerate(names):
        automaton.add_word(f" {entry} ", number)
    automaton.make_automaton()
    _shared.update(automaton=automaton, model=fasttext.load_model(model), folder=folder / "matched")
    (folder / "matched").mkdir()
    counts = np.zeros(len(names), np.int64)
    with get_context("fork").Pool(cores) as pool:
        for found in pool.imap_unordered(match_file, sorted((folder / "pairs").glob("*.parquet"))):
            for number, count in found.items():
                counts[number] += count
    np.save(folder / "counts.npy", counts)


_shared: dict = {}
"""What the processes of the pool have from the one that forked them."""


def match_file(path: Path) -> Counter[int]:
    """Match one file of pairs; return its counts."""
    automaton, model = _shared["automaton"], _shared["model"]
    counts: Counter[int] = Counter()
    urls, texts, lists = [], [], []
    pairs = pq.read_table(path, columns=["url", "alt"])
    for url, alt in zip(pairs["url"].to_pylist(), pairs["alt"].to_pylist(), strict=True):
        text = alt.strip()
        if not text:
            continue
        labels, _ = model.predict(text.replace("\n", " "))
        if not labels or labels[0] != "__label__en":
            continue
        ids = {number for _, number in automaton.iter(space(text))}
        if ids:
            urls.append(url)
            texts.append(text)
            lists.append(sorted(ids))
            counts.update(ids)
    pq.write_table(pa.table([urls, texts, lists], schema=SCHEMA), _shared["folder"] / path.name, compression="zstd")
    return counts


def balance(folder: Path, t: float, cores: int) -> None:
    """Write the distinct URLs of the kept pairs."""
    counts = np.load(folder / "counts.npy")
    _shared.update(probabilities=(t / np.maximum(counts, t)).tolist())
    kept: set[str] = set()
    with get_context("fork").Pool(cores) as pool:
        files = enumerate(sorted((folder / "matched").glob("*.parquet")))
        for urls in pool.imap_unordered(balance_file, files):
            kept.update(urls)
    (folder / "kept.txt").write_text("".join(f"{url}\n" for url in sorted(kept)))


def balance_file(numbered: tuple[int, Path]) -> list[str]:
    """Draw for each entry of each text; return the URLs that are kept."""
    number, path = numbered
    draw, probabilities = random.Random(number).random, _shared["probabilities"]
    matched = pq.read_table(path, columns=["url", "entry_ids"])
    kept = []
    for url, ids in zip(matched["url"].to_pylist(), matched["entry_ids"].to_pylist(), strict=True):
        for entry in ids:
            if draw() < probabilities[entry]:
                kept.append(url)
                break
    return kept


def main() -> None:
    """Do the step that the first argument names: `extract|match|balance FOLDER JSON`."""
    step, folder, options = sys.argv[1:]
    {"extract": extract, "match": match, "balance": balance}[step](Path(folder), **json.loads(options))


if __name__ == "__main__":
    main()

"""Samples of rows: exact, nested, the same however files are cut; the numbers are those of the file."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.choices import SourceKind
from curation.core.draws import hash64
from curation.extraction.extract import ExtractTask, extract_file
from curation.extraction.inputs import count_recipe
from curation.sources.caption_tables import CountTask, count_rows
from curation.sources.row_sample import RowSample, sample_rows
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns

COUNTS = [0, 1, 300, 5, 2000, 0, 77]
PATHS = [f"/data/{number}.parquet" for number in range(len(COUNTS))]


def chosen(limit: int, seed: int = 0) -> set[tuple[int, int]]:
    """(file, row) of a sample."""
    samples = sample_rows(PATHS, COUNTS, limit, seed)
    masks = [sample.mask(0, count) for sample, count in zip(samples, COUNTS, strict=True)]
    return {(file, row) for file, mask in enumerate(masks) for row in np.flatnonzero(mask).tolist()}


def naive(limit: int) -> set[tuple[int, int]]:
    """The rows with the smallest hashes (SplitMix64), by sorting all of them."""
    hashes = []
    for file, count in enumerate(COUNTS):
        key = int(hash64(0, "sample", pa.array([PATHS[file]]))[0])
        for row in range(count):
            value = (key + row * 0x9E3779B97F4A7C15) % 2**64
            value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
            hashes.append((value ^ value >> 31, file, row))
    return {(file, row) for _, file, row in sorted(hashes)[:limit]}


def test_a_sample_is_exact_and_nested() -> None:
    before: set[tuple[int, int]] = set()
    for limit in (1, 2, 10, 500, 501, sum(COUNTS) - 1, sum(COUNTS), sum(COUNTS) + 1):
        found = chosen(limit)
        assert found == naive(limit)
        assert len(found) == min(limit, sum(COUNTS))
        assert before <= found
        before = found
    assert chosen(500) != chosen(500, seed=1)
    samples = sample_rows(PATHS, COUNTS, 10, 0)
    assert [sample.last >= 0 for sample in samples] == [any(file == k for file, _ in naive(10)) for k in range(7)]


def test_a_mask_can_be_asked_for_in_pieces() -> None:
    (sample,) = sample_rows(["a"], [1000], 300, 7)
    whole = sample.mask(0, 1000)
    assert whole.sum() == 300
    assert np.array_equal(np.concatenate([sample.mask(at, 100) for at in range(0, 1000, 100)]), whole)
    assert not RowSample(sample.key, -1).mask(0, 10).any()


@pytest.mark.parametrize("name", ["a.parquet", "a.tsv", "a.csv", "a.csv.gz", "a.jsonl", "headless.tsv"])
def test_the_rows_of_a_sample_are_read(tmp_path: Path, name: str) -> None:
    draw = random.Random(3)
    rows = [(f"http://h.org/{number}.jpg", f"kite {number}") for number in range(500)]
    path = tmp_path / name
    bad = "\n\n" if "json" in name else "\n"
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"url": [url for url, _ in rows], "text": [text for _, text in rows]}), path, 60)
    elif ".jsonl" in name:
        path.write_text("\n\n".join(f'{{"url": "{url}", "text": "{text}"}}' for url, text in rows) + bad)
    else:
        mark = "," if ".csv" in name else "\t"
        lines = [] if "headless" in name else [mark.join(("url", "text"))]
        lines += [mark.join(row) if draw.random() < 0.9 else f"{row[0]}{mark}{row[1]}{mark}too many" for row in rows]
        data = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    columns = table_columns(names=("url", "text") if "headless" in name else ())
    count = count_rows(CountTask(str(path)), columns).rows_out
    assert count == 500
    (sample,) = sample_rows([str(path)], [count], 120, 5)
    settings = extraction_settings(source=SourceKind.table, language=ENGLISH, columns=columns)
    task = ExtractTask(str(path), str(tmp_path / "out.parquet"), sample)
    receipt = extract_file(task, settings)
    assert receipt.rows_in == 120
    found = pq.read_table(task.output)["url"].to_pylist()
    whole = [url for (url, _), stays in zip(rows, sample.mask(0, 500).tolist(), strict=True) if stays]
    assert len(found) == 120 - receipt.drops["bad_row"]
    assert set(found) <= set(whole)
    assert found == [url for url in whole if url in set(found)]


def test_what_cannot_be_read_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but no more")
    for name in ("a.parquet", "missing.tsv"):
        receipt = count_rows(CountTask(str(tmp_path / name)), table_columns())
        assert receipt.rows_out == 0
        assert receipt.failures


def test_counts_of_older_rules_are_not_those_of_newer_ones(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"url": "http://h.org/a.jpg", "text": "kite"}] * 3))
    task = CountTask(str(tmp_path / "a.json"))
    assert [count_rows(task, table_columns(), rules).rows_out for rules in (1, 2)] == [1, 3]
    recipes = [count_recipe([], table_columns(), rules) for rules in (1, 2)]
    assert recipes[0].settings == {"names": []}
    assert len({recipe.id for recipe in recipes}) == 2

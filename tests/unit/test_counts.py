from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from curation.counts import (
    CountArrays,
    CountFiles,
    count_buckets,
    merge_partials,
    write_entry_counts,
)
from curation.matched import Matched
from curation.schemas import ENTRY_COUNTS
from tests.matches_data import Image, make_images, to_batch, write_matches


def _expected(rows: list[Image]) -> dict[tuple[str, int], int]:
    return Counter((t["lang"], entry_id) for row in rows for t in row["texts"] for entry_id in t["entry_ids"])


def _as_dict(counts: list[tuple[str, np.ndarray]]) -> dict[tuple[str, int], int]:
    return {(lang, int(i)): int(values[i]) for lang, values in counts for i in np.flatnonzero(values)}


def test_counts_equal_a_loop_over_slices() -> None:
    rows = make_images(400, seed=1)
    batch = to_batch(rows)
    counts = CountArrays()
    for start, size in ((0, 1), (1, 0), (1, 150), (151, 249)):
        counts.add(Matched(batch.slice(start, size)))
    assert _as_dict(list(counts.items())) == _expected(rows)


def test_weighted_counts_and_merging_equal_a_loop() -> None:
    rows = make_images(100, seed=2)
    halves = [CountArrays(), CountArrays()]
    expected: Counter = Counter()
    for half, part in zip(halves, (rows[:30], rows[30:]), strict=True):
        matched = Matched(to_batch(part))
        weights = np.arange(len(matched.codes)) % 3
        half.add_weighted(matched, weights)
        for weight, text in zip(weights, [text for row in part for text in row["texts"]], strict=True):
            expected.update({(text["lang"], i): int(weight) for i in text["entry_ids"]})
    halves[0].merge(halves[1])
    assert _as_dict(list(halves[0].items())) == {key: value for key, value in expected.items() if value}


def test_tasks_partials_and_the_table_add_up(tmp_path: Path) -> None:
    rows = make_images(900, seed=3)
    buckets = [[write_matches(rows[i::7], tmp_path / f"bucket-{i}.parquet")] for i in range(7)]
    expected = _expected(rows)
    tables = []
    for tasks in ([buckets], [[bucket] for bucket in buckets], [buckets[:3], buckets[3:]]):
        folder = tmp_path / str(len(tasks))
        partials = [
            count_buckets({"task": str(k), "buckets": group, "output": str(folder / f"{k}.parquet")}, 64)
            for k, group in enumerate(tasks)
        ]
        assert sum(receipt.rows_in for receipt in partials) == len(rows)
        assert sum(receipt.facts["matches"] for receipt in partials) == sum(expected.values())
        assert sum(receipt.facts["texts"] for receipt in partials) == sum(len(row["texts"]) for row in rows)
        merged = merge_partials([str(folder / f"{k}.parquet") for k in range(len(tasks))])
        output = write_entry_counts(merged, str(folder / "entry_counts.parquet"), str(folder / "arrays"))
        tables.append(pq.read_table(output["path"]))
        files = CountFiles(str(folder / "arrays"))
        assert _as_dict([(lang, files[lang]) for lang in files.langs()]) == expected
        assert files["xx"].tolist() == []
    assert tables[0].schema.equals(ENTRY_COUNTS)
    assert tables[0].to_pylist() == [
        {"lang": lang, "entry_id": entry_id, "count": count} for (lang, entry_id), count in sorted(expected.items())
    ]
    assert tables[1].equals(tables[0])
    assert tables[2].equals(tables[0])


def test_nothing_matched_gives_an_empty_table(tmp_path: Path) -> None:
    bucket = write_matches([], tmp_path / "bucket.parquet")
    receipt = count_buckets({"task": "0", "buckets": [[bucket]], "output": str(tmp_path / "partial.parquet")}, 64)
    assert receipt.rows_in == 0
    output = write_entry_counts(
        merge_partials([str(tmp_path / "partial.parquet")]), str(tmp_path / "counts.parquet"), str(tmp_path)
    )
    assert pq.read_table(output["path"]).num_rows == 0

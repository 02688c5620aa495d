"""Counts against a loop, in memory, in tasks and in files."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.counts import (
    BucketsTask,
    CountArrays,
    CountFiles,
    count_buckets,
    plan_counting,
    save_array,
    write_entry_counts,
)
from curation.balancing.matched_batch import MatchedBatch
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.schemas import ENTRY_COUNTS
from tests.matches_data import Image, make_images, to_batch, write_matches


def _expected(rows: list[Image]) -> dict[tuple[str, int], int]:
    return Counter((t["lang"], entry_id) for row in rows for t in row["texts"] for entry_id in t["entry_ids"])


def _as_dict(counts: list[tuple[str, np.ndarray]]) -> dict[tuple[str, int], int]:
    return {(lang, int(i)): int(values[i]) for lang, values in counts for i in np.flatnonzero(values)}


@pytest.mark.parametrize("langs", [("en",), ("de", "en", "fr"), ("en", "es"), ("", "x", "xx")], ids="+".join)
def test_counts_equal_a_loop_over_slices(langs: tuple[str, ...]) -> None:
    rows = make_images(400, seed=1, langs=langs)
    batch = to_batch(rows)
    counts = CountArrays()
    for start, size in ((0, 1), (1, 0), (1, 150), (151, 249)):
        counts.add(MatchedBatch(batch.slice(start, size)))
    assert _as_dict(list(counts.items())) == _expected(rows)


def test_small_counts_are_added_to_large_ones_before_they_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_images(300, seed=4, langs=("en", "fr"))
    texts = sum(len(row["texts"]) for row in rows)
    monkeypatch.setattr("curation.balancing.counts.MAX_RECENT_TEXTS", texts // 3)
    counts = CountArrays()
    for start in range(0, 300, 50):
        counts.add(MatchedBatch(to_batch(rows[start : start + 50])))
        assert sum(int(found.max()) for found in counts._recent.values()) <= texts // 3
    assert _as_dict(list(counts.items())) == _expected(rows)
    counts.add(MatchedBatch(to_batch(rows)))
    assert _as_dict(list(counts.items())) == {key: 2 * count for key, count in _expected(rows).items()}


def test_weighted_counts_and_merging_equal_a_loop() -> None:
    rows = make_images(100, seed=2)
    halves = [CountArrays(), CountArrays()]
    expected: Counter = Counter()
    for half, part in zip(halves, (rows[:30], rows[30:]), strict=True):
        matched = MatchedBatch(to_batch(part))
        weights = np.arange(len(matched.codes)) % 3
        half.add_weighted(matched, weights)
        for weight, text in zip(weights, [text for row in part for text in row["texts"]], strict=True):
            expected.update({(text["lang"], i): int(weight) for i in text["entry_ids"]})
    halves[0].merge(halves[1])
    assert _as_dict(list(halves[0].items())) == {key: value for key, value in expected.items() if value}


def test_tasks_and_their_sum_do_not_depend_on_the_grouping(tmp_path: Path) -> None:
    rows = make_images(900, seed=3)
    buckets = [[write_matches(rows[i::7], tmp_path / f"bucket-{i}.parquet")] for i in range(7)]
    expected = _expected(rows)
    tables = []
    for parallelism, tasks_expected in ((1, 4), (2, 7)):
        folder = str(tmp_path / str(parallelism))
        tasks = plan_counting(buckets, parallelism, folder)
        assert len(tasks) == tasks_expected
        receipts = [count_buckets(task, 64) for task in tasks]
        assert sum(receipt.rows_in for receipt in receipts) == len(rows)
        assert sum(receipt.facts["matches"] for receipt in receipts) == sum(expected.values())
        assert sum(receipt.facts["texts"] for receipt in receipts) == sum(len(row["texts"]) for row in rows)
        receipt = write_entry_counts(tasks, folder)
        assert receipt.facts == {"entries": len(expected), "langs": 3}
        tables.append(pq.read_table(receipt.outputs[0]["path"]))
        files = CountFiles(f"{folder}/arrays")
        assert _as_dict([(lang, files[lang]) for lang in files.langs()]) == expected
        assert files["xx"].tolist() == []
        assert sorted(path.name for path in Path(folder).iterdir()) == ["arrays", "entry_counts.parquet"]
    assert tables[0].schema.equals(ENTRY_COUNTS)
    assert tables[0].to_pylist() == [
        {"lang": lang, "entry_id": entry_id, "count": count} for (lang, entry_id), count in sorted(expected.items())
    ]
    assert tables[1].equals(tables[0])


def test_nothing_matched_gives_an_empty_table(tmp_path: Path) -> None:
    tasks = plan_counting([[write_matches([], tmp_path / "bucket.parquet")]], 1, str(tmp_path))
    assert count_buckets(tasks[0], 64).rows_in == 0
    assert write_entry_counts(tasks, str(tmp_path)).facts["entries"] == 0
    assert pq.read_table(tmp_path / "entry_counts.parquet").num_rows == 0


@pytest.mark.parametrize("files", [1, 2])
def test_matches_of_another_program_are_checked(files: int, tmp_path: Path) -> None:
    path = write_matches(make_images(5, seed=1), tmp_path / "bucket.parquet")
    wrong = pq.read_table(path).drop_columns("url").append_column("note", pa.array(["x"] * 5))
    pq.write_table(wrong.set_column(0, "uid", pa.array(range(5))), path)
    faults = "uid is int64, expected string; url is missing; note is unexpected"
    with pytest.raises(HeadtailError, match=f"bucket.parquet has other columns than expected: {faults}"):
        count_buckets(BucketsTask("0", ((path,) * files,), str(tmp_path / "partial")), 64)


def test_counts_elsewhere_are_fetched_once_and_again_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "memory://counts"
    fetched = []
    open_input = storage.open_input
    monkeypatch.setattr(storage, "open_input", lambda path: fetched.append(path) or open_input(path))
    save_array(f"{folder}/en.npy", np.array([1, 2]))
    for _ in range(3):
        assert CountFiles(folder)["en"].tolist() == [1, 2]
    assert CountFiles(folder)["de"].tolist() == []
    assert len(fetched) == 1
    save_array(f"{folder}/en.npy", np.array([1, 3]))
    assert CountFiles(folder)["en"].tolist() == [1, 3]
    assert CountFiles(folder).langs() == ["en"]

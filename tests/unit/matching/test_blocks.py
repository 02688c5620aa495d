"""Blocks and sorted runs: rows go through them, in bounded memory, as `merge_images` takes them."""

import random
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pytest

from curation.matching import blocks, sorted_runs
from curation.matching.blocks import cut_blocks, halves, read_block, sort_rows
from curation.matching.buckets import buckets_of
from curation.matching.match import MATCHED
from curation.matching.merging import merge_images
from curation.matching.packed_rows import PackedRows, unpack_rows
from curation.matching.sorted_runs import iter_sorted
from tests.unit.matching.test_merging import make_rows, merge, values

UIDS = {
    "empty": [],
    "one": ["ab" * 12],
    "hexadecimal": ["f00" + "0" * 21, "00f" + "0" * 21, "a" * 24, "9" * 24, "0" * 23 + "1", "0" * 24],
    "alike in 16 digits": ["0" * 16 + "b" * 8, "0" * 16 + "a" * 8, "0" * 16 + "c" * 8],
    "of several sizes": ["abcd", "abc0ffee" * 3, "abcde", "0000"],
    "no hexadecimal behind four digits": ["0000" + "z" * 20, "0000" + "G" * 20, "0000" + "é" * 10, "0000" + "f" * 20],
}


def batches_of(rows: list[dict], size: int) -> list[pa.RecordBatch]:
    return pa.Table.from_pylist(rows, schema=MATCHED).to_batches(max_chunksize=size)


def plain_row(uid: str, text: str) -> dict:
    return {"uid": uid, "url": "u", "text": text, "text_key": "alt", "lang": "en", "lang_score": None, "entry_ids": [7]}


@pytest.mark.parametrize("uids", UIDS.values(), ids=UIDS)
def test_rows_are_sorted_by_the_bytes_of_any_uid(uids: list[str]) -> None:
    rows = [plain_row(uid, f"text {number}") for number, uid in enumerate(uids)]
    held = batches_of(rows, 2)
    assert sort_rows(held).to_pylist() == sorted(rows, key=lambda row: row["uid"].encode())
    assert not held


@pytest.mark.parametrize("held_bytes", [1, 5_000, 1 << 30])
def test_blocks_hold_each_text_of_an_image_once_in_their_buckets(
    held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_000)
    rows = make_rows(random.Random(1), 400, 50)
    for row in rows:  # into all buckets
        row["uid"] = f"{int(row['uid'], 16) * 17:04x}{row['uid'][4:]}"
    rows += rows[:100]
    drops: Counter[str] = Counter()
    cut = list(cut_blocks(batches_of(rows, 60), 5, drops, held_bytes))
    read = [(bucket, read_block(memoryview(block)), count) for bucket, block, count in cut]
    for bucket, batch, count in read:
        assert set(buckets_of(batch.column("uid"), 5)) == {bucket}
        assert batch.schema == MATCHED
        assert batch.num_rows == count
        assert batch.nbytes < 2_000
        assert batch.column("uid").to_pylist() == sorted(batch.column("uid").to_pylist())
    assert sum(count for _, _, count in cut) + drops.total() == len(rows)
    assert (drops["same_text"] >= 100) == (held_bytes == 1 << 30)
    merged = list(merge_images(iter_sorted((batch for _, batch, _ in read), drops, 64), drops, 64))
    expected, dropped = merge(rows, 64, 10_000)
    assert values(merged) == values(expected)
    assert +drops == +dropped


@pytest.mark.parametrize("longest", [0, 200, 300, 70_000])
@pytest.mark.parametrize(("start", "end"), [(0, 40), (7, 31), (39, 40), (12, 12)])
def test_any_rows_of_a_batch_come_out_as_they_went_in(longest: int, start: int, end: int) -> None:
    draw = random.Random(longest)
    rows = [
        plain_row(f"{draw.getrandbits(96):024x}", "é" * draw.randrange(longest // 2 + 1))
        | {"lang_score": draw.choice([None, 0.0, 0.5]), "entry_ids": draw.choices(range(1 << 31), k=draw.randrange(9))}
        for _ in range(50)
    ]
    (batch,) = batches_of(rows, 50)
    read = unpack_rows(pa.py_buffer(PackedRows(batch.slice(10)).pack(start, end)))
    read.validate(full=True)
    assert read.schema == MATCHED
    assert read.to_pylist() == rows[10 + start : 10 + end]


@pytest.mark.parametrize("max_runs", [2, 32])
@pytest.mark.parametrize("seed", range(5))
def test_a_bucket_larger_than_its_bound_spills_and_gives_the_same_images(
    seed: int, max_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spilled = []
    write = sorted_runs._write
    monkeypatch.setattr(sorted_runs, "_write", lambda *args: spilled.append(1) or write(*args))
    monkeypatch.setattr(sorted_runs, "MAX_RUNS", max_runs)
    monkeypatch.setattr(sorted_runs, "PIECE_BYTES", 350)
    rows = make_rows(random.Random(seed), 225, 75)
    drops: Counter[str] = Counter()
    merged = list(merge_images(iter_sorted(batches_of(rows, 50), drops, 3, held_bytes=2_500), drops, 3))
    assert len(spilled) > 3
    assert values(merged) == values(merge(rows, 3, 10_000)[0])
    assert sum(len(row["texts"]) for row in values(merged)) + drops.total() == len(rows)


def test_memory_does_not_grow_with_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "PIECE_BYTES", 1 << 16)
    draw = random.Random(0)

    def stream() -> Iterator[pa.RecordBatch]:
        for _ in range(100):
            uids = [f"{draw.getrandbits(96):024x}" for _ in range(100)]
            yield batches_of([plain_row(uid, "x" * 2_000) for uid in uids], 100)[0]

    before, peak, rows = pa.total_allocated_bytes(), 0, 0
    for images in merge_images(iter_sorted(stream(), Counter(), 64, held_bytes=1 << 20), Counter(), 64):
        rows += images.num_rows
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert rows == 10_000
    assert peak < 6 << 20  # of 21 MB


def test_an_image_with_many_texts_is_collapsed_and_not_spilled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "_write", lambda *_: pytest.fail("it was spilled"))
    rows = [plain_row("ab" * 12, f"text {number}") for number in range(3_000)]
    drops: Counter[str] = Counter()
    merged = list(merge_images(iter_sorted(batches_of(rows, 100), drops, 8, held_bytes=20_000), drops, 8))
    assert +drops == {"max_texts": 2_992}
    assert values(merged) == values(merge(rows, 8, 10_000)[0])


def test_rows_of_very_different_sizes_are_cut_into_pieces_of_about_one_size() -> None:
    rows = [plain_row(f"{number:024x}", "x" * (10_000 if number < 20 else 10)) for number in range(400)]
    (batch,) = pa.Table.from_pylist(rows, schema=MATCHED).combine_chunks().to_batches()
    pieces = list(halves(batch, 20_000))
    assert pa.Table.from_batches(pieces).to_pylist() == rows
    assert max(piece.nbytes for piece in pieces) <= 40_000 < batch.nbytes
    large = pa.RecordBatch.from_pylist(rows[:1], schema=MATCHED)
    assert [piece.num_rows for piece in halves(large, 10)] == [1], "a row is not cut"

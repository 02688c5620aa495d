"""The distinct rows of a file against a dictionary."""

import random
from collections import Counter

import pyarrow as pa
import pytest

from curation.core.draws import hash_seed
from curation.extraction import distinct
from curation.extraction.distinct import Distinct, distinct_rows
from tests.wyhash import colliding

KEYS = ["alt", "caption", "title"]


def batch_of(rows: list[tuple[str, str, str, int]]) -> pa.RecordBatch:
    uids, texts, keys, numbers = zip(*rows, strict=True) if rows else ((), (), (), ())
    ranks = pa.array([KEYS.index(key) for key in keys], pa.int8())
    text_key = pa.DictionaryArray.from_arrays(ranks, pa.array(KEYS))
    strings = {"uid": pa.array(uids, pa.string()), "text": pa.array(texts, pa.string()), "text_key": text_key}
    return pa.record_batch({**strings, "number": pa.array(numbers, pa.int64())})


@pytest.mark.parametrize("slots", [16, 1 << 16], ids=["few", "many"])
def test_first_row_under_smallest_key(slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "START_SLOTS", slots)
    rng = random.Random(4)
    found, dropped, number = Distinct(), 0, 0
    expected: dict[tuple[str, str], list] = {}
    for size in (0, 1, 5, 300, 0, 2000, 700):
        rows = []
        for _ in range(size):
            uid, text = f"{rng.randrange(40):024x}", rng.choice("abcdefghij") * rng.randrange(5)
            rows.append((uid, text, rng.choice(KEYS), number))
            known = expected.setdefault((uid, text), [rows[-1][2], number])
            known[0] = min(known[0], rows[-1][2])
            number += 1
        dropped += found.add(batch_of(rows))
    taken = [row for batch in found.take() for row in batch.to_pylist()]
    assert [(row["uid"], row["text"], row["text_key"], row["number"]) for row in taken] == [
        (*key, *value) for key, value in expected.items()
    ]
    assert dropped == number - len(expected)


@pytest.mark.parametrize(
    ("rows", "held", "text", "total"),
    [(15, 1 << 30, "{}", 1000), (3, 1 << 30, "{}", 300), (15, 1, "the same", 1000)],
    ids=["15 rows", "3 rows", "1 byte"],
)
def test_more_rows_than_there_is_room_for(
    rows: int, held: int, text: str, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "MAX_ROWS", rows)
    monkeypatch.setattr(distinct, "HELD_BYTES", held)
    monkeypatch.setattr(distinct, "START_SLOTS", 16)
    rng = random.Random(5)
    names = [f"{rng.randrange(300):024x}" for _ in range(total)]
    given = [(name, text.format(name), rng.choice(KEYS), number) for number, name in enumerate(names)]
    drops: Counter[str] = Counter()
    batches = list(distinct_rows((batch_of(given[at : at + 70]) for at in range(0, total, 70)), drops))
    found = {row["uid"]: row for batch in batches for row in batch.to_pylist()}
    assert sum(batch.num_rows for batch in batches) == len(found) == len(set(names)) == total - drops["same_text"]
    first = {}
    for uid, words, key, number in given:
        first.setdefault(uid, {"uid": uid, "text": words, "text_key": key, "number": number})
        first[uid]["text_key"] = min(first[uid]["text_key"], key) if held > 1 else found[uid]["text_key"]
    assert found == first
    assert [row["uid"] for batch in batches for row in batch.to_pylist()][:rows] == list(first)[:rows]


def test_texts_that_were_made_to_have_one_hash_stay_apart() -> None:
    """Each of these texts has the hash of the others under the seed 0, which everybody knows."""
    texts = colliding(hash_seed(0, "distinct"), 50)
    drops: Counter[str] = Counter()
    batches = list(distinct_rows([batch_of([("u", text, "alt", k) for k, text in enumerate(texts)])], drops))
    assert [row["text"] for batch in batches for row in batch.to_pylist()] == texts
    assert not drops


def test_rows_wait_in_the_same_files_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "MAX_ROWS", 30)
    rows = [(f"{number:024x}", "text", "alt", number) for number in range(520)]
    runs = [
        [row["number"] for batch in distinct_rows([batch_of(rows)], Counter()) for row in batch.to_pylist()]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert sorted(runs[0]) == list(range(520)) != runs[0]


def test_rows_taken_are_known_still() -> None:
    found = Distinct()
    found.add(batch_of([("u", "a", "title", 0), ("u", "b", "title", 1)]))
    assert [row["text"] for batch in found.take() for row in batch.to_pylist()] == ["a", "b"]
    assert found.held_bytes == 0
    assert found.add(batch_of([("u", "b", "alt", 2), ("u", "c", "title", 3)])) == 1
    assert [(row["text"], row["number"]) for batch in found.take() for row in batch.to_pylist()] == [("c", 3)]

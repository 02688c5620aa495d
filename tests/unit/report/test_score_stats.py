"""Deciles of scores: near those of all numbers, whatever the batches, and told apart from what is no number."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from curation.report.score_stats import MAX_SCORES, count_scores, numeric_scores, score_values

RNG = np.random.default_rng(5)
COLUMNS = {
    "clip": RNG.normal(0.25, 0.1, 999),
    "faces": RNG.integers(0, 9, 999),
    "wide": np.exp(RNG.normal(0, 15, 999)),
    "safe": RNG.random(999) < 0.3,
}
BATCH = pa.record_batch({name: pa.array(values) for name, values in COLUMNS.items()})


@pytest.mark.parametrize("size", [999, 100])
def test_deciles_are_near_those_of_all_values(size: int) -> None:
    counter: Counter[str] = Counter()
    for start in range(0, 999, size):
        count_scores(counter, BATCH.slice(start, size), numeric_scores(BATCH.schema, list(COLUMNS)))
    rows = score_values(counter)
    assert [row["name"] for row in rows] == sorted(COLUMNS)
    for row in rows:
        values = np.sort(COLUMNS[row["name"]].astype(np.float64))
        expected = values[[max(0, -(-999 * k // 10) - 1) for k in range(11)]]
        np.testing.assert_allclose(row["deciles"], expected, rtol=0.004, atol=1e-38)
        assert (row["values"], row["missing"]) == (999, 0)
        assert all(abs(found) <= abs(value) * (1 + 1e-6) for found, value in zip(row["deciles"], expected, strict=True))
    assert rows[[row["name"] for row in rows].index("faces")]["deciles"][::10] == [0, 8]


def test_what_is_no_number_is_missing_and_infinity_is_null() -> None:
    batch = pa.record_batch({
        "a": pa.array([None, float("nan"), float("inf"), -1.0]), "b": pa.array([None] * 4, pa.float32()),
    })  # fmt: skip
    counter: Counter[str] = Counter()
    count_scores(counter, batch, ["a", "b"])
    first, second = score_values(counter)
    assert (first["values"], first["missing"], first["deciles"][0], first["deciles"][-1]) == (2, 2, -1.0, None)
    assert second == {"name": "b", "values": 0, "missing": 4, "deciles": []}


def test_columns_of_other_types_and_too_many_are_left_out() -> None:
    schema = pa.schema(
        [("text", pa.string()), ("box", pa.list_(pa.float32())), *((str(k), pa.int8()) for k in range(99))]
    )
    assert numeric_scores(schema, ["gone", *schema.names]) == [str(k) for k in range(MAX_SCORES)]


def test_a_name_may_have_colons() -> None:
    counter: Counter[str] = Counter()
    count_scores(counter, pa.record_batch({"a:b:c": pa.array([1, 2])}), ["a:b:c"])
    assert [row["name"] for row in score_values(counter)] == ["a:b:c"]

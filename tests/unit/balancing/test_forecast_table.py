"""The table of forecasts against a loop, and its text."""

from pathlib import Path

import numpy as np
import pytest

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.distributions import Distributions
from curation.balancing.forecast import ALL, Expectation
from curation.balancing.forecast_table import (
    FORECASTS,
    ForecastPlan,
    ForecastPoints,
    Rates,
    forecast_text,
    write_forecasts,
)
from curation.core.table_reader import read_rows, read_schema
from tests.unit.balancing.settings import balance_goal

COUNTS = {
    "de": [0, 4, 4, 4, 0, 9],  # ties and zeros
    "en": [1, 2, 3, 4, 90, 20_000_000_000],
    "fr": [7],  # one entry
    "it": [5] * 20,  # all equal
}
GRID = [1.0, 4.0, 50.0]
SIZES = {lang: len(counts) + 3 for lang, counts in COUNTS.items()}
PLAN = ForecastPlan(tuple(GRID), Rates(images_per_second=2.0, bytes_per_image=1e6), SIZES)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict]:
    for lang, counts in COUNTS.items():
        save_array(str(tmp_path / f"counts/{lang}.npy"), np.array(counts, np.int64))
    numbers = np.arange(3.0)
    expected = {lang: Expectation(numbers + 10, numbers, numbers * 1000, numbers / 2) for lang in [*COUNTS, ALL]}
    ts = {lang: np.array(GRID) for lang in COUNTS}
    counts = Distributions.of_files(CountFiles(str(tmp_path / "counts")))
    receipt = write_forecasts(
        counts, ForecastPoints(GRID, ts, expected), PLAN, balance_goal(headroom=0.5), str(tmp_path)
    )
    path = receipt.outputs[0]["path"]
    assert read_schema(path).equals(FORECASTS)
    return read_rows(path, FORECASTS).to_pylist()


def test_the_table_equals_a_loop(rows: list[dict]) -> None:
    assert [(row["point"], row["lang"]) for row in rows] == [(p, k) for p in range(3) for k in ("all", *COUNTS)]
    for row in rows:
        t = GRID[row["point"]]
        counts = COUNTS.get(row["lang"], [n for counts in COUNTS.values() for n in counts])
        assert row["reference_t"] == t
        assert row["t"] == (None if row["lang"] == "all" else t)
        assert row["tail_share"] == pytest.approx(sum(n for n in counts if n < t) / sum(counts), rel=1e-12)
        lists = 4 if row["lang"] == "all" else 1
        assert row["entries_without_match"] == sum(n == 0 for n in counts) + 3 * lists
        assert row["entries_below_t"] == sum(0 < n < t for n in counts)
        assert row["entries_from_t"] == sum(n >= t for n in counts)
        assert row["matches"] == sum(counts)
        assert row["matches_capped"] == pytest.approx(sum(min(n, t) for n in counts))
        assert row["expected_samples"] == row["expected_images"] / 2
        assert row["terabytes"] == row["expected_samples"] * 1e6 / 1e12
        assert row["hours"] == row["expected_images"] / 2 / 3600


def test_the_text_shows_the_grid_and_the_languages_of_the_goal(rows: list[dict]) -> None:
    lines = forecast_text(rows, 1, "en").splitlines()
    assert [line[:7].strip() for line in lines[:4]] == ["t of en", "1", "4 *", "50"]
    assert [line.split()[0] for line in lines[-5:]] == ["lang", "de", "en", "fr", "it"]
    assert all(len(line) == len(lines[0]) for line in lines[:4])

"""Targets of entries against loops over the definition, and their laws over seeds."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.balance import BalanceSettings, BalanceTask, balance_bucket, draw_batch, text_probabilities
from curation.balancing.counts import BucketsTask, CountArrays, save_array
from curation.balancing.distributions import Distribution, Distributions
from curation.balancing.forecast import ALL, ForecastGrid, add_forecasts, forecast_buckets
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.probabilities import entry_probabilities
from curation.balancing.solve_t import solve_goal
from curation.balancing.targets import EntryTargets, with_targets
from curation.core.choices import Others
from curation.core.draws import keep
from curation.core.kept_targets import TARGETS
from curation.core.schemas import CURATED
from curation.core.table_reader import read_rows
from curation.report.head_tail import head_tail
from tests.matches_data import make_images, to_batch, write_matches
from tests.unit.balancing.settings import balance_goal, threshold_rule

T = {"de": 4.0, "en": 9.0, "fr": 3.0}


@cache
def _matched(images: int = 600) -> MatchedBatch:
    return MatchedBatch(to_batch(make_images(images, seed=31)))


@cache
def _counts() -> dict[str, np.ndarray]:
    counts = CountArrays()
    counts.add(_matched())
    return {lang: values.copy() for lang, values in counts.items()}


def _targets(seed: int = 5) -> EntryTargets:
    """Weights and own t of about a third of the entries of two languages, some beyond the ids with counts."""
    rng = np.random.default_rng(seed)
    rows = []
    for lang in ("de", "en"):
        for entry in np.sort(rng.choice(320, 110, replace=False)).tolist():
            kind, value = rng.choice(["t", "weight"]), float(rng.choice([0.01, 0.3, 1.0, 2.5, 7.0, 1e6]))
            rows.append({"lang": lang, "entry_id": entry, "t": None, "weight": None, kind: value})
    return EntryTargets.of_rows(_table(rows))


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, TARGETS)


@cache
def _thresholds(lang: str) -> list[float]:
    """The definition, row by row."""
    rows = [row for row in _targets().rows().to_pylist() if row["lang"] == lang]
    named = {row["entry_id"]: row["t"] if row["weight"] is None else row["weight"] * T[lang] for row in rows}
    return [named.get(entry, T[lang]) for entry in range(330)]


def test_probabilities_equal_a_loop_over_the_definition() -> None:
    matched, counts = _matched(), _counts()
    found = text_probabilities(matched, with_targets(counts, _targets()), T)
    for row in range(matched.texts):
        lang, missed = matched.langs[matched.codes[row]], 1.0
        for entry in matched.ids[matched.id_offsets[row] : matched.id_offsets[row + 1]].tolist():
            count, t = int(counts[lang][entry]), _thresholds(lang)[entry]
            missed *= 1.0 - t / max(count, t)
        assert found[row] == pytest.approx(1.0 - missed, rel=1e-12, abs=1e-15)
    for lang in counts:
        single = entry_probabilities(_targets().effective(lang, counts[lang]), T[lang])
        assert single == pytest.approx([min(1.0, t / max(n, t)) for n, t in zip(counts[lang], _thresholds(lang))])  # noqa: B905 the counts end earlier


def test_weights_of_1_change_no_bit() -> None:
    rows = [{"lang": lang, "entry_id": k, "t": None, "weight": 1.0} for lang in T for k in range(0, 320, 2)]
    found = [text_probabilities(_matched(), with_targets(_counts(), each), T)
             for each in (None, EntryTargets.of_rows(_table(rows)))]  # fmt: skip
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_what_is_kept_at_a_scale_is_kept_at_a_larger_one(unit: str) -> None:
    counts = with_targets(_counts(), _targets())
    before = np.zeros(_matched().texts, bool)
    sizes = []
    for scale in (1e-6, 0.1, 0.7, 1.0, 1.0000001, 3.0, 50.0):
        p = text_probabilities(_matched(), counts, {lang: t * scale for lang, t in T.items()})
        kept = draw_batch(_matched(), p, unit, 3).kept
        assert not (before & ~kept).any()
        before = kept
        sizes.append(int(kept.sum()))
    assert sizes[0] < sizes[3] < sizes[6]


def test_shares_thresholds_and_sums_equal_loops() -> None:
    counts, targets = _counts(), _targets()
    for lang in counts:
        found = Distributions(counts, counts.__getitem__, targets)[lang]
        values = targets.values(lang, len(counts[lang]))
        free = sorted(
            (n / w, int(n)) for n, w in zip(counts[lang].tolist(), values.tolist(), strict=True) if n and w > 0
        )
        assert found.matches == counts[lang].sum()
        assert found.entries == np.count_nonzero(counts[lang])
        assert found.shared_matches == sum(n for _, n in free)
        for t in (0.5, T[lang], 20.0, 1e9):
            own = [(int(n), -w if w < 0 else w * t) for n, w in zip(counts[lang], values, strict=True) if n]
            assert found.tail_share(t) == pytest.approx(sum(n for e, n in free if e < t) / found.shared_matches)
            assert found.entries_below(t) == sum(n < own_t for n, own_t in own)
            assert found.matches_capped(t) == pytest.approx(sum(min(n, own_t) for n, own_t in own))
        for share in (0.0, 0.06, 0.5, 1.0):
            reached = [sum(n for _, n in free[: k + 1]) / found.shared_matches for k in range(len(free))]
            nearest = min(range(len(free)), key=lambda k: abs(reached[k] - share))
            assert found.t_of_share(share) == free[nearest][0]


def test_the_tail_is_the_same_wherever_it_is_counted() -> None:
    counts = np.arange(1, 201)
    values = np.resize([0.3, 1.1, 7.0, -49.0, 1.0], 200)
    targets = EntryTargets({"en": (np.arange(200, dtype=np.int32), values)})
    found = Distributions(["en"], lambda _: counts, targets)["en"]
    for t in found.counts.tolist():  # as the t of a tail share is
        assert targets.tail("en", counts, t).sum() == found.entries_below(t)
        assert (targets.relative("en", counts, t) < t).sum() == found.entries_below(t)
        shown = head_tail(counts, counts, t, None, targets.tail("en", counts, t))
        assert (shown["tail"], shown["head"]) == (found.entries_below(t), 200 - found.entries_below(t))
    assert (targets.relative("en", counts * 0, np.inf) == 0).all()


def test_where_all_entries_have_a_t_of_their_own_the_languages_t_is_that_of_the_counts() -> None:
    counts = np.array([0, 3, 8, 40])
    targets = EntryTargets({"en": (np.arange(4, dtype=np.int32), np.full(4, -5.0))})
    found, plain = Distributions(["en"], lambda _: counts, targets)["en"], Distribution(counts)
    assert found.t_of_share(0.2) == plain.t_of_share(0.2)
    assert (found.entries, found.matches, found.entries_below(99.0), found.matches_capped(99.0)) == (3, 51, 1, 13.0)


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_a_forecast_is_the_sum_of_the_probabilities_and_a_target_is_met(unit: str, tmp_path: Path) -> None:
    for lang, values in _counts().items():
        save_array(str(tmp_path / f"counts/{lang}.npy"), values)
    file = write_matches(make_images(600, seed=31), tmp_path / "bucket-00000.parquet")
    targets = _targets()

    def expect(ts: dict[str, np.ndarray]) -> Any:
        grid = ForecastGrid(unit, 7, str(tmp_path / "counts"), ts, 64, 0, targets)
        forecast_buckets(BucketsTask("all", ((file,),), str(tmp_path / "partial")), grid)
        return add_forecasts([str(tmp_path / "partial")])

    goal = balance_goal(threshold_rule(others=Others.same_t), target_images=333.0)
    distributions = Distributions(_counts(), _counts().__getitem__, targets)
    solved, found = solve_goal(goal, distributions, lambda ts: expect(ts)[ALL].images)
    assert found.exact
    t = solved.thresholds(distributions)
    images = expect({lang: np.array([value]) for lang, value in t.items()})
    p = text_probabilities(_matched(), with_targets(_counts(), targets), t)
    task = BalanceTask("bucket", (file,), str(tmp_path / "curated.parquet"))
    receipt = balance_bucket(task, BalanceSettings(unit, 7, str(tmp_path / "counts"), t, 64, 0, targets))
    assert images[ALL].images[0] == pytest.approx(333.0, rel=1e-3)
    assert abs(receipt.rows_out - 333) < 4 * images[ALL].images_deviation[0]
    kept = read_rows(task.output, CURATED)["keep_probability"].to_pylist()
    assert len(kept) == receipt.rows_out
    if unit == "pair":
        assert images[ALL].pairs[0] == pytest.approx(p.sum(), abs=1e-6)


@pytest.mark.parametrize("weight", [1e-9, 1.0, 1e9])
def test_of_equal_weights_only_the_ratios_matter(weight: float) -> None:
    counts = {"en": np.array([600, 390, 10]), "de": np.array([2000])}
    ids = {lang: np.arange(len(values), dtype=np.int32) for lang, values in counts.items()}
    targets = EntryTargets({lang: (each, np.full(len(each), weight)) for lang, each in ids.items()})
    distributions = Distributions(counts, counts.__getitem__, targets)

    def expect(ts: dict[str, np.ndarray]) -> np.ndarray:
        return sum(np.minimum(each[:, None], weight * ts[k]).sum(axis=0) for k, each in counts.items())

    goal = balance_goal(threshold_rule(others=Others.same_t), target_images=0.01)
    assert solve_goal(goal, distributions, expect)[1].exact
    assert distributions["en"].t_of_capped(1e-3) * weight * 3 == pytest.approx(1e-3)


def test_the_share_that_is_kept_of_each_entry_follows_its_target() -> None:
    """Of an entry in texts of its own, keeps are binomial: over 2,000 seeds its mean lies within 5 deviations of
    min(1, target / count). With 7 entries a right build fails for one list of seeds in 250,000."""
    counts = {"en": np.array([400, 400, 400, 50, 50, 6, 6])}
    rows = [(0, None, 1.0), (1, None, 3.0), (2, 10.0, None), (3, None, 0.2), (4, 200.0, None), (5, 2.0, None)]
    targets = EntryTargets.of_rows(_table([dict(zip(TARGETS.names, ("en", *row), strict=True)) for row in rows]))
    entries = np.repeat(np.arange(7), counts["en"])
    images = [
        {
            "uid": f"{k:024x}", "url": "https://a.org",
            "texts": [{"text": str(k), "text_key": "alt", "lang": "en", "lang_score": 1.0, "entry_ids": [int(entry)]}],
        }
        for k, entry in enumerate(entries)
    ]  # fmt: skip
    matched = MatchedBatch(to_batch(images))
    p = text_probabilities(matched, with_targets(counts, targets), {"en": 20.0})
    wished = np.array([20 / 400, 60 / 400, 10 / 400, 4 / 50, 1.0, 2 / 6, 1.0])
    assert p == pytest.approx(wished[entries])
    seeds = 2000
    kept = np.zeros(7)
    for seed in range(seeds):
        drawn = keep(p, seed, "keep", matched.batch["uid"], matched.structs.field("text"), matched.starts)
        kept += np.bincount(entries, weights=drawn, minlength=7)
    for entry, count in enumerate(counts["en"].tolist()):
        deviation = math.sqrt(seeds * count * wished[entry] * (1 - wished[entry]))
        assert abs(kept[entry] - seeds * count * wished[entry]) <= 5 * deviation


def test_own_thresholds_are_those_of_survivors() -> None:
    targets = EntryTargets({"en": (np.array([1, 4], np.int32), np.array([2.0, -6.0]))})
    first = balance_goal(t=5.0, headroom=0.5).first_pass_targets(targets)
    assert first is not None
    assert first.by_lang["en"][1].tolist() == [2.0, -12.0]
    assert first.thresholds("en", 10.0, 5).tolist() == [10.0, 20.0, 10.0, 10.0, 12.0]
    assert balance_goal(t=5.0).first_pass_targets(None) is None

"""The second balance agrees with a draw that knows the counts of the survivors beforehand."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation.balancing.balance import DrawnBatch, curated_batch, draw_batch, text_probabilities
from curation.balancing.counts import CountArrays
from curation.balancing.distributions import Distributions
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.targets import EntryTargets, with_targets
from curation.core.choices import Unit
from curation.core.draws import draw
from curation.shards.second_balance import (
    MissingTexts,
    SecondDraw,
    draw_survivors,
    estimated_counts,
    second_thresholds,
    weigh_survivors,
)
from tests.matches_data import make_images, to_batch
from tests.unit.balancing.settings import balance_goal, threshold_rule

IMAGES = 12_000
T = {"en": 60.0}


def _counts(batch: pa.RecordBatch) -> dict[str, np.ndarray]:
    counts = CountArrays()
    counts.add(MatchedBatch(batch))
    return dict(counts.items())


@functools.cache
def _pool() -> pa.RecordBatch:
    return to_batch(make_images(IMAGES, seed=41, langs=("en",), max_ids=2))


@functools.cache
def _alive() -> np.ndarray:
    """What download and filters will let through, decided apart from every draw."""
    return draw(99, "sample", _pool()["uid"]) < 0.4


@functools.cache
def _matched(alive: bool) -> tuple[MatchedBatch, dict[str, np.ndarray]]:
    """The pool, or what survives of it, and its counts."""
    batch = _pool().filter(pa.array(_alive())) if alive else _pool()
    return MatchedBatch(batch), _counts(batch)


def _true_counts() -> dict[str, np.ndarray]:
    return _matched(True)[1]


@functools.cache
def _probabilities(alive: bool, headroom: float = 1.0) -> np.ndarray:
    return text_probabilities(*_matched(alive), {"en": T["en"] / headroom})


HEAD, MIDDLE, TAIL = slice(0, 3), slice(3, 40), slice(100, 300)


def _direct(unit: Unit, seed: int) -> tuple[MatchedBatch, DrawnBatch]:
    """What a draw over the survivors gives that knows their counts beforehand."""
    matched = _matched(True)[0]
    return matched, draw_batch(matched, _probabilities(True), unit, seed)


def _first_pass(unit: Unit, seed: int, headroom: float) -> pa.RecordBatch:
    """The survivors of a first pass: rows of `curated`."""
    return _left(draw_batch(_matched(False)[0], _probabilities(False, headroom), unit, seed))


def _left(drawn: DrawnBatch) -> pa.RecordBatch:
    """The rows of `curated` of what is drawn of the pool and survives."""
    return curated_batch(_matched(False)[0], replace(drawn, chosen=np.where(_alive(), drawn.chosen, -1)))


@pytest.mark.parametrize("unit", list(Unit))
def test_with_true_counts_it_is_a_direct_draw_bit_for_bit(unit: Unit) -> None:
    matched, drawn = _direct(unit, 3)
    survivors = _first_pass(unit, 3, headroom=0.3)
    second, shortfall = SecondDraw(unit, 3, _true_counts(), T), MissingTexts()
    ((matched_again, drawn_again),) = draw_survivors([survivors], second, shortfall)
    assert shortfall.missing == 0  # P2 <= P1 everywhere
    again = curated_batch(matched_again, drawn_again)
    assert 100 < again.num_rows < survivors.num_rows
    assert again.equals(curated_batch(matched, drawn))


@pytest.mark.parametrize("unit", list(Unit))
def test_with_targets_it_is_the_direct_draw_with_these(unit: Unit) -> None:
    """Own t are in counts of survivors: the first pass draws with t / headroom."""
    targets = EntryTargets({"en": (np.array([0, 1, 5], np.int32), np.array([3.0, -20.0, 0.2]))})
    first = balance_goal(t=T["en"], headroom=0.3).first_pass_targets(targets)
    (pool, counts), (surviving, _) = _matched(False), _matched(True)
    p = text_probabilities(pool, with_targets(counts, first), {"en": T["en"] / 0.3})
    survivors = _left(draw_batch(pool, p, unit, 3))
    wanted = text_probabilities(surviving, with_targets(_true_counts(), targets), T)
    second, shortfall = SecondDraw(unit, 3, _true_counts(), T, targets), MissingTexts()
    ((left, again),) = draw_survivors([survivors], second, shortfall)
    assert shortfall.missing == 0
    assert curated_batch(left, again).equals(curated_batch(surviving, draw_batch(surviving, wanted, unit, 3)))
    assert not curated_batch(left, again).equals(curated_batch(*_direct(unit, 3)))


def _estimate(survivors: pa.RecordBatch, unit: Unit) -> dict[str, np.ndarray]:
    weighted = weigh_survivors([survivors.slice(0, 100), survivors.slice(100)], unit)
    return {lang: estimated_counts(values) for lang, values in weighted.items()}


def _plain(survivors: pa.RecordBatch, unit: Unit) -> dict[str, np.ndarray]:
    """The wrong way: what is left is counted as it is."""
    counts = CountArrays()
    matched = MatchedBatch(survivors)
    kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
    counts.add_weighted(matched, np.where(kept, 1, 0) if unit == Unit.pair else np.ones(len(kept), np.int64))
    return dict(counts.items())


def _kept_matches(matched: MatchedBatch, kept: np.ndarray) -> np.ndarray:
    """Matches of each entry among the kept texts."""
    counts = CountArrays()
    counts.add_weighted(matched, kept.astype(np.int64))
    return np.pad(dict(counts.items())["en"], (0, 300))[:300]


def _ratios(unit: Unit, count: Callable, fresh: bool, seeds: int = 24) -> list[float]:
    """Kept matches of head, middle and tail after the second balance, over those of a direct draw; mean of seeds."""
    ours, direct = np.zeros(300), np.zeros(300)
    for seed in range(seeds):
        matched, drawn = _direct(unit, seed)
        direct += _kept_matches(matched, drawn.kept)
        survivors = _first_pass(unit, seed, headroom=0.3)
        counts = count(survivors, unit)
        if fresh:
            left = MatchedBatch(survivors)
            drawn = draw_batch(left, text_probabilities(left, counts, T), unit, seed + 1000)
            kept = drawn.kept & pc.struct_field(left.structs, "kept").to_numpy(zero_copy_only=False)
            ours += _kept_matches(left, kept)
        else:
            ((left, drawn),) = draw_survivors([survivors], SecondDraw(unit, seed, counts, T), MissingTexts())
            ours += _kept_matches(left, drawn.kept)
    return [float(ours[part].sum() / direct[part].sum()) for part in (HEAD, MIDDLE, TAIL)]


TOLERANCE = 0.03
"""Over 24 seeds 30,000 (pair) and 18,000 (image) head matches are kept; a head entry's estimate rests on some 80 kept
texts a seed, which leaves an error of about 1% over all."""


@pytest.mark.parametrize("unit", list(Unit))
def test_with_estimated_counts_it_agrees_in_head_and_tail(unit: Unit) -> None:
    assert _ratios(unit, _estimate, fresh=False) == pytest.approx([1.0] * 3, abs=TOLERANCE)


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("fresh", [False, True])
def test_plain_counts_fail_the_same_test(unit: Unit, fresh: bool) -> None:
    found = _ratios(unit, _plain, fresh, seeds=6)
    assert found != pytest.approx([1.0] * 3, abs=TOLERANCE)
    # Measured: 1.08 and 1.09 with the same u, 0.88 and 0.59 with a fresh one.
    assert abs(found[0] - 1.0) > 2 * TOLERANCE


def test_a_language_of_which_nothing_was_kept_stays_lost() -> None:
    batch = to_batch(make_images(200, seed=42))
    matched = MatchedBatch(batch)
    first = np.where(matched.codes == matched.langs.index("fr"), 1e-9, 1.0)
    survivors = curated_batch(matched, draw_batch(matched, first, Unit.pair, 0))
    counts = _estimate(survivors, Unit.pair)
    assert list(counts) == ["de", "en"]
    second, shortfall = SecondDraw(Unit.pair, 0, counts, {"de": 1e9, "en": 1e9}), MissingTexts()
    ((left, drawn),) = draw_survivors([survivors], second, shortfall)
    assert curated_batch(left, drawn).equals(survivors)
    assert shortfall.missing == 0


def test_thresholds_come_from_the_estimated_counts() -> None:
    counts = {"en": np.array([0.0, 1.5, 2.5, 96.0]), "de": np.array([1.2, 8.8, 90.0])}
    distributions = Distributions(counts, counts.__getitem__)
    rule = threshold_rule()
    assert second_thresholds(balance_goal(rule, t=3.0, headroom=0.5), distributions) == {"de": 1.2, "en": 3.0}
    assert second_thresholds(balance_goal(rule, tail_share=0.1), distributions) == {"de": 8.8, "en": 2.5}
    solved = balance_goal(rule, target_images=9.0, headroom=0.5, solved_t=6.0)
    assert second_thresholds(solved, distributions) == {"de": 1.2, "en": 3.0}


@pytest.mark.parametrize("unit", list(Unit))
def test_the_shortfall_is_what_a_direct_draw_keeps_beyond_it(unit: Unit) -> None:
    """At headroom 1 nearly all of the loss is known to the estimate; 5%, with some 3,000 texts kept."""
    survivors = _first_pass(unit, 0, headroom=1.0)
    counts, shortfall = _estimate(survivors, unit), MissingTexts()
    ((_, drawn),) = draw_survivors([survivors], SecondDraw(unit, 0, counts, T), shortfall)
    direct = _direct(unit, 0)[1].kept.sum()
    told = shortfall.describe(balance_goal(t=1.0))["missing_texts"]
    assert told > 0.1 * direct
    assert drawn.kept.sum() + told == pytest.approx(direct, rel=0.05)


def test_a_shortfall_is_told_with_the_headroom_that_cures_it() -> None:
    """The first pass assumed that all survive; of what it left, P2 is about 2.5 times P1 in the head."""
    wished = []
    for headroom in (1.0, 0.3):
        survivors = _first_pass(Unit.pair, 0, headroom)
        second, shortfall = SecondDraw(Unit.pair, 0, _estimate(survivors, Unit.pair), T), MissingTexts()
        for half in (survivors.slice(0, 500), survivors.slice(500)):
            part = MissingTexts()
            list(draw_survivors([half], second, part))
            shortfall.merge(Counter(part.facts()))
        wished.append(shortfall.describe(balance_goal(t=1.0, headroom=headroom)))
    assert wished[0]["missing_share"] > 0.2
    assert 0.25 < wished[0]["sufficient_headroom"] < 0.45
    assert wished[1]["missing_share"] < 0.01
    assert shortfall.describe(balance_goal(tail_share=0.1, headroom=0.3))["sufficient_headroom"] is None


def test_texts_that_nothing_is_wanted_of_have_no_shortfall() -> None:
    shortfall = MissingTexts()
    shortfall.add(np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.0, 1.0]), np.array([1, 1, 1]))
    assert shortfall.ratios[[500, 1000]].tolist() == [1, 2]

"""Solving for t in one and in two languages, at jumps and out of reach."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from curation.balancing.distributions import Distributions
from curation.balancing.solve_t import TOLERANCE, solve_target
from curation.balancing.thresholds import ThresholdRule
from curation.core.errors import HeadtailError
from tests.unit.balancing.settings import threshold_rule

EN = np.sort(np.random.default_rng(5).zipf(1.3, 3000) % 100_000 + 1)
DE = np.array([1, 2, 5, 40, 1000, 200_000])


def _expectation(counts: dict[str, np.ndarray], rule: ThresholdRule) -> tuple[Callable, list[int]]:
    """Each match is an image of its own with this one entry: min(count, t) images are expected of an entry."""
    calls: list[int] = []

    def expect(ts: Sequence[float]) -> np.ndarray:
        calls.append(len(ts))
        found = rule.thresholds(Distributions(counts, counts.__getitem__), ts)
        return np.array([sum(np.minimum(counts[k], found[k][i]).sum() for k in counts) for i in range(len(ts))])

    return expect, calls


@pytest.mark.parametrize("share", [1e-5, 0.001, 0.01, 0.25, 0.5, 0.9, 0.9999, 1.0])
def test_one_language_reaches_every_target(share: float) -> None:
    expect, calls = _expectation({"en": EN}, threshold_rule())
    target = share * EN.sum()
    found = solve_target(target, EN, EN.max(), expect)
    assert found.exact
    assert abs(found.images - target) <= TOLERANCE * target
    assert found.images == expect([found.t])[0]
    assert len(calls) <= 6


@pytest.mark.parametrize("others", ["tail_share", "same_t"])
def test_two_languages_come_as_near_as_the_jumps_allow(others: str) -> None:
    expect, _ = _expectation({"en": EN, "de": DE}, threshold_rule(others=others))
    most = EN.sum() + DE.sum()
    missed = 0
    for target in np.linspace(0.01, 1, 60) * most:
        found = solve_target(target, EN, max(EN.max(), DE.max()), expect)
        assert found.images == expect([found.t])[0]
        if found.exact:
            assert abs(found.images - target) <= TOLERANCE * target
        else:
            missed += 1
            assert found.images < target < found.next_images
            assert found.next_images == expect([np.nextafter(found.t, np.inf)])[0]
    assert (missed > 0) == (others == "tail_share")


def test_what_cannot_be_is_told() -> None:
    expect, _ = _expectation({"en": EN, "de": DE}, threshold_rule(t_by_language={"de": 10.0}))
    most = EN.sum() + np.minimum(DE, 10).sum()
    with pytest.raises(HeadtailError, match="more than matches can give: at most"):
        solve_target(most + 1, EN, EN.max(), expect)
    with pytest.raises(HeadtailError, match="less than the"):
        solve_target(5, EN, EN.max(), expect)
    assert solve_target(most, EN, EN.max(), expect).exact


def test_few_of_many_entries_are_no_less_than_the_least() -> None:
    expect, _ = _expectation({"en": np.full(100_000, 50)}, threshold_rule())
    for target in (50, 99.90005):
        assert solve_target(target, np.full(100_000, 50), 50.0, expect).images == pytest.approx(target, rel=TOLERANCE)

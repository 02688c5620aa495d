"""Shares of languages: the images of each are as the law says, by forecasts that equal an enumeration."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.balancing.balance import text_probabilities
from curation.balancing.counts import BucketsTask, CountArrays, save_array
from curation.balancing.distributions import Distribution, Distributions
from curation.balancing.forecast import ALL, ForecastGrid, add_forecasts, forecast_buckets
from curation.balancing.language_shares import MAX_PASSES, TOLERANCE, solve_shares
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.targets import EntryTargets
from curation.core.choices import Others
from curation.core.errors import HeadtailError
from curation.core.recipes import recipe_settings
from tests.matches_data import make_images, to_batch, write_matches
from tests.unit.balancing.settings import balance_goal, threshold_rule

ROWS = make_images(450, seed=31)
TARGETS = EntryTargets({"de": (np.array([0, 1], np.int32), np.array([3.0, -2.0]))})
Expect = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


@pytest.fixture
def counts() -> dict[str, np.ndarray]:
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(ROWS)))
    return {lang: values.copy() for lang, values in counts.items()}


def _expect(folder: Path, counts: dict[str, np.ndarray], unit: str, targets: EntryTargets | None) -> Expect:
    for lang, values in counts.items():
        save_array(str(folder / f"counts/{lang}.npy"), values)
    file = write_matches(ROWS, folder / "bucket-00000.parquet")

    def expect(ts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        grid = ForecastGrid(unit, 7, str(folder / "counts"), ts, 64, 0, targets)
        forecast_buckets(BucketsTask("all", ((file,),), str(folder / "partial")), grid)
        return {lang: found.images for lang, found in add_forecasts([str(folder / "partial")]).items() if lang != ALL}

    return expect


def test_the_t_of_a_sum_is_the_inverse_of_the_sum(counts: dict[str, np.ndarray]) -> None:
    for targets in (None, TARGETS):
        for lang in counts:
            found = Distributions(counts, counts.__getitem__, targets)[lang]
            least = found.matches_capped(0.0)
            for wished in np.linspace(least, found.matches_capped(1e9), 23)[1:]:
                t = found.t_of_capped(float(wished))
                assert found.matches_capped(t) == pytest.approx(wished)
            assert found.entries_below(found.t_of_capped(2.0 * found.matches)) >= np.count_nonzero(counts[lang]) - 1
            assert found.matches_capped(found.t_of_capped(least / 2)) == pytest.approx(least, abs=1e-3)
    own = EntryTargets({"en": (np.arange(3, dtype=np.int32), np.full(3, -2.0))})
    only = Distributions(["en"], lambda _: np.array([1, 5, 9]), own)["en"]
    assert only.t_of_capped(3.0) > 9  # t decides nothing


@pytest.mark.parametrize("unit", ["pair", "image"])
@pytest.mark.parametrize("targets", [None, TARGETS], ids=["plain", "targets"])
def test_each_language_keeps_its_share_of_the_images_or_all(
    unit: str, targets: EntryTargets | None, counts: dict[str, np.ndarray], tmp_path: Path
) -> None:
    expect = _expect(tmp_path, counts, unit, targets)
    distributions = Distributions(counts, counts.__getitem__, targets)
    everything = expect({lang: np.array([1e9]) for lang in counts})
    for goal, reference in ((balance_goal(t=1.5), "en"), (balance_goal(tail_share=0.1), "en"),
                            (balance_goal(target_images=100.0, headroom=0.8), "en"),
                            (balance_goal(target_images=240.0), "fr")):  # fmt: skip
        rule = threshold_rule(others=Others.shares, shares={"fr": 0.25}, reference=reference)
        solved, found = solve_shares(balance_goal(rule, **_wish(goal)), distributions, expect)
        assert found.is_exact
        assert found.passes < 12
        t = solved.thresholds(distributions)
        images = {lang: float(values[0]) for lang, values in expect({k: np.array([v]) for k, v in t.items()}).items()}
        scale = max(images["de"], images["en"])
        for lang, share in (("de", 1.0), ("en", 1.0), ("fr", 0.25)):
            has_all = images[lang] >= everything[lang][0] * (1 - 1e-9) - 0.01
            assert has_all or images[lang] == pytest.approx(scale * share, rel=3 * TOLERANCE)
            assert images[lang] <= scale * share * (1 + 3 * TOLERANCE)
        if goal.target_images:
            assert sum(images.values()) * goal.headroom == pytest.approx(goal.target_images, rel=2 * TOLERANCE)
        elif goal.t:
            assert t["en"] == goal.t
        assert solved.solution["yields"] == solved.rule.yields
        if goal.headroom == 1:  # the second balance, in the same counts, finds the same thresholds
            assert solved.of_survivors().thresholds(distributions) == pytest.approx(t)


def _expect_texts(
    matched: MatchedBatch, counts: Mapping[str, np.ndarray], ts: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the sum of the probabilities of each language's texts."""
    points = [{lang: float(t[at]) for lang, t in ts.items()} for at in range(len(ts["en"]))]
    p = [text_probabilities(matched, counts, point) for point in points]
    codes = {lang: matched.codes == code for code, lang in enumerate(matched.langs)}
    return {lang: np.array([one[codes[lang]].sum() for one in p]) for lang in ts}


@pytest.mark.parametrize("own", [{}, {"de": 3.0}], ids=["shares", "own t"])
def test_a_number_is_refused_only_where_the_images_themselves_do_not_give_it(own: dict[str, float]) -> None:
    for seed in (1, 4):
        matched = MatchedBatch(to_batch(make_images(120, seed, entries=20)))
        arrays = CountArrays()
        arrays.add(matched)
        counts = dict(arrays.items())
        distributions = Distributions(counts, counts.__getitem__)

        expect = partial(_expect_texts, matched, counts)
        rule = threshold_rule(others=Others.shares, shares={"fr": 0.25}, t_by_language=own)
        least, most = (
            sum(float(images[0]) for images in expect({k: np.array([own.get(k, t)]) for k in counts}).values())
            for t in (1e-9, 1e9)
        )
        for part in (0.01, 0.5, 0.7, 0.9, 0.97, 1.0):
            goal = balance_goal(rule, target_images=least + part * (most - least))
            solved, found = solve_shares(goal, distributions, expect)
            t = {lang: np.array([one]) for lang, one in solved.thresholds(distributions).items()}
            assert found.is_exact
            assert sum(float(images[0]) for images in expect(t).values()) == pytest.approx(
                goal.target_images, rel=2 * TOLERANCE
            )
        with pytest.raises(HeadtailError, match="more than matches can give: at most"):
            solve_shares(balance_goal(rule, target_images=most * 1.001), distributions, expect)
        if own:
            with pytest.raises(HeadtailError, match="less than the"):
                solve_shares(balance_goal(rule, target_images=least * 0.99), distributions, expect)


def test_no_pass_is_made_twice_where_own_thresholds_keep_more_than_the_share_of_a_language() -> None:
    matched = MatchedBatch(to_batch(make_images(300, seed=3, entries=20)))
    arrays = CountArrays()
    arrays.add(matched)
    counts = dict(arrays.items())
    targets = EntryTargets({"de": (np.arange(10, dtype=np.int32), np.full(10, -1e6))})
    effective = {lang: targets.effective(lang, each) for lang, each in counts.items()}
    passes: list[tuple[float, ...]] = []

    def expect(ts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        passes.append(tuple(float(t[-1]) for t in ts.values()))
        return _expect_texts(matched, effective, ts)

    rule = threshold_rule(others=Others.shares, shares={"fr": 0.25})
    for wish in ({"t": 1.5}, {"target_images": 140.0}):
        passes.clear()
        distributions = Distributions(counts, counts.__getitem__, targets)
        solved, found = solve_shares(balance_goal(rule, **wish), distributions, expect)
        assert found.distance > 1  # German has far more than it should, at any t
        assert len(set(passes)) == len(passes) == found.passes < MAX_PASSES
        assert tuple(solved.thresholds(distributions).values()) in passes


def _wish(goal: object) -> dict[str, object]:
    return {name: getattr(goal, name) for name in ("t", "tail_share", "target_images", "headroom")}


def test_beyond_the_references_counts_the_others_go_on() -> None:
    counts = {"en": np.array([5, 5]), "de": np.array([40, 60])}
    distributions = Distributions(counts, counts.__getitem__)
    rule = threshold_rule(others=Others.shares)
    ts = rule.thresholds(distributions, [2.5, 5.0, 20.0, rule.t_of_all(distributions)])
    capped = [Distribution(counts["de"]).matches_capped(t) for t in ts["de"]]
    assert capped == pytest.approx([5.0, 10.0, 40.0, 100.0])
    goal = balance_goal(rule, target_images=100.0)
    solved, found = solve_shares(
        goal, distributions, lambda ts: {k: np.minimum(counts[k][:, None], v).sum(0) for k, v in ts.items()}
    )
    assert found.is_exact
    assert distributions["de"].matches_capped(solved.thresholds(distributions)["de"]) == pytest.approx(90.0, rel=1e-2)


def test_shares_are_a_setting_that_old_recipes_lack() -> None:
    assert recipe_settings(threshold_rule()).keys() == {"reference", "others", "t_by_language"}
    rule = threshold_rule(others=Others.shares, shares={"de": 0.5})
    lines = balance_goal(rule, t=5.0).cautions(["en"], None, forecast=False)
    assert lines == ["no text matches an entry in de: their balance.shares is not used"]
    assert recipe_settings(rule)["shares"] == {"de": 0.5}
    config = compose_config("balance_pairs", BalancePairsConfig, ["output=x", "balance=equal_languages"])
    assert (config.balance.others, config.balance.goal_tail_share, config.balance.shares) == ("shares", 0.06, {})
    for overrides, line in (
        (["balance.shares.de=2"], "balance.shares needs balance.others=shares"),
        (["balance=equal_languages", "balance.shares.de=0"], "balance.shares.de must be from 1e-6 to 1e6, got 0"),
    ):
        with pytest.raises(HeadtailError, match=line):
            compose_config("balance_pairs", BalancePairsConfig, ["output=x", *overrides])

"""Shares of languages: each language is to keep as many images as its share says, or all that it has.

The law, with `others=shares`: for one scale s, the expected images of language l are min(n_l, s * share_l), where n_l
are its images with t above all counts. s follows from the reference language's t or tail share, or from the number of
images in all. An image counts for the language of the text that it is kept with.

Counts do not tell images: a text of several entries is counted for each, and kept once. So a language's images are the
sum of min(count, t) times its yield. A pass over `matches` tells the images at given thresholds, and so the yields
there; passes are repeated until the images are as the law says. A number of images in all is refused by a pass alone,
the first one, which tells the images at the smallest t and above all counts: sums by yields are estimates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.balancing.distributions import Distributions
from curation.balancing.solve_t import solve_target
from curation.balancing.thresholds import BalanceGoal

TOLERANCE = 5e-3
MAX_PASSES = 16
MAX_SLOPE = 0.9
Expect = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""Returns the expected images of each language, given every language's t at each point."""


@dataclass(frozen=True)
class SharesFound:
    """The outcome: the largest relative distance of a language from its share, and the passes that it took."""

    distance: float
    passes: int

    @property
    def is_exact(self) -> bool:
        """True if every language is within TOLERANCE of its share, or keeps all that it has."""
        return self.distance <= TOLERANCE


@dataclass(frozen=True)
class Reach:
    """The images at the smallest t, `least`, and with t above all counts, `most`, by a pass over `matches`.

    `yields` are those of the languages with t above all counts. The images of one language are no bounds: with a lower
    t of other languages, more images have a text of this one alone.
    """

    least: float
    most: float
    yields: Mapping[str, float]

    @classmethod
    def of_pass(cls, goal: BalanceGoal, distributions: Distributions, expect: Expect) -> "Reach":
        """Return what a pass tells; languages with a t of their own keep it."""
        fixed = goal.first_pass_rule.t_by_language
        ends = distributions.each(
            lambda _, counts: np.array([distributions.smallest_t, np.nextafter(counts.counts[-1], np.inf)])
        )
        found = expect({lang: np.full(2, fixed[lang]) if lang in fixed else ts for lang, ts in ends.items()})
        images = {lang: found[lang] if lang in found else np.zeros(2) for lang in ends}
        matches = distributions.each(lambda lang, counts: counts.matches_capped(ends[lang][1]))
        least, most = (float(sum(each[at] for each in images.values())) for at in (0, 1))
        return cls(least, most, {lang: float(each[1]) / matches[lang] for lang, each in images.items()})


def solve_shares(goal: BalanceGoal, distributions: Distributions, expect: Expect) -> tuple[BalanceGoal, SharesFound]:
    """Return the goal with the yields at which the languages have their shares, and its target solved if it has one.

    Raises HeadtailError where the target cannot be reached.
    """
    rule = replace(goal.rule, yields={})
    tried: list[tuple[Mapping[str, float], Mapping[str, float]]] = []
    passes: dict[tuple[float, ...], Mapping[str, np.ndarray]] = {}
    reach = None if goal.target_images is None else Reach.of_pass(goal, distributions, expect)
    first = 1 if reach is None else 2
    for number in range(first, MAX_PASSES + 1):
        candidate = replace(goal, rule=rule)
        candidate = candidate if reach is None else _with_t(candidate, distributions, reach)
        t = candidate.thresholds(distributions)
        at = tuple(t.values())
        if at not in passes:  # where a language cannot have its share, the steps soon come back to the same thresholds
            passes[at] = expect({lang: np.array([one]) for lang, one in t.items()})
        images = {lang: float(values[0]) for lang, values in passes[at].items()}
        capped = {lang: distributions[lang].matches_capped(one) for lang, one in t.items()}
        yields = {lang: images.get(lang, 0.0) / capped[lang] for lang in t}
        found = SharesFound(_distance(candidate, distributions, t, images, yields), first - 1 + len(passes))
        if found.is_exact or number == MAX_PASSES:
            return candidate, found
        tried.append(({lang: rule.yields.get(lang, 1.0) for lang in t}, yields))
        wanted = {lang: _next(lang, tried[-2:]) for lang, value in yields.items() if value > 0}
        if reach is not None:  # a step that goes too far would lead beyond all counts, and back
            for lang in wanted:
                wanted[lang] = max(wanted[lang], min(yields[lang], reach.yields[lang]))
        rule = replace(rule, yields=wanted)
    raise AssertionError("the last pass returns")


def _next(lang: str, tried: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> float:
    """Return the yield to try next, after the last one or two: (yields assumed, yields found).

    A step of the secant method on logarithms: near the end of a language's images what is found moves almost as what is
    assumed does, and to assume what was found would take many passes.
    """
    assumed, found = (np.log([max(each[lang], 1e-12) for each in pair]) for pair in zip(*tried, strict=True))
    if len(tried) == 1 or abs(assumed[1] - assumed[0]) < 1e-9:
        return float(np.exp(found[-1]))
    slope = float(np.clip((found[1] - found[0]) / (assumed[1] - assumed[0]), 0.0, MAX_SLOPE))
    return float(np.exp((found[1] - slope * assumed[1]) / (1.0 - slope)))


def _with_t(goal: BalanceGoal, distributions: Distributions, reach: Reach) -> BalanceGoal:
    """Return the goal with its target solved by the yields as they are: without a pass."""
    assert goal.target_images is not None
    rule = goal.first_pass_rule

    largest = rule.t_of_all(distributions)

    def expect_samples(points: Sequence[float]) -> np.ndarray:
        ts, at = rule.thresholds(distributions, points), np.array(points)
        each = distributions.each(
            lambda lang, counts: rule.yields.get(lang, 1.0) * np.array([counts.matches_capped(t) for t in ts[lang]])
        )
        images = np.clip(np.sum(list(each.values()), axis=0), reach.least, reach.most)
        ends = [at <= distributions.smallest_t, at > largest]
        return goal.expected_samples(np.select(ends, [reach.least, reach.most], images))

    counts = distributions.reference(rule.reference).counts
    found = solve_target(goal.target_images, counts, largest, expect_samples, distributions.smallest_t)
    return replace(goal, solved_t=found.t)


def _distance(
    goal: BalanceGoal,
    distributions: Distributions,
    t: Mapping[str, float],
    images: Mapping[str, float],
    yields: Mapping[str, float],
) -> float:
    """Return the largest relative distance from the wished images, also that of the sum from the target."""
    rule = goal.rule
    scale = replace(rule, yields=yields).scale(distributions, t[rule.reference])
    distances = [0.0]
    for lang, found in images.items():
        if lang not in t or lang in rule.t_by_language:
            continue
        wished = scale * rule.shares.get(lang, 1.0)
        has_all = t[lang] > distributions[lang].counts[-1] and found <= wished
        distances.append(0.0 if has_all else abs(found / wished - 1.0))
    if goal.target_images is not None:
        total = goal.expected_samples(sum(images[lang] for lang in images if lang in t))
        distances.append(abs(total / goal.target_images - 1.0))
    return max(distances)

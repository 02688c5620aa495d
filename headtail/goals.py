"""What is wished of balancing, checked, and the thresholds that follow from it."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.balancing.distributions import Distributions
from curation.balancing.solve_t import solve_goal
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core.choices import Others, Unit
from curation.core.errors import HeadtailError

REFERENCE = "en"
"""The reference language where there are several, as `balance.reference` of the jobs has it by default."""
Expect = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Returns the expected images of all languages at each point, given every language's t at the points."""


@dataclass(frozen=True)
class Goal:
    """One of `t`, `tail_share` and `target_images`, with the rule for other languages than the `reference`."""

    t: float | Mapping[str, float] | None = None
    tail_share: float | None = None
    target_images: float | None = None
    reference: str = ""
    others: str = Others.tail_share

    def rule(self, distributions: Distributions) -> ThresholdRule:
        """Return the rule that gives each language its t.

        The reference is the language that is given, the only one, or English. Raises HeadtailError without a match, and
        where the reference has none.
        """
        known = [each for each in Others if each is not Others.shares]  # which takes passes over the matches
        if self.others not in known:
            raise HeadtailError(f"others must be one of {', '.join(known)}, got {self.others!r}")
        if not distributions.langs:
            raise HeadtailError("no text holds an entry of the list of its language: there is nothing to balance")
        reference = self.reference or (distributions.langs[0] if len(distributions.langs) == 1 else REFERENCE)
        with own_names():
            distributions.reference(reference)
        return ThresholdRule(reference, Others(self.others), {})

    def check(self) -> None:
        """Raise HeadtailError unless one wish is given, in its range."""
        wishes = {"t": self.t, "tail_share": self.tail_share, "target_images": self.target_images}
        given = {name: value for name, value in wishes.items() if value is not None}
        if len(given) != 1:
            found = f"got {' and '.join(given)}" if given else "got none"
            raise HeadtailError(f"give one of {', '.join(wishes)}: {found}")
        ((name, value),) = given.items()
        for each in value.values() if isinstance(value, Mapping) else [value]:
            check_number(name, each, 1 if name == "target_images" else 0, 1 if name == "tail_share" else math.inf)
            if name == "t" and not each > 0:
                raise HeadtailError(f"t must be above 0, got {each}")


MANY = 1 << 20
"""Larger limits are those of the machine, and not told."""


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """Raise HeadtailError unless a value is a finite number of a range."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:
        to = "" if most > MANY else f" and at most {most:g}"
        raise HeadtailError(f"{name} must be a number of at least {least:g}{to}, got {value!r}")


def check_counts(counts: Any) -> dict[str, np.ndarray]:
    """Return counts by language; raises HeadtailError where they are no mapping of language to an array of numbers."""
    if not isinstance(counts, Mapping):
        raise HeadtailError(f"counts must be a mapping of language to an array, got {type(counts).__name__}")
    found = {lang: np.asarray(values) for lang, values in sorted(counts.items())}
    for lang, values in found.items():
        if values.ndim != 1 or values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values >= 0)).all():
            raise HeadtailError(f"counts of {lang} must be an array with a number of at least 0 for each entry id")
    return found


def check_seed(seed: Any) -> int:
    """Return a seed; raises HeadtailError where it is no whole number."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise HeadtailError(f"seed must be a whole number, got {seed!r}")
    return int(seed)


def check_unit(unit: str) -> Unit:
    """Return the unit of a draw; raises HeadtailError where it is unknown."""
    if unit not in list(Unit):
        raise HeadtailError(f"unit must be one of {', '.join(Unit)}, got {unit!r}")
    return Unit(unit)


def find_thresholds(goal: Goal, distributions: Distributions, expect: Expect | None = None) -> dict[str, float]:
    """Return {lang: t} of each language with counts. `expect` is needed for `target_images`.

    Raises HeadtailError where the goal is none, a given mapping lacks a language, or a target cannot be reached.
    """
    goal.check()
    if isinstance(goal.t, Mapping):
        if missing := [lang for lang in distributions.langs if lang not in goal.t]:
            raise HeadtailError(f"t has no threshold of {', '.join(missing)}, for which there are counts")
        return {lang: float(goal.t[lang]) for lang in distributions.langs}
    t, share, images = (None if wish is None else float(wish) for wish in (goal.t, goal.tail_share, goal.target_images))
    wanted = BalanceGoal(goal.rule(distributions), t, share, images, headroom=1.0)
    with own_names():
        if expect is not None and wanted.target_images is not None:
            wanted, _ = solve_goal(wanted, distributions, expect)
        return wanted.thresholds(distributions)


@contextmanager
def own_names() -> Iterator[None]:
    """Name settings of the jobs (`balance.reference`) as the arguments of this package (`reference`) in messages."""
    try:
        yield
    except HeadtailError as error:
        raise HeadtailError(str(error).replace("balance.", "")) from error

"""Settings of balancing for tests, with the defaults of the configuration."""

from dataclasses import replace
from typing import Any

from conf.schema.topics import BalanceConfig
from curation.balancing.thresholds import BalanceGoal, ThresholdRule


def threshold_rule(**changes: Any) -> ThresholdRule:
    """Return the default rule with some fields changed."""
    defaults = BalanceConfig()
    return replace(ThresholdRule(defaults.reference, defaults.others, defaults.t_by_language), **changes)


def balance_goal(rule: ThresholdRule | None = None, **changes: Any) -> BalanceGoal:
    """Return a goal with the default headroom; `changes` name what is asked for."""
    goal = BalanceGoal(rule or threshold_rule(), None, None, None, BalanceConfig().headroom)
    return replace(goal, **changes)

"""The goal of a balance that a configuration sets, and the recipe of the balance."""

from collections.abc import Collection

from conf.schema.jobs import BalancePairsConfig
from curation.balancing.balance import LOGIC_VERSION
from curation.balancing.domain_cap import limit_settings
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe, recipe_settings
from curation.core.schemas import CURATED
from curation.core.seeds import run_seed
from curation.core.tables import Table
from jobs.concept_settings import concept_recipe

NAME = "balance_pairs"


def goal_of(config: BalancePairsConfig) -> BalanceGoal:
    """Return the goal that the configuration sets."""
    asked = config.balance
    rule = ThresholdRule(asked.reference, asked.others, asked.t_by_language)
    return BalanceGoal(rule, asked.t, asked.goal_tail_share, asked.target_images, asked.headroom)


def recipe_of(config: BalancePairsConfig, inputs: list[dict]) -> Recipe:
    """Return the recipe of the balance of these inputs, with the seed of the run."""
    limit = limit_settings(config.balance.max_per_domain, Table(config.curated, CURATED).parts())
    seed = run_seed(config.output, config.seed, [config.curated])
    settings = {"seed": seed, "unit": config.balance.unit, **recipe_settings(goal_of(config)), **limit}
    settings |= concept_recipe(config)
    return Recipe(NAME, LOGIC_VERSION, settings, inputs)


def check_reference(config: BalancePairsConfig, languages: Collection[str]) -> None:
    """Raise HeadtailError if thresholds come from a reference language that is not one of the matched `languages`."""
    asked = config.balance
    if asked.reference not in languages and (asked.t or asked.target_images or config.forecast):
        raise HeadtailError(
            f"balance.reference={asked.reference} is not matched: set it to one of {', '.join(sorted(languages)[:20])}"
        )

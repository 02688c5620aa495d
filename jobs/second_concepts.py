"""The concepts of a second balance, as write_shards uses them, and their part of its recipe."""

from collections.abc import Collection, Mapping
from typing import Any

from conf.schema.jobs import BalancePairsConfig, WriteShardsConfig
from conf.schema.topics import DEFAULT_TAIL_SHARE
from curation.balancing.concept_counts import ConceptGoal
from curation.balancing.concept_tables import list_concepts, open_concepts, read_names
from curation.core.choices import Combine
from curation.core.errors import HeadtailError
from curation.shards.second_balance import CONCEPTS
from curation.shards.second_concepts import SecondConcepts
from jobs.concept_settings import state_of

AGAIN = "second_balance=true balances by them"


def is_balanced_again(config: WriteShardsConfig, headroom: float) -> bool:
    """Return whether the survivors are drawn again, given the headroom of the first balance."""
    return headroom < 1.0 if config.second_balance is None else config.second_balance


def refuse_unused(concepts: Collection[str], first: Collection[str]) -> None:
    """Raise HeadtailError for concepts that have no part in any balance: the `first` one had others."""
    if unused := sorted(set(concepts) - set(first)):
        raise HeadtailError(
            f"concepts.{unused[0]} has no part in the balance before the download, and there is no second balance: "
            f"{AGAIN}"
        )


def refuse_other_goals(config: WriteShardsConfig, first: Collection[str]) -> None:
    """Raise HeadtailError for goals of the second balance alone that are given to namespaces of the first one."""
    for setting in ("concept_t", "concept_tail_share"):
        for name in getattr(config, setting):
            if name in first:
                raise HeadtailError(
                    f"{setting}.{name}: concepts.{name} is of both balances, and balance.{setting}.{name} of "
                    "balance_pairs is its goal: leave it out"
                )


def second_concepts_of(config: WriteShardsConfig, balance: Mapping[str, Any]) -> SecondConcepts | None:
    """Return the concepts of the second balance, given the settings of the first one; None without any.

    The names of concepts, which bound their ids, are those that `curate` has for both balances.
    Raises HeadtailError where those of the first balance are not among them as they were, and for wrong tables.
    """
    first, files = balance.get(CONCEPTS, {}), list_concepts(config.concepts)
    for name in sorted(first):
        if name not in files:
            raise HeadtailError(
                f"the images were balanced with concepts.{name}, and the second balance needs this table: give "
                f"concepts.{name}=..., or second_balance=false"
            )
        if state_of(files[name]) != first[name]:
            raise HeadtailError(
                f"concepts.{name} is another table than balance_pairs had, by the names, sizes or times of its files: "
                "give that one, or run balance_pairs again"
            )
    refuse_other_goals(config, first)
    if not files:
        return None
    share = DEFAULT_TAIL_SHARE if balance["tail_share"] is None else balance["tail_share"]
    goals = {}
    for name in files:
        ts, shares = (
            balance.get(setting, {}) if name in first else getattr(config, setting)
            for setting in ("concept_t", "concept_tail_share")
        )
        goals[name] = ConceptGoal(ts.get(name), None if name in ts else shares.get(name, share))
    names = read_names(config.concept_names) if isinstance(config, BalancePairsConfig) else {}
    combine = Combine(balance.get("combine", Combine.product))
    return SecondConcepts(tuple(open_concepts(config.concepts, names)), goals, combine, config.allow_empty)


def concept_recipe(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the settings of concepts that decide a second balance, none without concepts."""
    goals = {name: getattr(config, name) for name in ("concept_t", "concept_tail_share")}
    states = {name: state_of(files) for name, files in list_concepts(config.concepts).items()}
    return {name: value for name, value in {CONCEPTS: states, **goals}.items() if value}

"""The goal of a balance that a configuration sets, and the recipe of the balance."""

from collections.abc import Collection

from conf.schema.jobs import BalancePairsConfig
from curation.balancing.balance import LOGIC_VERSION
from curation.balancing.domain_cap import limit_settings
from curation.balancing.entry_table import Words
from curation.balancing.target_table import TargetTable, read_target_table
from curation.balancing.targets import EntryTargets
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core.amounts import counted
from curation.core.choices import Others
from curation.core.errors import HeadtailError
from curation.core.kept_targets import SETTING
from curation.core.progress import say
from curation.core.recipes import Recipe, recipe_settings
from curation.core.schemas import CURATED
from curation.core.seeds import run_seed
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.matching.parts import MatchesTables
from jobs.concept_settings import concept_recipe, names_of_concepts
from jobs.entries import words_beside
from jobs.entry_lists import with_lists

NAME = "balance_pairs"


def goal_of(config: BalancePairsConfig) -> BalanceGoal:
    """Return the goal that the configuration sets."""
    asked = config.balance
    rule = ThresholdRule(asked.reference, asked.others, asked.t_by_language, asked.shares)
    return BalanceGoal(rule, asked.t, asked.goal_tail_share, asked.target_images, asked.headroom)


def recipe_of(config: BalancePairsConfig, inputs: list[dict]) -> Recipe:
    """Return the recipe of the balance of these inputs, with the seed of the run."""
    limit = limit_settings(config.balance.max_per_domain, Table(config.curated, CURATED).parts())
    seed = run_seed(config.output, config.seed, [config.curated])
    settings = {"seed": seed, "unit": config.balance.unit, **recipe_settings(goal_of(config)), **limit}
    settings |= concept_recipe(config)
    if table := target_table(config):
        by_words = table.name == "entry" and table.namespaces
        settings[SETTING] = table.hash_with(names_of_concepts(config)) if by_words else table.hash
    return Recipe(NAME, LOGIC_VERSION, settings, inputs)


def target_table(config: BalancePairsConfig) -> TargetTable | None:
    """Return the targets that the configuration names, None without any; raises HeadtailError where they are wrong."""
    return read_target_table(config.balance.targets) if config.balance.targets else None


def check_targets(config: BalancePairsConfig, store: EntryStore, languages: Collection[str]) -> None:
    """Raise HeadtailError if the targets name entries that the lists of the matched `languages` do not hold."""
    if table := target_table(config):
        words = Words.of_lists(store, [lang for lang in table.langs if lang in languages] or languages)
        table.resolve(words, names_of_concepts(config))


def read_targets(config: BalancePairsConfig, matches: MatchesTables) -> EntryTargets | None:
    """Return the targets of entries, with the words of these matches: those of a table `entries`, or of the lists.

    Raises HeadtailError if the targets name entries that are not among them.
    """
    if (table := target_table(config)) is None:
        return None
    metadata = matches.parts[0].manifest["settings"].get("metadata", "")
    words = Words.of_tables(words_beside(config.entries, matches.parts), metadata)
    if words is None and config.entry_lists:
        store = EntryStore.open(with_lists(config).entry_lists)
        words = Words.of_lists(store, matches.languages) if store.hash == metadata else None
    targets = table.resolve(words, names_of_concepts(config))
    say(NAME, f"{len(targets):,} of the {counted(len(table.rows), 'rows')} of {config.balance.targets} are targets")
    return targets


def check_reference(config: BalancePairsConfig, languages: Collection[str]) -> None:
    """Raise HeadtailError if thresholds come from a reference language that is not one of the matched `languages`."""
    asked = config.balance
    needed = asked.t or asked.target_images or config.forecast or asked.others == Others.shares
    if asked.reference not in languages and needed:
        raise HeadtailError(
            f"balance.reference={asked.reference} is not matched: set it to one of {', '.join(sorted(languages)[:20])}"
        )

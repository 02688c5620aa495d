"""Explain why a text is kept or dropped: its language, its entries, their counts and probabilities."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from headtail.start import launch
from conf.schema.jobs import ExplainConfig
from curation.balancing.targets import targets_of
from curation.core.choices import LanguageRule
from curation.core.errors import HeadtailError
from curation.core.run_folders import run_instead
from curation.core.schemas import ENTRY_COUNTS, MATCHES, PAIRS, THRESHOLDS
from curation.core.tables import Table
from curation.extraction.language import DEFAULT_MODEL, DROP, UNKNOWN_BY_DEFAULT, LanguageRules
from curation.extraction.single_text import TextLanguage, language_of_text
from curation.matching.entry_store import EntryStore
from curation.matching.match import languages_of
from curation.report.concept_values import concept_lines
from curation.report.explain import Explanation, Lists, explain_text, explanation_lines, read_counts, read_threshold
from curation.report.run_lists import RunLists
from jobs.entry_lists import STARTER, cached_lists, with_lists

UNKNOWN = "nothing tells the language, and the run has language.unknown=drop (language_unknown)"


def run(config: ExplainConfig) -> None:
    """Print the explanation of one text, with the counts and thresholds of the run in `output` if it is set."""
    matches = Table(config.matches, MATCHES).parts() if config.output else []
    settings = matches[0].manifest["settings"] if matches else {}
    pairs = [part.manifest["settings"] for part in Table(config.pairs, PAIRS, None).parts()] if config.output else []
    found = TextLanguage(config.lang, None, "")
    if not config.lang:
        found = language_of_text(config.text, language_rules(pairs, config.language_model))
    store = lists_of(config, settings, found.lang)
    lang, score, by = found
    if lang == DROP:
        undecided = Explanation(config.text, "unknown", score, None, dropped=UNKNOWN, by=by)
        print(*explanation_lines(undecided), sep="\n")  # noqa: T201 the output of the command
        return
    count_files = Table(config.entry_counts, ENTRY_COUNTS).files() if config.output else []
    balanced = Table(config.thresholds, THRESHOLDS).parts() if config.output else []
    counts = read_counts(count_files, lang) if count_files else None
    t = read_threshold([file for part in balanced for file in part.files], lang)
    targets = targets_of(balanced[0]) if balanced else None
    explanation = explain_text(config.text, lang, score, store, counts, t, kept_languages(pairs, settings), targets)
    concepts = concept_lines(config.concept_counts, next(iter(balanced), None))
    print(*explanation_lines(replace(explanation, by=by)), *concepts, sep="\n")  # noqa: T201 the output of the command


def lists_of(config: ExplainConfig, matching: dict[str, Any], lang: str) -> Lists:
    """Return the entry lists that the settings name, or those of the run; `matching` are its settings of match_pairs.

    `lang` is the language of the text. Raises HeadtailError for lists that the run was not matched with.
    """
    if not config.entry_lists:
        if not matching:
            lacks = f"{config.output} has no matches{run_instead(config.output)}"
            where = lacks if config.output else "neither entry_lists nor output is given"
            raise HeadtailError(f"{where}: add entry_lists=..., or the output of a run that has matches")
        lists = RunLists.open(config.entries, matching["metadata"], matching["edges"])
        if lists is None:
            raise HeadtailError(f"{config.entries} does not hold the entries of this run: give its entry_lists")
        return lists
    path = config.entry_lists
    if path == STARTER:
        path = with_lists(config).entry_lists if config.output else cached_lists(lang)
    store = EntryStore.open(path, matching.get("edges", config.edges.value))
    store.check_languages()
    if matching and matching["metadata"] != store.hash:
        raise HeadtailError(
            f"matches in {config.matches} were made with metadata {matching['metadata'][:8]}, {path} is "
            f"{store.hash[:8]}: leave entry_lists out, or give those that match_pairs had"
        )
    return store


def language_rules(pairs: Sequence[dict[str, Any]], model: str) -> LanguageRules:
    """Return the rules by which the pairs of a run, by the settings of their parts, got their languages.

    `model` takes the place of their classifier, unless it is DEFAULT_MODEL. Without pairs the rules are those of a new
    run.
    """
    if not pairs or "language" not in pairs[0]:
        return LanguageRules(model, (), 0.0, LanguageRule.careful)
    settings = pairs[0]["language"]
    return LanguageRules(
        settings["model"] if model == DEFAULT_MODEL else model,
        tuple(settings["languages"]),
        settings["min_score"],
        LanguageRule(settings.get("rule", LanguageRule.published)),
        settings.get("unknown", UNKNOWN_BY_DEFAULT),
        tuple(tuple(group) for group in settings.get("merge", ())),
    )


def kept_languages(pairs: Sequence[dict[str, Any]], matching: dict) -> Collection[str]:
    """Return the languages that the run keeps, none if it keeps all.

    `pairs` are the settings of the parts of pairs, `matching` those of match_pairs.
    """
    return matching.get("languages") or languages_of(pairs)


if __name__ == "__main__":
    launch(run)

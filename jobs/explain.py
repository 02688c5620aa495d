"""Explain why a text is kept or dropped: its language, its entries, their counts and probabilities."""

from collections.abc import Collection

import pyarrow as pa

from conf.schema.jobs import ExplainConfig
from curation.core.choices import LanguageRule
from curation.core.errors import HeadtailError
from curation.core.schemas import ENTRY_COUNTS, MATCHES, PAIRS, THRESHOLDS
from curation.core.tables import Table
from curation.extraction.careful_languages import languages_alone
from curation.extraction.language import DROP, LanguageRules
from curation.matching.entry_store import EntryStore
from curation.matching.match import languages_of
from curation.report.explain import Explanation, explain_text, explanation_lines, read_counts, read_threshold
from jobs.cli import launch


def run(config: ExplainConfig) -> None:
    """Print the explanation of one text, with the counts and thresholds of the run in `output` if it is set."""
    matches = Table(config.matches, MATCHES).parts() if config.output else []
    settings = matches[0].manifest["settings"] if matches else {}
    store = EntryStore.open(config.entry_lists, settings.get("edges", config.edges.value))
    store.check_languages()
    if settings and settings["metadata"] != store.hash:
        raise HeadtailError(
            f"matches in {config.matches} were made with metadata {settings['metadata'][:8]}, {config.entry_lists} is "
            f"{store.hash[:8]}: give the entry lists that match_pairs had"
        )
    lang, score = config.lang, None
    if not lang:
        codes, scores = languages_alone(pa.array([config.text]), language_rules(config))
        lang, score = codes[0].as_py(), float(scores[0])
    if lang == DROP:
        line = "nothing tells its language, and the run drops such texts (language_unknown)"
        found = Explanation(config.text, "unknown", score, None, dropped=line)
        print(*explanation_lines(found), sep="\n")  # noqa: T201 the output of the command
        return
    count_files = Table(config.entry_counts, ENTRY_COUNTS).files() if config.output else []
    threshold_files = Table(config.thresholds, THRESHOLDS).files() if config.output else []
    counts = read_counts(count_files, lang) if count_files else None
    t = read_threshold(threshold_files, lang)
    explanation = explain_text(config.text, lang, score, store, counts, t, kept_languages(config, settings))
    print(*explanation_lines(explanation), sep="\n")  # noqa: T201 the output of the command


def language_rules(config: ExplainConfig) -> LanguageRules:
    """Return the rules by which the run has decided languages; without a run, those of a new one."""
    parts = Table(config.pairs, PAIRS, None).parts() if config.output else []
    told = parts[0].manifest["settings"].get("language", {}) if parts else {"rule": LanguageRule.careful}
    rule = LanguageRule(told.get("rule", LanguageRule.published))
    merge = tuple(map(tuple, told.get("merge", ())))
    return LanguageRules(config.language_model, (), 0.0, rule, told.get("unknown", "en"), merge)


def kept_languages(config: ExplainConfig, matching: dict) -> Collection[str]:
    """Return the languages that the run keeps, none if it keeps all; `matching` are the settings of match_pairs."""
    if not config.output or matching.get("languages"):
        return matching.get("languages", ())
    return languages_of(part.manifest["settings"] for part in Table(config.pairs, PAIRS, None).parts())


if __name__ == "__main__":
    launch(run)

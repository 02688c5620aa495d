"""Explain why a text is kept or dropped: its language, its entries, their counts and probabilities."""

from collections.abc import Collection

import pyarrow as pa

from conf.schema.jobs import ExplainConfig
from curation.core.errors import HeadtailError
from curation.core.schemas import ENTRY_COUNTS, MATCHES, PAIRS, THRESHOLDS
from curation.core.tables import Table
from curation.extraction.language import detect_languages
from curation.matching.entry_store import EntryStore
from curation.matching.match import languages_of
from curation.report.explain import explain_text, explanation_lines, read_counts, read_threshold
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
        codes, scores = detect_languages(pa.array([config.text]), config.language_model)
        lang, score = codes[0].as_py(), float(scores[0])
    count_files = Table(config.entry_counts, ENTRY_COUNTS).files() if config.output else []
    threshold_files = Table(config.thresholds, THRESHOLDS).files() if config.output else []
    counts = read_counts(count_files, lang) if count_files else None
    t = read_threshold(threshold_files, lang)
    explanation = explain_text(config.text, lang, score, store, counts, t, kept_languages(config, settings))
    print(*explanation_lines(explanation), sep="\n")  # noqa: T201 the output of the command


def kept_languages(config: ExplainConfig, matching: dict) -> Collection[str]:
    """Return the languages that the run keeps, none if it keeps all; `matching` are the settings of match_pairs."""
    if not config.output or matching.get("languages"):
        return matching.get("languages", ())
    return languages_of(part.manifest["settings"] for part in Table(config.pairs, PAIRS, None).parts())


if __name__ == "__main__":
    launch(run)

"""Say why a text would be kept: its language, its entries, their counts and probabilities."""

import pyarrow as pa

from conf.schema.jobs import ExplainConfig
from curation.core.errors import HeadtailError
from curation.core.schemas import MATCHES
from curation.core.tables import Table
from curation.extraction.language import detect_languages
from curation.matching.entry_store import EntryStore
from curation.report.explain import explain_text, read_counts, read_threshold, tell
from jobs.cli import launch


def run(config: ExplainConfig) -> None:
    """Print the explanation of one text, with the counts of the run in `output` where there is one."""
    matches = Table(config.matches, MATCHES).parts() if config.output else []
    rules = matches[0].manifest["settings"] if matches else {}
    store = EntryStore.open(config.entry_lists, rules.get("edges", config.edges.value))
    if rules and rules["metadata"] != store.hash:
        raise HeadtailError(
            f"matches in {config.matches} were made with metadata {rules['metadata'][:8]}, {config.entry_lists} is "
            f"{store.hash[:8]}: give the lists that they were made with"
        )
    lang, score = config.lang, None
    if not lang:
        codes, scores = detect_languages(pa.array([config.text]), config.language_model)
        lang, score = codes[0].as_py(), float(scores[0])
    counted, balanced = (
        Table(path).files() if config.output else [] for path in (config.entry_counts, config.thresholds)
    )
    counts = read_counts(counted, lang) if counted else None
    found = explain_text(config.text, lang, score, store, counts, read_threshold(balanced, lang))
    print(*tell(found), sep="\n")  # noqa: T201 what was asked for


if __name__ == "__main__":
    launch(run)

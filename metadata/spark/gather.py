"""Turns partial counts into the terms of all wikis, with an account of each source."""

import math
from dataclasses import dataclass

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from curation.core.choices import BigramScore
from metadata.lists.rules import Rules, SourceRow, chosen_count
from metadata.sources import ngrams, page_views
from metadata.spark.terms import (
    COUNTS,
    VIEWS,
    choose_bigrams,
    choose_counted,
    count_terms,
    pmi_percentiles,
    read_files,
    score_bigrams,
    sum_titles,
    sum_unigrams,
    top_terms,
)

MAX_NAMES = 400_000
"""More names than any WordNet has: the maximum of entries before the first unigram, besides the numbers."""

ROWS_PER_PARTITION = 1_000_000
"""Rows of partial counts in a partition of a shuffle: about 30 MB."""


def set_partitions(spark: SparkSession, rows: int) -> None:
    """Set the partitions of the session's shuffles by their rows; the result does not depend on them.

    Only the tables that the code says are sent whole to every task: Spark would send the words of a large wiki, too,
    whose compressed size is small, and ends with "not enough memory".
    """
    partitions = max(spark.sparkContext.defaultParallelism, rows // ROWS_PER_PARTITION)
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    for name in ("spark.sql.autoBroadcastJoinThreshold", "spark.sql.adaptive.autoBroadcastJoinThreshold"):
        spark.conf.set(name, -1)


@dataclass(frozen=True)
class Terms:
    """The terms of all wikis that may become entries (lang, source, text, score), and the accounts of their sources."""

    terms: DataFrame
    rows: dict[str, dict[str, SourceRow]]


def gather_terms(
    spark: SparkSession, ngram_files: list[str], view_files: list[str], languages: list[str], rules: Rules
) -> Terms:
    """Add up the counts of all wikis, choose and rank their terms. Collects a few rows per language."""
    counts = read_files(spark, ngram_files, ngrams.COUNTS, COUNTS).where(F.col("lang").isin(languages))
    views = read_files(spark, view_files, page_views.VIEWS, VIEWS).where(F.col("lang").isin(languages))
    unigrams = sum_unigrams(counts).persist(StorageLevel.DISK_ONLY)
    titles = sum_titles(views).persist(StorageLevel.DISK_ONLY)
    unigram_rows = count_terms(unigrams, rules.unigram_min_count)
    title_rows = count_terms(titles, rules.title_min_views)
    words = {lang: total for lang, (_, _, total) in unigram_rows.items()}
    bigrams = score_bigrams(counts, unigrams, words).persist(StorageLevel.DISK_ONLY)
    percentiles = (
        pmi_percentiles(bigrams, rules.bigram_pmi_percentile) if rules.bigram_score == BigramScore.count_pmi else {}
    )
    chosen_bigrams = choose_bigrams(bigrams, rules, percentiles)
    bigram_rows = {lang: rows for lang, (rows, _, _) in count_terms(bigrams, 1).items()}
    passing = {row.lang: row["count"] for row in chosen_bigrams.groupBy("lang").count().collect()}

    found = {
        lang: {
            "unigram": _counted_row("unigram", unigram_rows.get(lang), rules),
            "bigram": _bigram_row(bigram_rows.get(lang, 0), passing.get(lang, 0), words.get(lang, 0), rules),
            "title": _counted_row("title", title_rows.get(lang), rules),
        }
        for lang in languages
    }
    terms = (
        choose_counted(unigrams, "unigram", rules.unigram_min_count)
        .unionByName(chosen_bigrams)
        .unionByName(choose_counted(titles, "title", rules.title_min_views))
    )
    limits = {
        (lang, source): limit for lang in languages for source, limit in _limits(found[lang], rules).items() if limit
    }
    return Terms(top_terms(terms, limits), found)


def _limits(rows: dict[str, SourceRow], rules: Rules) -> dict[str, int]:
    """Return how many of its best terms a list needs of each source: the chosen ones, or its cap plus all before."""
    limits: dict[str, int] = {}
    before = MAX_NAMES + rules.numbers
    for source, row in rows.items():
        cap = rules.cap(source)
        limits[source] = min(row.chosen, cap + before) if cap else row.chosen
        before += limits[source]
    return limits


def _counted_row(source: str, counted: tuple[int, int, int] | None, rules: Rules) -> SourceRow:
    row = SourceRow(source, rules.describe(source))
    if counted:
        row.available, passing, _ = counted
        row.chosen = chosen_count(rules.top_share(source), passing)
        if row.available and not row.chosen:
            row.note = "the rule takes none"
    else:
        row.note = (
            "no words: no dump of this wiki, or no article in it"
            if source == "unigram"
            else "no page views of this wiki, or none that count"
        )
    return row


def _bigram_row(available: int, passing: int, words: int, rules: Rules) -> SourceRow:
    row = SourceRow("bigram", rules.describe("bigram"), available, passing)
    if not words:
        row.note = "no words"
    elif not passing:
        row.note = f"the rule takes none: PMI is at most {math.log2(words):.1f} with {words:,} words"
    return row

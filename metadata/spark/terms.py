"""Turns counts into terms on the cluster: sums, PMI, ranks. The driver gets a few rows per language.

| DataFrame | columns |
|---|---|
| counts | lang, source, first, second, count: partial counts, of `metadata.sources.ngrams` |
| unigrams | lang, text, count |
| bigrams | lang, text, count, pmi |
| titles | lang, text, count |
| terms | lang, source, text, score |
"""

from collections.abc import Iterator

import msgspec
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from curation.core.choices import BigramScore
from curation.core.languages import LANGUAGES
from curation.core.table_reader import read_batches
from curation.spark.tasks import on_worker, plan_tasks
from metadata.lists.rules import PMI_STEPS, Rules
from metadata.sources.words import ALPHABETIC, TIBETAN, UNSPACED

COUNTS = "lang string, source string, first string, second string, count bigint"
VIEWS = "lang string, title string, views bigint"


def read_files(spark: SparkSession, files: list[str], schema: pa.Schema, columns: str) -> DataFrame:
    """Return the rows of Parquet files with this schema, a file a task; `columns` are the same for Spark."""
    if not files:
        return spark.createDataFrame([], columns)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path in batch.column("task").to_pylist():
                yield from read_batches(msgspec.json.decode(path), schema)

    return plan_tasks(spark, files).mapInArrow(on_worker(read), columns)


def sum_unigrams(counts: DataFrame) -> DataFrame:
    """Add up the words of partial counts: (lang, text, count). Shuffles by word."""
    return (
        counts.where(F.col("source") == "unigram")
        .groupBy("lang", F.col("first").alias("text"))
        .agg(F.sum("count").alias("count"))
    )


def sum_titles(views: DataFrame) -> DataFrame:
    """Add up page views: (lang, text, count). Shuffles by title."""
    return views.groupBy("lang", F.col("title").alias("text")).agg(F.sum("views").alias("count"))


def count_terms(terms: DataFrame, minimum: int) -> dict[str, tuple[int, int, int]]:
    """Return by language: distinct terms, terms with at least `minimum`, sum of all counts. Collects a row each."""
    rows = terms.groupBy("lang").agg(
        F.count("*").alias("rows"),
        F.sum((F.col("count") >= minimum).cast("long")).alias("passing"),
        F.sum("count").alias("total"),
    )
    return {row.lang: (row.rows, row.passing, row.total) for row in rows.collect()}


def score_bigrams(counts: DataFrame, unigrams: DataFrame, words: dict[str, int]) -> DataFrame:
    """Add up the bigrams of partial counts and give them PMI: (lang, text, count, pmi).

    PMI = log2(count * words / (count of the first * count of the second)), where `words` is the number of all words of
    the language, as in NLTK. Shuffles by bigram, then by each of its words.
    """
    spark = counts.sparkSession
    languages = [(lang, float(total), LANGUAGES[lang].blanks) for lang, total in sorted(words.items())]
    totals = spark.createDataFrame(languages, "lang string, words double, blanks boolean")
    first = unigrams.select("lang", F.col("text").alias("first"), F.col("count").alias("first_count"))
    second = unigrams.select("lang", F.col("text").alias("second"), F.col("count").alias("second_count"))
    summed = (
        counts.where(F.col("source") == "bigram").groupBy("lang", "first", "second").agg(F.sum("count").alias("count"))
    )
    pmi = F.log2(F.col("count") * F.col("words")) - F.log2(
        F.col("first_count").cast("double") * F.col("second_count").cast("double")
    )
    return (
        summed.join(first, ["lang", "first"], how="inner")
        .join(second, ["lang", "second"], how="inner")
        .join(F.broadcast(totals), "lang", how="inner")
        # Words joined without a blank can give one text in two ways: the list takes the bigram with the better score.
        .select("lang", _joined().alias("text"), "count", pmi.alias("pmi"))
    )


def _joined() -> Column:
    """Return the entry of a bigram as an expression over first, second and blanks.

    Tibetan syllables are joined by their tsheg, words of a script without blanks by nothing, words of an alphabet by a
    blank, other words by a blank if the language has blanks.
    """

    def meet(kind: str) -> Column:
        return F.col("first").rlike(f"{kind}$") & F.col("second").rlike(f"^{kind}")

    joint = (
        F.when(meet(TIBETAN), "\u0f0b")
        .when(meet(UNSPACED), "")
        .when(F.col("blanks") | meet(ALPHABETIC), " ")
        .otherwise("")
    )
    return F.concat("first", joint, "second")


def pmi_percentiles(bigrams: DataFrame, share: float) -> dict[str, float]:
    """Return the percentile of PMI by language: the nearest lower rank, rounded down to 1/`PMI_STEPS` bit.

    Collects a row per language.
    """
    steps = bigrams.groupBy("lang", F.floor(F.col("pmi") * PMI_STEPS).alias("step")).agg(F.count("*").alias("rows"))
    ordered = Window.partitionBy("lang").orderBy("step")
    rank = F.floor((F.sum("rows").over(Window.partitionBy("lang")) - 1) * share) + 1
    found = (
        steps.select("lang", "step", F.sum("rows").over(ordered).alias("below"), rank.alias("rank"))
        .where(F.col("below") >= F.col("rank"))
        .groupBy("lang")
        .agg(F.min("step").alias("step"))
    )
    return {row.lang: row.step / PMI_STEPS for row in found.collect()}


def choose_bigrams(bigrams: DataFrame, rules: Rules, percentiles: dict[str, float]) -> DataFrame:
    """Keep the bigrams that pass the minima, with their score: (lang, source, text, score)."""
    kept = bigrams.where(F.col("count") >= rules.bigram_min_count)
    if rules.bigram_min_pmi is not None:
        kept = kept.where(F.col("pmi") >= rules.bigram_min_pmi)
    score = F.col("pmi")
    if rules.bigram_score == BigramScore.count_pmi:
        spark = bigrams.sparkSession
        base = spark.createDataFrame(sorted(percentiles.items()), "lang string, base double")
        kept = kept.join(F.broadcast(base), "lang", how="inner")
        score = F.pow(F.col("count") + 1, F.lit(0.7)) * (F.col("pmi") - F.col("base"))
    scored = kept.select("lang", F.lit("bigram").alias("source"), "text", score.alias("score"))
    return scored.where(F.col("score") > 0) if rules.bigram_score == BigramScore.count_pmi else scored


def choose_counted(terms: DataFrame, source: str, minimum: int) -> DataFrame:
    """Keep the terms with a count of at least `minimum`, which is their score: (lang, source, text, score)."""
    kept = terms.where(F.col("count") >= minimum)
    return kept.select("lang", F.lit(source).alias("source"), "text", F.col("count").cast("double").alias("score"))


def top_terms(terms: DataFrame, limits: dict[tuple[str, str], int]) -> DataFrame:
    """Keep the best terms of each language and source: `limits` of them, and a few more of nearly the same score.

    Ranks come from a histogram of the logarithms of scores, so no task sorts all terms of a language. The task that
    writes the list cuts the surplus.
    """
    spark = terms.sparkSession
    rows = [(lang, source, limit) for (lang, source), limit in sorted(limits.items())]
    limit = spark.createDataFrame(rows, "lang string, source string, limit bigint")
    step = F.floor(F.signum("score") * F.log1p(F.abs(F.col("score"))) * 65536)
    stepped = terms.withColumn("step", step)
    ordered = Window.partitionBy("lang", "source").orderBy(F.col("step").desc())
    cuts = (
        stepped.groupBy("lang", "source", "step")
        .agg(F.count("*").alias("rows"))
        .withColumn("above", F.sum("rows").over(ordered) - F.col("rows"))
        .join(F.broadcast(limit), ["lang", "source"], how="inner")
        .where(F.col("above") < F.col("limit"))
        .groupBy("lang", "source")
        .agg(F.min("step").alias("cut"))
    )
    return (
        stepped.join(F.broadcast(cuts), ["lang", "source"], how="inner")
        .where(F.col("step") >= F.col("cut"))
        .select("lang", "source", "text", "score")
    )

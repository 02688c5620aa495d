"""Spark's counts, scores and lists equal those of a loop for any partitions; the job runs as a user starts it."""

import json
import math
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig
from curation.core.choices import BigramScore
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.matching.entry_store import EntryStore
from jobs.build_metadata import run
from metadata.lists.rules import PMI_STEPS
from metadata.sources.articles import CountTask, count_file, read_articles
from metadata.sources.wordnet import copy_shipped
from metadata.spark.gather import gather_terms
from metadata.spark.terms import COUNTS, score_bigrams, sum_unigrams, top_terms
from tests.conftest import SHARED, needs_shared
from tests.dump_data import count_naively, dump, join_bigram, multistream
from tests.unit.metadata.settings import dump_settings, list_rules

ENGLISH = SHARED / "wikidump" / "enwiki-206-pages.xml.bz2"


@pytest.fixture(autouse=True)
def few_partitions(spark: SparkSession) -> Iterator[None]:
    """Small inputs need no 200 partitions a shuffle."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    yield
    spark.conf.set("spark.sql.shuffle.partitions", before)


def naive_pmi(words: Counter[str], bigrams: Counter[tuple[str, str]]) -> dict[tuple[str, str], float]:
    total = sum(words.values())
    return {
        (first, second): math.log2(count * total) - math.log2(words[first] * words[second])
        for (first, second), count in bigrams.items()
    }


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Counter[str], Counter[tuple[str, str]]]:
    """Partial counts of the English sample, and the same counted naively."""
    if not ENGLISH.exists():
        pytest.skip("the real data of ../shared/data is not here")
    output = str(tmp_path_factory.mktemp("counts") / "0.parquet")
    task = CountTask(str(ENGLISH), "en", 0, None, output)
    count_file(task, dump_settings()).check()
    texts = read_articles(str(ENGLISH), 0, None, dump_settings(), Receipt("r"))
    return output, *count_naively(texts, singles=True)


def test_pmi_equals_nltks(spark: SparkSession, english: tuple) -> None:
    from nltk.collocations import BigramAssocMeasures, BigramCollocationFinder
    from nltk.probability import FreqDist

    path, words, bigrams = english
    counts = spark.read.parquet(path)
    unigrams = sum_unigrams(counts)
    assert {row.text: row["count"] for row in unigrams.collect()} == words
    scored = score_bigrams(counts, unigrams, {"en": sum(words.values())}).toArrow().to_pylist()
    finder = BigramCollocationFinder(FreqDist(words), FreqDist(bigrams))
    expected = {
        join_bigram(*pair, True): (bigrams[pair], pmi) for pair, pmi in finder.score_ngrams(BigramAssocMeasures.pmi)
    }
    assert len(scored) == len(expected) == len(bigrams)
    for row in scored:
        count, pmi = expected[row["text"]]
        assert row["count"] == count
        assert abs(row["pmi"] - pmi) < 1e-9


def test_both_papers_scores_equal_a_loop(spark: SparkSession, english: tuple) -> None:
    path, words, bigrams = english
    pmi = naive_pmi(words, bigrams)
    rank = int(0.3 * (len(pmi) - 1))  # from 0, the nearest lower
    base = math.floor(sorted(pmi.values())[rank] * PMI_STEPS) / PMI_STEPS
    by_count = {
        join_bigram(*pair, True): (bigrams[pair] + 1) ** 0.7 * (value - base)
        for pair, value in pmi.items()
        if value > base
    }
    by_pmi = {join_bigram(*pair, True): value for pair, value in pmi.items() if value >= 17}
    for rules, expected in (
        (list_rules(bigram_score=BigramScore.count_pmi, max_bigrams=500, unigram_top_share=0.1), by_count),
        (list_rules(bigram_score=BigramScore.pmi, bigram_min_pmi=17, unigram_min_count=100), by_pmi),
    ):
        terms = gather_terms(spark, [path], [], ["en"], rules)
        rows = terms.rows["en"]
        assert (rows["bigram"].available, rows["bigram"].chosen) == (len(bigrams), len(expected))
        frequent = [word for word in words if words[word] >= rules.unigram_min_count]
        assert rows["unigram"].chosen == math.ceil(rules.unigram_top_share * len(frequent))
        found = {row.text: row.score for row in terms.terms.where("source = 'bigram'").collect()}
        best = sorted(expected.values(), reverse=True)[: rules.max_bigrams or None]
        assert sorted(found.values(), reverse=True)[: len(best)] == pytest.approx(best, abs=1e-9)
        assert all(abs(expected[text] - score) < 1e-9 for text, score in found.items())
        words_found = {row.text: row.score for row in terms.terms.where("source = 'unigram'").collect()}
        top = [
            count for _, count in Counter({word: words[word] for word in frequent}).most_common(rows["unigram"].chosen)
        ]
        assert sorted(words_found.values(), reverse=True)[: len(top)] == top


def test_the_first_papers_rule_yields_nothing_on_a_small_wiki(spark: SparkSession, english: tuple) -> None:
    terms = gather_terms(spark, [english[0]], [], ["en", "de"], list_rules(bigram_min_pmi=30))
    row = terms.rows["en"]["bigram"]
    assert row.chosen == 0
    assert row.note.startswith("the rule takes none: PMI is at most 18.9 ")
    assert "no dump" in terms.rows["de"]["unigram"].note


def test_top_terms_keeps_the_best_and_their_ties(spark: SparkSession) -> None:
    rng = random.Random(2)
    rows = [
        (lang, source, f"t{number}", float(rng.choice([1, 2, 3, 50, 51, 1e6]) * scale))
        for lang, scale in (("en", 1), ("de", 0.01))
        for source in ("unigram", "title")
        for number in range(300)
    ]
    terms = spark.createDataFrame(rows, "lang string, source string, text string, score double")
    limits = {("en", "unigram"): 1, ("en", "title"): 120, ("de", "unigram"): 299}
    found = Counter((row.lang, row.source, row.text) for row in top_terms(terms, limits).collect())
    for (lang, source), limit in limits.items():
        scores = sorted((row[3] for row in rows if row[:2] == (lang, source)), reverse=True)
        expected = {row[:3] for row in rows if row[:2] == (lang, source) and row[3] >= scores[limit - 1]}
        assert {key for key in found if key[:2] == (lang, source)} == expected
    assert not [key for key in found if key[:2] == ("de", "title")]
    assert set(found.values()) == {1}


def test_joints_equal_the_pure_function(spark: SparkSession) -> None:
    words = ["New", "12", "日", "日本", "ソニー", "བོད", "ไทย", "Ж", "♥", "é", "Ａ"]
    rows = [(lang, "bigram", a, b, 1) for lang in ("en", "ja") for a in words for b in words]
    rows += [(lang, "unigram", word, None, 1) for lang in ("en", "ja") for word in words]
    counts = spark.createDataFrame(rows, COUNTS)
    found = score_bigrams(counts, sum_unigrams(counts), {"en": len(words), "ja": len(words)}).collect()
    for lang, blanks in (("en", True), ("ja", False)):
        expected = Counter(join_bigram(a, b, blanks) for a in words for b in words)
        assert Counter(row.text for row in found if row.lang == lang) == expected


def write_inputs(folder: Path) -> list[str]:
    """Three small wikis, page views, a wordnet and a user's own list; returns the job's overrides."""
    (folder / "dumps").mkdir()
    for wiki, word in (("enwiki", "cat"), ("simplewiki", "dog"), ("ltgwiki", "kačs"), ("zhwiki", "黑貓在家")):
        pages = [(f"P{number}", f"the {word} {number % 17} sat. " * (number % 5 + 1)) for number in range(60)]
        data = dump([*pages, ("R", "#REDIRECT [[P1]]")], wiki)
        (folder / "dumps" / f"{wiki}.xml.bz2").write_bytes(multistream(data, range(900, len(data), 900)))
    (folder / "views.txt").write_text(
        "en Black_cat 9 0\nen.m Black_cat 2 0\nen Special:X 8 0\nsimple Dog 3 0\nzh 黑貓 4 0\n"
    )
    (folder / "wn-data-cmn.tab").write_text("# W\tcmn\tu\tCC BY 3.0\n1-n\tlemma\t黑貓\n")
    (folder / "mine.txt").write_text("tabby\n")
    return [
        "languages=[en,simple,ltg,zh,fr]", f"dumps=[{folder}/dumps]", f"pageviews=[{folder}/views.txt]",
        f"wordnet=[{folder}/wn-data-cmn.tab]", f"custom_before=[en:{folder}/mine.txt]", "range_bytes=4096",
        "metadata.unigram_top_share=1", "files_per_part=3",
    ]  # fmt: skip


def build(output: Path, *overrides: str) -> dict:
    run(compose_config("build_metadata", BuildMetadataConfig, [f"output={output}", *overrides]))
    return json.loads((output / "entry_lists" / "_manifest.json").read_text())


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".compiled" not in path.parts
    }


def test_the_job(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = write_inputs(tmp_path)
    results = []
    for name, partitions in (("one", 1), ("seven", 7)):
        monkeypatch.setattr(
            "jobs.build_metadata.set_partitions",
            lambda session, _, count=partitions: session.conf.set("spark.sql.shuffle.partitions", count),
        )
        manifest = build(tmp_path / name, *overrides)
        results.append(files(tmp_path / name / "entry_lists"))
    assert results[0] == results[1]

    store = EntryStore.open(str(tmp_path / "one" / "entry_lists"))
    assert store.languages == ("en", "fr", "ltg", "other", "zh")
    english = store.entry_list("en")
    texts, sources = english.texts.to_pylist(), english.sources.to_pylist()
    assert texts[:3] == ["tabby", "0", "1"]
    assert sources[:2] == ["custom", "number"]
    assert texts.index("the cat") > texts.index("cat") > texts.index("99")
    assert english.scores[texts.index("Black cat")].as_py() == 11
    assert sources[texts.index("dog")] == "unigram:simple"
    assert "黑貓" in store.entry_list("zh").texts.to_pylist()
    assert not set(english.drops)

    entries = {row["list"]: row for row in manifest["lists"]}
    assert entries["en"]["entries"] == len(texts)
    assert entries["en"]["by_source"]["title"] == 1
    assert "fr: unigram: no words: no dump of this wiki, or no article in it" in manifest["notes"]
    kinds = {entry["kind"]: entry["licence"] for entry in manifest["inputs"]}
    assert set(kinds) == {"wordnet", "articles", "page views", "custom"}
    assert kinds["wordnet"] == "wn-data-cmn.tab: CC BY 3.0"
    assert "| unigram | at most 251,465 |" in capsys.readouterr().out

    # The same again has nothing to do; another rule counts nothing again; another wiki adds a part.
    capsys.readouterr()
    build(tmp_path / "one", *overrides)
    assert "is done" in capsys.readouterr().err
    manifest = build(tmp_path / "one", *overrides, "metadata.max_bigrams=1")
    told = capsys.readouterr().err
    assert "count_articles" not in told
    assert [row["added"] for row in manifest["wikis"]["zh"] if row["source"] == "bigram"] == [1]


def test_a_killed_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = write_inputs(tmp_path)
    build(tmp_path / "whole", *overrides)
    monkeypatch.setattr("jobs.build_metadata.write_manifest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(tmp_path / "killed", *overrides)
    monkeypatch.undo()
    build(tmp_path / "killed", *overrides)
    assert files(tmp_path / "whole" / "entry_lists") == files(tmp_path / "killed" / "entry_lists")


def test_lists_of_numbers_alone_are_an_error_and_a_mended_dump_needs_no_overwrite(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "enwiki.xml.bz2"
    path.write_bytes(b"no dump")
    overrides = ("languages=en", f"dumps=en:{path}", "metadata=small")
    with pytest.raises(HeadtailError, match=r"no entry beside the numbers in the lists of en \(/.*enwiki.xml.bz2: "):
        build(tmp_path / "run", *overrides)
    assert not list((tmp_path / "run/entry_lists").glob("*.parquet"))
    (tmp_path / "none.txt").write_bytes(b"\xff")
    with pytest.raises(HeadtailError, match=r"none.txt is no entry list: "):
        build(tmp_path / "run", *overrides, f"custom_before={tmp_path}/none.txt")
    pages = [(f"P{number}", "the cat sat. " * 9) for number in range(9)]
    path.write_bytes(multistream(dump(pages, "enwiki"), []))
    spark.catalog.clearCache()  # a user's second run has a session of its own
    assert build(tmp_path / "run", *overrides)["lists"][0]["entries"] > 100
    assert build(tmp_path / "two", "languages=en", "allow_empty=true")["lists"][0]["entries"] == 100


@needs_shared
def test_lists_of_the_shared_sources_match_texts(tmp_path: Path) -> None:
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "pageviews").symlink_to(SHARED / "pageviews")
    shutil.copytree(SHARED / "wordnet", tmp_path / "fetched" / "wordnet", copy_function=shutil.copyfile)
    (tmp_path / "fetched" / "wordnet").chmod(0o755)
    copy_shipped(tmp_path / "fetched" / "wordnet" / "eng")  # as fetch_sources does
    manifest = build(
        tmp_path, f"sources={tmp_path}/fetched", "languages=[en,fr,it,ar,zh,ja,th]", "metadata=small",
        f"dumps=[{SHARED}/wikidump/jawiki-66-pages-cut-off.xml.bz2]",
    )  # fmt: skip
    assert any("cut off" in note for note in manifest["notes"])
    assert {row["source"]: row["added"] for row in manifest["wikis"]["ja"]}["bigram"] > 1000
    assert {row["source"]: row["available"] for row in manifest["wikis"]["en"]}["wordnet"] == 86_571
    assert "WordNet 3.0 licence (Princeton University)" in {entry["licence"] for entry in manifest["inputs"]}
    store = EntryStore.open(str(tmp_path / "entry_lists"))
    texts = {
        "fr": ("un chat noir dort", "chat"), "it": ("un gatto nero", "gatto"), "ar": ("صورة قطة سوداء", "قطة"),
        "zh": ("一只黑猫在家", "猫"), "ja": ("日本語の写真", "日本語"), "th": ("แมวสีดำ", "แมว"),
    }  # fmt: skip
    for lang, (text, entry) in texts.items():
        entries = store.entries(lang)
        ids = store.matcher(lang).match(pa.array([text]))[0].as_py()
        assert entry in {entries[number].as_py() for number in ids}, lang


@needs_shared
def test_the_counts_of_ranges_are_those_of_the_whole(english: tuple, tmp_path: Path) -> None:
    import bz2

    import pyarrow.parquet as pq

    data = bz2.decompress(ENGLISH.read_bytes())
    path = tmp_path / "enwiki.xml.bz2"
    path.write_bytes(multistream(data, range(300_000, len(data), 300_000)))
    words: Counter[str] = Counter()
    starts = [0, 400_000, 1_000_000]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        output = str(tmp_path / f"{start}.parquet")
        count_file(CountTask(str(path), "en", start, end, output), dump_settings())
        for row in pq.read_table(output, filters=[("source", "=", "unigram")]).to_pylist():
            words[row["first"]] += row["count"]
    assert words == english[1]

"""Rules, order, caps and drops of a list; the lists of a store in their order."""

import bz2
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig
from curation.core.errors import HeadtailError
from curation.matching.entry_store import EntryStore
from metadata.lists.counts import article_recipe, plan_articles
from metadata.lists.inputs import chosen_languages, list_articles, list_inputs
from metadata.lists.rules import SourceRow, build_list, chosen_count, unusable
from metadata.lists.write import WIKIS, MergeTask, merge_lists, plan_wikis, read_sources, write_wiki_list
from metadata.sources.articles import CountTask
from tests.dump_data import dump
from tests.unit.metadata.settings import dump_settings, list_rules


def row(source: str, chosen: int) -> SourceRow:
    return SourceRow(source, "rule", available=chosen, chosen=chosen)


def test_order_and_first_place() -> None:
    found = {
        "unigram": [("cat", 9.0), ("the", 5.0)],
        "bigram": [("the cat", 3.0)],
        "title": [("Cat", 7.0), ("the", 1.0)],
    }
    table = build_list(
        list_rules(numbers=2),
        Counter({"cat": 2, "dog": 1}),
        found,
        {name: row(name, len(terms)) for name, terms in found.items()},
    )
    assert table.texts == {
        "0": ("number", None), "1": ("number", None), "cat": ("wordnet", 2), "dog": ("wordnet", 1),
        "the": ("unigram", 5.0), "the cat": ("bigram", 3.0), "Cat": ("title", 7.0),
    }  # fmt: skip
    accounts = {made.source: (made.chosen, made.added, dict(made.drops)) for made in table.rows}
    assert accounts == {
        "number": (2, 2, {}), "wordnet": (2, 2, {}), "unigram": (2, 1, {"already_there": 1}), "bigram": (1, 1, {}),
        "title": (2, 1, {"already_there": 1}),
    }  # fmt: skip


def test_a_cap_counts_what_is_newly_added() -> None:
    terms = [("cat", 9.0), ("a", 8.0), ("b", 7.0), ("c", 6.0)]
    table = build_list(
        list_rules(numbers=0, max_unigrams=2), Counter(["cat"]), {"unigram": terms}, {"unigram": row("unigram", 40)}
    )
    made = next(made for made in table.rows if made.source == "unigram")
    assert list(table.texts) == ["cat", "a", "b"]
    assert (made.added, made.drops) == (2, {"already_there": 1, "over_cap": 37})


def test_only_the_chosen_are_looked_at() -> None:
    table = build_list(
        list_rules(numbers=0), Counter(), {"title": [("a", 2.0), ("b", 1.0)]}, {"title": row("title", 1)}
    )
    assert list(table.texts) == ["a"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cat", ""), ("C++", ""), ("♥", ""), ("!", "punctuation"), ("...", "punctuation"), ("、。", "punctuation"),
        ("+", "punctuation"), (" ", "blank"), ("a\tb", "control_characters"), ("a\x85", "control_characters"),
        ("x" * 256, ""), ("x" * 257, "too_long"),
    ],
    ids=[
        "word", "word with marks", "symbol", "mark", "marks", "Chinese marks", "plus", "blank", "tab", "next line",
        "longest", "too long",
    ],
)  # fmt: skip
def test_unusable(text: str, reason: str) -> None:
    assert unusable(text, 256) == reason


def test_shares() -> None:
    assert [chosen_count(0.1, rows) for rows in (0, 1, 10, 11, 100)] == [0, 1, 1, 2, 10]
    assert chosen_count(0.76, 100) == 76
    assert chosen_count(1.0, 100) == 100


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("metaclip", {"unigram_min_count": 100, "bigram_min_pmi": 30, "title_min_views": 70, "max_unigrams": 0}),
        (
            "metaclip2",
            {"unigram_top_share": 0.1, "max_unigrams": 251_465, "max_bigrams": 100_646, "max_titles": 61_235},
        ),
    ],
    ids=["metaclip", "metaclip2"],
)
def test_presets(preset: str, expected: dict[str, float]) -> None:
    config = compose_config(
        "build_metadata", BuildMetadataConfig, ["output=/x", "languages=[en]", f"metadata={preset}"]
    )
    assert {key: getattr(config.metadata, key) for key in expected} == expected


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    plans = plan_wikis({}, {"fr": {}, "ltg": {}}, list_rules())
    assert plans["fr"].rows["wordnet"].note == "no WordNet file of this language"
    assert plans["ltg"].rows["wordnet"].note == "no WordNet in this language"
    receipt = write_wiki_list("ltg", [], plans["ltg"], list_rules(), str(tmp_path))
    assert (receipt.rows_in, receipt.rows_out) == (100, 100)
    assert read_sources(str(tmp_path), "ltg")["sources"][1]["note"] == "no WordNet in this language"


def test_lists_merge_in_order(tmp_path: Path) -> None:
    for lang, words in (("zh", ["a", "b"]), ("zh_yue", ["b", "c"]), ("ltg", ["l"]), ("aa", ["x", "l"])):
        plan = plan_wikis({}, {lang: {"unigram": row("unigram", 2)}}, list_rules())[lang]
        terms = _batches(lang, words)
        write_wiki_list(lang, terms, plan, list_rules(numbers=1), str(tmp_path))
    (tmp_path / "mine.txt").write_text("first\na\n\nfirst\n")
    inputs = list_inputs(
        ["zh", "zh_yue", "ltg", "aa"], [], [], [], [f"zh:{tmp_path}/mine.txt"], [f"{tmp_path}/mine.txt"]
    )
    receipts = [merge_lists(task) for task in inputs.merges(str(tmp_path))]
    assert [receipt.task for receipt in receipts] == ["aa", "ltg", "other", "zh"]
    lists = {name: pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("zh", "other", "ltg")}
    assert [(entry["text"], entry["source"]) for entry in lists["zh"]] == [
        ("first", "custom"), ("a", "custom"), ("0", "number"), ("b", "unigram"), ("c", "unigram:zh_yue"),
    ]  # fmt: skip
    assert [entry["text"] for entry in lists["other"]] == ["0", "x", "l", "first", "a"]
    assert [entry["text"] for entry in lists["ltg"]] == ["0", "l", "first", "a"]
    zh = receipts[3]
    assert zh.check().drops == {"already_there": 5, "unusable": 4}
    assert EntryStore.open(str(tmp_path)).languages == ("aa", "ltg", "mine", "other", "zh")


def test_a_list_that_another_program_wrote_wrongly_is_refused(tmp_path: Path) -> None:
    path = tmp_path / WIKIS / "ltg.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"text": [1], "source": ["title"], "views": [3]}), path)
    faults = "text is int64, expected string; score is missing; views is unexpected"
    with pytest.raises(HeadtailError, match=f"{path} has other columns than expected: {faults}"):
        merge_lists(MergeTask("ltg", str(tmp_path), ("ltg",), (), ()))


def _batches(lang: str, words: list[str]) -> list:
    names = ["lang", "source", "text", "score"]
    return [
        pa.RecordBatch.from_pydict(
            dict(zip(names, [[lang] * 2, ["unigram"] * 2, words + ["!"] * (2 - len(words)), [2.0, 1.0]], strict=True))
        )
    ]


@pytest.mark.parametrize(
    ("languages", "message"),
    [(["xx"], "'xx' is no Wikipedia language"), ([], "must be given"), (["en", "commons"], "'commons'")],
    ids=["unknown", "none", "one of two"],
)
def test_unknown_languages_are_refused(languages: list[str], message: str) -> None:
    with pytest.raises(HeadtailError, match=message):
        chosen_languages(languages)


def test_the_language_of_a_dump(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(dump([("A", "a")], "dewiki"))
    (tmp_path / "b.xml").write_bytes(dump([("A", "a")], "enwiki"))
    (tmp_path / "c.xml").write_bytes(dump([("A", "a")], "enwiktionary"))
    found = list_articles([f"{tmp_path}/[ab].xml", f"fr:{tmp_path}/c.xml"], ["de", "fr"])
    assert [(entry.lang, entry.file.path[-5:]) for entry in found] == [("de", "a.xml"), ("fr", "c.xml")]
    with pytest.raises(HeadtailError, match=r"the language of .*c.xml is unknown"):
        list_articles([f"{tmp_path}/c.xml"], ["de"])
    (tmp_path / "parts").mkdir()
    for name in ("enwiki-1-pages-articles-multistream1.xml-p1p9.bz2", "enwiki-1-multistream-index1.txt-p1p9.bz2"):
        (tmp_path / "parts" / name).write_bytes(bz2.compress(dump([("A", "a")])))
    assert [entry.file.path[-9:] for entry in list_articles([f"{tmp_path}/parts"], ["en"])] == ["-p1p9.bz2"]
    tasks = plan_articles(article_recipe(found[:1], 1 << 20, dump_settings()), "/out")
    assert tasks == [CountTask(str(tmp_path / "a.xml"), "de", 0, None, "/out/00000.parquet")]

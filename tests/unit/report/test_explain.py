"""Explaining a text: its entries, their numbers, and the reason for which it is dropped."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from conf.schema.jobs import ExplainConfig
from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import ENTRY_COUNTS, THRESHOLDS
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.report.explain import explain_text, explanation_lines
from curation.report.run_lists import RunLists
from jobs import explain


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "en.txt").write_text("dog\na photo\na\ncat")
    return tmp_path / "lists"


def test_a_text_by_the_numbers(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    found = explain_text("a photo of a dog", "en", 0.9, store, {0: 10, 1: 40, 2: 1000}, 20.0)
    assert found.entries is not None
    assert [(entry.entry_id, entry.entry, entry.count, entry.probability) for entry in found.entries] == [
        (0, "dog", 10, 1.0),
        (1, "a photo", 40, 0.5),
        (2, "a", 1000, 0.02),
    ]
    assert found.keep_probability == 1.0
    found = explain_text("a photo", "en", 0.9, store, {0: 10, 1: 40, 2: 1000}, 20.0)
    assert found.keep_probability == pytest.approx(1 - 0.5 * 0.98)
    lines = list(explanation_lines(found))
    assert lines[-1].startswith("keep_probability  0.51")
    assert [line.split()[0] for line in lines[3:-1]] == ["id", "1", "2"]  # the rare one first


def test_a_dropped_text_has_a_reason(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    assert "no_metadata" in list(explanation_lines(explain_text("ein Hund", "de", 0.9, store, None, None)))[-1]
    assert "unmatched" in list(explanation_lines(explain_text("xyz", "en", None, store, None, None)))[-1]
    bare = list(explanation_lines(explain_text("a dog", "en", None, store, None, None)))
    assert bare[2].split() == ["id", "entry"]
    assert explain_text("a dog", "en", None, store, None, 20.0).keep_probability is None


def test_a_language_that_the_run_dropped_is_said(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    found = explain_text("a dog", "en", 0.9, store, {}, None, kept=["zh", "de"])
    assert list(explanation_lines(found))[2] == "dropped           language en: the run keeps only de, zh (languages)"
    found = explain_text("ein Hund", "de", 0.9, store, None, None)
    assert list(explanation_lines(found))[2].endswith("has no entry list (no_metadata); the lists are en")


@pytest.mark.parametrize("by", ["extract_pairs", "match_pairs"])
def test_the_job_says_which_languages_the_run_keeps(
    lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture, by: str
) -> None:
    store = EntryStore.open(str(lists))
    matching = {"edges": "script", "metadata": store.hash, "languages": ["de"] if by == "match_pairs" else []}
    extraction = {"language": {"languages": ["de"] if by == "extract_pairs" else []}}
    for name, settings in {"matches": matching, "pairs": extraction}.items():
        table = Table(str(tmp_path / "run" / name))
        table.begin(0)
        table.commit(0, Recipe(name, 1, settings), [Receipt("a")], 0.0)
    given = {name: str(tmp_path / "run" / name) for name in ("pairs", "matches", "entry_counts", "thresholds")}
    explain.run(ExplainConfig(text="a dog", lang="en", entry_lists=str(lists), output=str(tmp_path / "run"), **given))
    assert "dropped           language en: the run keeps only de (languages)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "rules", "told"),
    [
        (
            "IMG_0012",
            {"rule": "careful"},
            ["en, score 0.00, decided by nothing (language.unknown); its page"],
        ),
        ("IMG_0012", {"rule": "careful", "unknown": "de"}, ["de, score 0.00, decided by nothing (language.unknown)"]),
        (
            "IMG_0012",
            {"rule": "careful", "unknown": "drop"},
            ["unknown, score 0.00", "nothing tells the language, and the run has language.unknown=drop"],
        ),
        ("핵", {"rule": "careful"}, ["ko, score 1.00, decided by its script", "no_metadata"]),
        (
            "der Hund im Garten",
            {"rule": "careful", "merge": [["en", "de"]]},
            ["en, score", "by the classifier"],
        ),
        ("IMG_0012", {}, ["he, score 0.89\n"]),
        ("ein Hund im Garten", {"model": "none", "languages": ["en"]}, ["en\n"]),
    ],
    ids=["undecided", "another list", "dropped", "script", "merged", "published", "no classifier"],
)
def test_the_job_asks_the_rules_of_the_run(
    lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture, text: str, rules: dict, told: list[str]
) -> None:
    language = {"model": "lid.176.ftz", "languages": [], "min_score": 0.0, **rules}
    table = Table(str(tmp_path / "pairs"))
    table.begin(0)
    table.commit(0, Recipe("pairs", 1, {"language": language}), [Receipt("a")], 0.0)
    given = {name: str(tmp_path / name) for name in ("pairs", "matches", "entry_counts", "thresholds")}
    explain.run(ExplainConfig(text=text, entry_lists=str(lists), output=str(tmp_path), **given))
    printed = capsys.readouterr().out
    assert [line for line in told if line not in printed] == []


def test_the_job_refuses_a_file_that_is_no_list(lists: Path) -> None:
    (lists / "metadata.json").write_text("[]")
    with pytest.raises(HeadtailError, match=r"metadata.json: a list is named by the code of its language"):
        explain.run(ExplainConfig(text="a dog", entry_lists=str(lists), output=""))


def test_the_job_takes_the_numbers_of_a_run(lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = EntryStore.open(str(lists))
    settings = {"edges": "blank", "metadata": store.hash}
    rows = {
        "matches": (None, settings),
        "entry_counts": (pa.table([["de", "en", "en"], [0, 0, 2], [7, 10, 1000]], schema=ENTRY_COUNTS), {}),
        "thresholds": (pa.table([["en"], [20.0], [0.1], [2], [1010], [1.0], [1.0]], schema=THRESHOLDS), {}),
    }
    for name, (content, made_with) in rows.items():
        table, receipt = Table(str(tmp_path / name)), Receipt(name)
        folder = table.begin(0)
        if content:
            with ParquetSink(f"{folder}/part.parquet", content.schema) as sink:
                sink.write(content.to_batches()[0])
            receipt = Receipt(name, len(content), len(content), Counter(), outputs=[sink.output()])
        table.commit(0, Recipe(name, 1, made_with), [receipt], 0)
    values = {name: str(tmp_path / name) for name in rows}
    config = {"text": "a photo of a dog", "entry_lists": str(lists), "output": str(tmp_path), **values}
    explain.run(ExplainConfig(**config))
    printed = capsys.readouterr().out
    assert "language          en, score" in printed
    assert "keep_probability  1:" in printed
    assert [line.split()[:3] for line in printed.splitlines() if line.startswith("  ")][1:] == [
        ["1", "a", "photo"],  # matched, though never counted
        ["0", "dog", "10"],
        ["2", "a", "1,000"],
    ]
    entries = str(tmp_path / "entries")
    config |= {"entry_lists": "", "entries": entries}
    with pytest.raises(HeadtailError, match="does not hold the entries of this run: give its entry_lists"):
        explain.run(ExplainConfig(**config))
    write_entries(entries, Words.of_lists(store, []), EntryNumbers())
    explain.run(ExplainConfig(**config))
    assert capsys.readouterr().out == printed, "the table of the run knows the entries"
    (lists / "en.txt").write_text("dog")
    with pytest.raises(HeadtailError, match="were made with metadata"):
        explain.run(ExplainConfig(**config | {"entry_lists": str(lists)}))


def test_the_lists_of_a_run_have_the_ids_of_its_lists(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("dog\n \na photo\ndog\ncat\n")
    (tmp_path / "de.txt").write_text("Hund\n")
    store = EntryStore.open(str(tmp_path))
    write_entries(str(tmp_path / "entries"), Words.of_lists(store, []), EntryNumbers())
    found = RunLists.open(str(tmp_path / "entries"), store.hash, "script")
    assert found is not None
    assert found.languages == store.languages
    for lang in store.languages:
        assert found.entry_list(lang).texts.equals(store.entry_list(lang).texts)
    texts = pa.array(["a photo of a dog", "cat", "Hund"])
    assert found.matcher("en").match(texts).equals(store.matcher("en").match(texts))
    assert RunLists.open(str(tmp_path / "entries"), "another", "script") is None


def test_a_run_or_lists_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="neither entry_lists nor output is given: add entry_lists"):
        explain.run(ExplainConfig(text="a dog", lang="en"))
    (tmp_path / "run/matches/part-00000").mkdir(parents=True)
    output = str(tmp_path / "run/matches")
    with pytest.raises(HeadtailError, match=r"has no matches, it is a table itself: is .*/run the run\?"):
        explain.run(
            ExplainConfig(text="a dog", lang="en", output=output, matches=f"{output}/matches", pairs=f"{output}/pairs")
        )

"""Where thresholds of entries are shown, those with targets have their own: explain, report, compare, explore, API."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.balancing.targets import EntryTargets, write_targets
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, THRESHOLDS
from curation.core.tables import Table
from curation.explore.explored_run import ExploredRun
from curation.explore.language_entries import Band
from curation.matching.entry_store import EntryStore
from curation.report.class_coverage import CoverageNumbers
from curation.report.compare import compare
from curation.report.explain import explain_text, explanation_lines
from curation.report.passes import target_notes
from curation.report.search_rows import SearchNumbers, SearchRows
from curation.report.shown_entries import head_tails, wanted_entries
from curation.report.target_values import target_texts, target_values
from headtail import Balancer, EntryList

WORDS = ["dog", "cat", "auk", "robin"]
COUNTS = np.array([40, 40, 40, 8])
TARGETS = EntryTargets({"en": (np.array([0, 2], np.int32), np.array([4.0, -2.0]))})  # dog: weight 4, auk: t 2
T = 20.0
PROBABILITIES = [1.0, 0.5, 0.05, 1.0]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with thresholds, entries, and a curated table without rows."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/en.txt").write_text("\n".join(WORDS))
    save_array(str(tmp_path / "counts/en.npy"), COUNTS)
    words = Words.of_lists(EntryStore.open(str(tmp_path / "lists")), [])
    write_entries(str(tmp_path / "entries"), words, EntryNumbers(CountFiles(str(tmp_path / "counts"))))
    row = dict.fromkeys(THRESHOLDS.names, 0) | {"lang": "en", "t": T}
    for name, rows in (("thresholds", pa.Table.from_pylist([row], THRESHOLDS)), ("curated", CURATED.empty_table())):
        table = Table(str(tmp_path / name))
        folder = table.begin(0)
        output = write_rows(f"{folder}/{name}.parquet", rows)
        write_targets(TARGETS, folder)
        receipt = Receipt(name, rows_in=len(rows), rows_out=len(rows), outputs=[output])
        settings = {"unit": "pair", "seed": 0, "t": T, "headroom": 1.0, "targets": "ab" * 32}
        table.commit(0, Recipe("balance_pairs", 2, settings), [receipt], 0.0)
    return tmp_path


def test_explain_names_the_thresholds_of_entries(run: Path) -> None:
    store = EntryStore.open(str(run / "lists"))
    counts = dict(enumerate(COUNTS.tolist()))
    found = explain_text("auk cat dog robin", "en", None, store, counts, T, targets=TARGETS)
    assert found.entries is not None
    by_id = {entry.entry_id: entry for entry in found.entries}
    assert [by_id[k].probability for k in range(4)] == PROBABILITIES
    assert [by_id[k].t for k in range(4)] == [80.0, None, 2.0, None]
    lines = list(explanation_lines(found))
    assert lines[2].endswith("are the tail, but for those with a target (t)")
    assert lines[3].split() == ["id", "entry", "count", "t", "entry_probability"]
    assert [line.split() for line in lines[4:8]] == [
        ["3", "robin", "8", "1"], ["0", "dog", "40", "80", "1"], ["1", "cat", "40", "0.5"],
        ["2", "auk", "40", "2", "0.05"],
    ]  # fmt: skip


def test_the_report_counts_head_and_tail_by_the_thresholds_of_entries(run: Path) -> None:
    counts = CountFiles(str(run / "counts"))
    thresholds = {"en": {"t": T, "matches": 128, "matches_before": 128}}
    wanted = wanted_entries(counts, thresholds, 0, targets=TARGETS)
    assert sorted(wanted.entries["en"]) == [0, 3]
    found = head_tails(thresholds, counts, counts, None, wanted, TARGETS)["en"]
    assert (found["tail"], found["head"]) == (2, 2)
    words = Words.of_lists(EntryStore.open(str(run / "lists")), [])
    (batch,) = words
    numbers = SearchNumbers(counts, counts, None, TARGETS, {"en": T})
    assert SearchRows.of_batch(batch, "en", numbers).numbers["chance"].tolist() == [1e6, 5e5, 5e4, 1e6]
    assert "chance" not in SearchRows.of_batch(batch, "en", SearchNumbers(counts, counts, None)).numbers
    assert target_notes(TARGETS)[0].startswith("2 entries have a t or a weight of their own")
    assert target_notes(None) == []
    stages = CoverageNumbers.of(counts, thresholds, None, TARGETS).stages("en", np.array([2, 0, -1]))
    assert stages["balanced"][0].tolist() == [2.0, 40.0, 0.0]
    assert stages["balanced"][1] == 40 + 20 + 2 + 8


def test_compare_and_explore_read_the_targets_of_a_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    explored = ExploredRun(str(run))
    entries = explored.entries_of("en")
    assert [entries.of_id(k).probability for k in range(4)] == PROBABILITIES  # type: ignore[union-attr]  # they exist
    assert [[row.entry for row in entries.find("", False, band, 0, 9)[0]] for band in (Band.head, Band.tail)] == [
        ["cat", "auk"], ["dog", "robin"],
    ]  # fmt: skip
    plain = tmp_path_factory.mktemp("plain")
    shutil.copytree(run, plain, dirs_exist_ok=True)
    for name in ("thresholds", "curated"):
        manifest = plain / name / "part-00000/_manifest.json"
        settings = json.loads(manifest.read_text())
        del settings["settings"]["targets"]
        manifest.write_text(json.dumps(settings))
    moves = compare([str(plain), str(run)]).moves
    assert moves
    assert moves.measure == "balanced"
    assert [(row["entry"], row["before"], row["after"]) for row in moves.gained[0]] == [("dog", 20.0, 40.0)]
    assert [(row["entry"], row["before"], row["after"]) for row in moves.lost[0]] == [("auk", 20.0, 2.0)]


def test_a_filter_for_streams_keeps_by_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = Balancer(EntryList(WORDS), {"en": COUNTS}, t=T, targets=TARGETS)
    balancer.keep_probability({"text": WORDS, "uid": WORDS})
    monkeypatch.setattr(EntryTargets, "effective", None)  # they are computed once, not for each batch
    assert balancer.keep_probability({"text": WORDS, "uid": WORDS}).tolist() == pytest.approx(PROBABILITIES)
    assert balancer.explain("an auk").keep_probability == pytest.approx(0.05)


def test_targets_of_concepts_are_told_as_concepts() -> None:
    """After those of the languages: what is cut are namespaces first."""
    own, weight = (np.array([1], np.int32), np.array([-5.0])), (np.array([0, 2], np.int32), np.array([2.0, -3.0]))
    rows = target_values(EntryTargets({"concepts.colours": weight, "de": own, "en": weight}))
    assert rows == [
        {"lang": "de", "entries": 1, "weights": 0, "own_t": 1},
        {"lang": "en", "entries": 2, "weights": 1, "own_t": 1},
        {"namespace": "colours", "concepts": 2, "weights": 1, "own_t": 1},
    ]
    told = ["1 entry of de (1 with a t)", "2 entries of en (1 with a weight, 1 with a t)"]
    assert target_texts(rows, 3) == [*told, "2 concepts of colours (1 with a weight, 1 with a t)"]
    assert target_texts(rows, 1) == [told[0], "2 more languages or namespaces"]
    assert target_texts(rows[:2], 1) == [told[0], "1 more language"]

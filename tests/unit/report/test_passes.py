"""The passes of a report in one process, over a finished run (tests/golden), equal its report."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from curation.core.receipts import Receipt
from curation.matching.entry_store import EntryStore
from curation.report.class_lists import ClassList
from curation.report.passes import ReportPasses
from curation.report.run_tables import RunTables
from curation.report.shown_entries import wanted_entries
from tests.golden.finished_run import lay_out

NAMES = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads", "shards")


def run_here(function: Callable[[Any], Receipt], tasks: Sequence[Any], _: str = "") -> list[Receipt]:
    return [function(task).check() for task in tasks]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder)
    return folder


@pytest.mark.parametrize("max_tasks", [1, 50])
def test_the_sums_are_those_of_the_report(folder: Path, tmp_path: Path, max_tasks: int) -> None:
    report = json.loads((folder / "run/report/report.json").read_text())
    tables = RunTables.open({name: str(folder / "run" / name) for name in NAMES}, [])
    store = EntryStore.open(str(folder / "crawl/entries"), tables.edges)
    passes = ReportPasses(run_here, tables, store, report["run"]["seed"], str(tmp_path), None)
    wanted = wanted_entries(tables.counts, tables.thresholds(), passes.seed)
    counted = passes.count(max_tasks, wanted)
    assert counted.entries is None
    stages = {stage["stage"]: stage for stage in report["stages"]}
    assert counted.totals.matches.texts.total() == stages["match_pairs"]["rows_out"]
    assert counted.totals.downloads.statuses["success"] == stages["download_images"]["rows_out"]
    assert counted.totals.shards.langs == {row["lang"]: row["samples"] for row in report["languages"] if row["samples"]}
    assert set(counted.tail_texts) <= {(lang, i) for lang, ids in wanted.entries.items() for i in ids}
    assert {example.stage for example in passes.examples(counted.dropped)} == {"match_pairs", "download_images"}
    lists = passes.lists([("en", 1)], "")
    assert {lang: listed.entries for lang, listed in lists.items()} == {
        row["lang"]: row["entries"] for row in report["languages"]
    }
    assert list(lists["en"].texts) == ["1"]
    assert [found["match"] for found in passes.classes([ClassList("a", "en", ["zz no such thing"])], ["en"])] == [
        "absent"
    ]

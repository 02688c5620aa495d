"""The passes of a report over a finished run (tests/golden), all in one process."""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.dropped import DroppedExamples, DroppedRow, dropped_path, write_dropped
from curation.core.receipts import Receipt
from curation.matching.entry_store import EntryStore
from curation.matching.spacing import MARKS
from curation.report.class_lists import ClassList
from curation.report.examples import SILENT
from curation.report.passes import ReportPasses
from curation.report.run_tables import RunTables
from curation.report.shown_entries import wanted_entries
from tests.golden.finished_run import lay_out

NAMES = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads", "shards")


def run_here(function: Callable[[Any], Receipt], tasks: Sequence[Any], _: str = "") -> list[Receipt]:
    return [function(task).check() for task in tasks]


def write_example(path: str, uid: str) -> None:
    kept = DroppedExamples(0)
    kept.offer("short_text", np.array([0.5]), lambda _: [DroppedRow(0.5, uid, text="ab")])
    write_dropped(path, kept)


@functools.cache
def rows_of(file: str) -> list[dict[str, Any]]:
    return pq.read_table(file).to_pylist()


def statuses_of(tables: RunTables) -> list[dict[str, Any]]:
    return [row for part in tables.parts["download_images"] for file in part.files for row in rows_of(file)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder)
    return folder


def passes_over(folder: Path, work: Path) -> ReportPasses:
    tables = RunTables.open({name: str(folder / "run" / name) for name in NAMES}, [])
    store = EntryStore.open(str(folder / "crawl/entries"), tables.edges)
    return ReportPasses(run_here, tables, store, 0, str(work), None)


@pytest.fixture
def passes(folder: Path, tmp_path: Path) -> ReportPasses:
    return passes_over(folder, tmp_path)


@pytest.fixture(scope="module")
def shown_before(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The texts that the report of the run shows where nobody has removed anything."""
    return shown_texts(passes_over(folder, tmp_path_factory.mktemp("work")))


def shown_texts(passes: ReportPasses) -> set[str]:
    """The texts of kept images that a report shows: of any entry, of entries of the tail, in the search."""
    tables = passes.tables
    wanted = wanted_entries(tables.counts, tables.thresholds(), passes.seed, passes.lists_of_removals)
    counted, pool = passes.count(3, wanted), passes.pool(3)
    shown = {text["text"] for text in counted.kept_texts} | set(counted.tail_texts.values())
    return shown | {text.text for texts in pool.values() for text in texts}


def texts_of(tables: RunTables, uids: set[str]) -> set[str]:
    rows = [row for part in tables.parts["balance_pairs"] for file in part.files for row in rows_of(file)]
    return {text["text"] for row in rows if row["uid"] in uids for text in row["texts"] if text["kept"]}


@pytest.mark.parametrize("by", ["uid", "sha256", "status"])
def test_no_text_is_shown_of_an_image_that_nobody_is_to_see(
    passes: ReportPasses, shown_before: set[str], by: str
) -> None:
    """Removals of write_shards, by uid and by the hash of a file, and a host that refused."""
    statuses = statuses_of(passes.tables)
    of = {row["uid"]: texts_of(passes.tables, {row["uid"]}) for row in statuses if row["status"] == "success"}
    gone = next(row for row in statuses if of.get(row["uid"], set()) & shown_before)
    if by == "status":
        passes = replace(passes, run=partial(with_status, gone["uid"], "opted_out"))
    else:
        passes = with_settings(passes, removals=[gone[by]])
    twins = {row["uid"] for row in statuses if by == "sha256" and row[by] == gone[by]} | {gone["uid"]}
    shown = shown_texts(passes)
    assert shown
    assert not shown & (of[gone["uid"]] - texts_of(passes.tables, set(of) - twins))


@pytest.mark.parametrize("settings", [{"faces": "drop"}, {"removals": ["/gone.txt"]}], ids=["faces", "list"])
def test_only_samples_are_known_not_to_be_dropped_for_what_they_show(passes: ReportPasses, settings: Any) -> None:
    passes = with_settings(passes, **settings)
    files = [file for part in passes.tables.parts["write_shards"] for file in part.files]
    seen = {row["uid"] for file in files for row in rows_of(file)}
    if "faces" in settings:
        seen |= {row["uid"] for row in statuses_of(passes.tables) if row["status"] not in ("success", *SILENT)}
    shown = shown_texts(passes)
    assert shown
    assert shown <= texts_of(passes.tables, seen)


def with_settings(passes: ReportPasses, **settings: Any) -> ReportPasses:
    """The passes of a run whose shards were written with other settings."""
    (part,) = passes.tables.shards.parts()
    part.manifest["settings"] |= settings
    passes.tables.shards.parts = lambda: [part]  # type: ignore[method-assign]
    return replace(passes)


def with_status(uid: str, status: str, function: Any, tasks: Sequence[Any], _: str = "") -> list[Receipt]:
    """Run tasks of a run in which an image has another status."""
    receipts = run_here(function, tasks)
    for output in [output for receipt in receipts for output in receipt.outputs]:
        if output.get("uid") == uid and "sha256" in output:
            output["status"] = status
    return receipts


def test_an_entry_that_never_matches_is_not_even_in_its_own_words(passes: ReportPasses) -> None:
    """The text is the entry without blanks around marks, which spacing puts there: `Au secours !` in `Au secours!`."""
    store, told = passes.store, 0
    for lang, listed in passes.lists([], "").items():
        entries = store.entries(lang)
        texts = [re.sub(f" *([{MARKS}]) *", r"\1", entry or "") for entry in entries.to_pylist()]
        held = store.matcher(lang).match(pa.array(texts)).to_pylist()
        never = [k for k, ids in enumerate(held) if entries[k].is_valid and k not in ids]
        assert listed.never == len(never)
        assert listed.examples == entries.take(pa.array(never[: len(listed.examples)], pa.int64())).to_pylist()
        told += len(never)
    assert told > 0


@pytest.mark.parametrize("max_tasks", [1, 50])
def test_the_sums_are_those_of_the_manifests(passes: ReportPasses, tmp_path: Path, max_tasks: int) -> None:
    tables, store = passes.tables, passes.store
    wanted = wanted_entries(tables.counts, tables.thresholds(), passes.seed)
    counted = passes.count(max_tasks, wanted)
    rows = {name: stage.receipt.rows_out for name, stage in tables.stages().items()}
    totals = counted.totals
    assert totals.matches.texts.total() == rows["match_pairs"] > 100
    assert totals.curated.images.total() >= rows["balance_pairs"] > 10
    assert totals.downloads.statuses["success"] == rows["download_images"] > 10
    assert totals.shards.langs.total() == rows["write_shards"] > 10
    assert counted.domains["images"] == totals.matches.texts_per_image.total()
    assert counted.entries is None
    assert set(counted.tail_texts) <= {(lang, i) for lang, ids in wanted.entries.items() for i in ids}
    dropped = passes.examples(counted.dropped, max_tasks)
    stages = {each.stage for each in dropped}
    assert stages == {"match_pairs", "balance_pairs", "download_images", "write_shards"}
    path = dropped_path(tables.parts["extract_pairs"][-1].files[-1])
    write_example(path, "")
    uids = sorted({each.uid for each in dropped if each.stage == "balance_pairs"})
    tables.parts["write_shards"][0].manifest["examples"] = {"filter": uids[:2]}
    examples = [each for each in passes.examples(counted.dropped, max_tasks) if each.reason in ("short_text", "filter")]
    assert [each.text for each in examples if each.stage == "extract_pairs"] == ["ab"]
    assert [each.uid for each in examples if each.text and each.stage == "write_shards"] == uids[:2]
    arrived = next(row for row in statuses_of(tables) if row["status"] == "success")
    write_example(path, arrived["uid"])
    assert "ab" in {each.text for each in passes.examples(counted.dropped, max_tasks)}
    settings = tables.parts["extract_pairs"][-1].manifest["settings"]
    settings["urls"]["removals"] = [arrived["sha256"]]
    del passes.__dict__["unseen"]
    assert "ab" not in {each.text for each in passes.examples(counted.dropped, max_tasks)}
    settings["urls"]["removals"] = [str(tmp_path / "gone.txt")]
    del passes.__dict__["unseen"]
    assert passes.examples(counted.dropped, max_tasks) == []
    Path(path).unlink()
    listed = passes.lists([("en", 1)], "")
    assert {lang: each.entries for lang, each in listed.items()} == store.list_sizes(store.languages)
    assert list(listed["en"].texts) == ["1"]
    found = passes.classes([ClassList("a", "en", ("zz no such thing",))], ["en"])
    assert [each["match"] for each in found] == ["absent"]

"""The table of entries of a whole run, and the examples of docs/tables.md over its tables."""

import json
import re
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, ClusterImagesConfig, ExpertWeightsConfig, ReportStatsConfig
from curation.core.cleaned import mark_cleaned
from curation.core.tables import Table
from jobs import balance_pairs, cluster_images, expert_weights, report_stats
from tests.conftest import ROOT
from tests.jobs.conftest import Sample, rows
from tests.shared_runs import SESSION

Entries = dict[tuple[str, int], dict]


def entries_of(run: Path) -> Entries:
    found = rows(run, "entries").to_pylist()
    assert [(row["lang"], row["entry_id"]) for row in found] == sorted((row["lang"], row["entry_id"]) for row in found)
    return {(row["lang"], row["entry_id"]): row for row in found}


def captions_of(run: Path) -> Counter[tuple[str, int]]:
    """Samples by the entries of their captions, from the json in the tars, which has the words, too."""
    words, counted = entries_of(run), Counter[tuple[str, int]]()
    for path in (run / "shards").glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                if not member.name.endswith(".json"):
                    continue
                sample = json.loads(tar.extractfile(member).read())  # type: ignore[union-attr]  # a regular file
                (ids,) = [text["entry_ids"] for text in sample["matched_texts"] if text["text"] == sample["text"]]
                counted.update((sample["lang"], entry_id) for entry_id in ids)
                assert sample["entries"] == [words[sample["lang"], entry_id]["entry"] for entry_id in ids]
    return counted


def test_the_table_tells_words_counts_and_captions(finished: Path, sample: Sample) -> None:
    entries = entries_of(finished)
    counts = {(row["lang"], row["entry_id"]): row["count"] for row in rows(finished, "entry_counts").to_pylist()}
    captions = captions_of(finished)
    lists = {path.stem: json.loads(path.read_text()) for path in (sample.folder / "entries").glob("*.json")}
    assert {key: row["entry"] for key, row in entries.items()} == {
        (lang, k): word for lang, words in lists.items() for k, word in enumerate(words)
    }
    assert {key: row["count"] for key, row in entries.items() if row["count"]} == counts
    assert {key: row["in_shards"] for key, row in entries.items() if row["in_shards"]} == captions
    kept = rows(finished, "curated")["texts"].to_pylist()
    held = Counter((t["lang"], k) for texts in kept for t in texts if t["kept"] for k in t["entry_ids"])
    assert sum(row["expected"] for row in entries.values()) == pytest.approx(held.total(), rel=0.1)
    assert all(row["expected"] <= row["count"] + 1e-6 for row in entries.values())


def test_another_balance_begins_anew_and_its_report_completes_the_table(
    finished: Path, sample: Sample, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for name in ("pairs", "matches", "entry_counts"):
        shutil.copytree(finished / name, run / name)
    given = [f"output={run}", "seed=0", "balance.t=3", *SESSION]
    words = [*given, f"matches={finished}/matches", f"entry_counts={finished}/entry_counts"]
    balance_pairs.run(compose_config("balance_pairs", BalancePairsConfig, words))
    before, whole = entries_of(run), entries_of(finished)
    assert {key: row["entry"] for key, row in before.items()} == {key: row["entry"] for key, row in whole.items()}
    assert {key: row["count"] for key, row in before.items()} == {key: row["count"] for key, row in whole.items()}
    assert {(row["expected"], row["in_shards"]) for row in before.values()} == {(None, None)}

    asked = [f"output={run}", "seed=0", f"entry_lists={sample.folder}/entries", *SESSION]
    report = compose_config("report_stats", ReportStatsConfig, asked)
    report_stats.run(report)
    after = entries_of(run)
    assert {row["in_shards"] for row in after.values()} == {None}
    assert sum(row["expected"] for row in after.values()) < sum(row["expected"] for row in whole.values())
    (part,) = Table(str(run / "entries")).parts()
    written = Path(part.files[0]).stat().st_mtime_ns
    report_stats.run(report)
    assert Path(part.files[0]).stat().st_mtime_ns == written


def test_the_examples_of_the_page_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("duckdb")
    (tmp_path / "run").symlink_to(finished)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tables.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    told = capsys.readouterr().out
    assert re.search(r"\bthe\b", told)
    assert "keep_probability" in told


def test_a_finished_report_stays_finished_when_its_lists_are_cleaned(
    finished: Path, sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    mark_cleaned(str(run / "lists/part-00000"), "clean")
    asked = [f"output={run}", "seed=0", f"entry_lists={sample.folder}/entries", *SESSION]
    report_stats.run(compose_config("report_stats", ReportStatsConfig, asked))
    assert "is done: " in capsys.readouterr().err


def test_entries_name_clusters_and_weigh_their_experts(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task whose classes are the names of a fine cluster asks the expert of its coarse cluster most."""
    tables = [f"{name}={finished}/{name}" for name in ("curated", "matches", "entry_counts", "entries")]
    given = [f"output={tmp_path}", *tables, "seed=0", "fine=24", "coarse=2"]
    cluster_images.run(compose_config("cluster_images", ClusterImagesConfig, given))
    told = json.loads((tmp_path / "clusters/hierarchy.json").read_text())
    words = {row["entry"] for row in entries_of(finished).values()}
    named = [name for names in told["fine_names"] for name in names]
    assert len(told["fine_names"]) == 24
    assert len(named) > 48
    assert {*named, *(name for names in told["coarse_names"] for name in names)} <= words
    english = {row["entry"] for (lang, _), row in entries_of(finished).items() if lang == "en"}
    tasks = {
        f"fine {fine}": mine
        for fine, names in enumerate(told["fine_names"])
        if len(mine := [name for name in names if name in english]) == len(names) > 3
    }
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    weighing = [f"clusters={tmp_path}/clusters", f"output={tmp_path}", f"classes=[{tmp_path}/tasks.json]"]
    more = [f"weights={tmp_path}/weights.json", "temperature=0.02", *tables[1:]]
    expert_weights.run(compose_config("expert_weights", ExpertWeightsConfig, [*weighing, *more]))
    weights = json.loads((tmp_path / "weights.json").read_text())["weights"]
    assert weights.keys() == tasks.keys() != set()
    right = [weights[task]["en"][told["coarse_of_fine"][int(task.split()[1])]] for task in tasks]
    assert sum(right) / len(right) > 0.6
    assert capsys.readouterr().out.count("fine ") == len(tasks)

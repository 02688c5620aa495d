"""Paths in a report."""

from pathlib import Path

import pytest

from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.report.run_paths import RunPaths
from curation.report.run_tables import StageTotals


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/run/shards", "shards"),
        ("/home/me/run/pairs/part-00000/00000.parquet", "pairs/part-00000/00000.parquet"),
        ("/home/me/running/a.wat.gz", "a.wat.gz"),
        ("/data/secret-project/a.wat.gz", "a.wat.gz"),
        ("https://me:word@example.org/a.wat.gz?token=1", "https://example.org/a.wat.gz"),
        ("lid.176.ftz", "lid.176.ftz"),
        ("file:///home/me/lists/stop.txt", "stop.txt"),
    ],
)
def test_paths_are_seen_from_the_run(path: str, shown: str) -> None:
    assert RunPaths("/home/me/run/").shown(path) == shown


def test_a_relative_run_knows_its_absolute_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    paths = RunPaths("run")
    assert (paths.shown("/tmp/run/shards"), paths.shown("run/shards")) == ("shards", "shards")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("removals was ['/home/me/a.txt'], is ['/srv/x/b.txt', 's3://b/c/d.txt']",
         "removals was ['a.txt'], is ['b.txt', 's3://b/c/d.txt']"),
        ("see file:///home/me/a.txt, and https://me:pw@b.test/x/y?k=1", "see a.txt, and https://b.test/x/y"),
        ("5 km/h and 1/2, run/shards", "5 km/h and 1/2, run/shards"),
    ],
    ids=["lists", "addresses", "no paths"],
)  # fmt: skip
def test_no_text_names_a_folder_of_this_machine(text: str, shown: str) -> None:
    assert RunPaths("/home/me/run").text(text) == shown


def test_settings_and_failures_of_a_report_are_shown_so() -> None:
    report = {
        "notes": ["The shards are of another balance (filter was /home/me/f.sql)"],
        "summary": {"badges": [{"name": "Decontamination", "detail": "left out: /home/me/test-set.txt"}], "alerts": []},
        "stages": [
            {"stage": "extract_pairs", "settings": {"lists": [{"path": "/home/me/stop.txt", "size": 3}], "min": 1}},
            {"stage": "write_shards", "settings": {"removals": ["https://me@example.org/list?key=1"]}},
        ],
        "failures": {
            "total": 1,
            "rows": [
                {"file": "/data/a b.wat", "error": "/data/a b.wat: gone, see /home/me/run/pairs/x", "offset": 7},
            ],
        },
        "samples": [{"url": "https://example.org/?id=1"}],
    }
    found = RunPaths("/home/me/run").report(report)
    assert found["stages"][0]["settings"] == {"lists": [{"path": "stop.txt", "size": 3}], "min": 1}
    assert found["stages"][1]["settings"] == {"removals": ["https://example.org/list"]}
    assert found["failures"]["rows"] == [{"file": "a b.wat", "error": "a b.wat: gone, see pairs/x", "offset": 7}]
    assert found["samples"] == report["samples"]
    assert found["notes"] == ["The shards are of another balance (filter was f.sql)"]
    assert found["summary"]["badges"][0]["detail"] == "left out: test-set.txt"


def test_settings_are_shown_without_secrets_of_addresses_and_of_the_draw(tmp_path: Path) -> None:
    settings = {"seed": -5, "salt": 9, "sample": {"seed": 5}, "lists": [{"path": "https://me:word@example.org/?key=1"}]}
    table = Table(f"{tmp_path}/matches")
    table.begin(0)
    part = table.commit(0, Recipe("match_pairs", 1, settings, []), [Receipt("a")], 1.0)
    totals = StageTotals.of_parts("match_pairs", [part])
    report = {
        "stages": [{"settings": totals.settings}],
        "failures": {"rows": []},
        "notes": [],
        "summary": {"badges": []},
    }
    (stage,) = RunPaths(str(tmp_path)).report(report)["stages"]
    assert stage["settings"] == {"sample.seed": 5, "lists": [{"path": "https://example.org/"}]}
    assert part.manifest["settings"]["seed"] == -5  # later jobs find it there

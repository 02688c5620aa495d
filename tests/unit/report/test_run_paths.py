"""Paths in a report."""

import pytest

from curation.report.run_paths import RunPaths


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/run/shards", "shards"),
        ("/home/me/run/pairs/part-00000/00000.parquet", "pairs/part-00000/00000.parquet"),
        ("/home/me/running/a.wat.gz", "a.wat.gz"),
        ("/data/secret-project/a.wat.gz", "a.wat.gz"),
        ("https://me:word@example.org/a.wat.gz?token=1", "https://example.org/a.wat.gz"),
        ("lid.176.ftz", "lid.176.ftz"),
    ],
)
def test_paths_are_seen_from_the_run(path: str, shown: str) -> None:
    assert RunPaths("/home/me/run/").shown(path) == shown


def test_a_relative_run_knows_its_absolute_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    paths = RunPaths("run")
    assert (paths.shown("/tmp/run/shards"), paths.shown("run/shards")) == ("shards", "shards")


def test_settings_and_failures_of_a_report_are_shown_so() -> None:
    report = {
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

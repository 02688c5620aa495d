"""Badges and alerts say what settings and numbers say."""

from typing import Any

import pytest

from curation.core.receipts import Receipt
from curation.report.run_tables import StageTotals
from curation.report.summary import alerts, badges, cost_values
from tests.browser.report_example import example_report

EXTRACT, DOWNLOAD, SHARDS = "extract_pairs", "download_images", "write_shards"


def states(**settings: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in badges({name: {"settings": each} for name, each in settings.items()})}


@pytest.mark.parametrize(
    ("settings", "name", "state"),
    [
        ({}, "Language", "not checked"),
        ({EXTRACT: {"language.model": "lid.176.ftz"}}, "Language", "yes"),
        ({EXTRACT: {"language.rule": "careful"}}, "Language", "yes"),
        ({EXTRACT: {"language.model": "none"}}, "Language", "not checked"),
        ({}, "Opt-outs", "not checked"),
        ({DOWNLOAD: {"opt_out": ["noai"]}}, "Opt-outs", "yes"),
        ({DOWNLOAD: {"opt_out": []}}, "Opt-outs", "no"),
        ({DOWNLOAD: {"opt_out": [], "obey": ["robots_txt"]}}, "Opt-outs", "yes"),
        ({DOWNLOAD: {"opt_out": []}, SHARDS: {"removals": ["optouts.txt"]}}, "Opt-outs", "yes"),
        ({SHARDS: {"filters.near_duplicates": True}}, "Near duplicates", "yes"),
        ({SHARDS: {"filters.near_duplicates": False}}, "Near duplicates", "no"),
        ({}, "Near duplicates", "not checked"),
        ({SHARDS: {"filter": "punsafe < 0.1"}}, "NSFW", "yes"),
        ({SHARDS: {"filter": "original_width > 10"}}, "NSFW", "not checked"),
        ({EXTRACT: {"urls.removals": ["imagenet-test-set.txt"]}}, "Decontamination", "yes"),
        ({EXTRACT: {"urls.removals": ["optouts.txt"]}}, "Decontamination", "not checked"),
        ({SHARDS: {"benchmark_images": ["/b.parquet"], "benchmark_distance": 4}}, "Decontamination", "yes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(key for each in value.values() for key in each),
)
def test_badges(settings: dict[str, Any], name: str, state: str) -> None:
    assert states(**settings)[name] == state


def test_alerts() -> None:
    report = example_report()
    report["downloads"]["statuses"][0]["count"] = 4_000
    report["domains"]["rows"][0]["images_kept"] = 491
    report["languages"][0]["t"] = 0.182
    found = "\n".join(alerts(report))
    assert "Only 41% of the images could be downloaded." in found
    assert "example.org has 5% of the kept images." in found
    assert "b.test" not in found
    assert "Thai (" in found
    assert "Reading failed at 2 places" in found
    name = report["languages"][0]["name"]
    assert f"With a t below 1, rare entries are thinned like frequent ones: {name} (t = 0.18)." in found
    report["domains"]["rows"][0]["images_kept"] = 490
    assert "example.org" not in "\n".join(alerts(report))


def test_a_run_without_faults_has_no_alerts() -> None:
    report = example_report()
    report["domains"]["rows"] = []
    report["failures"]["total"] = 0
    report["benchmarks"] = [{**row, "alert": False} for row in report["benchmarks"]]
    for language in report["languages"]:
        language["samples"] = 1_000
    assert alerts(report) == []


def test_cost_adds_the_stages() -> None:
    receipt = Receipt(EXTRACT)
    receipt.facts.update(bytes_read=7_000)
    stages = {
        EXTRACT: StageTotals(EXTRACT, receipt, 1, 900.0, {}, {}, task_seconds=3_600.0, bytes=50),
        "match_pairs": StageTotals(
            "match_pairs", Receipt("match_pairs"), 1, 900.0, {}, {}, task_seconds=1_800.0, bytes=5
        ),
    }
    found = cost_values(stages, 0.04)
    assert (found["core_hours"], found["hours"], found["price"]) == (1.5, 0.5, pytest.approx(0.06))
    assert (found["read_bytes"], found["written_bytes"]) == (7_000, 55)

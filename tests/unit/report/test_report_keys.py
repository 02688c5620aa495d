"""docs/report.md describes each key of report.json."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from curation.report.page import FORMAT
from tests.browser.report_example import example_report
from tests.conftest import ROOT

FREE = frozenset(
    (
        "run.versions",
        "stages.facts",
        "stages.settings",
        "downloads.statuses.http",
        "images.types",
        "second_balance.t",
        "texts.repeats.before.sizes",
        "texts.repeats.after.sizes",
        "images.repeats.sizes",
        "shards.benchmark_images.benchmarks",
    )
)
"""Values whose keys are names of packages, settings, languages, ..."""


def sections() -> dict[str, str]:
    """The text about each top-level key: a heading may name several."""
    page = (ROOT / "docs/report.md").read_text("utf-8").partition("## report.json")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)
    told = {"format": parts[0]}
    return told | {
        name: text for names, text in zip(parts[1::2], parts[2::2], strict=True) for name in names.split(", ")
    }


def keys(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The path and name of each key within a value; the items of a list have the path of the list."""
    if isinstance(value, list):
        for item in value:
            yield from keys(item, path)
    elif isinstance(value, dict) and path not in FREE:
        for key, inner in value.items():
            yield path, key
            yield from keys(inner, f"{path}.{key}" if path else key)


def undescribed(report: dict[str, Any]) -> list[str]:
    """The keys of a report that docs/report.md does not name in back-ticks in the section of their top-level key.

    Keys that are named before the sections have the same meaning everywhere.
    """
    told = sections()
    missing = [key for key in report if key not in told]
    for path, key in dict.fromkeys(keys(report)):
        top = path.partition(".")[0]
        texts = told["format"] + told.get(top, "")
        if path and top in told and not re.search(rf"`(?:[^`\n]*\W)?{re.escape(key)}(?:\W[^`\n]*)?`", texts):
            missing.append(f"{path}.{key}")
    return missing


def test_every_key_of_the_example_is_described() -> None:
    assert undescribed(example_report()) == []


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"new": 1}, ["new"]),
        ({"run": {"seed": 0, "price": 1}}, ["run.price"]),
        ({"stages": [{"rows_in": 1}, {"drops": [{"reason": "a", "why": "b"}]}]}, ["stages.drops.why"]),
        ({"stages": [{"settings": {"balance.t": 5}}]}, []),
    ],
    ids=["top", "in a section", "in a list", "free"],
)
def test_a_key_that_nobody_described_is_found(change: dict[str, Any], missing: list[str]) -> None:
    assert undescribed(change) == missing


def test_the_version_is_described() -> None:
    assert f"`format` is {FORMAT};" in sections()["format"]

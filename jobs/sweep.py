"""Runs a sweep: signals once, decisions for each variant in a folder of its own, and a table of them at the end."""

import importlib
from dataclasses import replace
from typing import Any

import pyarrow as pa

from curation.core.progress import say
from curation.core.schemas import CURATED, THRESHOLDS
from curation.core.storage import join
from curation.core.table_reader import read_rows
from curation.core.tables import Table
from jobs.answers import Sweep

COLUMNS = ("folder", "language", "t", "tail share", "matches", "texts expected", "images expected", "images kept")


def run_sweep(sweep: Sweep) -> None:
    """Balance with each configuration; those that are done cost nothing."""
    balance = importlib.import_module("jobs.balance_pairs").run
    first = next(iter(sweep.variants.values()))
    if sweep.job == "curate":
        words = join(first.output, "entries")  # beside the signals, where each variant finds them
        importlib.import_module("jobs.curate").run_signals(replace(first, entries=words))
    for name, config in sweep.variants.items():
        say("sweep", f"{name}: {config.curated}")
        balance(config)
    if not first.forecast:  # which prints tables of its own, and draws nothing
        for line in table_lines(sweep):
            say("sweep", line)


def table_lines(sweep: Sweep) -> list[str]:
    """Return the lines of the table: a row for each variant and its largest language, and the images of all."""
    rows = [COLUMNS, *(_row(name, config) for name, config in sweep.variants.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return [
        "  ".join(f"{cell:{'<' if place < 2 else '>'}{widths[place]}}" for place, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _row(name: str, config: Any) -> tuple[str, ...]:
    (thresholds,), (curated,) = Table(config.thresholds, THRESHOLDS).parts(), Table(config.curated, CURATED).parts()
    languages = pa.concat_tables([read_rows(path, THRESHOLDS) for path in thresholds.files]).to_pylist()
    none: dict[str, Any] = {"lang": "none", "t": 0.0, "tail_share": 0.0, "matches": 0}
    largest = max(languages, key=lambda row: row["matches"], default=none)
    texts, images = (sum(row[column] for row in languages) for column in ("expected_pairs", "expected_images"))
    return (
        name,
        largest["lang"],
        f"{largest['t']:,.6g}",
        f"{largest['tail_share']:.3%}",
        f"{sum(row['matches'] for row in languages):,}",
        f"{texts:,.0f}",
        f"{images:,.0f}",
        f"{curated.receipt.rows_out:,}",
    )

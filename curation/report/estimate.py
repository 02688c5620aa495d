"""The cost of a planned run: rows, core-hours, bytes, memory and dollars of each stage.

The measured figures (figures.json) are those that the benchmarks print, each with its command. All other numbers are
named assumptions. The estimate assumes that work is proportional to its input and evenly spread over the cores.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from curation.core.amounts import are, byte_size, counted, duration
from curation.core.choices import Signal

MEASURED_LINKS = 1_270_000
"""Image links of the archive for which `extract_core_seconds` was measured."""
BUCKET_BYTES = 512e6
"""Size of a bucket of `matches` that the estimate recommends."""

_MODELS = {
    Signal.faces: "faces_core_seconds",
    Signal.nsfw: "nsfw_core_seconds",
    Signal.embedding: "nsfw_core_seconds",
    Signal.text: "text_core_seconds",
}
"""The figure of each signal's model; `nsfw` and `embedding` are one."""
_UID_BYTES, _SIGNAL_BYTES = 24, {Signal.embedding: 2048, Signal.faces: 8}


@dataclass(frozen=True)
class Figure:
    """A measured number with its unit, a description, and the command that prints it."""

    value: float
    unit: str
    command: str
    text: str


@dataclass(frozen=True)
class Assumptions:
    """The numbers that are not measured but assumed; conf/schema/jobs.py describes each."""

    archives: float
    archive_bytes: float
    image_links: float
    pairs_per_archive: float
    match_share: float
    distinct_share: float
    texts_per_image: float
    keep_share: float
    languages: int
    entries_per_list: float
    success_share: float
    fetched_bytes: float
    stored_bytes: float
    cores: int
    price_core_hour: float
    price_terabyte_month: float
    price_terabyte_read: float
    months: float
    signals: list[Signal]


@dataclass(frozen=True)
class StageEstimate:
    """The cost of a stage; rows are in its unit, and `memory` is that of one worker process in GiB.

    `read_bytes` come from outside (archives, images), `table_bytes` is the size of the table that the stage writes.
    """

    stage: str
    unit: str
    rows_in: float
    rows_out: float
    core_seconds: float
    memory: float
    read_bytes: float = 0.0
    shuffle_bytes: float = 0.0
    table_bytes: float = 0.0


@lru_cache(maxsize=1)
def measured() -> Mapping[str, Figure]:
    """Return the measured figures by name."""
    figures = json.loads((files("curation.report") / "figures.json").read_text())
    return {
        name: Figure(entry["value"], entry["unit"], entry["command"], entry["is"]) for name, entry in figures.items()
    }


def estimate(assumed: Assumptions) -> list[StageEstimate]:
    """Return the cost of each stage, in the order of the stages."""
    figures = {name: figure.value for name, figure in measured().items()}
    links = assumed.archives * assumed.image_links
    pairs = assumed.archives * assumed.pairs_per_archive
    matched = pairs * assumed.match_share
    matches = matched * assumed.distinct_share
    images = matches / assumed.texts_per_image
    kept = images * assumed.keep_share
    stored = kept * assumed.success_share
    stored_bytes = stored * assumed.stored_bytes
    return [
        StageEstimate(
            "extract_pairs", "image links", links, pairs,
            core_seconds=assumed.archives * figures["extract_core_seconds"] * assumed.image_links / MEASURED_LINKS,
            memory=figures["extract_memory"],
            read_bytes=assumed.archives * assumed.archive_bytes,
            table_bytes=pairs * figures["bytes_per_pair"],
        ),
        StageEstimate(
            "match_pairs", "texts", pairs, matches,
            core_seconds=pairs / 1e6 * figures["match_core_seconds"],
            memory=figures["match_memory"],
            shuffle_bytes=matched * figures["shuffle_bytes_per_match"],
            table_bytes=matches * figures["bytes_per_match"],
        ),
        StageEstimate(
            "count_entries", "texts", matches, matches,
            core_seconds=matches / 1e6 * figures["count_core_seconds"],
            memory=figures["balance_memory"],
        ),
        StageEstimate(
            "balance_pairs", "images", images, kept,
            core_seconds=matches / 1e6 * figures["balance_core_seconds"],
            memory=figures["balance_memory"],
            table_bytes=kept * figures["bytes_per_curated"],
        ),
        StageEstimate(
            "download_images", "images", kept, stored,
            core_seconds=kept / 1e3 * figures["download_core_seconds"],
            memory=figures["download_memory"],
            read_bytes=stored * assumed.fetched_bytes,
            table_bytes=stored_bytes,
        ),
        *([_scoring(assumed.signals, stored, figures)] if assumed.signals else []),
        StageEstimate(
            "write_shards", "images", stored, stored,
            core_seconds=stored_bytes / 1e9 * figures["shards_core_seconds"],
            memory=figures["shards_memory"],
            table_bytes=stored_bytes,
        ),
    ]  # fmt: skip


def _scoring(signals: Sequence[Signal], images: float, figures: Mapping[str, float]) -> StageEstimate:
    """Return the cost of score_images; nothing is known of the models of users, which count as decoding."""
    models = {_MODELS.get(signal, "") for signal in signals}
    seconds = figures["decode_core_seconds"] + sum(figures[model] for model in models if model)
    row_bytes = sum(_SIGNAL_BYTES.get(signal, 4) for signal in signals) + _UID_BYTES
    return StageEstimate(
        "score_images", "images", images, images,
        core_seconds=images / 1e3 * seconds,
        memory=figures["signals_memory"],
        table_bytes=images * row_bytes,
    )  # fmt: skip


def dollars(stage: StageEstimate, assumed: Assumptions) -> float:
    """Return the price of a stage: its core-hours, the bytes that it reads, and the storage of its table."""
    return (
        stage.core_seconds / 3600 * assumed.price_core_hour
        + stage.read_bytes / 1e12 * assumed.price_terabyte_read
        + stage.table_bytes / 1e12 * assumed.price_terabyte_month * assumed.months
    )


def estimate_text(assumed: Assumptions) -> str:
    """Return the estimate as Markdown: a table of the stages, and notes on machines and buckets."""
    stages = estimate(assumed)
    head = ("stage", "rows in", "rows out", "core-hours", "time", "memory", "read", "shuffle", "table", "$")
    rows: list[tuple[str, ...]] = [
        (
            stage.stage,
            f"{_amount(stage.rows_in)} {stage.unit}",
            _amount(stage.rows_out),
            _number(stage.core_seconds / 3600),
            duration(stage.core_seconds / assumed.cores),
            f"{stage.memory:.1f} GiB",
            _size(stage.read_bytes),
            _size(stage.shuffle_bytes),
            _size(stage.table_bytes),
            _number(dollars(stage, assumed)),
        )
        for stage in stages
    ]
    seconds = sum(stage.core_seconds for stage in stages)
    sums = [sum(getattr(stage, name) for stage in stages) for name in ("read_bytes", "shuffle_bytes", "table_bytes")]
    total = _number(sum(dollars(stage, assumed) for stage in stages))
    rows.append(
        ("all", "", "", _number(seconds / 3600), duration(seconds / assumed.cores), "",
         *map(_size, sums), total)
    )  # fmt: skip
    lists = assumed.languages * assumed.entries_per_list * measured()["list_bytes_per_entry"].value
    matches = stages[1].table_bytes
    notes = [
        f"Times assume that {counted(assumed.cores, 'cores')} {are(assumed.cores)} always busy. Memory is that of one "
        f"worker process; each core runs one. The entry lists of {counted(assumed.languages, 'languages')} take "
        f"{byte_size(lists)} on each machine, which its workers share.",
        f"For files of `matches` of about 512 MB: `buckets={max(1, min(65_536, round(matches / BUCKET_BYTES)))}`.",
    ]
    return "\n\n".join([markdown_table(head, rows), *notes])


def figures_text() -> str:
    """Return the measured figures as a Markdown table."""
    rows = [
        (name, f"{figure.value:g} {figure.unit}", figure.text, f"`{figure.command}`")
        for name, figure in measured().items()
    ]
    return markdown_table(("figure", "value", "is", "printed by"), rows)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(markdown_table(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def _number(value: float) -> str:
    """A number with three significant digits; from 100 on with no decimals.

    >>> [_number(value) for value in (0, 0.0001, 0.01234, 12.34, 1234.5)]
    ['0', '< 0.01', '0.0123', '12.3', '1,234']
    """
    if 0 < value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(count: float) -> str:
    """Bytes, a dash for none: most stages read or shuffle nothing."""
    return byte_size(count) if count else "-"


def _amount(value: float) -> str:
    """A number of rows, rounded, with millions and billions in words.

    >>> [_amount(value) for value in (950, 1.5e6, 1e10, 2.5e12)]
    ['950', '1.5 million', '10 billion', '2,500 billion']
    """
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{_number(value / size)} {name}"
    return f"{value:,.0f}"

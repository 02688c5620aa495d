"""What a run will cost: rows, core-hours, bytes, memory and dollars of each stage, from measured figures.

The figures are those that the project's own benchmarks print (figures.json, each with its command); everything else
is an assumption with a name. Work is taken to grow with its input and to spread over cores evenly.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

MEASURED_LINKS = 1_270_000
"""Image links of the archive that the extraction figure speaks of."""
BUCKET_BYTES = 512e6


@dataclass(frozen=True)
class Figure:
    """A measured number: what it is, its unit, and the command that prints it."""

    value: float
    unit: str
    command: str
    text: str


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here but taken from elsewhere, or chosen; conf/schema/jobs.py says what each one means."""

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


@dataclass(frozen=True)
class StageEstimate:
    """A stage: rows of its unit in and out, core-seconds, memory of a worker in GiB, and bytes."""

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
    found = json.loads((files("curation.report") / "figures.json").read_text())
    return {name: Figure(entry["value"], entry["unit"], entry["command"], entry["is"]) for name, entry in found.items()}


def estimate(asked: Assumptions) -> list[StageEstimate]:
    """Return what each stage will take, in their order; `read_bytes` are those that come from outside."""
    of = {name: figure.value for name, figure in measured().items()}
    pairs = asked.archives * asked.pairs_per_archive
    matched = pairs * asked.match_share
    matches = matched * asked.distinct_share
    images = matches / asked.texts_per_image
    kept = images * asked.keep_share
    stored = kept * asked.success_share
    extract = asked.archives * of["extract_core_seconds"] * asked.image_links / MEASURED_LINKS
    return [
        StageEstimate(
            "extract_pairs", "image links", asked.archives * asked.image_links, pairs, extract, of["extract_memory"],
            read_bytes=asked.archives * asked.archive_bytes, table_bytes=pairs * of["bytes_per_pair"],
        ),
        StageEstimate(
            "match_pairs", "texts", pairs, matches, pairs / 1e6 * of["match_core_seconds"], of["match_memory"],
            shuffle_bytes=matched * of["shuffle_bytes_per_match"], table_bytes=matches * of["bytes_per_match"],
        ),
        StageEstimate(
            "count_entries", "texts", matches, matches, matches / 1e6 * of["count_core_seconds"], of["balance_memory"]
        ),
        StageEstimate(
            "balance_pairs", "images", images, kept, matches / 1e6 * of["balance_core_seconds"], of["balance_memory"],
            table_bytes=kept * of["bytes_per_curated"],
        ),
        StageEstimate(
            "download_images", "images", kept, stored, kept / 1e3 * of["download_core_seconds"],
            of["download_memory"], read_bytes=stored * asked.fetched_bytes, table_bytes=stored * asked.stored_bytes,
        ),
        StageEstimate(
            "write_shards", "images", stored, stored, stored * asked.stored_bytes / 1e9 * of["shards_core_seconds"],
            of["shards_memory"], table_bytes=stored * asked.stored_bytes,
        ),
    ]  # fmt: skip


def dollars(stage: StageEstimate, asked: Assumptions) -> float:
    """Return the price of a stage: its cores, the bytes it reads from outside, the months that its table is kept."""
    return (
        stage.core_seconds / 3600 * asked.price_core_hour
        + stage.read_bytes / 1e12 * asked.price_terabyte_read
        + stage.table_bytes / 1e12 * asked.price_terabyte_month * asked.months
    )


def estimate_text(asked: Assumptions) -> str:
    """Return the estimate as Markdown: a table of the stages, and what it says of machines."""
    stages = estimate(asked)
    head = ("stage", "rows in", "rows out", "core-hours", "hours", "memory", "read TB", "shuffle TB", "table TB", "$")
    rows: list[tuple[str, ...]] = [
        (
            stage.stage,
            f"{_amount(stage.rows_in)} {stage.unit}",
            _amount(stage.rows_out),
            _number(stage.core_seconds / 3600),
            _number(stage.core_seconds / 3600 / asked.cores),
            f"{stage.memory:.1f} GiB",
            _number(stage.read_bytes / 1e12),
            _number(stage.shuffle_bytes / 1e12),
            _number(stage.table_bytes / 1e12),
            _number(dollars(stage, asked)),
        )
        for stage in stages
    ]
    seconds = sum(stage.core_seconds for stage in stages)
    sums = [sum(getattr(stage, name) for stage in stages) for name in ("read_bytes", "shuffle_bytes", "table_bytes")]
    total = _number(sum(dollars(stage, asked) for stage in stages))
    rows.append(
        ("all", "", "", _number(seconds / 3600), _number(seconds / 3600 / asked.cores), "",
         *(_number(bytes_ / 1e12) for bytes_ in sums), total)
    )  # fmt: skip
    lists = asked.languages * asked.entries_per_list * measured()["list_bytes_per_entry"].value / 2**30
    matches = stages[1].table_bytes
    notes = [
        f"Hours: on {asked.cores:,} cores that are busy all the time. Memory: of one worker process, a core each; the "
        f"entry lists of {asked.languages:,} language{'s' * (asked.languages != 1)} come to {_number(lists)} GiB a "
        "machine, mapped once for all its workers.",
        f"Files of `matches` of about 512 MB: `buckets={max(1, min(65_536, round(matches / BUCKET_BYTES)))}`.",
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
    """Three figures, none behind the point where there are three before it.

    >>> [_number(value) for value in (0, 0.0001, 0.01234, 12.34, 1234.5)]
    ['0', '< 0.01', '0.0123', '12.3', '1,234']
    """
    if 0 < value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _amount(value: float) -> str:
    """A number of rows, rounded.

    >>> [_amount(value) for value in (950, 1.5e6, 1e10, 2.5e12)]
    ['950', '1.5 million', '10 billion', '2,500 billion']
    """
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if value >= size:
            return f"{_number(value / size)}{name}"
    return f"{value:,.0f}"

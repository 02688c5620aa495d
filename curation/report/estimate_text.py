"""An estimate as Markdown, for people."""

from collections.abc import Sequence

from curation.core.amounts import are, byte_size, counted, duration
from curation.report.estimate import (
    Assumptions,
    StageEstimate,
    by_peer,
    dollars,
    dollars_a_month,
    dollars_kept,
    estimate,
    good_buckets,
    list_bytes,
    until_curated,
)
from curation.report.figures import measured, sitting
from curation.report.peers import peers

HEAD = (
    "stage", "rows in", "rows out", "core-hours", "others say", "time", "memory", "read", "shuffle", "table", "$",
    "$ a month",
)  # fmt: skip


def estimate_text(assumed: Assumptions) -> str:
    """Return the estimate as Markdown: a table of the stages, and notes on prices, machines and buckets."""
    stages = estimate(assumed)
    curated = until_curated(stages)
    rows: list[tuple[str, ...]] = [_stage_row(stage, assumed) for stage in stages]
    rows.insert(len(curated), _sum_row("until `curated`", curated, assumed))
    rows.append(_sum_row("all", stages, assumed))
    notes = [
        f"$ is the price of the work, $ a month that of keeping the stage's table. All of it, kept for "
        f"{_months(assumed.months)}: ${_number(dollars_kept(stages, assumed))}.",
        "Others say: core-hours of the same work by what the project says of itself (docs/scale.md).",
        f"Times assume that {counted(assumed.cores, 'cores')} {are(assumed.cores)} always busy. Memory is that of one "
        f"worker process; each core runs one. The entry lists of {counted(assumed.languages, 'languages')} take "
        f"{byte_size(list_bytes(assumed))} on each machine, which its workers share.",
        f"For files of `matches` of about 512 MB: `buckets={good_buckets(stages)}`.",
    ]
    return "\n\n".join([markdown_table(HEAD, rows), *notes])


def _stage_row(stage: StageEstimate, assumed: Assumptions) -> tuple[str, ...]:
    other = by_peer(stage, assumed)
    return (
        stage.stage,
        f"{_amount(stage.rows_in)} {stage.unit}",
        _amount(stage.rows_out),
        _number(stage.core_seconds / 3600),
        f"{_number(other[1])} ({other[0].name})" if other else "-",
        duration(stage.core_seconds / assumed.cores),
        f"{stage.memory:.1f} GiB",
        _size(stage.read_bytes),
        _size(stage.shuffle_bytes),
        _size(stage.table_bytes),
        _number(dollars(stage, assumed.prices)),
        _number(dollars_a_month(stage, assumed.prices)),
    )


def _sum_row(name: str, stages: Sequence[StageEstimate], assumed: Assumptions) -> tuple[str, ...]:
    seconds = sum(stage.core_seconds for stage in stages)
    sums = [sum(getattr(stage, name) for stage in stages) for name in ("read_bytes", "shuffle_bytes", "table_bytes")]
    prices = [sum(price(stage, assumed.prices) for stage in stages) for price in (dollars, dollars_a_month)]
    hours, time = _number(seconds / 3600), duration(seconds / assumed.cores)
    return (name, "", "", hours, "", time, "", *map(_size, sums), *map(_number, prices))


def _months(months: float) -> str:
    """Return months with their noun.

    >>> _months(1), _months(0.5), _months(12)
    ('1 month', '0.5 months', '12 months')
    """
    return counted(months, "months") if months == round(months) else f"{months:g} months"


def figures_text() -> str:
    """Return the measured figures as a Markdown table, with the machine and the date."""
    rows = [
        (name, f"{figure.value:g} {figure.unit}", figure.text, f"`{figure.command}`")
        for name, figure in measured().items()
    ]
    told = f"Machine: {sitting().machine}. Date: {sitting().date}."
    return f"{markdown_table(('figure', 'value', 'is', 'printed by'), rows)}\n\n{told}"


def peers_text() -> str:
    """Return the figures of other projects as a Markdown table."""
    return markdown_table(
        ("who", "says", "source"), [(peer.name, peer.says, f"[{peer.title}]({peer.source})") for peer in peers()]
    )


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

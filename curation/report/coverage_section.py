"""The section of the page on benchmarks: whether their classes are in the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from curation.report.class_coverage import alerts
from curation.report.numbers import plural
from curation.report.template import render_template

Values = Mapping[str, Any]
SHOWN_ALERTS, SHOWN_RAREST, SHOWN_ABSENT = 5, 20, 60
STAGES = (("raw", "texts"), ("balanced", "balanced"), ("in_shards", "in shards"))
"""The stages that the page shows, with the heads of their columns."""
ALL_STAGES = (
    ("raw", "Texts"), ("balanced", "At most t"), ("expected", "Texts expected"), ("in_shards", "In shards")
)  # fmt: skip


def benchmarks(report: Values) -> Markup:
    """Return a table of the tasks, the alerts above it, and the classes below; "" where no class was looked up."""
    rows: Sequence[Values] = report.get("benchmarks", ())
    lines = alerts(rows)
    more = [f"and {plural(len(lines) - SHOWN_ALERTS, 'task')} more"] if len(lines) > SHOWN_ALERTS else []
    return render_template(
        "benchmarks",
        rows=rows,
        warned=[*lines[:SHOWN_ALERTS], *more],
        stages=[(name, head) for name, head in STAGES if any(name in row["stages"] for row in rows)],
        all_stages=ALL_STAGES,
        shown_absent=SHOWN_ABSENT,
        shown_rarest=SHOWN_RAREST,
    )

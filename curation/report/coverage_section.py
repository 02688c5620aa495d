"""The section of the page on benchmarks: whether their classes are in the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.report.class_coverage import alerts, divergence_text
from curation.report.class_lookup import ABSENT
from curation.report.html_tables import collapsible_table, html_table, number_or_dash, table_row
from curation.report.numbers import escape, exact_number, number, percent, plural, web_text

Values = Mapping[str, Any]
SHOWN_ALERTS, SHOWN_RAREST, SHOWN_ABSENT, NAME_CHARACTERS = 5, 20, 60, 60
STAGES = (("raw", "texts"), ("balanced", "balanced"), ("in_shards", "in shards"))
"""The stages that the page shows, with the heads of their columns."""


def benchmarks(report: Values) -> str:
    """Return a table of the tasks, the alerts above it, and the classes below; "" where no class was looked up."""
    rows: Sequence[Values] = report.get("benchmarks", ())
    if not rows:
        return ""
    lines = alerts(rows)
    more = [f"and {plural(len(lines) - SHOWN_ALERTS, 'task')} more"] if len(lines) > SHOWN_ALERTS else []
    warned = "".join(f"<li>{web_text(line)}</li>" for line in [*lines[:SHOWN_ALERTS], *more])
    stages = [(name, head) for name, head in STAGES if any(name in row["stages"] for row in rows)]
    heads = ["Task", "Classes", "Entries", "In other case", "In entries", "Absent"]
    heads += [f"{word} {head}" for word in ("None", "KL,") for _, head in stages] + ["Rarest class, an epoch"]
    table = collapsible_table(
        [_row(row, [name for name, _ in stages]) for row in rows],
        lambda some: html_table(heads, some, "wide even"),
        "tasks",
    )
    return (
        "<p>A class is an entry, is one but for upper and lower case, occurs within entries as whole words, or is "
        "absent. Counts are of texts, of texts as the threshold <i>t</i> limits them, and of samples whose caption "
        "holds the entry. KL, in nats, tells how far the data are from showing each class equally often. It is ∞ where "
        "a class has none; the value of the other classes stands beside it. The last column is how often one epoch is "
        "expected to show the rarest class.</p>"
        f'{f"""<ul class="notes alerts">{warned}</ul>""" if warned else ""}<div class="scroll">{table}</div>'
        '<details class="more"><summary>The classes that are absent, and the rarest</summary>'
        f"{''.join(map(_classes, rows))}</details>"
    )


def _row(row: Values, stages: Sequence[str]) -> str:
    found = [row["stages"].get(name) for name in stages]
    rarest = row["rarest"]
    return table_row(
        f'{web_text(row["task"], NAME_CHARACTERS)} <code class="soft">{escape(row["lang"])}</code>',
        [
            exact_number(row["classes"]),
            *(exact_number(row[f"{kind}_classes"]) for kind in ("entry", "case", "part", "absent")),
            *("–" if stage is None else exact_number(stage["zero"]) for stage in found),
            *("–" if stage is None else divergence_text(stage) for stage in found),
            "–" if rarest is None else number_or_dash(rarest["exposures"]),
        ],
    )


def _classes(row: Values) -> str:
    absent = [each["class"] for each in row["names"] if each["match"] == ABSENT]
    named = ", ".join(web_text(name, NAME_CHARACTERS) for name in absent[:SHOWN_ABSENT])
    more = f" and {number(row['absent_classes'] - SHOWN_ABSENT)} more" if row["absent_classes"] > SHOWN_ABSENT else ""
    listed = f"<p>Absent: {named}{more}.</p>" if absent else ""
    stages = [name for name in ("raw", "balanced", "expected", "in_shards") if name in row["stages"]]
    heads = {"raw": "Texts", "balanced": "At most t", "expected": "Texts expected", "in_shards": "In shards"}
    rarest = [
        table_row(
            web_text(each["class"], NAME_CHARACTERS)
            + (f" in {web_text(each['entry'], NAME_CHARACTERS)}" if each["match"] in ("case", "part") else ""),
            [number_or_dash(each[name]) for name in stages],
        )
        for each in [each for each in row["names"] if each["match"] != ABSENT][:SHOWN_RAREST]
    ]
    table = html_table(["Class", *(heads[name] for name in stages)], rarest, "pairs") if rarest else ""
    title = f"{web_text(row['task'], NAME_CHARACTERS)} ({escape(row['lang'])})"
    told = f"{plural(row['classes'], 'class', 'classes')}, {percent(row['zero'], row['classes'])} at 0"
    return f"<h3>{title}: {told}</h3>{listed}{table}"

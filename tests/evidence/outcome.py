"""The table and the figure of the exams, with deviations over the seeds."""

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

Results = dict[str, list[float]]
"""Of one model and exam: top1, top5 and found, a share for every concept, the most frequent concept first."""

TITLES = {
    "balanced": "balanced",
    "random": "random, of the same size",
    "everything": "everything",
    "online": "online, of everything with the t of balanced",
}
UNTHINNED_T = 1e9
"""A threshold beyond every count."""
FAULTS = {"foreign": "in another language", "wrong": "wrong name", "idle": "says nothing"}
QUARTERS = ("most frequent quarter", "second", "third", "rarest quarter")
COLOURS = ("#1b6ca8", "#c46a1b", "#6b8f3c", "#8a4f9e", "#a33b3b", "#4f8f8a")


@dataclass(frozen=True)
class Figure:
    """A mean over the seeds with its standard deviation, None of a single seed."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        told = f"{100 * self.mean:.1f}"
        return told if self.deviation is None else f"{told} ± {100 * self.deviation:.1f}"


def figure(values: list[float]) -> Figure:
    """Return the mean and the sample's standard deviation.

    >>> str(figure([0.1, 0.2])), str(figure([0.1]))
    ('15.0 ± 7.1', '10.0')
    """
    return Figure(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


def quarters(shares: list[float]) -> list[float]:
    """Return the means of the four quarters of the concepts, that of the most frequent ones first.

    >>> quarters([1, 1, 0, 0, 0, 0, 0, 1])
    [1, 0, 0, 0.5]
    """
    cuts = [len(shares) * quarter // 4 for quarter in range(5)]
    return [statistics.mean(shares[first:last]) for first, last in pairwise(cuts)]


def figures(results: list[Results]) -> dict[str, Figure]:
    """Return top-1, top-5 and top-1 of each quarter over the seeds of an arm."""
    found = {name: figure([statistics.mean(each[name]) for each in results]) for name in ("top1", "top5")}
    for number, values in enumerate(zip(*(quarters(each["top1"]) for each in results), strict=True)):
        found[f"quarter {number + 1}"] = figure(list(values))
    return found


def compare(one: Figure, other: Figure) -> str:
    """Say by how many points the first is better, and whether that is more than its deviation.

    The deviation of a difference of means is that of both added up, so three seeds that differ by chance seldom pass.

    >>> compare(Figure(0.3, 0.01), Figure(0.2, 0.01)), compare(Figure(0.3, 0.1), Figure(0.2, 0.1))
    ('+10.0 ± 1.4', '+10.0 ± 14.1, within its deviation')
    """
    difference = one.mean - other.mean
    told = f"{100 * difference:+.1f}"
    if one.deviation is None or other.deviation is None:
        return f"{told}, one seed: no deviation"
    deviation = math.hypot(one.deviation, other.deviation)
    return f"{told} ± {100 * deviation:.1f}" + (", within its deviation" if abs(difference) <= deviation else "")


def title(arm: str) -> str:
    """Return what a table calls an arm.

    >>> title("random"), title("t50")
    ('random, of the same size', 't = 50, of the same size')
    """
    return TITLES.get(arm) or f"t = {arm.removeprefix('t')}, of the same size"


def table(counts: dict[str, dict[str, Any]], results: dict[str, list[Results]]) -> str:
    """Return the table, in Markdown: a row of each arm, then one of what `balanced` is better by."""
    head = ["trained on", "samples", "concepts", "effective concepts", "top-1", "top-5", *QUARTERS]
    rows = [head, ["---", *["--:"] * (len(head) - 1)]]
    found = {arm: figures(each) for arm, each in results.items()}
    for arm, values in found.items():
        told = ["", "", ""]  # a balance in the trainer has no set of its own
        if count := counts.get(arm):
            told = [f"{count['samples']:,}", f"{count['concepts']:,}", f"{count['effective_concepts']:,.0f}"]
        rows.append([title(arm), *told, *map(str, values.values())])
    for arm in found:
        if arm != "balanced":
            better = [compare(one, found[arm][name]) for name, one in found["balanced"].items()]
            rows.append([f"balanced less {title(arm).split(',')[0]}", "", "", "", *better])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def counts_table(counts: dict[str, dict[str, Any]]) -> str:
    """Return what the arms hold, in Markdown: a row of each arm, before any training."""
    head = ["arm", "t", "images kept", "samples", "concepts", "effective concepts", *FAULTS.values()]
    rows = [head, ["---", *["--:"] * (len(head) - 1)]]
    for arm, count in counts.items():
        told = [f"{count[name]:,}" for name in ("kept", "samples", "concepts")]
        t = ", ".join("none" if each >= UNTHINNED_T else f"{each:.4g}" for each in count["t"])
        faults = [f"{count[name] / count['samples']:.1%}" for name in FAULTS]
        rows.append([title(arm), t, *told, f"{count['effective_concepts']:,.0f}", *faults])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def chart(results: dict[str, list[Results]]) -> str:
    """Return an SVG: bars of top-1 by quarter for each arm, with a line of one deviation up and down."""
    found = {arm: figures(each) for arm, each in results.items()}
    drawn = [value for each in found.values() for name, value in each.items() if name.startswith("quarter")]
    highest = max(value.mean + (value.deviation or 0) for value in drawn)
    top = max(0.1, math.ceil(highest * 10) / 10)
    width, height, left, foot = 720, 300, 50, 230
    group = (width - left - 10) / len(QUARTERS)
    bar = group * 0.8 / len(found)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13">',
        "<title>Top-1 accuracy by frequency of the concepts</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for step in range(round(top * 10) + 1):
        y = foot - step / 10 / top * (foot - 20)
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{step * 10}%</text>')
    for number, name in enumerate(QUARTERS):
        middle = left + group * (number + 0.5)
        parts.append(f'<text x="{middle:.1f}" y="{foot + 20}" text-anchor="middle">{escape(name)}</text>')
        for place, (arm, values) in enumerate(found.items()):
            value, x = values[f"quarter {number + 1}"], left + group * (number + 0.1) + place * bar
            y = foot - value.mean / top * (foot - 20)
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar - 2:.1f}" height="{foot - y:.1f}" '
                f'fill="{COLOURS[place % len(COLOURS)]}"><title>{escape(title(arm))}: {value}%</title></rect>'
            )
            if value.deviation:
                reach, centre = value.deviation / top * (foot - 20), x + bar / 2 - 1
                parts.append(
                    f'<line x1="{centre:.1f}" x2="{centre:.1f}" y1="{y - reach:.1f}" y2="{y + reach:.1f}" '
                    'stroke="black"/>'
                )
    for place, arm in enumerate(found):
        x = left + place * (width - left) / max(len(found), 3)
        parts.append(f'<rect x="{x:.0f}" y="268" width="12" height="12" fill="{COLOURS[place % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 18:.0f}" y="279">{escape(title(arm))}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"

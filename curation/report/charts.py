"""The geometry of the page's charts; the macro `plot` of `templates/macros.html` draws them: SVG shapes, HTML labels.

The shapes are stretched to the available width. Labels are not stretched, so a chart is readable on a phone, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.report.numbers import number

HEIGHT, WIDTH = 400, 1000
LONG_LABEL = 5
"""Characters: of longer labels a histogram has three, else five, since four histograms stand side by side."""


@dataclass(frozen=True)
class Label:
    """A text at a place of a plot, in percent of its sides; `strong` stands in a line of its own below it."""

    kind: str
    text: str
    left: float | None = None
    top: float | None = None
    strong: str = ""


@dataclass
class Plot:
    """A chart: paths of (CSS class, d), columns of (x, y, height, tooltip) one wide, and labels."""

    kind: str
    description: str
    width: int = WIDTH
    height: int = HEIGHT
    paths: list[tuple[str, str]] = field(default_factory=list)
    columns: list[tuple[int, str, str, str]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def ticks(highest: float, count: int = 4) -> list[float]:
    """Return round values from 0 to at most `highest`, about `count` of them besides 0.

    >>> ticks(1234), ticks(0)
    ([0.0, 500.0, 1000.0], [0.0])
    """
    if highest <= 0:
        return [0.0]
    rough = highest / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * index for index in range(int(highest / step + 1e-9) + 1)]


def cumulative(language: dict[str, Any]) -> Plot:
    """Return the curves of a language's cumulative matches before and after balancing, with the border of the tail."""
    curve, t = language["curve"], language["t"]
    before, after, positions = curve["before"], curve["after"], curve["entries"]
    width = max(positions, default=0) or 1
    top = max(*before, *after, 1) * 1.04
    plot = Plot(
        "curves",
        f"Cumulative matches of {language['name']} entries from the rarest to the most frequent: "
        f"{language['matches_before']:,} before balancing, {language['matches_after']:,} after",
    )
    above, below = (
        [f"{x / width * WIDTH:.2f} {(1 - y / top) * HEIGHT:.2f}" for x, y in zip(positions, values, strict=True)]
        for values in (before, after)
    )
    plot.paths += [("grid", f"M0 {(1 - value / top) * HEIGHT:.2f}H{WIDTH}") for value in ticks(top / 1.04)]
    plot.paths += [
        ("between", f"M{'L'.join([*above, *reversed(below)])}Z"),
        ("under", f"M{'L'.join(below)}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z"),
        ("line before", f"M{'L'.join(above)}"),
        ("line after", f"M{'L'.join(below)}"),
    ]
    plot.labels += [Label("y", number(value), top=(1 - value / top) * 100) for value in ticks(top / 1.04) if value]
    plot.labels += _positions([(value / width, number(value)) for value in ticks(width)])
    ends = [(1 - values[-1] / top) * 100 for values in (before, after)]
    ends[1] = max(ends[1], ends[0] + 16)  # two lines of a label, in a narrow plot, too
    for name, values, end in zip(("before", "after"), (before, after), ends, strict=True):
        plot.labels.append(Label(f"end {name}", name, top=end, strong=number(values[-1])))
    if t is not None:
        at = min(max(curve["threshold"] / width, 0), 1)
        plot.paths.append(("marker", f"M{at * WIDTH:.2f} 0V{HEIGHT}"))
        side = "left-of" if at > 0.5 else "right-of"
        # Labels of the axis stand above their lines, so there is room below the highest line.
        below_line = (1 - ticks(top / 1.04)[-1] / top) * 100 if at < 0.15 else None
        text = f"t = {number(round(t, 2))}"
        plot.labels.append(Label(f"note {side}", text, left=at * 100, top=below_line, strong="tail | head"))
    return plot


def rank_frequency(language: dict[str, Any]) -> Plot:
    """Return the counts of a language's entries by their rank, both on scales of powers of ten, and t as a line."""
    found, t = language["ranks"], language["t"]
    ranks = found["ranks"]
    across = max(math.log10(max(ranks, default=1)), 0.1)
    up = math.log10(max([10, *found["before"], *found["after"]])) * 1.03
    plot = Plot("ranks", f"Counts of {language['name']} entries by rank, both on logarithmic scales, before and after")

    def height(count: float) -> float:
        return 1 - math.log10(count) / up

    for power in range(int(up) + 1):
        plot.paths.append(("grid", f"M0 {height(10**power) * HEIGHT:.2f}H{WIDTH}"))
        plot.labels.append(Label("y", number(10**power), top=height(10**power) * 100))
    for kind in ("before", "after"):
        pairs = [(rank, count) for rank, count in zip(ranks, found[kind], strict=True) if count]
        at = [f"{math.log10(rank) / across * WIDTH:.2f} {height(count) * HEIGHT:.2f}" for rank, count in pairs]
        if at:
            plot.paths.append((f"line {kind}", f"M{'L'.join([*at, *at[-1:]])}"))
    powers = [(power / across, number(10**power)) for power in range(int(across) + 1)]
    plot.labels += _positions([each for each in powers if each[0] <= 1])
    if t is not None and 1 <= t <= 10**up:
        plot.paths.append(("marker", f"M0 {height(t) * HEIGHT:.2f}H{WIDTH}"))
        plot.labels.append(Label("note level", f"t = {number(round(t, 2))}", top=height(t) * 100))
    return plot


def _positions(named: Sequence[tuple[float, str]]) -> Iterator[Label]:
    """Yield the labels below an axis, given as (share of its length, label); labels at its ends do not stick out."""
    for at, name in named:
        side = " first" if at < 0.02 else " last" if at > 0.97 else ""
        yield Label(f"x{side}", name, left=at * 100)


def histogram(bins: dict[str, Any], description: str, show: Callable[[float], str] = number) -> Plot:
    """Return a histogram of {edges, counts (one fewer), beyond: number of larger values}, with some edges as labels."""
    edges, counts = bins["edges"], bins["counts"]
    highest, columns = max(counts, default=0) or 1, len(counts)
    plot = Plot("histogram", description, max(columns, 1), 200, [("grid", f"M0 4H{columns}")])
    for index, count in enumerate(counts):
        size = count / highest * 196
        name = f"{show(edges[index])} to {show(edges[index + 1])}: {count:,}"
        plot.columns.append((index, f"{200 - size:.2f}", f"{size:.2f}", name))
    is_long = len(show(edges[-1])) > LONG_LABEL
    step = max(1, math.ceil(columns / (2 if is_long else 4)))
    plot.labels += _positions([(index / columns, show(edges[index])) for index in range(0, columns + 1, step)])
    plot.labels.append(Label("y", number(highest), top=2))
    if bins["beyond"]:
        plot.labels.append(Label("beyond", f"{number(bins['beyond'])} beyond"))
    return plot


def at_of_t(forecast: dict[str, Any], t: float) -> float:
    """Return where a threshold of a forecast stands across its chart, from 0 to 1, on a logarithmic scale."""
    first, last = (math.log10(forecast["points"][end]["t"]) for end in (0, -1))
    return (math.log10(t) - first) / (last - first) if last > first else 0.5


def images_by_t(forecast: dict[str, Any]) -> Plot:
    """Return the images that each threshold of a forecast keeps, both on scales of powers of ten, and the run's t."""
    points, own = forecast["points"], forecast["points"][forecast["place"]]
    images = [max(point["images"], 1) for point in points]
    low, high = (math.log10(end(images)) for end in (min, max))
    low, high = math.floor(low), max(high, math.floor(low) + 0.3) + 0.05

    def height(count: float) -> float:
        return 1 - (math.log10(count) - low) / (high - low)

    plot = Plot("curves", f"Images to fetch by threshold, from {number(images[0] // 1)} to {number(images[-1] // 1)}")
    for power in range(low, int(high) + 1):
        plot.paths.append(("grid", f"M0 {height(10**power) * HEIGHT:.2f}H{WIDTH}"))
        plot.labels.append(Label("y", number(10**power), top=height(10**power) * 100))
    at = [
        f"{at_of_t(forecast, point['t']) * WIDTH:.2f} {height(count) * HEIGHT:.2f}"
        for point, count in zip(points, images, strict=True)
    ]
    plot.paths.append(("line after", f"M{'L'.join([*at, *at[-1:]])}"))
    place = at_of_t(forecast, own["t"])
    plot.paths += [("marker", f"M{place * WIDTH:.2f} 0V{HEIGHT}"), ("here", "")]
    first, last = (math.log10(points[end]["t"]) for end in (0, -1))
    powers = [10**power for power in range(math.ceil(first), math.floor(last) + 1)]
    plot.labels += _positions([(at_of_t(forecast, t), number(t)) for t in powers])
    side = "left-of" if place > 0.85 else "right-of"
    # The curve rises, so there is room below it on the right, above the label of the axis.
    text = f"t = {number(round(own['t'], 2))}"
    plot.labels.append(Label(f"note {side}", "this run", left=place * 100, top=70, strong=text))
    return plot

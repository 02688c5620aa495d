"""The papers' figures out of our code (docs/papers.md): `python -m tests.evidence.papers`.

Demystifying CLIP Data is arXiv 2309.16671, Meta CLIP 2 is arXiv 2507.22062. Prints a table, and a second one of the
most frequent entries; the last line is one JSON object. Arguments: scale=100, by how much the pools are smaller than
Pool 1 (two minutes and 4 GB at 100), and seeds=400. Figures that need pages of Wikipedia or captions are left out where
../shared/data is absent.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.conftest import SHARED
from tests.evidence.paper_lists import TOP, articles, bound_words, frequent_words, in_paper, synset_names, top_entries
from tests.evidence.paper_pools import (
    FORMS,
    chance_of_spread,
    distances,
    drawn_deviation,
    forecast_of,
    make_pool,
    thresholds,
)
from tests.real_texts import english_entries, laion_captions, wat_texts

EXACT, SCALED, MISSING = "exact", "scaled", "not to be had"
DRAWN_SCALE = 2000
"""How much smaller than Pool 1 the pool is that is drawn with many seeds."""
SPREAD = 4035
"""The spread over seeds of 400 million pairs that the first paper tells."""
ARGUMENTS = {"scale": 100, "seeds": 400}
DUMP = SHARED / "wikidump" / "enwiki-206-pages.xml.bz2"
LEAST = {"scale": 1, "seeds": 2}
SHOWN = 20
"""Entries of a table."""


@dataclass(frozen=True)
class Figure:
    """A figure of a paper, ours, and how the two may be compared. `how` says what was done, or what is missing."""

    name: str
    paper: str
    ours: str
    kind: str
    how: str


def list_figures(dump: Path | None) -> list[Figure]:
    """Return Table 1 of the first paper by source; `dump` has real pages of the English Wikipedia."""
    found = [
        Figure("Table 1, WordNet", "86,654", f"{synset_names():,}", EXACT, "the rule, on WordNet 3.0 (3.1: 86,648)"),
        Figure("Table 1, words", "251,465", f"{frequent_words():,}", SCALED,
               "words of wordfreq that would stand 100 times or more in Wikipedia; in small letters, without numbers"),
    ]  # fmt: skip
    ours, how = "", "needs pages of Wikipedia"
    if dump:
        told = bound_words(articles(dump))
        ours = f"{told['passing']:,} of {told['pairs']:,}"
        how = (
            f"{told['words']:,} words of Wikipedia, PMI >= {told['scaled_limit']:.1f}: lower, as the text is smaller. "
            f"With PMI >= 30: {told['passing_unscaled']:,}"
        )
    found.append(Figure("Table 1, pairs of words", "100,646", ours, SCALED if dump else MISSING, how))
    return [*found, Figure("Table 1, titles", "61,235", "", MISSING, "needs the page views of Wikipedia")]


def totals_figures() -> list[Figure]:
    """Return the figures that follow from the published totals alone."""
    told = thresholds()
    return [
        Figure("tail share at t = 20,000", "5.5%", f"{told['tail_share']:.1%}", EXACT, "from the totals of Pool 1"),
        Figure("t of Pool 1 at a tail share of 6%", "20,000 (at 5.5%)", f"{told['t_of_tail_share']:,.0f}", SCALED,
               "two power laws with the totals of Pool 1"),
        *(
            Figure(f"distance of {task} (KL)", paper, f"{value:.2f}", EXACT, "all classes at t = 20,000 of 630 million")
            for (task, value), paper in zip(distances().items(), ("8.1", "8.3"), strict=True)
        ),
    ]  # fmt: skip


def pool_figures(scale: int, seeds: int) -> list[Figure]:
    """Return the figures of pools that have the totals of Pool 1, and are `scale` times smaller."""
    forecasts = {form: forecast_of(make_pool(form, scale)) for form in FORMS}
    kept, matches, deviations = (
        [forecasts[form][name] for form in FORMS] for name in ("kept_share", "matches_per_text", "deviation")
    )
    small = make_pool(next(iter(FORMS)), max(scale, DRAWN_SCALE))
    drawn, predicted = drawn_deviation(small, seeds), forecast_of(small)["deviation"]
    texts = thresholds()["large_pool_texts"]
    chance = max(chance_of_spread(SPREAD, each, 3) for each in deviations)
    forms = " and ".join(FORMS)
    return [
        Figure("Pool 1, matches of a text", "3.5", _span(matches, "{:.2f}"), SCALED, f"entries that meet {forms}"),
        Figure("Pool 1, kept at t = 20,000", "25%", _span(kept, "{:.1%}"), SCALED, f"entries that meet {forms}"),
        Figure("billions kept at t = 170,000", "2.5", _span([each * texts / 1e9 for each in kept], "{:.1f}"),
               SCALED, f"of a pool in the same shares, with a tail share of 6%: {texts / 1e9:.0f} billion texts"),
        Figure("spread over seeds of 400 million", f"{SPREAD:,}", _span(deviations, "{:,.0f}"), SCALED,
               f"root of the sum of p (1 - p). {seeds} seeds of keyed draws give {drawn / predicted:.2f} of it. "
               f"Three seeds differ by {SPREAD:,} or less with a chance of {chance:.0%}"),
    ]  # fmt: skip


def _span(values: list[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def entry_tables() -> dict[str, list[tuple[str, int]]]:
    """Return the entries that most captions of LAION-400M and most alt-texts of real archives hold."""
    entries = english_entries()
    return {
        "10,000 of LAION-400M": top_entries(laion_captions(), entries),
        "WAT files": top_entries(wat_texts(), entries),
    }


def figures_table(figures: list[Figure]) -> str:
    """Return the figures, in Markdown."""
    rows = [["figure", "paper", "ours", "is", "how"], ["---", "--:", "--:", "---", "---"]]
    rows += [[each.name, each.paper, each.ours, each.kind, each.how] for each in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def entries_table(found: dict[str, list[tuple[str, int]]]) -> str:
    """Return the most frequent entries beside the paper's, in Markdown, and how many are among the paper's."""
    paper = [f"{entry} {millions}M" for entry, millions in TOP.items()]
    columns = [paper, *([f"{entry} {count:,}" for entry, count in each] for each in found.values())]
    rows = [["rank", "the paper's Table 3", *found], ["--:", *["---"] * len(columns)]]
    for rank in range(SHOWN):
        told = [column[rank].replace("|", "\\|") if rank < len(column) else "" for column in columns]
        rows.append([str(rank + 1), *told])
    rows.append(["", "in the paper's", *(f"{in_paper(each)} of {len(each)}" for each in found.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: list[str]) -> None:
    """Print both tables, and all of them as JSON."""
    given = dict(ARGUMENTS)
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in given or not value.isdecimal() or int(value) < LEAST[name]:
            sys.exit(f"{argument}: expected {' or '.join(f'{each}= a number from {LEAST[each]}' for each in given)}")
        given[name] = int(value)
    figures = [
        *list_figures(DUMP if DUMP.exists() else None), *totals_figures(),
        *pool_figures(given["scale"], given["seeds"]),
    ]  # fmt: skip
    print(figures_table(figures))
    entries = entry_tables() if SHARED.is_dir() else {}
    if entries:
        print(f"\n{entries_table(entries)}")
    print(json.dumps({"figures": [asdict(each) for each in figures], "entries": entries}))


if __name__ == "__main__":
    main(sys.argv[1:])

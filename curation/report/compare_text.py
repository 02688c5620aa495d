"""A comparison of runs as lines for a terminal: the numbers that people ask for first."""

import textwrap
from collections.abc import Iterator, Sequence

from curation.report.aligned_text import aligned, cut, one_line
from curation.report.compare import Comparison
from curation.report.numbers import number, percent

SHOWN_LANGUAGES, SHOWN_TASKS, SHOWN_MOVES, SHOWN_SETTINGS = 10, 20, 10, 20
LANGUAGE_KEYS = ("t", "tail_share", "texts", "texts_kept", "expected_images", "images_kept", "samples")
TASK_KEYS = ("zero", "rarest.exposures", "stages.in_shards.kl", "stages.in_shards.kl_counted")
TABLE_NAMES = {"curated": "kept images", "shards": "samples in shards"}
MEASURES = {
    "in_shards": "samples with the entry",
    "expected": "texts expected to be kept",
    "balanced": "texts, at most t",
}
"""What the measures of entries that moved are."""


def comparison_lines(found: Comparison, width: int) -> list[str]:
    """Return the lines, at most `width` places wide: the table of numbers, overlaps, and entries that moved."""
    lines = [f"{letter}  {name}" for letter, name in zip(letters(found), found.labels, strict=True)]
    for note in found.notes:  # a command in it is to be copied: it is not cut
        lines += textwrap.wrap(f"note: {one_line(note)}", width, subsequent_indent="  ", break_on_hyphens=False)
    if found.settings:
        lines += ["", *_table(["settings that differ"], found.settings[:SHOWN_SETTINGS], letters(found), width)]
        if len(found.settings) > SHOWN_SETTINGS:
            lines.append(f"... and {len(found.settings) - SHOWN_SETTINGS:,} settings more")
    rows = [(path, cells(values)) for path, values in _chosen(found)]
    lines += ["", *_table(["number"], rows, heads(found), width)]
    for table, overlaps in found.overlaps.items():
        head = [TABLE_NAMES[table], "both", "only A", "only it", "of the union", "same caption"]
        told = [
            [letter, f"{each.both:,}", f"{each.first - each.both:,}", f"{each.second - each.both:,}",
             percent(each.both, each.union), percent(each.same_text, each.both)]
            for letter, each in zip(letters(found)[1:], overlaps, strict=True)
        ]  # fmt: skip
        lines += ["", *aligned(head, told, width, right=[1, 2, 3, 4, 5])]
    if found.moves:
        for k, letter in enumerate(letters(found)[1:]):
            for word, moves in (("gained", found.moves.gained[k]), ("lost", found.moves.lost[k])):
                told = [
                    [row["lang"], row["entry"], number(row["before"]), number(row["after"]),
                     change(row["before"], row["after"])]
                    for row in moves[:SHOWN_MOVES]
                ]  # fmt: skip
                head = ["lang", f"{word} most in {letter}", "A", letter, f"{letter} - A"]
                lines += ["", f"{MEASURES[found.moves.measure]}:", *aligned(head, told, width, right=[2, 3, 4])]
    return [cut(one_line(line), width) for line in lines]


def letters(found: Comparison) -> list[str]:
    """Return a short name for each run: A, B, ..."""
    return [chr(ord("A") + k) if k < 26 else f"run {k + 1}" for k in range(len(found.labels))]


def heads(found: Comparison) -> list[str]:
    """Return the heads of the columns of `cells`."""
    names = letters(found)
    return [names[0], *(head for name in names[1:] for head in (name, f"{name} - A"))]


def cells(values: Sequence[float | None]) -> list[str]:
    """Return the values of runs as texts, each but the first followed by its difference from the first.

    >>> cells([10, 12, None]), cells([0.06, 0.05])
    (['10', '12', '+2', '–', '–'], ['0.06', '0.05', '-0.01'])
    """
    first = values[0]
    shown = ["–" if first is None else number(first)]
    for value in values[1:]:
        shown += ["–" if value is None else number(value), change(first, value)]
    return shown


def change(before: float | None, after: float | None) -> str:
    """Return a difference with its sign; a dash where one of the two is not known."""
    if before is None or after is None:
        return "–"
    difference = after - before
    return "0" if not difference else f"{'+' if difference > 0 else '-'}{number(abs(difference))}"


def _table(head: list[str], rows: Sequence[tuple[str, Sequence[str]]], columns: Sequence[str], width: int) -> list[str]:
    right = range(1, len(columns) + 1)
    return aligned([*head, *columns], [[name, *values] for name, values in rows], width, list(right))


def _chosen(found: Comparison) -> Iterator[tuple[str, list[float | None]]]:
    """Yield the numbers of the terminal: the overview, and what differs of the largest languages and of the tasks."""
    overview = [row for row in found.section("overview") if _known(row[1]) > 1]
    yield from overview or [row for row in found.section("stages") if row[0].endswith((".rows_in", ".rows_out"))]
    for section, keys, shown in (("languages", LANGUAGE_KEYS, SHOWN_LANGUAGES), ("benchmarks", TASK_KEYS, SHOWN_TASKS)):
        rows = found.section(section)
        names = list(dict.fromkeys(path.partition(".")[0] for path, _ in rows))[:shown]
        for path, values in rows:
            name, _, key = path.partition(".")
            if name in names and key in keys and len(set(values)) > 1 and _known(values) > 1:
                yield path, values


def _known(values: Sequence[float | None]) -> int:
    return sum(value is not None for value in values)

"""Thresholds of signals with names, for `signal_filters`, and what each would leave out of the scored images."""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.core.amounts import counted
from curation.core.choices import SignalFilter
from curation.core.parts import Part, sum_receipts
from curation.core.receipts import Receipt

LEAVES_OUT = "leaves_out "
"""Beginning of the facts of a receipt that count, by preset, the images that would be left out."""
COUNTED = "thresholds_counted"
"""Fact of a receipt: the images for which presets were counted; tables of before have none."""
_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {"=": operator.eq, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class Threshold:
    """An image passes if the column compares so with the value."""

    column: str
    sign: str
    value: float

    @property
    def expression(self) -> str:
        """The threshold in SQL."""
        return f"{self.column} {self.sign} {self.value:g}"

    def passes(self, row: Mapping[str, Any]) -> bool:
        """Whether an image with these signals passes."""
        return _HOLDS[self.sign](row[self.column], self.value)


PRESETS: Mapping[SignalFilter, Threshold] = {
    SignalFilter.no_faces: Threshold("face_count", "=", 0),
    SignalFilter.not_nsfw: Threshold("nsfw", "<=", 0.8),
    SignalFilter.surely_safe: Threshold("nsfw", "<", 0.2),
    SignalFilter.little_text: Threshold("text_share", "<=", 0.25),
}
"""Yahoo's README of open_nsfw says of 0.2 and 0.8: below it is likely to be safe, above it is highly probable NSFW."""


def with_presets(expression: str, presets: Iterable[SignalFilter]) -> str:
    """Return the SQL expression of a filter and of presets, which all must hold.

    >>> with_presets("width > 8 or lang = 'en'", [SignalFilter.no_faces])
    "(width > 8 or lang = 'en') and face_count = 0"
    """
    asked = [PRESETS[preset].expression for preset in sorted(set(presets))]
    return " and ".join([f"({expression})" if expression and asked else expression, *asked]).removeprefix(" and ")


def count_presets(row: Mapping[str, Any], facts: Counter[str]) -> None:
    """Count the presets that would leave an image out, of those whose column it has."""
    facts[COUNTED] += 1
    for preset, threshold in PRESETS.items():
        if threshold.column in row:
            facts[f"{LEAVES_OUT}{preset}"] += not threshold.passes(row)


def count_faces(parts: Sequence[Part]) -> dict[str, int]:
    """Return how many images were scored for faces, and how many have one; empty if none were, or none were counted."""
    receipt = sum_receipts(parts) if parts else Receipt("")
    name = f"{LEAVES_OUT}{SignalFilter.no_faces}"
    if name not in receipt.facts or receipt.facts[COUNTED] != receipt.rows_out:
        return {}
    return {"images": receipt.rows_out, "with_face": receipt.facts[name]}


def presets_text(receipt: Receipt, columns: Sequence[str]) -> str:
    """Return what each preset of these columns would leave out of the scored images; empty if it was not counted."""
    rows = receipt.rows_out
    names = [preset for preset, threshold in PRESETS.items() if threshold.column in columns]
    counts = {name: receipt.facts[f"{LEAVES_OUT}{name}"] for name in names}
    if not rows or not counts or receipt.facts[COUNTED] != rows:
        return ""
    told = [f"{name} ({PRESETS[name].expression}) {count:,} ({count / rows:.1%})" for name, count in counts.items()]
    return f"of {counted(rows, 'images')} signal_filters would leave out: {', '.join(told)}"

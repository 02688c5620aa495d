"""Texts that balancing kept: a few of all, and one for each of some entries, by keyed draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curation.balancing.matched_batch import MatchedBatch
from curation.core.draws import draw
from curation.core.removal_lists import read_removals
from curation.report.examples import MAX_CHARS
from curation.report.personal import masked_beginning

SHOWN_TEXTS, TAIL_ENTRIES = 24, 20
SPARE_TEXTS, TEXTS_OF_ENTRY = 2 * SHOWN_TEXTS, 4
"""Texts that each task offers, of any entry and of each that is wanted: some of their images must not be shown."""


@dataclass(frozen=True)
class Wanted:
    """The entries that get a text each, by language, the seed of the draws, and the removal lists of the run."""

    entries: Mapping[str, list[int]]
    seed: int
    removals: tuple[str, ...] = ()


@dataclass
class KeptTexts:
    """The texts with the smallest draws so far, one of each image: of all images, and by language and entry."""

    wanted: Wanted
    any_entry: list[dict[str, Any]] = field(default_factory=list)
    by_entry: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, matched: MatchedBatch, kept: np.ndarray) -> None:
        """Look at the kept texts of a batch of `curated`; `kept` is bool[k], one per text."""
        if self.wanted.removals:
            gone = read_removals(self.wanted.removals).mask({"uid": matched.batch["uid"]})
            kept = kept & ~gone[matched.images_of_texts]
        draws = draw(self.wanted.seed, "examples", matched.batch["uid"])
        firsts = np.full(matched.images, -1, np.int64)
        rows = np.flatnonzero(kept)
        firsts[matched.images_of_texts[rows[::-1]]] = rows[::-1]  # the first kept text of each image
        images = np.flatnonzero(firsts >= 0)
        images = images[np.argsort(draws[images], kind="stable")[:SPARE_TEXTS]]
        found = [self._text(matched, int(firsts[at]), float(draws[at])) for at in images.tolist()]
        self.any_entry = sorted([*self.any_entry, *found], key=_order)[:SPARE_TEXTS]
        for lang, places in matched.rows_by_lang():
            if ids := self.wanted.entries.get(lang):
                self._add_entries(matched, lang, places[kept[places]], np.array(ids), draws)

    def _add_entries(
        self, matched: MatchedBatch, lang: str, rows: np.ndarray, wanted: np.ndarray, draws: np.ndarray
    ) -> None:
        flags = np.zeros(int(wanted.max()) + 2, bool)
        flags[wanted] = True
        starts, ends = matched.id_offsets[rows], matched.id_offsets[rows + 1]
        sizes = (ends - starts).astype(np.int64)
        at = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes) + np.arange(sizes.sum())
        hits = np.flatnonzero(flags[np.minimum(matched.ids[at], len(flags) - 1)])
        texts = np.repeat(rows, sizes)[hits]
        for entry, row in zip(matched.ids[at[hits]].tolist(), texts.tolist(), strict=True):
            drawn = float(draws[matched.images_of_texts[row]])
            held = self.by_entry.setdefault((lang, entry), [])
            is_late = len(held) == TEXTS_OF_ENTRY and drawn > held[-1]["draw"]
            if not is_late and all(drawn != text["draw"] for text in held):
                held.append(self._text(matched, row, drawn))
                held.sort(key=_order)
                del held[TEXTS_OF_ENTRY:]

    @staticmethod
    def _text(matched: MatchedBatch, row: int, drawn: float) -> dict[str, Any]:
        text = matched.structs.field("text")[row].as_py()
        start, end = matched.id_offsets[row], matched.id_offsets[row + 1]
        return {
            "uid": matched.batch["uid"][int(matched.images_of_texts[row])].as_py(),
            "draw": drawn,
            "text": masked_beginning(text, MAX_CHARS),
            "lang": matched.structs.field("lang")[row].as_py(),
            "keep_probability": matched.structs.field("keep_probability")[row].as_py(),
            "entry_ids": matched.ids[start:end].tolist(),
        }

    def outputs(self) -> list[dict[str, Any]]:
        """Return the texts as outputs of a receipt, with uids of images; those of an entry have its `entry_id`."""
        by_entry = [text | {"entry_id": entry} for (_, entry), held in sorted(self.by_entry.items()) for text in held]
        return [*self.any_entry, *by_entry]


def _order(text: Mapping[str, Any]) -> tuple[float, str]:
    return text["draw"], text["text"]


def merge_texts(outputs: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[tuple[str, int], str]]:
    """Return the SHOWN_TEXTS texts with the smallest draws, and the text of each entry, from all tasks' outputs."""
    ordered = sorted(outputs, key=_order)
    names = ("text", "lang", "keep_probability", "entry_ids")
    shown = [{name: text[name] for name in names} for text in ordered if "entry_id" not in text][:SHOWN_TEXTS]
    by_entry: dict[tuple[str, int], str] = {}
    for text in ordered:
        if "entry_id" in text:
            by_entry.setdefault((text["lang"], text["entry_id"]), text["text"])
    return shown, by_entry


def tail_entries(
    counts: np.ndarray, is_tail: np.ndarray, lang: str, seed: int, number: int = TAIL_ENTRIES
) -> list[int]:
    """Return `number` entries of the tail with a match, by keyed draws; counts and `is_tail` are by entry_id."""
    ids = np.flatnonzero((counts > 0) & is_tail)
    if not len(ids):
        return []
    draws = draw(seed, "examples", pa.array(np.char.add(f"{lang} ", ids.astype(str)).tolist()))
    return sorted(ids[np.argsort(draws, kind="stable")[:number]].tolist())

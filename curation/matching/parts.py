"""The table `matches` as one merged part, however many parts of pairs have gone into it.

Each part of pairs is matched, shuffled and written on its own, so a killed run loses one of them at most. A single one
is the table. Several wait in `_waiting/` and are merged bucket by bucket, without a shuffle, into one part that names
all of them as inputs; what it was made from is deleted then. The pairs of a further crawl, in the same table or in
another, are matched alone and merged with the part that is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Self

import numpy as np

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.tables import MANIFEST, Part, Table
from curation.matching.buckets import plan_buckets
from curation.matching.merging import MAX_TEXTS


@dataclass(frozen=True)
class MatchesPlan:
    """What is left to do until `matches` holds all inputs of a recipe.

    `to_match` are (table to write to, part's number, recipe of one part of pairs); if `merge` is true, what is there
    and what was matched has to be merged.
    """

    table: Table
    waiting: Table
    to_match: list[tuple[Table, int, Recipe]]
    merge: bool

    @classmethod
    def make(cls, table: Table, recipe: Recipe, overwrite: bool) -> Self:
        """Compare a recipe, whose inputs are the parts of pairs, with the parts that are there.

        Raises HeadtailError where those were made with other settings, or from pairs that have changed since, unless
        `overwrite` is true. Inputs that are there beside the recipe's stay: they are those of other crawls.
        """
        waiting = Table(storage.join(table.path, "_waiting"))
        _delete(_superseded(table.parts()))
        merged, plans = table.plan_parts(recipe, 1, overwrite)
        wanted = {single.id for _, single in plans}
        _delete([part for part in waiting.parts() if part.id not in wanted])
        if len(merged) + len(plans) == 1:
            return cls(table, waiting, [(table, *plan) for plan in plans], merge=False)
        there = {part.id for part in waiting.parts()}
        missing = [single for _, single in plans if single.id not in there]
        to_match = [(waiting, number, single) for number, single in zip(_free(waiting), missing, strict=False)]
        return cls(table, waiting, to_match, merge=True)

    def begin_merge(self) -> "Merge":
        """Return the merge of what is there and what has been matched."""
        parts = [*self.table.parts(), *self.waiting.parts()]
        inputs = {entry["id"]: entry for part in parts for entry in part.inputs()}
        first = parts[0].manifest
        recipe = Recipe(first["stage"], first["logic_version"], first["settings"], list(inputs.values()))
        number = next(_free(self.table))
        return Merge(self.table, number, self.table.begin(number), recipe, parts)


@dataclass(frozen=True)
class Merge:
    """Parts to be merged into `folder`, which is to be part `number` of `table`."""

    table: Table
    number: int
    folder: str
    recipe: Recipe
    parts: list[Part]

    def commit(self, receipts: Sequence[Receipt], seconds: float) -> Part:
        """Make the merged part exist, with the account from the pairs to its texts; delete what it was made from.

        A run that is killed in between leaves parts that hold the same texts twice, which merging does not mind, and
        the next one sees by their inputs which have to go.
        """
        before = merge_receipts(self.folder, [part.receipt for part in self.parts])
        del before.facts["images"]
        total = before.followed_by(merge_receipts(self.folder, receipts))
        part = self.table.commit(self.number, self.recipe, [total], seconds)
        _delete(self.parts)
        return part


def _superseded(parts: Sequence[Part]) -> list[Part]:
    """Parts all of whose inputs another part holds."""
    inputs = [{entry["id"] for entry in part.inputs()} for part in parts]
    return [part for part, own in zip(parts, inputs, strict=True) if any(own < others for others in inputs)]


def _free(table: Table) -> "count[int]":
    return count(1 + max((int(part.path[-5:]) for part in table.parts()), default=-1))


def _delete(parts: Sequence[Part]) -> None:
    """Delete parts, their manifests first."""
    for part in parts:
        storage.remove(storage.join(part.path, MANIFEST))
        storage.remove(part.path)


def _alike(offsets: np.ndarray, data: np.ndarray) -> bool:
    """Whether all strings of an array that has some are the same: as long as the first, and each as the one before."""
    size = offsets[1] - offsets[0]
    body = data[offsets[0] : offsets[-1]]
    return bool((np.diff(offsets) == size).all() and (body[size:] == body[: len(body) - size]).all())


class MatchesTables:
    """One or more `matches` tables that are read as one: the same uid lies in the same bucket of each."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.parts = [part for path in paths for part in Table(path).require("match_pairs")]
        self.buckets = plan_buckets([part.files for part in self.parts])
        settings = [part.manifest["settings"] for part in self.parts]
        for part, each in zip(self.parts, settings, strict=True):
            for name in ("metadata", "edges"):
                first, found = (str(found.get(name))[:12] for found in (settings[0], each))
                if found != first:
                    # Ids of other lists, or matched by another rule, cannot be counted together.
                    raise HeadtailError(
                        f"matches in {part.path} were made with {name} {found}, those in {self.parts[0].path} with "
                        f"{first}: run match_pairs again"
                    )
        matched: list[list[str]] = [each.get("languages", []) for each in settings]
        self.languages = {lang for langs in matched for lang in langs} if all(matched) else set[str]()
        """Those that were matched; empty: all that there were lists of."""
        self.max_texts: int = max(each.get("max_texts", MAX_TEXTS) for each in settings)

    def inputs(self) -> list[dict]:
        """Return what a recipe holds of them."""
        return [part.input() for part in self.parts]

    def ids(self) -> list[str]:
        """Return the parts' ids, whatever order the tables were named in."""
        return sorted(part.id for part in self.parts)

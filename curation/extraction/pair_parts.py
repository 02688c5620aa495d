"""The parts of `pairs` while a run makes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from curation.core.amounts import counted
from curation.core.attempts import GIVEN_UP
from curation.core.credentials import failed_place
from curation.core.parts import Part, check_failed_share, last_failures, sum_receipts
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.tables import Table


class PairParts:
    """The finished parts, and those that are held back.

    A finished part is not read again. A part without any pair is therefore finished only when the run as a whole is no
    failure: when another part has pairs, or when the caller accepts a run without pairs.
    """

    def __init__(self, table: Table, finished: Iterable[Part], seed: int | None) -> None:
        """`seed` goes into the manifests, if it decided rows."""
        self.finished = list(finished)
        self._table, self._seed = table, seed
        self._made: list[Receipt] = []
        self._held: list[tuple[int, Recipe, Sequence[Receipt], float]] = []

    def add(self, number: int, recipe: Recipe, receipts: Sequence[Receipt], seconds: float) -> Receipt:
        """Take part number `number`, whose files are written, and return the sum of its receipts."""
        account = merge_receipts(self._table.part_path(number), receipts)
        self._made.append(account)
        self._held.append((number, recipe, receipts, seconds))
        if account.rows_out:
            self._finish([self._held.pop()])
        return account

    def check(self, max_failed_share: float, inputs: int) -> None:
        """Raise HeadtailError if too many of the `inputs` could not be read to their end."""
        unread = [receipt for _, _, receipts, _ in self._held for receipt in receipts]
        check_failed_share(self.finished, max_failed_share, unread, inputs)

    def finish_beside_pairs(self) -> None:
        """Finish the parts that are held back if there is any pair."""
        if sum_receipts(self.finished).rows_out:
            self.finish()

    def finish(self) -> None:
        """Finish the parts that are held back."""
        held, self._held = self._held, []
        self._finish(held)

    def account(self, name: str) -> Receipt:
        """Return the sum of the parts that this run made, under a name."""
        return merge_receipts(name, self._made)

    def _finish(self, parts: Iterable[tuple[int, Recipe, Sequence[Receipt], float]]) -> None:
        self.finished += [self._table.commit(*part, seed=self._seed) for part in parts]


def given_up(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return the failures of the files that were given up when they were last read."""
    return [failure for failure in last_failures(parts) if failure.get("reason") == GIVEN_UP]


def places_given_up(parts: Sequence[Part]) -> dict[str, str]:
    """Return the files that were given up, as messages name them, by their places."""
    return {failed_place(failure): failure["file"] for failure in given_up(parts)}


def describe_given_up(parts: Sequence[Part]) -> str:
    """Return a line about the files that were given up, "" if there is none."""
    if not (lost := places_given_up(parts)):
        return ""
    named = f"{min(lost.values())}{', ...' if len(lost) > 1 else ''}"
    return f"gave up {counted(len(lost), 'files')} ({named}): retry_failed_files=true reads such again"

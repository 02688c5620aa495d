"""Receipts: the row counts of a task, which must add up."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from curation.core import storage


@dataclass
class Receipt:
    """The row counts of one task: rows in, rows out, and dropped rows by reason.

    `facts` are further counts, summed over tasks (records_read, bytes_read, ...). `failures` are rows {file, offset,
    error, records_read}, one for each input that could not be read to its end. `outputs` are {path, rows, bytes}, one
    for each file written. `examples` are some of the dropped rows, {reason, draw, uid}.
    """

    task: str
    rows_in: int = 0
    rows_out: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    failures: list[dict] = field(default_factory=list)
    outputs: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    examples: list[dict] = field(default_factory=list)

    def check(self) -> Self:
        """Return self; raises AssertionError if rows_in != rows_out + sum(drops).

        >>> Receipt("a", rows_in=3, rows_out=2, drops=Counter(blank_text=1)).check().rows_out
        2
        """
        dropped = sum(self.drops.values())
        if self.rows_in != self.rows_out + dropped:
            raise AssertionError(
                f"{self.task}: {self.rows_in} rows in, {self.rows_out} out, {dropped} dropped: "
                f"{self.rows_in - self.rows_out - dropped} unaccounted for"
            )
        return self

    def merge(self, other: Self) -> Self:
        """Return the sum of two tasks that ran side by side, under the name of the first."""
        return type(self)(
            self.task,
            self.rows_in + other.rows_in,
            self.rows_out + other.rows_out,
            self.drops + other.drops,
            self.facts + other.facts,
            self.failures + other.failures,
            self.outputs + other.outputs,
            self.seconds + other.seconds,
            self.examples + other.examples,
        )

    def followed_by(self, other: Self) -> Self:
        """Return the receipt of two steps in sequence, under the name of the first.

        Raises AssertionError if the second step did not get all rows of the first.

        >>> Receipt("a", 3, 2, Counter(blank_text=1)).followed_by(Receipt("b", 2, 1, Counter(same_text=1))).rows_out
        1
        """
        if self.rows_out != other.rows_in:
            raise AssertionError(f"{other.task}: {other.rows_in} rows in, but {self.task} gave {self.rows_out}")
        both = self.merge(other)
        both.rows_in, both.rows_out, both.outputs = self.rows_in, other.rows_out, other.outputs
        return both

    def moved_to(self, folder: str) -> Self:
        """Return self with its outputs in `folder`: an interrupted run may have used another path to that folder."""
        for output in self.outputs:
            output["path"] = f"{folder}/{output['path'].rsplit('/', 1)[-1]}"
        return self

    def to_json(self) -> str:
        """Return the receipt as a compact JSON object."""
        values = vars(self) if self.examples else {name: vars(self)[name] for name in vars(self) if name != "examples"}
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the receipt from the JSON of `to_json`."""
        values = json.loads(text)
        values["drops"] = Counter(values["drops"])
        values["facts"] = Counter(values["facts"])
        return cls(**values)


def written_receipt(path: str) -> Receipt | None:
    """Return the receipt that a task has written to a file, None if there is none."""
    try:
        return Receipt.from_json(storage.read_bytes(path).decode())
    except FileNotFoundError:
        return None


def merge_receipts(name: str, receipts: Iterable[Receipt]) -> Receipt:
    """Return the sum of receipts, in the order of task names; checks each receipt and the sum."""
    total = Receipt(name)
    for receipt in sorted(receipts, key=lambda receipt: receipt.task):
        receipt.check()
        total.rows_in += receipt.rows_in
        total.rows_out += receipt.rows_out
        total.drops.update(receipt.drops)
        total.facts.update(receipt.facts)
        total.failures.extend(receipt.failures)
        total.outputs.extend(receipt.outputs)
        total.seconds += receipt.seconds
        total.examples.extend(receipt.examples)
    return total.check()

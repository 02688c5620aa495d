"""Rows that a rule cannot bear: an error at one row is counted for that row, and the others go on."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from curation.core.receipts import Receipt
from curation.sources.archives import ReadLog

Rows = TypeVar("Rows")
Result = TypeVar("Result")


def without_faulty_rows(
    rows: Rows,
    work: Callable[[Rows, Receipt], Result],
    halves: Callable[[Rows], list[Rows]],
    count_lost: Callable[[Rows], None],
    receipt: Receipt,
    log: ReadLog,
) -> Iterator[Result]:
    """Yield the results of `work` as `ReadLog.try_rows` does.

    `work` counts into the receipt that it gets, which is added to `receipt` if it ends.
    """

    def work_and_count(part: Rows) -> tuple[Result, Receipt]:
        counted = Receipt(receipt.task)
        return work(part, counted), counted

    for result, counted in log.try_rows(rows, work_and_count, halves, count_lost):
        receipt.rows_in += counted.rows_in
        receipt.rows_out += counted.rows_out
        receipt.drops.update(counted.drops)
        receipt.facts.update(counted.facts)
        yield result

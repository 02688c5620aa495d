"""Rows that a rule cannot bear: an error at one row is counted for that row, and the others go on."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from curation.core.receipts import Receipt
from curation.core.record_errors import is_of_record
from curation.sources.archives import ReadLog

MAX_FAULTY_ROWS = 32
"""Rows with an error in a batch; of a batch with more of them, the rest is not divided any further."""
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
    """Yield the results of `work`: one, or several without the rows at which it raises an error.

    `work` counts into the receipt that it gets, which is added to `receipt` if it ends. `halves` divides rows and
    returns less than two parts of a single row; `count_lost` counts rows that are lost.
    """
    faulty = 0
    waiting = [rows]
    while waiting:
        part, counted = waiting.pop(), Receipt(receipt.task)
        try:
            result = work(part, counted)
        except Exception as error:
            if not is_of_record(error):
                raise
            smaller = halves(part) if faulty < MAX_FAULTY_ROWS else []
            if len(smaller) > 1:
                waiting += reversed(smaller)
            else:
                faulty += 1
                log.record_fault(error)
                count_lost(part)
            continue
        receipt.rows_in += counted.rows_in
        receipt.rows_out += counted.rows_out
        receipt.drops.update(counted.drops)
        receipt.facts.update(counted.facts)
        yield result

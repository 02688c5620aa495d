"""The outcome of a stage that had work to do: a result, or one line that says why there is none."""

from collections.abc import Sequence

from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt

SHOWN_REASONS = 3


def refuse_nothing(receipt: Receipt, result: str, advice: str, allow_empty: bool) -> None:
    """Raise HeadtailError if this call gave no row out; `allow_empty` accepts that.

    `result` names what was wanted ("pair"), `advice` says where to look.

    >>> refuse_nothing(Receipt("x", 3, 1), "pair", "look at the input", allow_empty=False)
    """
    if receipt.rows_out or allow_empty:
        return
    drops = [f"{reason} {count:,}" for reason, count in receipt.drops.most_common(SHOWN_REASONS)]
    reasons = f" ({', '.join(drops)})" if drops else ""
    if receipt.failures:
        first = receipt.failures[0]
        advice += f"; {counted(len(receipt.failures), 'failures')}, the first: {first['file']}: {first['error']}"
    raise HeadtailError(
        f"no {result} of {counted(receipt.rows_in, 'rows')}{reasons}: {advice}; allow_empty=true accepts an empty "
        "result"
    )


def is_unread(receipts: Sequence[Receipt]) -> bool:
    """Whether every input of a part failed and none gave a row: such a part is not finished.

    >>> is_unread([Receipt("a", failures=[{"file": "a", "error": "damaged"}]), Receipt("b")])
    False
    """
    return bool(receipts) and all(receipt.failures and not receipt.rows_in for receipt in receipts)

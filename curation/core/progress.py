"""Progress lines on standard error: one when a stage starts, one when it ends."""

import sys
import time

from curation.core.receipts import Receipt
from curation.core.terminal import printable

SHOWN_REASONS = 4


class Stage:
    """A running stage: prints a line at its start and at its end, and measures the time between."""

    def __init__(self, name: str, plan: str) -> None:
        self.name = name
        self.start = time.monotonic()
        say(name, f"starts: {plan}")

    @property
    def seconds(self) -> float:
        """Seconds since the stage started."""
        return time.monotonic() - self.start

    def end(self, receipt: Receipt) -> None:
        """Print rows in, rows out, the most frequent drop reasons, and seconds."""
        say(self.name, f"done: {account(receipt)}, {self.seconds:.1f} s")


def account(receipt: Receipt) -> str:
    """Return a receipt as one line.

    >>> from collections import Counter
    >>> account(Receipt("x", 1200, 900, Counter(blank_text=300)))
    '1,200 rows in, 900 out, 300 dropped (blank_text 300)'
    """
    line = f"{receipt.rows_in:,} rows in, {receipt.rows_out:,} out"
    if not receipt.drops:
        return line
    reasons = [f"{reason} {count:,}" for reason, count in receipt.drops.most_common(SHOWN_REASONS)]
    more = ["..."] if len(receipt.drops) > SHOWN_REASONS else []
    return f"{line}, {sum(receipt.drops.values()):,} dropped ({', '.join(reasons + more)})"


def say(name: str, message: str) -> None:
    """Print one line of a stage."""
    print(printable(f"{name:16} {message}"), file=sys.stderr, flush=True)  # noqa: T201

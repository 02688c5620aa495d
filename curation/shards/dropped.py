"""Images that the steps before shards drop, as examples for the report: their uids, in the manifest of the set."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from curation.core.draws import draw
from curation.core.dropped import EXAMPLES
from curation.core.receipts import Receipt

EXAMPLES_KEY = "examples"
"""Key of the manifest: by reason the uids of at most EXAMPLES images, in the order of their draws."""


def add_examples(receipt: Receipt, reason: str, uids: pa.ChunkedArray, seed: int) -> None:
    """Add those of some dropped images to the examples of a receipt that have the smallest draws."""
    if len(uids):
        draws = draw(seed, "examples", uids.combine_chunks())
        first = np.argsort(draws, kind="stable")[:EXAMPLES]
        chosen = zip(draws[first].tolist(), uids.take(pa.array(first)).to_pylist(), strict=True)
        found = [{"reason": reason, "draw": drawn, "uid": uid} for drawn, uid in chosen]
        receipt.examples = smallest([*receipt.examples, *found])


def smallest(examples: Iterable[dict]) -> list[dict]:
    """Return at most EXAMPLES of each reason, those with the smallest draws.

    >>> smallest({"reason": "filter", "draw": k % 3 / 3, "uid": f"{k}"} for k in range(40))[-1]
    {'reason': 'filter', 'draw': 0.0, 'uid': '33'}
    """
    by_reason: dict[str, list[dict]] = {}
    for each in sorted(examples, key=lambda one: (one["reason"], one["draw"], one["uid"])):
        by_reason.setdefault(each["reason"], []).append(each)
    return [each for found in by_reason.values() for each in found[:EXAMPLES]]


def uids_by_reason(receipt: Receipt) -> dict[str, list[str]]:
    """Return the uids of the examples as a manifest holds them; the draws are secrets of the run."""
    found: dict[str, list[str]] = {}
    for each in smallest(receipt.examples):
        found.setdefault(each["reason"], []).append(each["uid"])
    return found

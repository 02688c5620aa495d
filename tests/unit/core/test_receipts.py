"""Receipts add up."""

from collections import Counter

from curation.core.receipts import Receipt, merge_receipts


def test_receipts_add_up_and_survive_json() -> None:
    one = Receipt("b", 3, 2, Counter(x=1), Counter(bytes_read=10), [{"file": "f"}], [], 1.0)
    two = Receipt("a", 1, 0, Counter(x=1), examples=[{"uid": "u"}])
    total = merge_receipts("all", [one, two])
    assert (total.rows_in, total.rows_out, total.drops, total.facts) == (4, 2, {"x": 2}, {"bytes_read": 10})
    assert total.examples == one.merge(two).examples == [{"uid": "u"}]
    assert all(Receipt.from_json(each.to_json()) == each for each in (one, two))

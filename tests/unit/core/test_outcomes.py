"""A stage that had work and gave nothing ends with an error that names the reasons."""

from collections import Counter

import pytest

from curation.core.errors import HeadtailError
from curation.core.outcomes import is_unread, refuse_nothing
from curation.core.receipts import Receipt


def test_no_row_is_an_error_with_the_most_frequent_reasons() -> None:
    receipt = Receipt("x", 1236, drops=Counter(a=1200, b=30, c=5, d=1))
    message = r"no pair of 1,236 rows \(a 1,200, b 30, c 5\): look there; allow_empty=true accepts an empty result$"
    with pytest.raises(HeadtailError, match=message):
        refuse_nothing(receipt, "pair", "look there", allow_empty=False)
    refuse_nothing(receipt, "pair", "look there", allow_empty=True)
    failed = Receipt("x", failures=[{"file": "/in/a", "error": "damaged"}])
    with pytest.raises(HeadtailError, match="look there; 1 failure, the first: /in/a: damaged; allow_empty"):
        refuse_nothing(failed, "pair", "look there", allow_empty=False)
    refuse_nothing(Receipt("x", 3, 1), "pair", "look there", allow_empty=False)


def test_a_part_is_unread_if_every_input_failed_before_its_first_row() -> None:
    failed = Receipt("a", failures=[{"file": "a", "error": "damaged"}])
    assert is_unread([failed, failed])
    assert not is_unread([])
    assert not is_unread([failed, Receipt("b")])
    assert not is_unread([Receipt("a", 5, drops=Counter(x=5), failures=failed.failures)])

"""Parts without a pair are finished only when the run as a whole is no failure."""

from collections import Counter
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.extraction.pair_parts import PairParts


def recipe(number: int) -> Recipe:
    return Recipe("extract_pairs", 1, {}, [{"path": f"/in/{number}", "size": 1, "version": "1"}])


def receipt(number: int, pairs: int, **more: list) -> Receipt:
    return Receipt(f"/in/{number}", rows_in=3, rows_out=pairs, drops=Counter(no_text=3 - pairs), **more)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(str(tmp_path / "pairs"))


def test_a_part_with_pairs_is_finished_at_once_and_one_without_is_held_back(table: Table) -> None:
    made = PairParts(table, [], seed=7)
    assert made.add(0, recipe(0), [receipt(0, 0)], 1.0).rows_out == 0
    assert table.parts() == made.finished == []
    made.finish_beside_pairs()
    assert table.parts() == []
    assert made.add(1, recipe(1), [receipt(1, 2)], 1.0).rows_out == 2
    assert [part.path for part in table.parts()] == [table.part_path(1)]
    made.finish_beside_pairs()
    assert [part.receipt.rows_out for part in table.parts()] == [0, 2]
    assert len(made.finished) == 2
    assert {part.manifest["seed"] for part in table.parts()} == {7}
    assert (made.account("all").rows_in, made.account("all").rows_out) == (6, 2)


def test_a_run_without_pairs_is_finished_only_if_the_caller_says_so(table: Table) -> None:
    made = PairParts(table, [], seed=None)
    made.add(0, recipe(0), [receipt(0, 0)], 1.0)
    made.finish_beside_pairs()
    assert table.parts() == []
    made.finish()
    made.finish()
    assert len(table.parts()) == len(made.finished) == 1


def test_failures_of_parts_that_are_held_back_count(table: Table) -> None:
    made = PairParts(table, [], seed=None)
    failure = {"file": "0.wat", "error": "cut off", "reason": "given_up"}
    made.add(0, recipe(0), [receipt(0, 0, failures=[failure])], 1.0)
    made.check(0.5, 2)
    with pytest.raises(HeadtailError, match=r"1 of 2 inputs could not be read to their end.*0\.wat: cut off"):
        made.check(0.4, 2)

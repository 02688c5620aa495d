"""A run that is named where a table is meant, and a table where a run is meant: the line says which one is near."""

from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.shards.check import plan_checks
from curation.shards.shard_set import ShardSet


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with matches and shards, in the shape of their folders."""
    matches = Table(str(tmp_path / "run/matches"))
    matches.begin(0)
    matches.commit(0, Recipe("match_pairs", 1, {}), [Receipt("x")], 0.0)
    shards = tmp_path / "run/shards"
    shards.mkdir()
    (shards / "_manifest.json").write_text('{"id": "a", "stage": "write_shards"}')
    (shards / "00000.tar").touch()
    return tmp_path / "run"


def test_a_table_that_is_near_is_named(run: Path) -> None:
    for path, stage, near in (
        (run, "match_pairs", rf"holds no complete table; {run}/matches holds one: run match_pairs first"),
        (run / "shards/matches", "match_pairs", rf"{run}/shards is a table itself: is {run} the run, with its matches"),
        (run / "matches/curated", "balance_pairs", rf"{run}/matches is a table itself: is {run} the run"),
        (run / "curated", "balance_pairs", "curated holds no complete table: run balance_pairs first"),
    ):
        with pytest.raises(HeadtailError, match=near):
            Table(str(path)).require(stage)
    with pytest.raises(HeadtailError, match=rf"{run}/shards holds one"):
        ShardSet(f"{run}/").require("write_shards")


def test_shards_are_looked_for_in_a_run(run: Path) -> None:
    with pytest.raises(HeadtailError, match=f"its folder shards does: name {run}/shards"):
        plan_checks(str(run))
    (run / "shards/00000.tar").unlink()
    with pytest.raises(HeadtailError, match="is the folder of a run without shards: run write_shards first"):
        plan_checks(str(run))

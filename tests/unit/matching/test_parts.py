"""The salt and the buckets of a table of matches: kept with it, and those of several tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.schema.jobs import MatchPairsConfig
from curation.balancing.counts import open_counts
from curation.core.choices import Edges, Engine
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.matching.match import MatchSettings
from curation.matching.parts import MatchesPlan, MatchesTables, kept_buckets, kept_salt, matches_recipe
from jobs.match_pairs import chosen_buckets
from tests.matches_data import write_matches


def write(path: Path, **settings: Any) -> str:
    file = write_matches([], path / "part-00000" / "bucket-00000.parquet")
    receipt = Receipt("m", outputs=[{"path": file, "rows": 0, "bytes": 0}])
    recipe = Recipe("match_pairs", 1, {"metadata": "m", "edges": "e", "max_texts": 64, **settings})
    Table(str(path)).commit(0, recipe, [receipt], 0.0)
    return str(path)


def test_a_table_keeps_its_salt(tmp_path: Path) -> None:
    assert kept_salt(str(tmp_path / "none")) is None
    assert kept_salt(write(tmp_path / "old")) == 0
    assert kept_salt(write(tmp_path / "salted", salt=7)) == 7
    write(tmp_path / "stopped" / "_waiting", salt=8)  # matched, and not merged yet
    assert kept_salt(str(tmp_path / "stopped")) == 8


def test_a_table_keeps_its_buckets_whatever_its_pairs(tmp_path: Path) -> None:
    def config(name: str, **given: int) -> MatchPairsConfig:
        return MatchPairsConfig(matches=str(tmp_path / name), entry_lists="", output="", **given)

    def pairs(*rows: int) -> list[Part]:
        return [Part("pairs", {"rows_out": count, "files": []}) for count in rows]

    write(tmp_path / "old", buckets=64)
    write(tmp_path / "stopped" / "_waiting", buckets=8)
    assert kept_buckets(str(tmp_path / "new")) is None
    assert [chosen_buckets(config(name), pairs(9, 9)) for name in ("new", "old", "stopped")] == [4, 64, 8]
    assert chosen_buckets(config("new"), pairs(400_000, 600_001)) == 16
    assert [chosen_buckets(config(name, buckets=7), pairs(9)) for name in ("new", "old")] == [7, 7]


def test_the_table_of_another_job_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "pairs")
    Table(path).commit(0, Recipe("extract_pairs", 1, {}, [{"path": "a.wat"}]), [Receipt("a")], 0.0)
    config = MatchPairsConfig(matches=path, entry_lists="", output="")
    buckets = chosen_buckets(config, [])
    with pytest.raises(HeadtailError, match="is of a table of extract_pairs, and match_pairs would replace it"):
        MatchesPlan.make(Table(path), Recipe("match_pairs", 1, {"buckets": buckets}), overwrite=True)


def test_several_tables_are_merged_with_the_salt_of_the_first(tmp_path: Path) -> None:
    old, one, two = (
        write(tmp_path / name, **salt) for name, salt in (("o", {}), ("a", {"salt": 1}), ("b", {"salt": 2}))
    )
    assert [MatchesTables(paths).salt for paths in ([old, one], [one, old, two], [two, one])] == [0, 1, 2]


def test_counts_of_tables_in_another_order_are_refused_where_the_salts_differ(tmp_path: Path) -> None:
    one, two, twin = (write(tmp_path / name, salt=salt) for name, salt in (("a", 1), ("b", 2), ("c", 1)))
    for paths, fits in (([one, two], False), ([one, twin], True)):
        matches = MatchesTables(paths)
        table = Table(str(tmp_path / "counts"))
        table.begin(0)
        recipe = Recipe("count_entries", 1, {"max_texts": 64, "salt": matches.salt}, matches.inputs())
        table.commit(0, recipe, [], 0.0)
        open_counts(table.path, matches)
        turned = MatchesTables(paths[::-1])
        assert turned.ids() == matches.ids()
        if fits:
            open_counts(table.path, turned)
        else:
            with pytest.raises(HeadtailError, match="counted from other matches than given: run count_entries again"):
                open_counts(table.path, turned)


def test_a_recipe_names_the_lists_and_the_rules_and_a_salt_only_if_there_is_one() -> None:
    part = Part("pairs/part-00000", {"id": "1"})
    settings = MatchSettings(Engine.tokens, ("en", "de"), 8)
    recipe = matches_recipe(Edges.script, "3f2a", settings, 4, [part])
    rules = {"edges": "script", "metadata": "3f2a", "languages": ["de", "en"], "max_texts": 8, "buckets": 4}
    assert (recipe.stage, recipe.settings, recipe.inputs) == ("match_pairs", rules, [part.input()])
    salted = matches_recipe(Edges.script, "3f2a", replace(settings, salt=7), 4, [part])
    assert salted.settings == rules | {"salt": 7}

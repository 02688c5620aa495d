"""Concepts of a configuration: what they refuse, their recipe, and the names of their counts."""

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.balancing.concept_counts import ConceptGoal, counts_path, write_concept_counts
from curation.balancing.counts import CountFiles, save_array
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Table
from jobs.balance_settings import recipe_of, target_table
from jobs.concept_settings import Concepts, concept_recipe


def _config(folder: Path, *given: str) -> BalancePairsConfig:
    """Return a configuration with one table of concepts, which is written if it is not there."""
    if not (path := folder / "colours.parquet").exists():
        rows = {"uid": ["a" * 24], "concept_ids": pa.array([[1, 0]], pa.list_(pa.int32()))}
        pq.write_table(pa.table(rows), path)
    return compose_config("balance_pairs", BalancePairsConfig, [f"output={folder}", f"concepts.colours={path}", *given])


def test_counts_of_concepts_replace_no_table_of_another_job(tmp_path: Path) -> None:
    Table(str(tmp_path / "other")).commit(0, Recipe("entry_counts", 1, {}, []), [], 0.0)
    with pytest.raises(HeadtailError, match="other/part-00000 is of a table of entry_counts, and concept_counts would"):
        Concepts.of(_config(tmp_path, f"concept_counts={tmp_path}/other"))
    assert Concepts.of(_config(tmp_path)).tables


def test_concepts_by_sha256_are_for_the_second_balance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"sha256": ["a" * 64], "concept_ids": [[0]]}
    pq.write_table(pa.table(rows), tmp_path / "faces.parquet")
    faces, plain = f"concepts.faces={tmp_path}/faces.parquet", _config(tmp_path, "balance.concept_t.colours=8")
    both = _config(tmp_path, faces, "balance.concept_t.colours=8", "balance.headroom=0.5")
    assert concept_recipe(both) == concept_recipe(plain)
    found = Concepts.of(both)
    assert ([each.name for each in found.tables], found.later) == (["colours"], ["faces"])
    assert found.goals == {"colours": ConceptGoal(16.0, None)}  # in counts of the first pass
    alone = compose_config("balance_pairs", BalancePairsConfig, [f"output={tmp_path}", faces])
    assert concept_recipe(alone) == {}
    assert Concepts.of(alone).join(Mock(), Mock(), "", allow_empty=False) is None
    assert "concepts.faces names images by sha256: it takes part in the second" in capsys.readouterr().err
    for wrong, line in (
        ("balance.concept_t.faces=5", "balance.concept_t.faces: concepts.faces names images by sha256"),
        ("balance.combine=any", "balance.combine=any needs concepts by uid or url"),
    ):
        with pytest.raises(HeadtailError, match=line):
            Concepts.of(compose_config("balance_pairs", BalancePairsConfig, [f"output={tmp_path}", faces, wrong]))


def test_the_recipe_has_a_hash_of_files_and_no_list(tmp_path: Path) -> None:
    """A table may be moved, and be of any number of files; one that is touched is another table."""
    rows = pa.table({"uid": ["a" * 24], "concept_ids": pa.array([[1, 0]], pa.list_(pa.int32()))})
    for number in range(3):
        (tmp_path / "table").mkdir(exist_ok=True)
        pq.write_table(rows, tmp_path / "table" / f"{number}.parquet")
        os.utime(tmp_path / "table" / f"{number}.parquet", (1e9, 1e9))

    def state(folder: str) -> dict[str, Any]:
        return concept_recipe(_config(tmp_path, f"concepts.colours={tmp_path}/{folder}"))["concepts"]["colours"]

    first = state("table")
    assert len(json.dumps(first)) < 200
    assert first["files"] == 3
    (tmp_path / "table").rename(tmp_path / "moved")
    assert state("moved") == first
    os.utime(tmp_path / "moved" / "1.parquet", (2e9, 2e9))
    assert state("moved") != first
    os.utime(tmp_path / "moved" / "1.parquet", (1e9, 1e9))
    (tmp_path / "moved" / "1.parquet").rename(tmp_path / "moved" / "3.parquet")
    assert state("moved") != first


def test_the_recipe_has_the_names_that_targets_go_by(tmp_path: Path) -> None:
    """The same words are of other concepts, or of none, in another list of names; ids need no names."""
    for form, row in (("words", "entry,weight\ncolours,red,0.5"), ("ids", "entry_id,weight\ncolours,0,0.5")):
        (tmp_path / f"{form}.csv").write_text(f"namespace,{row}\n")
    (tmp_path / "en.csv").write_text("lang,entry,weight\nen,red,0.5\n")

    def hash_of(form: str, names: str) -> str:
        (tmp_path / "names.txt").write_text(names)
        given = [f"balance.targets={tmp_path}/{form}.csv", f"concept_names.colours={tmp_path}/names.txt"]
        config = _config(tmp_path, *given)
        found, table = recipe_of(config, []).settings["targets"], target_table(config)
        assert table
        return "that of the rows" if found == table.hash else found

    lists = ("red\nblue\n", "blue\nred\n", "pink\ngray\n")
    assert len({hash_of("words", names) for names in lists} - {"that of the rows"}) == 3
    assert hash_of("words", lists[0]) == hash_of("words", lists[0])
    for form in ("ids", "en"):
        assert {hash_of(form, names) for names in lists} == {"that of the rows"}


def test_a_stop_between_table_and_manifest_leaves_the_names_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that change, and change back after a kill, are those of the configuration."""
    balance = Recipe("balance_pairs", 1, {}, [])
    found = {}
    for name in ("red", "rouge"):
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
        found[name] = Concepts.of(_config(tmp_path, f"concept_names.colours={tmp_path}/{name}.txt"))
    save_array(str(tmp_path / "counts" / "colours.npy"), np.array([3]))
    counts, recipe, table = CountFiles(str(tmp_path / "counts")), found["red"].recipe(balance), found["red"].table
    path = counts_path(table.begin(0), recipe.id)
    receipt = write_concept_counts(counts, counts, ["colours"], found["red"].names, path)
    table.commit(0, recipe, [receipt], 0.0, concepts={})

    def names() -> list[str]:
        return pq.read_table(table.parts()[0].path).column("concept").to_pylist()

    monkeypatch.setattr(Table, "commit", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        found["rouge"].is_done(balance)
    monkeypatch.undo()
    assert found["red"].is_done(balance)
    assert names() == ["red"]
    assert found["rouge"].is_done(balance)
    assert names() == ["rouge"]
    assert [Path(file).exists() for file in (path, *table.files())] == [False, True]

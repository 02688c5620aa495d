"""Concepts of a configuration: what they refuse, their recipe, and the names of their counts."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Table
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

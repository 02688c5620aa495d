"""Concepts of a configuration: what they refuse, their recipe, and the names of their counts."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Table
from jobs.concept_settings import Concepts


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

"""Score tables are looked at before a run: a uid of the right type, and columns of their own."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.shards.scores import check_scores


def write(path: Path, **columns: list) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_scores_by_uid_pass(tmp_path: Path) -> None:
    check_scores([])
    check_scores([write(tmp_path / "a.parquet", uid=["a"], clip=[1]), write(tmp_path / "b", uid=["a"], nsfw=[0.5])])


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param({"id": ["a"]}, "has no column uid among id", id="no uid"),
        pytest.param({"uid": [7], "score": [1]}, "column uid of .*b.parquet is int64, expected string", id="uid"),
        pytest.param({"uid": ["a"], "width": [1]}, "column width is there already: the side-cars and", id="side-car"),
        pytest.param({"uid": ["a"], "clip": [1]}, "column clip is there already: .*a.parquet and", id="two tables"),
    ],
)
def test_tables_that_a_filter_cannot_use(tmp_path: Path, columns: dict, told: str) -> None:
    paths = [write(tmp_path / "a.parquet", uid=["a"], clip=[1]), write(tmp_path / "b.parquet", **columns)]
    with pytest.raises(HeadtailError, match=f"scores: .*{told}"):
        check_scores(paths)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,clip\n")
    with pytest.raises(HeadtailError, match=r"a.csv is not a Parquet file"):
        check_scores([f"{tmp_path}/a.csv"])
    with pytest.raises(HeadtailError, match="none names no file"):
        check_scores([f"{tmp_path}/none"])

"""Score tables are looked at before a run: a uid of the right type, and columns of their own."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.shards.scores import open_scores, score_files


def write(path: Path, **columns: list) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_keys_and_scores_of_tables(tmp_path: Path) -> None:
    assert open_scores([]) == []
    first = write(tmp_path / "a.parquet", uid=["a"], url=["b"], clip=[1])
    opened = open_scores([first, write(tmp_path / "b", sha256=["a"], nsfw=pa.array([1], pa.uint8()))])
    assert [(table.key, dict(zip(table.scores.names, table.scores.types, strict=True))) for table in opened] == [
        ("uid", {"clip": pa.int64()}),
        ("sha256", {"nsfw": pa.int16()}),
    ]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param({"id": ["a"]}, "has no column uid, sha256 or url among id", id="no key"),
        pytest.param({"uid": [7], "score": [1]}, "column uid of .*b.parquet is int64, expected string", id="uid"),
        pytest.param({"uid": ["a"], "width": [1]}, "column width is there already: the side-cars and", id="side-car"),
        pytest.param({"uid": ["a"], "clip": [1]}, "column clip is there already: .*a.parquet and", id="two tables"),
    ],
)
def test_tables_that_a_filter_cannot_use(tmp_path: Path, columns: dict, told: str) -> None:
    paths = [write(tmp_path / "a.parquet", uid=["a"], clip=[1]), write(tmp_path / "b.parquet", **columns)]
    with pytest.raises(HeadtailError, match=f"scores: .*{told}"):
        open_scores(paths)


def test_files_of_a_table_that_do_not_fit_together(tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", uid=["a"], clip=[1])
    write(tmp_path / "2.parquet", uid=["a"], clip=[0.5])
    with pytest.raises(HeadtailError, match=r"scores: column clip of .*2\.parquet is double, in files before it int64"):
        open_scores([str(tmp_path)])
    write(tmp_path / "2.parquet", url=["a"], clip=[1])
    with pytest.raises(HeadtailError, match=r"scores: .*2\.parquet has no column uid among url, clip"):
        open_scores([str(tmp_path)])


def test_of_a_table_of_ours_only_finished_parts_are_read(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "image_signals"))
    for number in range(2):
        (tmp_path / f"image_signals/part-0000{number}").mkdir(parents=True)
        write(tmp_path / f"image_signals/part-0000{number}/range-000000.parquet", uid=["a"], clip=[number])
    with pytest.raises(HeadtailError, match="image_signals holds no finished part yet"):
        open_scores([table.path])
    file = f"{table.path}/part-00000/range-000000.parquet"
    receipt = Receipt("a", outputs=[{"path": file, "rows": 1, "bytes": 1}])
    table.commit(0, Recipe("score_images", 1, {}), [receipt], 0.0)
    assert [each.path for each in open_scores([table.path])[0].files] == [file]
    (tmp_path / "spark").mkdir()
    other = write(tmp_path / "spark/part-00000-1f.snappy.parquet", uid=["a"], nsfw=[1])
    assert [each.path for each in score_files([str(tmp_path / "spark")])] == [other]


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,clip\n")
    with pytest.raises(HeadtailError, match=r"a.csv is not a Parquet file"):
        open_scores([f"{tmp_path}/a.csv"])
    with pytest.raises(HeadtailError, match="none names no file"):
        open_scores([f"{tmp_path}/none"])

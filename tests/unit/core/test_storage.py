"""Files are written atomically, and listed from folders and globs."""

from pathlib import Path

import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.core.storage import ParquetSink, list_files, write_bytes


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = pa.record_batch({"n": pa.array([1, 2])})
    sink = ParquetSink(str(tmp_path / "a.parquet"), rows.schema)
    sink.__enter__().write(rows)
    sink.__exit__(RuntimeError, RuntimeError("killed"), None)
    assert list(tmp_path.iterdir()) == []


def test_a_parquet_file_depends_on_its_rows_not_on_their_batches(tmp_path: Path) -> None:
    rows = pa.record_batch({"n": pa.array(range(200_000))})
    for name, size in (("a", 200_000), ("b", 777)):
        with ParquetSink(str(tmp_path / name), rows.schema) as sink:
            for start in range(0, rows.num_rows, size):
                sink.write(rows.slice(start, size))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_inputs_are_files_of_folders_globs_and_names(tmp_path: Path) -> None:
    for name in ("a.wat", "b.wat.gz", "c.txt", ".d.wat", "sub/e.wat", "_x/f.wat"):
        write_bytes(str(tmp_path / name), b"x")
    folder = [Path(file.path).name for file in list_files([str(tmp_path)], (".wat", ".wat.gz"))]
    assert folder == ["a.wat", "b.wat.gz", "e.wat"]
    assert [Path(file.path).name for file in list_files([f"{tmp_path}/*.txt", f"{tmp_path}/a.wat"])] == [
        "a.wat",
        "c.txt",
    ]
    with pytest.raises(HeadtailError, match="nowhere names no file"):
        list_files([str(tmp_path / "nowhere")])

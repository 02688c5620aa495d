"""How far a file is read is known before its end: heartbeats tell it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.bounded_parquet import BoundedParquet
from curation.sources.archives import ReadLog, read_plain
from curation.sources.parquet_rows import ParquetRows


def test_rows_of_parquet_move_the_position_to_the_end_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = pa.table({"url": [f"https://a.example.org/{n}.jpg" for n in range(60_000)]})
    pq.write_table(rows, path, row_group_size=30_000)
    log = ReadLog()
    with open(path, "rb") as file:
        seen = [log.position for _ in ParquetRows(BoundedParquet(file), log, ["url"], None)]
    assert len(set(seen)) > 2
    assert seen == sorted(seen)
    assert seen[0] < path.stat().st_size == log.position


def test_bytes_of_other_files_are_counted_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"url,text\n" * 500_000)
    log = ReadLog()
    with open(path, "rb") as file:
        seen = [log.bytes_read for _ in read_plain(file, log)]
    assert len(set(seen)) > 2
    assert log.bytes_read == path.stat().st_size

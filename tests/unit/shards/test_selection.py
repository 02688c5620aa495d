"""Files of lists and downloads that another program wrote are checked before the first task."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.images.ranges import Ranges
from curation.shards.selection import check_inputs
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, stored


def spoil(path: str, missing: str, mistyped: str) -> None:
    """Leave out a column, give one another type, and add one."""
    rows = pq.read_table(path)
    index = rows.column_names.index(mistyped)
    rows = rows.set_column(index, mistyped, pa.array(["x"] * rows.num_rows, pa.string()))
    pq.write_table(rows.drop_columns([missing]).append_column("score", rows["uid"]), path)


@pytest.mark.parametrize(
    ("table", "missing", "mistyped"), [("lists", "lang", "keep_probability"), ("downloads", "sha256", "width")]
)
def test_a_file_with_other_columns_is_refused(tmp_path: Path, table: str, missing: str, mistyped: str) -> None:
    ranges = Ranges(1, 0)
    downloads, lists = stored(tmp_path, curated_rows(URLS[:5]), bodies(5), ranges)
    status = downloads.status_files(ranges)
    check_inputs(lists, status)
    path = {"lists": lists.files[0], "downloads": status["0"][0]}[table]
    spoil(path, missing, mistyped)
    with pytest.raises(HeadtailError) as caught:
        check_inputs(lists, status)
    message = str(caught.value)
    assert message.startswith(path)
    for fault in (f"{missing} is missing", f"{mistyped} is string, expected", "score is unexpected"):
        assert fault in message
    assert "\n" not in message

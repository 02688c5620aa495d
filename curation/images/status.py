"""The status files of downloads: one row an attempted image."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.schemas import DOWNLOAD_STATUS


def images_path(status_path: str) -> str:
    """Return the path of the tar that holds the images of a status file."""
    return status_path.removesuffix(".parquet") + ".tar"


def receipt_path(status_path: str) -> str:
    """Return the path of the receipt that says a list is finished."""
    return status_path.removesuffix(".parquet") + ".json"


def read_status(paths: Sequence[str], columns: list[str] | None = None) -> pa.Table:
    """Return the last status of every attempted image of a range: later files hold later attempts.

    Sorted by (order, uid), with a column `generation` (int32), the index of its file in `paths`.
    """
    tables = []
    for index, path in enumerate(paths):
        with storage.open_input(path) as file:
            table = pq.read_table(file, columns=columns and sorted({*columns, "uid", "order"}))
        tables.append(table.append_column("generation", pa.array(np.full(table.num_rows, index, np.int32))))
    if not tables:
        kept = [DOWNLOAD_STATUS.field(name) for name in columns or DOWNLOAD_STATUS.names]
        return pa.schema([*kept, pa.field("generation", pa.int32())]).empty_table()
    rows = pa.concat_tables(tables).sort_by([("order", "ascending"), ("uid", "ascending"), ("generation", "ascending")])
    uids = rows["uid"].combine_chunks()
    last = np.ones(len(uids), bool)
    if len(uids) > 1:
        last[:-1] = pc.not_equal(uids[:-1], uids[1:]).to_numpy(zero_copy_only=False)
    return rows.filter(pa.array(last))

"""The status files of downloads: one row per attempted image."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.schemas import DOWNLOAD_STATUS
from curation.core.table_reader import read_rows


def images_path(status_path: str) -> str:
    """Return the path of the tar that holds the images of a status file."""
    return status_path.removesuffix(".parquet") + ".tar"


def receipt_path(status_path: str) -> str:
    """Return the path of the receipt; if it exists, the download list of a status file is finished."""
    return status_path.removesuffix(".parquet") + ".json"


def read_status(paths: Sequence[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Return the last status of every attempted image of a range: later files hold later attempts.

    Reads `columns`, or all, and always uid and order. Adds `generation` (int32), the index of the file in `paths`.
    Sorted by (order, uid). Raises HeadtailError if a file is not one of download_status.
    """
    names = sorted({*columns, "uid", "order"}) if columns else DOWNLOAD_STATUS.names
    schema = pa.schema([*(DOWNLOAD_STATUS.field(name) for name in names), pa.field("generation", pa.int32())])
    tables = [schema.empty_table()]
    for index, path in enumerate(paths):
        table = read_rows(path, DOWNLOAD_STATUS, names)
        generation = pa.array(np.full(table.num_rows, index, np.int32))
        tables.append(table.append_column("generation", generation).cast(schema))
    rows = pa.concat_tables(tables).sort_by([("order", "ascending"), ("uid", "ascending"), ("generation", "ascending")])
    uids = rows["uid"].combine_chunks()
    last = np.ones(len(uids), bool)
    if len(uids) > 1:
        last[:-1] = pc.not_equal(uids[:-1], uids[1:]).to_numpy(zero_copy_only=False)
    return rows.filter(pa.array(last))

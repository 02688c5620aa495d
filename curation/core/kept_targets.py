"""The targets of a balance, kept in the folders of the parts that it made, for jobs that come after it.

They are no rows of a table: a folder `_targets` beside its files. The settings in the manifest hold their hash.
"""

import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.table_reader import read_rows

FOLDER, FILE = "_targets", "targets.parquet"
SETTING = "targets"
"""The name of the hash of targets in the settings of a balance."""
TARGETS = pa.schema(
    [
        pa.field("lang", pa.string(), nullable=False),
        pa.field("entry_id", pa.int32(), nullable=False),
        pa.field("t", pa.float64()),
        pa.field("weight", pa.float64()),
    ]
)
"""A row is a target of an entry: one of `t` and `weight`. Ordered by (lang, entry_id). For a concept `lang` is
`concepts.<name>`, with the name of its namespace, and `entry_id` the id of the concept.

`t` is in counts of the first pass beside `thresholds`, whose own t are so too, and of survivors beside `curated` and
`lists`."""


def keep_targets(rows: pa.Table, folder: str) -> None:
    """Write targets to the folder of a part that is not complete yet."""
    write_rows(storage.join(folder, FOLDER, FILE), rows)


def kept_targets(folder: str) -> pa.Table:
    """Return the targets in the folder of a part; raises HeadtailError if they are gone."""
    path = storage.join(folder, FOLDER, FILE)
    try:
        return read_rows(path, TARGETS)
    except FileNotFoundError:
        raise HeadtailError(
            f"{path} is gone, and tells the targets of this balance: delete {folder} to make it again"
        ) from None


def hand_on_targets(part: Part, folder: str) -> None:
    """Copy the targets of a part of `curated`, if its balance had any, to the folder of a part that is made from it."""
    if SETTING in part.manifest["settings"]:
        keep_targets(kept_targets(part.path), folder)

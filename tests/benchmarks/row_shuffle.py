"""Matched rows in a shuffle of Spark's own, row by row: the peer of the blocks that `match_pairs` shuffles."""

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from curation.matching.buckets import buckets_of
from curation.matching.match import MATCHED

# entry_ids are the bytes of int32: the JVM passes a binary value on as it is, but takes a list apart.
SHUFFLED = (
    "bucket int, uid string, url string, text string, text_key string, lang string, lang_score float, "
    "entry_ids binary, receipt string"
)


def shuffle_to_buckets(matched: DataFrame, buckets: int) -> DataFrame:
    """Return the rows with each in the partition of its `bucket` number, sorted by uid there. Shuffles."""
    return matched.repartitionById(buckets, "bucket").sortWithinPartitions("uid")


def pack_rows(matched: pa.RecordBatch, buckets: int) -> pa.RecordBatch:
    """Return matched rows (MATCHED) in the form of the shuffle (SHUFFLED)."""
    lists = matched.column("entry_ids")
    ids = lists.flatten()
    ends = lists.offsets.to_numpy().astype(np.int64)
    offsets = pa.array((4 * (ends - ends[0])).astype(np.int32)).buffers()[1]
    values = ids.buffers()[1].slice(4 * ids.offset, 4 * len(ids)) if len(ids) else pa.py_buffer(b"")
    packed = pa.Array.from_buffers(pa.binary(), len(lists), [None, offsets, values])
    columns = [matched.column(name) for name in MATCHED.names[:-1]]
    bucket = pa.array(buckets_of(matched.column("uid"), buckets))
    names = [column.split()[0] for column in SHUFFLED.split(", ")]
    return pa.record_batch([bucket, *columns, packed, pa.nulls(len(lists), pa.string())], names=names)

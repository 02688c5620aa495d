"""The images of a download list that one run has to fetch."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.schemas import LISTS, STORED
from curation.core.table_reader import read_rows
from curation.images.fetch import RETRIED_LATER
from curation.images.status import read_status


@dataclass(frozen=True)
class DownloadTask:
    """One download list to fetch.

    `earlier` are the status files that hold images of the list so far, oldest first; `status_path` is the status file
    to write, with the tar and the receipt beside it. `rules` is the folder of slices with the rules of hosts, empty if
    no host was asked, and `group` is the slice of this list.
    """

    list_path: str
    earlier: tuple[str, ...]
    status_path: str
    rules: str = ""
    group: int = 0


def new_rows(task: DownloadTask, retry_failed: bool) -> pa.Table:
    """Return the rows of a download list that have to be fetched; with `retry_failed`, those that may succeed now."""
    # A list whose images all have to be fetched lacks the columns of STORED; the reader leaves them out.
    rows = read_rows(task.list_path, LISTS, ["uid", "url", "order", *STORED.names], STORED.names)
    attempted = read_status(task.earlier, ["uid", "order", "status"])
    if retry_failed:
        attempted = attempted.filter(pc.invert(pc.is_in(attempted["status"], pa.array(sorted(RETRIED_LATER)))))
    return rows.filter(pc.invert(pc.is_in(rows["uid"], attempted["uid"].combine_chunks())))

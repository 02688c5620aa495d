"""What the tests of the jobs ask of a run; its fixtures are in tests/conftest.py."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.tables import Table
from tests.shared_runs import Sample

__all__ = ["Sample"]


def rows(run: Path, table: str) -> pa.Table:
    """All rows of a table of a run, in the order of its files."""
    return pa.concat_tables([pq.read_table(file) for file in Table(str(run / table)).files()])


def tar_bytes(run: Path) -> dict[str, bytes]:
    """The shards of a run by name."""
    return {path.name: path.read_bytes() for path in sorted((run / "shards").glob("*.tar"))}

"""Tables of scores, which users make and an SQL filter reads: their columns, checked before a run."""

from collections.abc import Iterable

import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.schemas import SAMPLES
from curation.core.storage import list_files
from curation.core.table_reader import read_schema

LOOKED_AT = 16
"""Files of a table that are opened."""


def check_scores(paths: Iterable[str]) -> None:
    """Raise HeadtailError for a table without a uid of type text, or with columns that side-cars or tables before have.

    Raises HeadtailError for a path without a file, and for a file that is no Parquet file.
    """
    known = dict.fromkeys(SAMPLES.names, "the side-cars")
    for path in paths:
        columns: set[str] = set()
        for file in list_files([path])[:LOOKED_AT]:
            schema = read_schema(file.path)
            columns |= _checked(schema, file.path, known)
        known |= dict.fromkeys(columns, path)


def _checked(schema: pa.Schema, file: str, known: dict[str, str]) -> set[str]:
    if "uid" not in schema.names:
        raise HeadtailError(f"scores: {file} has no column uid among {', '.join(schema.names)}")
    kind = schema.field("uid").type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
        raise HeadtailError(f"scores: column uid of {file} is {kind}, expected string: 24 hex digits")
    columns = {name for name in schema.names if name != "uid"}
    if twice := sorted(columns & known.keys()):
        raise HeadtailError(
            f"scores: column {', '.join(twice)} is there already: {known[twice[0]]} and {file} have it; rename it"
        )
    return columns

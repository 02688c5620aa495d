"""Tables of concepts that users have: one row an image, with the ids of its concepts, and the names of these."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.table_reader import read_schema
from curation.matching.entry_lists import ENDINGS, EntryList, read_entries

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ENTRIES = "entries"
"""The namespace of the entries of texts."""
MAX_CONCEPTS = 1 << 24
"""Ids are below this: counts are arrays by id."""
LOOKED_AT = 16
"""Files of a table that are opened before the work begins."""
UID, IDS = "uid", "concept_ids"


@dataclass(frozen=True)
class ConceptTable:
    """The concepts of one namespace: its files, and how many ids it may have."""

    name: str
    files: tuple[storage.FileInfo, ...]
    size: int = MAX_CONCEPTS


def list_concepts(concepts: Mapping[str, str]) -> dict[str, list[storage.FileInfo]]:
    """Return the files of each namespace; raises HeadtailError for an invalid name or a path without a file."""
    for name in concepts:
        if not NAME.fullmatch(name) or name == ENTRIES:
            raise HeadtailError(
                f"concepts.{name[:100]}: a name is 1 to 64 of a-z, 0-9, - and _, begins with a letter or digit, and is "
                f"not {ENTRIES}"
            )
    return {name: storage.list_files([concepts[name]], (".parquet",)) for name in sorted(concepts)}


def read_names(names: Mapping[str, str]) -> dict[str, EntryList]:
    """Return the names of the concepts of each namespace, by id.

    A file is an entry list (curation/matching/entry_lists.py): text with a name a line, JSON, or Parquet. Raises
    HeadtailError where it is none.
    """
    found = {}
    for name, path in names.items():
        if not storage.is_local(path) or not path.endswith(ENDINGS):
            raise HeadtailError(
                f"concept_names.{name[:100]}={path} must be a local file that ends in {storage.join_or(ENDINGS)}"
            )
        try:
            found[name] = read_entries(path)
        except HeadtailError as error:
            raise HeadtailError(f"concept_names.{name}: {error}") from error
    return found


def open_concepts(concepts: Mapping[str, str], names: Mapping[str, EntryList]) -> list[ConceptTable]:
    """Return the tables by name; raises HeadtailError for columns that are not those of concepts. Opens some files."""
    if unknown := sorted(set(names) - set(concepts)):
        raise HeadtailError(f"concept_names.{unknown[0]}: there is no concepts.{unknown[0]}, the table of its ids")
    tables = []
    for name, files in list_concepts(concepts).items():
        for file in files[:LOOKED_AT]:
            check_columns(name, file.path, read_schema(file.path))
        size = len(names[name].texts) if name in names else MAX_CONCEPTS
        if size > MAX_CONCEPTS:
            raise HeadtailError(f"concept_names.{name} has {size:,} names, more than {MAX_CONCEPTS:,}")
        tables.append(ConceptTable(name, tuple(files), size))
    return tables


def check_columns(name: str, path: str, schema: pa.Schema) -> None:
    """Raise HeadtailError if a file has not the columns uid (string) and concept_ids (lists of whole numbers)."""
    faults = []
    for column, expected in ((UID, "string"), (IDS, "lists of whole numbers")):
        count = schema.names.count(column)
        if count != 1:
            faults.append(f"{column} is {'missing' if not count else 'there several times'}")
        elif not (_is_text if column == UID else _is_ids)(schema.field(column).type):
            faults.append(f"{column} is {str(schema.field(column).type)[:100]}, expected {expected}")
    if "weights" in schema.names:
        faults.append("weights are not used yet: leave the column out")
    if faults:
        raise HeadtailError(f"concepts.{name}: {path} has other columns than expected: {'; '.join(faults)}")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_ids(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and pa.types.is_integer(kind.value_type)


def read_concepts(name: str, path: str, size: int, groups: range | None, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, or of some of its row groups, in bounded memory: uid string, concept_ids list<int32>.

    Raises HeadtailError for a file that is damaged, for a null among uids or ids, and for an id below 0 or not below
    `size`. A null in place of a list is an image without concepts.
    """
    with storage.open_input(path) as file:
        try:
            bounded = BoundedParquet(file)
            check_columns(name, path, bounded.schema)
            for group in groups or range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, [UID, IDS], batch_rows):
                    yield _checked(batch, size)
        except HeadtailError:
            raise
        except FileNotFoundError:
            raise
        except (*ERRORS, TypeError) as error:
            raise HeadtailError(f"concepts.{name}: {path} cannot be read: {error}") from error


def _checked(batch: pa.RecordBatch, size: int) -> pa.RecordBatch:
    """Return the rows with the types of ours; raises ValueError for rows that mean nothing."""
    uids, lists = batch[UID], batch[IDS]
    if uids.type != pa.string():
        uids = uids.cast(pa.string())
    if not pa.types.is_list(lists.type):
        lists = lists.cast(pa.list_(lists.type.value_type))
    if uids.null_count:
        raise ValueError("a uid is null")
    ids = lists.flatten()
    if ids.null_count:
        raise ValueError("a list of concept_ids holds a null")
    values = ids.to_numpy()
    if len(values) and (values.min() < 0 or values.max() >= size):
        wrong = values[(values < 0) | (values >= size)][0]
        raise ValueError(f"the id {wrong} is not one of 0 to {size - 1:,}, the ids that have a name or may have one")
    counts = np.diff(lists.offsets.to_numpy())
    counts[lists.is_null().to_numpy(zero_copy_only=False)] = 0
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    plain = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.astype(np.int32, copy=False)))
    return pa.record_batch([uids, plain], names=[UID, IDS])

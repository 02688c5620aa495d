"""Tables of concepts that users have: one row an image, with the ids of its concepts, and the names of these."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.balancing.weighted_ids import pack
from curation.core import storage
from curation.core.amounts import join_or
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.uids import uids_of
from curation.matching.entry_lists import ENDINGS, EntryList, read_entries

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ENTRIES = "entries"
"""The namespace of the entries of texts."""
MAX_CONCEPTS = 1 << 24
"""Ids are below this: counts are arrays by id."""
LOOKED_AT = 16
"""Files of a table that are opened before the work begins."""
UID, IDS, WEIGHTS = "uid", "concept_ids", "weights"
URL, SHA256 = "url", "sha256"
"""Columns that name the image of a row where there is no uid: a url, or else the hash of the image file."""


@dataclass(frozen=True)
class ConceptTable:
    """The concepts of one namespace: its files, how many ids it may have, and whether these have weights.

    `key` is sha256 where this column names images, else uid; a url stands for its uid.
    """

    name: str
    files: tuple[FileInfo, ...]
    size: int = MAX_CONCEPTS
    weighted: bool = False
    key: str = UID


def list_concepts(concepts: Mapping[str, str]) -> dict[str, list[FileInfo]]:
    """Return the files of each namespace; raises HeadtailError for an invalid name or a path without a file."""
    for name in concepts:
        if not NAME.fullmatch(name) or name == ENTRIES:
            raise HeadtailError(
                f"concepts.{name[:100]}: a name is 1 to 64 of a-z, 0-9, - and _, begins with a letter or digit, and is "
                f"not {ENTRIES}"
            )
    return {name: list_files([concepts[name]], (".parquet",)) for name in sorted(concepts)}


def read_names(names: Mapping[str, str]) -> dict[str, EntryList]:
    """Return the names of the concepts of each namespace, by id.

    A file is an entry list (curation/matching/entry_lists.py): text with a name a line, JSON, or Parquet. Raises
    HeadtailError where it is none.
    """
    found = {}
    for name, path in names.items():
        if not storage.is_local(path) or not path.endswith(ENDINGS):
            raise HeadtailError(
                f"concept_names.{name[:100]}={path} must be a local file that ends in {join_or(ENDINGS)}"
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
        weighted, key = None, key_of_files(name, files)
        for file in files[:LOOKED_AT]:
            with open_concept_file(name, file.path) as opened:
                weighted = WEIGHTS in opened.schema.names if weighted is None else weighted
                mine = SHA256 if key == SHA256 else _early_key(opened.schema)
                check_columns(name, file.path, opened.schema, weighted, mine)
        size = len(names[name].texts) if name in names else MAX_CONCEPTS
        if size > MAX_CONCEPTS:
            raise HeadtailError(f"concept_names.{name} has {size:,} names, more than {MAX_CONCEPTS:,}")
        tables.append(ConceptTable(name, tuple(files), size, bool(weighted), key))
    return tables


def key_of_files(name: str, files: Sequence[FileInfo]) -> str:
    """Return sha256 where this column names the images of a table, else uid; opens its first file."""
    with open_concept_file(name, files[0].path) as opened:
        schema = opened.schema
        return SHA256 if _early_key(schema) not in schema.names and SHA256 in schema.names else UID


def _early_key(schema: pa.Schema) -> str:
    """Return uid, or url where there is only this one: the key of an image that is known before the download."""
    return URL if UID not in schema.names and URL in schema.names else UID


@contextmanager
def open_concept_file(name: str, path: str) -> Iterator[BoundedParquet]:
    """Open a file of a namespace; raises HeadtailError for what cannot be read while it is open, ValueErrors, too."""
    with storage.open_input(path) as file:
        try:
            yield BoundedParquet(file)
        except (HeadtailError, FileNotFoundError):
            raise
        except (*ERRORS, TypeError) as error:
            raise HeadtailError(f"concepts.{name}: {path} cannot be read: {error}") from error


def check_columns(name: str, path: str, schema: pa.Schema, weighted: bool, key: str = UID) -> None:
    """Raise HeadtailError if a file has not the columns `key` (string) and concept_ids (lists of whole numbers).

    `weighted`: the first file of the table has the column weights (lists of floating-point numbers), and so must all.
    """
    faults = []
    kinds = {key: (_is_text, "string"), IDS: (_is_ids, "lists of whole numbers")}
    if weighted:
        kinds[WEIGHTS] = (_is_weights, "lists of floating-point numbers")
    elif WEIGHTS in schema.names:
        faults.append(f"{WEIGHTS} is unexpected: files before it have none")
    for column, (is_right, expected) in kinds.items():
        count = schema.names.count(column)
        if count != 1:
            faults.append(f"{column} is {'missing' if not count else 'there several times'}")
        elif not is_right(schema.field(column).type):
            faults.append(f"{column} is {str(schema.field(column).type)[:100]}, expected {expected}")
    if faults:
        raise HeadtailError(f"concepts.{name}: {path} has other columns than expected: {'; '.join(faults)}")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_ids(kind: pa.DataType) -> bool:
    return _is_list(kind) and pa.types.is_integer(kind.value_type)


def _is_weights(kind: pa.DataType) -> bool:
    return _is_list(kind) and pa.types.is_floating(kind.value_type)


def read_concepts(
    name: str, path: str, size: int, weighted: bool, groups: range | None, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, or of some of its row groups, in bounded memory: uid string, concept_ids list<int32>.

    A url stands for its uid. With weights the ids are list<int64>, packed with them (weighted_ids.py). Raises
    HeadtailError for a file that is damaged, or has no column uid or url, for a null among these, ids or weights, for
    a uid that is not UTF-8, for an id below 0 or not below `size`, and for a weight that is not above 0 and at most 1.
    A null in place of a list is an image without concepts.
    """
    with open_concept_file(name, path) as bounded:
        key = _early_key(bounded.schema)
        check_columns(name, path, bounded.schema, weighted, key)
        for batch in _read(bounded, key, size, weighted, groups, batch_rows):
            yield batch if key == UID else batch.set_column(0, UID, uids_of(batch[key]))


def read_by_hash(
    name: str, path: str, size: int, weighted: bool, groups: range | None, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file as `read_concepts` does, and raise as it does, with sha256, string, in place of uid."""
    with open_concept_file(name, path) as bounded:
        check_columns(name, path, bounded.schema, weighted, SHA256)
        yield from _read(bounded, SHA256, size, weighted, groups, batch_rows)


def _read(
    bounded: BoundedParquet, key: str, size: int, weighted: bool, groups: range | None, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    columns = [key, IDS, *([WEIGHTS] if weighted else [])]
    for group in groups or range(len(bounded.group_rows)):
        for batch in bounded.read_group(group, columns, batch_rows):
            yield _checked(batch, key, size)


def _checked(batch: pa.RecordBatch, key: str, size: int) -> pa.RecordBatch:
    """Return the rows with the types of ours; raises ValueError for rows that mean nothing."""
    keys = batch[key]
    if keys.type != pa.string():
        keys = keys.cast(pa.string())
    if keys.null_count:
        raise ValueError(f"a {key} is null")
    if key != URL:  # that one is hashed as the bytes that it is
        keys.validate(full=True)
    counts, values = _flat(batch[IDS], IDS)
    if len(values) and (values.min() < 0 or values.max() >= size):
        wrong = values[(values < 0) | (values >= size)][0]
        raise ValueError(f"the id {wrong} is not one of 0 to {size - 1:,}, the ids that have a name or may have one")
    ids = values.astype(np.int32, copy=False)
    if WEIGHTS in batch.schema.names:
        weights_counts, weights = _flat(batch[WEIGHTS], WEIGHTS)
        if not np.array_equal(counts, weights_counts):
            raise ValueError("an image has another number of weights than of concept_ids")
        ids = pack(ids, weights)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.record_batch([keys, pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))], names=[key, IDS])


def _flat(lists: pa.Array, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of values of each row, and all values."""
    if not pa.types.is_list(lists.type):
        lists = lists.cast(pa.list_(lists.type.value_type))
    flat = lists.flatten()
    if flat.null_count:
        raise ValueError(f"a list of {column} holds a null")
    counts = np.diff(lists.offsets.to_numpy())
    counts[lists.is_null().to_numpy(zero_copy_only=False)] = 0
    return counts, flat.to_numpy()

"""Tables of scores, which users make: for an SQL filter, and for the side-cars. Their columns, checked before a run."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from curation.core.amounts import join_or
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.schemas import SAMPLES
from curation.core.storage import list_folder
from curation.core.table_reader import foreign_schema
from curation.core.tables import Table
from curation.shards.score_layouts import IMAGE_PATH, Vectors, divide, layout_files, other_key
from curation.shards.vector_rows import VECTOR

LOOKED_AT = 16
"""Files of a table that are opened."""
SCORE_COLUMNS = "score_columns"
"""Key in the manifest of a set: the columns of scores in its side-cars."""
KEYS = ("uid", "sha256", "url")
"""Columns that name the image of a row: of several the first is taken, and none is a score."""
_OUR_PART = re.compile(r"part-\d{5}")
_EVERY_COLUMN = re.compile(r"[(,]\s*\*|\*\s*[,)]|\.\s*\*|`")
"""What may name columns in other words than theirs: hash(*), struct(t.*), a quoted name."""


@dataclass(frozen=True)
class ScoreTable:
    """A table of scores: the column of its keys, its files, and its scores by the types that they get.

    `vectors` are those of arrays beside a file, by its path.
    """

    key: str
    files: tuple[FileInfo, ...]
    scores: pa.Schema
    vectors: Mapping[str, Sequence[Vectors]] = field(default_factory=dict)


def open_scores(paths: Iterable[str]) -> list[ScoreTable]:
    """Return the score tables in the order of their files, after a look at some files of each.

    Raises HeadtailError for a table without a key of type text, or with columns that side-cars or tables before have,
    for a path without a file, and for a file that is no Parquet file.
    """
    known = dict.fromkeys(SAMPLES.names, "the side-cars")
    tables = []
    for path in paths:
        files, vectors = divide(score_files([path]))
        other = other_key(files[0].path, foreign_schema(files[0].path).names)
        key = other or ""
        passed_over = {*KEYS, *SAMPLES.names, IMAGE_PATH} if other else {*KEYS}
        scores: dict[str, pa.DataType] = {}
        for file in files[:LOOKED_AT]:
            fields = [
                each for each in foreign_schema(file.path)
                if not other or each.name == other or each.name not in passed_over
            ]  # fmt: skip
            schema = pa.schema([*fields, *(pa.field(each.column, VECTOR) for each in vectors.get(file.path, ()))])
            key = _checked(schema, file.path, key, known)
            for column in schema:
                if column.name not in passed_over:
                    kind = stored_type(column.type)
                    if scores.setdefault(column.name, kind) != kind:
                        raise HeadtailError(
                            f"scores: column {column.name} of {file.path} is {column.type}, in files before it "
                            f"{scores[column.name]}: write the files with one type"
                        )
        known |= dict.fromkeys(scores, path)
        tables.append(ScoreTable(key, tuple(files), pa.schema(list(scores.items())), vectors))
    return sorted(tables, key=lambda table: table.files[0].path)


def score_files(paths: Iterable[str], setting: str = "scores") -> list[FileInfo]:
    """Return the files of score tables; of a table of ours, such as `image_signals`, those of its finished parts.

    Arrays beside the tables of other programs are among them. `setting` is the one that names the tables, for messages.
    Raises HeadtailError for a path without a file, and for a table of ours of which no part is finished.
    """
    found: list[str] = []
    for path in paths:
        finished = [part.path for part in Table(path).parts()]
        if not finished and any(_OUR_PART.fullmatch(name) for name in list_folder(path)):
            raise HeadtailError(
                f"{setting}: {path} holds no finished part yet: run its job again, it goes on where it stopped"
            )
        found += finished or layout_files(path)
    return list_files(found)


def _checked(schema: pa.Schema, file: str, key: str, known: dict[str, str]) -> str:
    """Return the key of a table, which is that of its files before."""
    found = next((name for name in ((key,) if key else KEYS) if name in schema.names), None)
    if found is None:
        raise HeadtailError(f"scores: {file} has no column {key or join_or(KEYS)} among {', '.join(schema.names)}")
    if len(set(schema.names)) < len(schema.names):
        raise HeadtailError(f"scores: {file} has several columns of one name among {', '.join(schema.names)}")
    kind = schema.field(found).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
        raise HeadtailError(f"scores: column {found} of {file} is {kind}, expected string")
    if twice := sorted((set(schema.names) - set(KEYS)) & known.keys()):
        raise HeadtailError(
            f"scores: column {', '.join(twice)} is there already: {known[twice[0]]} and {file} have it; rename it"
        )
    return found


def score_columns(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of scores that the side-cars of a set have, by its manifest."""
    names = manifest.get(SCORE_COLUMNS)
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def stored_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a score gets: that of Spark where Arrow has others.

    >>> print(stored_type(pa.uint16()), stored_type(pa.list_(pa.float16())), stored_type(pa.timestamp("ns", "CET")))
    int32 list<element: float> timestamp[us, tz=UTC]
    """
    types = pa.types
    if types.is_dictionary(kind):
        return stored_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", stored_type(kind.value_type)))
    if types.is_struct(kind):
        return pa.struct([pa.field(each.name, stored_type(each.type), each.nullable) for each in kind])
    if types.is_map(kind):
        return pa.map_(stored_type(kind.key_type), stored_type(kind.item_type))
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return _TYPES.get(kind, kind)


_TYPES = {
    pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(), pa.large_string(): pa.string(), pa.large_binary(): pa.binary(),
    pa.date64(): pa.date32(),
}  # fmt: skip


def named_in(expression: str, names: Iterable[str]) -> list[str]:
    """Return the columns that an SQL expression may name: those whose name stands in it, or all if it may mean all.

    >>> named_in("Clip >= 0.3 and lang = 'en'", ["clip", "nsfw", "lang"]), named_in("hash(*) % 2 = 0", ["clip"])
    (['clip', 'lang'], ['clip'])
    """
    text = expression.lower()
    return [name for name in names if _EVERY_COLUMN.search(text) or name.lower() in text]

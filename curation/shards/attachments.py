"""What is attached to samples later: captions, reinforcements, embeddings, each row with the key of its image.

Files come from others. Parquet is read in bounded memory, no pickle is opened, and of tars only places are kept.
"""

import io
import math
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.amounts import join_or
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.shards.row_keys import key_of
from curation.shards.sample_captions import SYN_JSON
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import Member, read_members

BATCH_ROWS = 1024
MAX_CAPTIONS = 100
MAX_CAPTION_CHARS = 1 << 16
MAX_VECTOR_BYTES = 1 << 20
MAX_MEMBER_BYTES = 64 << 20
MAX_JSON_BYTES = 4 << 20
VECTORS = ("vector", "embedding")
NPY = "npy"
_EXTENSION = re.compile(r"[0-9a-z]{1,16}(\.[0-9a-z]{1,16})?")
_OWN = ("json", "txt", "url.txt", "jpg", "jpeg", "png", "webp", "gif", "bmp", "avif", "tif", "tiff")
"""Members of other tars that are not attached: the sample itself has them."""


@dataclass(frozen=True)
class Attached:
    """What belongs to an image: `key` is "u" and its uid or "s" and its SHA-256; `value` is a JSON or a vector's file.

    Without an extension the value is a list of `Place`: members of a tar, whose data stay where they are.
    """

    key: str
    extension: str
    value: bytes


class Place(msgspec.Struct, array_like=True):
    """A member in a tar of others: its extension, and where its data lies."""

    path: str
    extension: str
    offset: int
    size: int


def read_attached(path: str, metadata: str, facts: Counter[str], setting: str = "data") -> Iterator[Attached]:
    """Yield what a file holds, in its order: a Parquet table, a tar, or an `.npy` whose keys the file `metadata` has.

    Counts `rows` and `faulty_rows` in `facts`. Raises HeadtailError, which names `setting`, for a file that cannot be
    read.
    """
    try:
        with storage.open_input(path) as file:
            if path.endswith(".tar"):
                yield from _of_tar(file, path, facts)
            elif path.endswith(".npy"):
                yield from _of_npy(file, metadata, facts)
            else:
                yield from _of_table(file, facts)
    except (ValueError, LookupError, TypeError, SyntaxError, RecursionError, OSError, pa.ArrowException) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise HeadtailError(f"{setting}: {path} cannot be attached: {error}") from error


def read_captions(path: str, key: str, groups: range | None, facts: Counter[str]) -> Iterator[Attached]:
    """Yield the captions of a Parquet file by its column `key`, of all row groups or of some.

    Counts `rows` and `faulty_rows` in `facts`. Raises HeadtailError for a file that cannot be read.
    """
    try:
        with storage.open_input(path) as file:
            yield from _of_table(file, facts, (key,), ("caption",), groups)
    except (*ERRORS, TypeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise HeadtailError(f"captions: {path} cannot be joined: {error}") from error


def check_caption_columns(schema: pa.Schema, key: str) -> list[str]:
    """Return the columns model and prompt of a caption table, as far as it has them.

    Raises ValueError for a key or a caption that is missing, of another type, or there twice.
    """
    return _checked(schema, key, "caption")


def _of_table(
    file: BinaryIO,
    facts: Counter[str],
    may_be_keys: Sequence[str] = ("uid", "sha256", "url"),
    may_be_values: Sequence[str] = ("caption", *VECTORS),
    groups: range | None = None,
) -> Iterator[Attached]:
    bounded = BoundedParquet(file)
    names = bounded.schema.names
    keys = [name for name in may_be_keys if name in names]
    values = [name for name in may_be_values if name in names]
    if not keys or len(values) != 1:
        raise ValueError(
            f"its columns are {', '.join(names)[:300]}, expected a key ({join_or(may_be_keys)}) and one of "
            f"{', '.join(may_be_values)}"
        )
    key, value = keys[0], values[0]
    notes = _checked(bounded.schema, key, value)
    for group in range(len(bounded.group_rows)) if groups is None else groups:
        for batch in bounded.read_group(group, [key, value, *notes], BATCH_ROWS):
            facts["rows"] += batch.num_rows
            found = batch[key].to_pylist()
            data = _captions(batch, notes) if value == "caption" else _vectors(batch[value])
            for given, datum in zip(found, data, strict=True):
                place = key_of(key, given)
                if place is None or datum is None:
                    facts["faulty_rows"] += 1
                else:
                    yield Attached(place, SYN_JSON if value == "caption" else NPY, datum)


def _checked(schema: pa.Schema, key: str, value: str) -> list[str]:
    notes = [name for name in ("model", "prompt") if name in schema.names] if value == "caption" else []
    if twice := [name for name in (key, value, *notes) if schema.names.count(name) > 1]:
        raise ValueError(f"it has several columns of the name {', '.join(twice)}")
    for name in (key, *notes):
        _check_type(schema, name, "a string", is_text)
    if value == "caption":
        _check_type(schema, value, "a string or a list of strings", lambda kind: is_text(_item(kind) or kind))
    else:
        _check_type(schema, value, "a list of floats", lambda kind: pa.types.is_floating(_item(kind) or kind))
        _check_type(schema, value, "a list of floats", lambda kind: _item(kind) is not None)
    return notes


def _check_type(schema: pa.Schema, name: str, expected: str, is_right: Callable[[pa.DataType], bool]) -> None:
    kind = schema.field(name).type
    if not is_right(kind):
        raise ValueError(f"{name} is a column of the type {str(kind)[:100]}, expected {expected}")


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column holds strings."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _item(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the items of lists, None for a type that is no list."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return kind.value_type if any(is_list(kind) for is_list in lists) else None


def _captions(batch: pa.RecordBatch, notes: list[str]) -> Iterator[bytes | None]:
    """Yield the JSON of each row, as the tars of DataCompDR have it; None without a caption or with too large ones."""
    beside = [batch[name].to_pylist() for name in notes]
    for row, texts in enumerate(_texts(batch["caption"])):
        values = {name: column[row] or "" for name, column in zip(notes, beside, strict=True)}
        if not texts or any(len(text) > MAX_CAPTION_CHARS for text in (*texts, *values.values())):
            yield None
        else:
            yield msgspec.json.encode({"syn_text": texts, **values})


def _texts(column: pa.Array) -> Iterator[list[str]]:
    """Yield the texts of each row that are not empty; none where there are too many.

    A file may name one long text of its dictionary in each place of each list: texts are shared, never copied.
    """
    if _item(column.type) is None:
        yield from ([text] if text else [] for text in column.to_pylist())
        return
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
    items = column.flatten()
    is_shared = pa.types.is_dictionary(items.type)
    words = {}
    if is_shared:  # the dictionary is that of the whole row group
        named = pc.unique(items.indices.drop_null())
        words = dict(zip(named.to_pylist(), items.dictionary.take(named).to_pylist(), strict=True))
    end = 0
    for length in lengths.tolist():
        start, end = end, end + length
        if length > MAX_CAPTIONS:
            yield []
        elif is_shared:
            places = items.indices[start:end].to_pylist()
            yield [words[place] for place in places if place is not None and words[place]]
        else:
            yield [text for text in items[start:end].to_pylist() if text]


def _vectors(column: pa.Array) -> Iterator[bytes | None]:
    """Yield the file of each row's vector; None where there is none, where it has nulls, or where it is too long."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
    if column.null_count:  # a list of a fixed size has one where it is null, too
        lengths[np.asarray(column.is_null())] = 0
    items = column.flatten()
    has_nulls = items.null_count > 0
    end = 0
    for length in lengths.tolist():
        start, end = end, end + length
        part = items[start:end]
        if not 0 < length * (items.type.bit_width // 8) <= MAX_VECTOR_BYTES or (has_nulls and part.null_count):
            yield None
        else:
            vector = part.to_numpy(zero_copy_only=False)
            yield npy_head(length, vector.dtype.str) + vector.tobytes()


@lru_cache
def npy_head(length: int, kind: str) -> bytes:
    """Return what stands before the numbers in the file of a vector."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (length,)})
    return file.getvalue()


def _of_npy(file: BinaryIO, metadata: str, facts: Counter[str]) -> Iterator[Attached]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"format {version} of npy, expected (1, 0)")
    shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    if len(shape) != 2 or by_columns or kind.kind != "f" or min(shape) < 0:
        raise ValueError(f"an array of shape {shape} and type {kind}, expected rows of floating-point numbers")
    row_bytes = shape[1] * kind.itemsize
    if not 0 < row_bytes <= MAX_VECTOR_BYTES or math.prod(shape) * kind.itemsize != size:
        raise ValueError(f"its header claims the shape {shape}, and {size:,} bytes follow")
    head = npy_head(shape[1], kind.str)
    with storage.open_input(metadata) as keys:
        bounded = BoundedParquet(keys)
        if sum(bounded.group_rows) != shape[0] or bounded.schema.names.count("image_path") != 1:
            raise ValueError(f"{metadata} has not one image_path for each of the {shape[0]:,} rows")
        for group in range(len(bounded.group_rows)):
            for batch in bounded.read_group(group, ["image_path"], BATCH_ROWS):
                for path in batch["image_path"].to_pylist():
                    facts["rows"] += 1
                    data = file.read(row_bytes)
                    found = key_of("uid", posixpath.basename(str(path)).split(".")[0])
                    if found is None:
                        facts["faulty_rows"] += 1
                    else:
                        yield Attached(found, NPY, head + data)


def _of_tar(file: BinaryIO, path: str, facts: Counter[str]) -> Iterator[Attached]:
    log = ReadLog()
    stem, key, places = "", None, list[Place]()

    def close() -> Iterator[Attached]:
        if stem:
            facts["rows"] += 1
            if key is None or not places:
                facts["faulty_rows"] += 1
            else:
                yield Attached(key, "", msgspec.json.encode(places))

    for member in read_members(file, log):
        if member is None:
            raise ValueError(log.faults[-1][1] if log.faults else "damaged")
        name, _, extension = posixpath.basename(member.name).partition(".")
        if name != stem:
            yield from close()
            stem, key, places = name, key_of("uid", name), []
        if extension == "json" and key is None:
            key = _key_of_json(member)
        elif _is_wanted(extension, member.size) and all(place.extension != extension for place in places):
            places.append(Place(path, extension, member.offset, member.size))
    yield from close()


def _is_wanted(extension: str, size: int) -> bool:
    return extension not in _OWN and bool(_EXTENSION.fullmatch(extension)) and size <= MAX_MEMBER_BYTES


def _key_of_json(member: Member) -> str | None:
    """Return the key that the json of a sample gives: the SHA-256 of its image, its uid, or its URL."""
    try:
        values = msgspec.json.decode(member.read(MAX_JSON_BYTES) or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not isinstance(values, dict):
        return None
    found = (key_of(kind, values.get(kind)) for kind in ("sha256", "uid", "url"))
    return next((key for key in found if key), None)

"""What is attached to samples later: captions, reinforcements, embeddings, each row with the key of its image.

Files come from others. Parquet is read in bounded memory, no pickle is opened, and of tars only places are kept.
"""

import hashlib
import io
import math
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.bounded_parquet import BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.uids import uid_of
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import Member, read_members

BATCH_ROWS = 1024
MAX_CAPTIONS = 100
MAX_CAPTION_CHARS = 1 << 16
MAX_VECTOR_BYTES = 1 << 20
MAX_MEMBER_BYTES = 64 << 20
MAX_JSON_BYTES = 4 << 20
VECTORS = ("vector", "embedding")
SYN_JSON, NPY = "syn.json", "npy"
_UID = re.compile(r"[0-9a-f]{24}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
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


def read_attached(path: str, metadata: str, facts: Counter[str]) -> Iterator[Attached]:
    """Yield what a file holds, in its order: a Parquet table, a tar, or an `.npy` whose keys the file `metadata` has.

    Counts `rows` and `faulty_rows` in `facts`. Raises HeadtailError for a file that cannot be read.
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
        raise HeadtailError(f"data: {path} cannot be attached: {error}") from error


def _of_table(file: BinaryIO, facts: Counter[str]) -> Iterator[Attached]:
    bounded = BoundedParquet(file)
    names = bounded.schema.names
    keys = [name for name in ("uid", "sha256", "url") if name in names]
    values = [name for name in ("caption", *VECTORS) if name in names]
    if not keys or len(values) != 1:
        raise ValueError(
            f"its columns are {', '.join(names)[:300]}, expected a key (uid, sha256 or url) and one of caption, "
            f"{', '.join(VECTORS)}"
        )
    key, value = keys[0], values[0]
    notes = [name for name in ("model", "prompt") if name in names] if value == "caption" else []
    if twice := [name for name in (key, value, *notes) if names.count(name) > 1]:
        raise ValueError(f"it has several columns of the name {', '.join(twice)}")
    for group in range(len(bounded.group_rows)):
        for batch in bounded.read_group(group, [key, value, *notes], BATCH_ROWS):
            for row in range(batch.num_rows):
                facts["rows"] += 1
                found = _key(key, batch[key][row].as_py())
                data = _caption(batch, row, notes) if value == "caption" else _vector(batch[value][row])
                if found is None or data is None:
                    facts["faulty_rows"] += 1
                else:
                    yield Attached(found, SYN_JSON if value == "caption" else NPY, data)


def _key(kind: str, value: Any) -> str | None:
    """Return the key of a row: a URL stands for its uid."""
    if not isinstance(value, str):
        return None
    if kind == "url":
        return f"u{uid_of(value)}" if value and value.isprintable() else None
    pattern = _UID if kind == "uid" else _SHA256
    return f"{kind[0]}{value}" if pattern.fullmatch(value) else None


def _caption(batch: pa.RecordBatch, row: int, notes: list[str]) -> bytes | None:
    """Return the JSON of a row, as the tars of DataCompDR have it; None without a caption or with too large ones."""
    scalar = batch["caption"][row]
    if not scalar.is_valid or (isinstance(scalar, pa.ListScalar) and len(scalar) > MAX_CAPTIONS):
        return None
    value = scalar.as_py()
    texts = [text for text in (value if isinstance(value, list) else [value]) if text]
    values = {name: batch[name][row].as_py() or "" for name in notes}
    if not texts or not all(
        isinstance(text, str) and len(text) <= MAX_CAPTION_CHARS for text in (*texts, *values.values())
    ):
        return None
    return msgspec.json.encode({"syn_text": texts, **values})


def _vector(scalar: pa.Scalar) -> bytes | None:
    if not isinstance(scalar, pa.ListScalar) or not scalar.is_valid:
        return None
    values = scalar.values
    if not pa.types.is_floating(values.type) or values.null_count or not 0 < values.nbytes <= MAX_VECTOR_BYTES:
        return None
    return _npy(values.to_numpy(zero_copy_only=False))


def _npy(vector: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, vector, version=(1, 0), allow_pickle=False)
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
    head = _npy(np.zeros(shape[1], kind))[:-row_bytes]
    with storage.open_input(metadata) as keys:
        bounded = BoundedParquet(keys)
        if sum(bounded.group_rows) != shape[0] or bounded.schema.names.count("image_path") != 1:
            raise ValueError(f"{metadata} has not one image_path for each of the {shape[0]:,} rows")
        for group in range(len(bounded.group_rows)):
            for batch in bounded.read_group(group, ["image_path"], BATCH_ROWS):
                for path in batch["image_path"].to_pylist():
                    facts["rows"] += 1
                    data = file.read(row_bytes)
                    found = _key("uid", posixpath.basename(str(path)).split(".")[0])
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
            stem, key, places = name, _key("uid", name), []
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
    found = (_key(kind, values.get(kind)) for kind in ("sha256", "uid", "url"))
    return next((key for key in found if key), None)


def order_of(value: bytes) -> bytes:
    """Return what decides between two rows of one key: the smaller is taken."""
    return hashlib.sha256(value).digest()

"""Perceptual hashes of the images of benchmarks, which come as folders, tars or Parquet files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.beats import watch
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.images.decoding import MAX_PIXELS
from curation.images.encoding import ImageError, check_image, image_faults, open_image
from curation.shards.benchmark_images import BENCHMARK_IMAGES, EMBEDDING_COLUMN
from curation.shards.perceptual_hash import QUICK, VERSION_KEY, phash
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import read_members
from curation.sources.webdataset import IMAGES

SEVERAL = (".tar", ".parquet")
"""Endings of files with several images."""
ENDINGS = tuple(f".{kind}" for kind in IMAGES)
SUFFIXES = (*ENDINGS, *SEVERAL)
MAX_BYTES = 256 << 20
"""A larger member of a tar is not read, of a larger file its beginning."""
MAX_PAGE_BYTES = 1 << 30
"""Maximum size of a page of a Parquet file: pyarrow writes up to 1,024 images into one, unless row groups are small."""
FILES_PER_TASK = 500
_ROWS = 64


@dataclass(frozen=True)
class Embedder:
    """Makes the embedding of an image file, which raises ImageError for one that it cannot decode, and its type."""

    embed: Callable[[bytes], np.ndarray]
    kind: pa.DataType


@dataclass(frozen=True)
class HashFilesTask:
    """Files with images of one benchmark; a file of the table is written to `output`."""

    benchmark: str
    files: tuple[str, ...]
    output: str


def plan_hashing(files: Mapping[str, Sequence[FileInfo]], folder: str) -> list[HashFilesTask]:
    """Return the tasks for the files of benchmarks by name: one for each tar and table, one for some hundred images."""
    groups: list[tuple[str, tuple[str, ...]]] = []
    for benchmark, infos in sorted(files.items()):
        paths = [info.path for info in infos]
        single = [path for path in paths if not path.lower().endswith(SEVERAL)]
        groups += [(benchmark, (path,)) for path in paths if path.lower().endswith(SEVERAL)]
        starts = range(0, len(single), FILES_PER_TASK)
        groups += [(benchmark, tuple(single[start : start + FILES_PER_TASK])) for start in starts]
    return [
        HashFilesTask(benchmark, given, storage.join(folder, f"images-{number:06d}.parquet"))
        for number, (benchmark, given) in enumerate(groups)
    ]


def hash_files(task: HashFilesTask, embedder: Embedder | None = None, version: int = QUICK) -> Receipt:
    """Write a row for each image of the files of a task, with its embedding if `embedder` makes them.

    Reasons: not_an_image and the others of ImageError.
    """
    receipt = Receipt(f"{task.benchmark}: {task.files[0]}")
    watch(receipt)
    rows, embeddings = [], list[np.ndarray]()
    for path in task.files:
        for name, body in _images(path, receipt):
            receipt.rows_in += 1
            try:
                row = (task.benchmark, name, hashlib.sha256(body).hexdigest(), _hash(body, version))
                embeddings += [embedder.embed(body)] if embedder else []
                rows.append(row)
            except ImageError as error:
                receipt.drops[error.status] += 1
    receipt.rows_out = len(rows)
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)] if rows else [[]] * 4
    table = pa.table(columns, schema=BENCHMARK_IMAGES.with_metadata({VERSION_KEY: str(version)}))
    if embedder:
        table = table.append_column(EMBEDDING_COLUMN, pa.array(embeddings, embedder.kind))
    receipt.outputs.append(write_rows(task.output, table))
    return receipt.check()


def _hash(body: bytes, version: int) -> str:
    with image_faults():
        check_image(open_image(body), body, MAX_PIXELS)
        return phash(body, version)


def _images(path: str, receipt: Receipt) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each image of a file; none if it cannot be read.

    Damage of a tar is a failure of the receipt. Raises HeadtailError for a Parquet file that cannot be read.
    """
    name = PurePosixPath(path).name
    with storage.open_input(path) as file:
        if path.lower().endswith(".tar"):
            log = ReadLog()
            for member in read_members(file, log):
                if member is not None and member.name.lower().endswith(ENDINGS):
                    yield f"{name}/{member.name}", member.read(MAX_BYTES) or b""
            receipt.failures += [
                {"file": path, "offset": offset, "error": error, "records_read": None} for offset, error in log.faults
            ]
        elif path.lower().endswith(".parquet"):
            try:
                for number, body in enumerate(_cells(path, BoundedParquet(file, MAX_PAGE_BYTES))):
                    yield f"{name}/{number}", body or b""
            except ERRORS as error:
                raise HeadtailError(f"{path} cannot be read: {error}") from error
        else:
            yield name, file.read(MAX_BYTES)


def _cells(path: str, file: BoundedParquet) -> Iterator[bytes | None]:
    """Yield the images of a table: those of its first column of bytes, or of structs with bytes (Hugging Face)."""
    column, is_struct = _column_of_images(path, file.schema)
    for group in range(len(file.group_rows)):
        for batch in file.read_group(group, [column], _ROWS):
            cells = batch.column(0)
            yield from (pc.struct_field(cells, "bytes") if is_struct else cells).to_pylist()


def _column_of_images(path: str, schema: pa.Schema) -> tuple[str, bool]:
    """Return the name of the column of images, and whether it is a field of structs."""
    for field in schema:
        kind, is_struct = field.type, pa.types.is_struct(field.type)
        if is_struct and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            if schema.names.count(field.name) > 1:
                raise HeadtailError(f"{path} has several columns of the name {field.name}: leave one")
            return (f"{field.name}.bytes" if is_struct else field.name), is_struct
    raise HeadtailError(f"{path} has no column of images: expected bytes, or structs with a field bytes")

"""Scores the images of a downloaded list: each image is read once and decoded once for all models."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt, written_receipt
from curation.core.recipes import added
from curation.core.table_reader import read_rows
from curation.images.decoding import decode_image
from curation.images.encoding import ImageError
from curation.images.status import images_path, read_status
from curation.signals.faces import BlazeFace
from curation.signals.model import Identity, Model
from curation.signals.onnx import CPU, OnnxModel, OnnxSettings, check_columns
from curation.signals.open_nsfw import OpenNsfw
from curation.signals.presets import count_presets
from curation.signals.python_model import SETTING, PythonModel
from curation.signals.text import TextShare

LOGIC_VERSION = 1
BATCH_IMAGES = 256
"""Rows that a task holds at a time."""
UID = pa.field("uid", pa.string(), nullable=False)


@dataclass(frozen=True)
class SignalSettings:
    """The signals in the order of their columns, the tiles per side for faces, and a user's models.

    `onnx` is an ONNX file or None, `python` has names and places in packages, `provider` is that of onnxruntime.
    """

    signals: tuple[Signal, ...]
    face_tiles: int
    onnx: OnnxSettings | None
    python: tuple[tuple[str, str], ...] = added((), default=())
    provider: str = CPU


@dataclass(frozen=True)
class ScoreTask:
    """The status file of a downloaded list, the file to write, and that of its receipt.

    `only` are files with the uids of the images that are scored; None: all are.
    """

    status: str
    output: str
    receipt: str
    only: tuple[str, ...] | None = None


def open_models(settings: SignalSettings) -> tuple[Model, ...]:
    """Return the models of the settings, loaded.

    Raises HeadtailError for a package that is not installed, for a user's model that cannot be run, and for two models
    with one column.
    """
    found: list[Model] = []
    if Signal.faces in settings.signals:
        found.append(BlazeFace(settings.face_tiles))
    if both := [signal for signal in settings.signals if signal in (Signal.nsfw, Signal.embedding)]:
        found.append(OpenNsfw(both, settings.provider))
    if Signal.text in settings.signals:
        found.append(TextShare())
    if settings.onnx:
        found.append(OnnxModel(settings.onnx, settings.provider))
    for name, place in settings.python:
        found.append(PythonModel(name, place))
        check_columns(f"{SETTING}.{name}", [column.name for column in found[-1].columns])
    names = Counter(column.name for model in found for column in model.columns)
    if twice := [name for name, count in names.items() if count > 1]:
        raise HeadtailError(f"signals: several models give the column {', '.join(twice)}: rename it in one of them")
    return tuple(found)


@cache
def _kept_models(settings: SignalSettings, identities: tuple[Identity, ...]) -> tuple[Model, ...]:
    """Return the models of the settings, loaded once in a process for each set of weights."""
    models = open_models(settings)
    for model, expected in zip(models, identities, strict=True):
        if model.identity != expected:
            raise HeadtailError(f"a worker has another model than the driver: {model.identity}, expected {expected}")
    return models


def signals_schema(models: Sequence[Model]) -> pa.Schema:
    """Return the schema of the table: uid and the columns of the models."""
    return pa.schema([UID, *(column for model in models for column in model.columns)])


def score_images(task: ScoreTask, settings: SignalSettings, identities: Sequence[Identity]) -> Receipt:
    """Write the signals of the images that a list has stored, one row each, unless a stopped run has written them.

    Images that cannot be decoded have no row. Reasons: not_an_image, vector_image, too_many_pixels, undecodable;
    not_written for images that are not among those of the task.
    Raises HeadtailError if the models of this machine are not those of `identities`.
    """
    # A run that was killed while it deleted a finished part may have left a receipt without its file.
    if (written := written_receipt(task.receipt)) and storage.exists(task.output):
        return written.moved_to(task.output.rpartition("/")[0])
    models = _kept_models(settings, tuple(identities))
    schema, receipt = signals_schema(models), Receipt(task.output)
    images = stored_images(task.status)
    if task.only is not None:
        images = _wanted(images, task.only, receipt)
    bodies = ((uid, read()) for uid, read in images)
    with ParquetSink(task.output, schema) as sink:
        for batch in _batches(score_each(bodies, models, receipt), schema):
            sink.write(batch)
    receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
    storage.write_bytes(task.receipt, receipt.check().to_json().encode())
    return receipt


def stored_images(status: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the uid of each image that a list has stored, in the final order, and what reads its file."""
    rows = read_status([status], ["status", "offset", "bytes"])
    rows = rows.filter(pc.equal(rows["status"], "success"))
    columns = (rows[name].to_pylist() for name in ("uid", "offset", "bytes"))
    with storage.open_input(images_path(status)) as file:
        for uid, offset, size in zip(*columns, strict=True):
            yield uid, partial(_read, file, offset, size)


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _wanted(
    images: Iterator[tuple[str, Callable[[], bytes]]], only: Sequence[str], receipt: Receipt
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the images whose uids the files have; the receipt counts the others."""
    uids = {uid for path in only for uid in read_rows(path, pa.schema([UID]), ["uid"], None)["uid"].to_pylist()}
    for uid, read in images:
        if uid in uids:
            yield uid, read
        else:
            receipt.rows_in += 1
            receipt.drops["not_written"] += 1


def score_each(
    images: Iterator[tuple[str, bytes]], models: Sequence[Model], receipt: Receipt
) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each image that can be decoded; the receipt counts rows in and drops."""
    side = max(model.side for model in models)
    for uid, body in images:
        receipt.rows_in += 1
        try:
            image = decode_image(body, side)
        except ImageError as error:
            receipt.drops[error.status] += 1
            continue
        row: dict[str, Any] = {"uid": uid}
        for model in models:
            row |= model.score(image)
        count_presets(row, receipt.facts)
        yield row


def _batches(rows: Iterator[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    pending: list[Mapping[str, Any]] = []
    for row in rows:
        pending.append(row)
        if len(pending) == BATCH_IMAGES:
            yield pa.RecordBatch.from_pylist(pending, schema)
            pending = []
    if pending:
        yield pa.RecordBatch.from_pylist(pending, schema)

"""Writing shards: WebDataset tars with dense numbers whose bytes depend on the samples alone.

The samples of all ranges have one global order, the order of the lists. Shard k holds the places [k * S, (k + 1) * S)
of it, unless a bound in bytes makes shards smaller. A task writes one shard: it copies byte ranges out of the tars of
the downloads, which have the same order.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.beats import moved
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt, written_receipt
from curation.core.schemas import CANDIDATES, CURATED, SAMPLES, STORED
from curation.core.table_reader import read_rows, read_schema
from curation.core.tar_writer import COMPANION_NAME, end, members
from curation.images.ranges import list_name
from curation.images.status import images_path
from curation.shards.blurred import BLURRED_FIELD, BlurredImages
from curation.shards.entry_words import with_words
from curation.shards.face_boxes import read_boxes_of
from curation.shards.indexes import TarIndex
from curation.shards.sample_captions import SYN_JSON, CaptionFiles, SampleCaptions, Texts, syn_json
from curation.shards.sample_json import CLUSTER_IDS, SampleForm, sample_json
from curation.shards.selection import CHOSEN
from curation.shards.steps import BOXES, SCORED, SelectionSteps

LOGIC_VERSION = 1
MIN_DIGITS = 5
_IDS = pa.schema([(name, pa.int32()) for name in CLUSTER_IDS])
DRAWN = ["text", "lang", "keep_probability", "texts"]
"""Columns that the second balance makes anew."""


@dataclass(frozen=True)
class ShardSize:
    """The bounds of a shard: number of samples, and bytes of their images."""

    samples: int
    max_bytes: int


@dataclass(frozen=True)
class Piece:
    """Rows [start, end) of the survivors of one range."""

    range: int
    start: int
    end: int


@dataclass(frozen=True)
class PieceFiles:
    """Rows [start, end) of a file of survivors, and the files that hold their columns and images.

    `candidates` holds the facts of each image; `texts` its texts (a list, or the drawn rows of the second balance);
    `tars` the images, a tar for each generation; `scores` the scores of each candidate, for the side-car ("": none);
    `boxes` the boxes of faces to blur in each candidate ("": none).
    """

    survivors: str
    candidates: str
    texts: str
    tars: tuple[str, ...]
    start: int
    end: int
    scores: str = ""
    boxes: str = ""


@dataclass(frozen=True)
class ShardTask:
    """One shard: the paths of its tar, side-car and receipt, its pieces in order, and the form of its samples.

    `captions`: captions were joined, and are there. `blur`: the JPEG quality of images whose faces are blurred, in the
    boxes of the pieces; None: none are.
    """

    tar: str
    sidecar: str
    receipt: str
    pieces: tuple[PieceFiles, ...]
    form: SampleForm
    captions: CaptionFiles | None = None
    blur: int | None = None


def plan_shard_tasks(
    folder: str,
    steps: SelectionSteps,
    texts: str,
    survivors: Receipt,
    size: ShardSize,
    form: SampleForm,
    scored: bool = False,
    blur: int | None = None,
) -> list[ShardTask]:
    """Return a task for `write_shard` for every shard, in order.

    `texts` is the folder of lists, or of the drawn rows of the second balance; `survivors` the summed receipts of the
    last step; `scored`: the side-cars get scores; `blur`: that of the tasks. The sizes of single images, as they were
    downloaded, are read only if a shard can reach the bound in bytes.
    """
    outputs = {output["range"]: output for output in survivors.outputs}
    largest = max((output["largest"] for output in survivors.outputs), default=0)
    bounded = largest * size.samples > size.max_bytes
    sizes = ((number, _image_bytes(outputs[number], bounded)) for number in sorted(outputs))
    shards = plan_shards(sizes, size.samples, size.max_bytes)
    candidates = steps.folder("candidates")

    def files_of(piece: Piece) -> PieceFiles:
        name = list_name(piece.range)
        tars = tuple(images_path(path) for path in steps.status.get(str(piece.range), []))
        inputs = (storage.join(candidates, name), storage.join(texts, name), tars)
        scores = storage.join(steps.folder(SCORED), name) if scored else ""
        boxes = storage.join(steps.folder(BOXES), name) if blur else ""
        return PieceFiles(outputs[piece.range]["path"], *inputs, piece.start, piece.end, scores, boxes)

    tasks = []
    for number, pieces in enumerate(shards):
        name = shard_name(number, len(shards))
        paths = (storage.join(folder, f"{name}.tar"), storage.join(folder, f"{name}.parquet"))
        receipt = storage.join(steps.folder("shards"), f"{name}.json")
        tasks.append(ShardTask(*paths, receipt, tuple(files_of(piece) for piece in pieces), form, blur=blur))
    return tasks


def plan_shards(ranges: Iterable[tuple[int, np.ndarray]], samples_per_shard: int, max_bytes: int) -> list[list[Piece]]:
    """Cut the samples of all ranges into shards of equal size; the last is smaller, and so are shards of large images.

    `ranges` yields each range's number, ascending, and the bytes of its images in their order, int64. An image larger
    than `max_bytes` gets a shard of its own.

    >>> plan_shards([(0, np.array([1, 1, 1])), (1, np.array([1, 9]))], 2, 8)[1:]
    [[Piece(range=0, start=2, end=3), Piece(range=1, start=0, end=1)], [Piece(range=1, start=1, end=2)]]
    """
    shards: list[list[Piece]] = []
    room, space = 0, 0
    for number, sizes in ranges:
        ends = np.cumsum(sizes)
        start = 0
        while start < len(sizes):
            before = int(ends[start - 1]) if start else 0
            fitting = int(np.searchsorted(ends, before + space, side="right")) - start
            taken = min(room, fitting)
            if taken <= 0:
                shards.append([])
                room, space = samples_per_shard, max(max_bytes, int(sizes[start]))
                continue
            end = start + taken
            shards[-1].append(Piece(number, start, end))
            room, space = room - taken, space - (int(ends[end - 1]) - before)
            start = end
    return shards


def shard_name(number: int, shards: int) -> str:
    """Return the base name of a shard: five digits, or as many as the last shard needs.

    >>> shard_name(7, 20)
    '00007'
    """
    return f"{number:0{max(MIN_DIGITS, len(str(shards - 1)))}d}"


def write_shard(task: ShardTask) -> Receipt:
    """Write one shard: its tar, its side-car and its indexes.

    The output in the receipt has the keys `tar`, `tar_bytes` and `tar_sha256` as well. If an earlier run has written
    the receipt, the shard is complete and stays as it is.
    """
    if written := written_receipt(task.receipt):
        return written.moved_to(task.sidecar.rsplit("/", 1)[0])
    receipt = Receipt(task.tar)
    digest, size, index = hashlib.sha256(), 0, TarIndex()
    images = sum(piece.end - piece.start for piece in task.pieces)
    captions = SampleCaptions(task.captions, images) if task.captions else None
    each = iter(captions) if captions else None
    with storage.AtomicFile(task.tar) as file, ParquetSink(task.sidecar, _sidecar_schema(task)) as sink:
        for piece in task.pieces:
            rows = _with_clusters(_read_piece(piece), piece) if task.form.clusters else _read_piece(piece)
            blurred = BlurredImages(_boxes_of(piece), task.blur) if task.blur else None
            for data in _members(with_words(rows, task.form), task, piece.tars, index, each, blurred):
                digest.update(data)
                size += file.write(data)
            mine = _sidecar_rows(rows, piece)
            sink.write(blurred.told(mine) if blurred else mine)
            receipt.facts.update(blurred.facts() if blurred else {})
            moved(rows.num_rows)
        tail = end(size)
        digest.update(tail)
        size += file.write(tail)
    index.write(task.tar)
    receipt.rows_in = receipt.rows_out = sink.rows
    receipt.outputs.append(
        {**sink.output(), "tar": task.tar.split("/")[-1], "tar_bytes": size, "tar_sha256": digest.hexdigest()}
    )
    receipt.facts["tar_bytes"] = size
    if captions:
        receipt.facts.update(captions.counts())
    storage.write_bytes(task.receipt, receipt.to_json().encode())
    return receipt


def _image_bytes(output: dict[str, Any], needed: bool) -> np.ndarray:
    if not needed:
        return np.zeros(output["rows"], np.int64)
    return read_rows(output["path"], CHOSEN, ["bytes"])["bytes"].to_numpy()


def _read_piece(piece: PieceFiles) -> pa.Table:
    """Return the samples of a piece: columns of the candidates, with texts of the list or of the second balance."""
    chosen = read_rows(piece.survivors, CHOSEN).slice(piece.start, piece.end - piece.start)
    rows = read_rows(piece.candidates, CANDIDATES).take(chosen["place"])
    # A list has columns beside those of drawn rows: order, and places of stored images.
    texts = read_rows(piece.texts, CURATED, DRAWN, ("order", *STORED.names)).take(chosen["row"])
    schema = pa.schema([*CANDIDATES, texts.schema.field("texts")])
    return pa.table([(texts if name in DRAWN else rows)[name] for name in schema.names], schema)


def _with_clusters(rows: pa.Table, piece: PieceFiles) -> pa.Table:
    """Return the samples of a piece with the ids of their clusters, which are among the scores; -1: it has none."""
    places = read_rows(piece.survivors, CHOSEN, ["place"]).slice(piece.start, piece.end - piece.start)["place"]
    ids = read_rows(piece.scores, _IDS, _IDS.names, None)
    for name in CLUSTER_IDS:
        rows = rows.append_column(name, pc.fill_null(ids[name].take(places), -1))
    return rows


def _sidecar_schema(task: ShardTask) -> pa.Schema:
    path = task.pieces[0].scores
    scores = read_schema(path) if path else pa.schema([])
    return pa.schema([*SAMPLES, *scores, *([BLURRED_FIELD] if task.blur else [])])


def _boxes_of(piece: PieceFiles) -> list[list[list[float]]]:
    """Return the boxes of faces of each sample of a piece."""
    chosen = read_rows(piece.survivors, CHOSEN, ["place"]).slice(piece.start, piece.end - piece.start)
    return read_boxes_of(piece.boxes, chosen["place"])


def _sidecar_rows(rows: pa.Table, piece: PieceFiles) -> pa.RecordBatch:
    """Return the rows of the side-car, with their scores if there are any."""
    mine = rows.select(SAMPLES.names)
    if piece.scores:
        places = read_rows(piece.survivors, CHOSEN, ["place"]).slice(piece.start, piece.end - piece.start)["place"]
        scores = read_rows(piece.scores, pa.schema([]), further=None).take(places)
        mine = pa.table([*mine.columns, *scores.columns], pa.schema([*SAMPLES, *scores.schema]))
    return mine.combine_chunks().to_batches()[0]


def _members(
    rows: pa.Table,
    task: ShardTask,
    tars: Sequence[str],
    index: TarIndex,
    captions: Iterator[Texts] | None,
    blurred: BlurredImages | None,
) -> Iterator[bytes]:
    """Yield the bytes of each sample: json, txt, image. Tars and samples have one order, so reads go forwards."""
    joined = task.captions
    columns = joined.columns if joined else ()
    with ExitStack() as stack:
        files: dict[int, BinaryIO] = {}
        for batch in rows.to_batches(1024):
            for row in batch.to_pylist():
                generation = row["generation"]
                if generation not in files:
                    files[generation] = stack.enter_context(storage.open_input(tars[generation]))
                files[generation].seek(row["offset"])
                image = files[generation].read(row["bytes"])
                if len(image) != row["bytes"]:
                    raise OSError(f"{tars[generation]} is cut off: {row['uid']} is incomplete")
                if blurred:
                    image = blurred.blur(row, image)
                texts = next(captions) if captions else []
                row |= {column: mine[0] if mine else "" for column, mine in zip(columns, texts, strict=True)}
                described = sample_json(row, task.form.version, columns)
                parts = {"json": described, "txt": row["text"].encode(), row["ext"]: image}
                if joined and joined.syn_json:
                    parts[SYN_JSON] = syn_json(texts)
                named = {f"{row['uid']}.{extension}": data for extension, data in parts.items()}
                for name, data in named.items():
                    index.add(name, len(data))
                yield members(named, COMPANION_NAME)

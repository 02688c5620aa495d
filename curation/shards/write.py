"""Writing shards: WebDataset tars with dense numbers whose bytes depend on the samples alone.

The samples stand in one global order, that of the lists; shard k holds the places [k * S, (k + 1) * S) of it, where no
bound in bytes makes shards smaller. A task writes one shard by copying byte ranges out of the tars that the downloads
wrote in that same order.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.core.tar_writer import end, member
from curation.images.ranges import list_name
from curation.images.status import images_path


def plan_shard_tasks(
    folder: str,
    work: str,
    lists: str,
    survivors: Receipt,
    status: dict[str, list[str]],
    samples_per_shard: int,
    max_shard_bytes: int,
) -> list[dict]:
    """Return a task for `write_shard` for every shard, in order.

    `survivors` is the summed account of the last step of selecting; `status` the status files of each range. The
    sizes of single images are read only where the bound in bytes can be reached.
    """
    outputs = {output["range"]: output for output in survivors.outputs}
    largest = max((output["largest"] for output in survivors.outputs), default=0)
    bounded = largest * samples_per_shard > max_shard_bytes
    sizes = ((number, _image_bytes(outputs[number], bounded)) for number in sorted(outputs))
    shards = plan_shards(sizes, samples_per_shard, max_shard_bytes)

    def piece_task(piece: Piece) -> dict:
        files = status.get(str(piece.range), [])
        return {
            "survivors": outputs[piece.range]["path"],
            "list": storage.join(lists, list_name(piece.range)),
            "tars": [images_path(path) for path in files],
            "start": piece.start,
            "end": piece.end,
        }

    tasks = []
    for number, pieces in enumerate(shards):
        name = shard_name(number, len(shards))
        tasks.append(
            {
                "tar": storage.join(folder, f"{name}.tar"),
                "sidecar": storage.join(folder, f"{name}.parquet"),
                "receipt": storage.join(work, "shards", f"{name}.json"),
                "pieces": [piece_task(piece) for piece in pieces],
            }
        )
    return tasks


def _image_bytes(output: dict, needed: bool) -> np.ndarray:
    if not needed:
        return np.zeros(output["rows"], np.int64)
    with storage.open_input(output["path"]) as file:
        return pq.read_table(file, columns=["bytes"])["bytes"].to_numpy()


LOGIC_VERSION = 1
MIN_DIGITS = 5


@dataclass(frozen=True)
class Piece:
    """Rows [start, end) of the survivors of one range."""

    range: int
    start: int
    end: int


def plan_shards(ranges: Iterable[tuple[int, np.ndarray]], samples_per_shard: int, max_bytes: int) -> list[list[Piece]]:
    """Cut the samples of all ranges into shards of equal size but the last, or smaller where their images are large.

    `ranges` yields each range's number, ascending, and the bytes of its images in their order, int64. A single image
    larger than `max_bytes` has a shard of its own.

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
    """Return the base name of a shard: five digits, or as many as the last one needs.

    >>> shard_name(7, 20)
    '00007'
    """
    return f"{number:0{max(MIN_DIGITS, len(str(shards - 1)))}d}"


def write_shard(task: dict) -> Receipt:
    """Write one shard: its tar and its side-car.

    `task` holds tar, sidecar and receipt (paths to write) and pieces: {survivors, list (paths), tars (of the
    generations), start, end}. The output in the receipt carries `tar`, `tar_bytes` and `tar_sha256`. A shard whose
    receipt is there has been written by an earlier run and is left alone.
    """
    if storage.exists(task["receipt"]):
        written = Receipt.from_json(json.dumps(storage.read_json(task["receipt"])))
        return written.moved_to(task["sidecar"].rsplit("/", 1)[0])
    receipt = Receipt(task["tar"])
    digest, size = hashlib.sha256(), 0
    with storage.AtomicFile(task["tar"]) as file, storage.ParquetSink(task["sidecar"], SAMPLES) as sink:
        for piece in task["pieces"]:
            rows = _read_piece(piece)
            sink.write(rows.select(SAMPLES.names).combine_chunks().to_batches()[0])
            for data in _members(rows, piece["tars"]):
                digest.update(data)
                size += file.write(data)
        tail = end(size)
        digest.update(tail)
        size += file.write(tail)
    receipt.rows_in = receipt.rows_out = sink.rows
    receipt.outputs.append(
        {**sink.output(), "tar": task["tar"].split("/")[-1], "tar_bytes": size, "tar_sha256": digest.hexdigest()}
    )
    receipt.facts["tar_bytes"] = size
    storage.write_bytes(task["receipt"], receipt.to_json().encode())
    return receipt


def _read_piece(piece: dict) -> pa.Table:
    """The samples of a piece with all their texts, which only the list holds."""
    with storage.open_input(piece["survivors"]) as file:
        rows = pq.read_table(file).slice(piece["start"], piece["end"] - piece["start"])
    with storage.open_input(piece["list"]) as file:
        texts = pq.read_table(file, columns=["texts"]).take(rows["row"])
    return rows.append_column(texts.schema.field("texts"), texts["texts"])


def _members(rows: pa.Table, tars: list[str]) -> Iterator[bytes]:
    """The bytes of each sample: json, txt, image. Images are read forwards: the tars are in the samples' order."""
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
                    raise OSError(f"{tars[generation]} is cut off: {row['uid']} is not whole")
                uid = row["uid"]
                yield b"".join(
                    (
                        member(f"{uid}.json", sample_json(row)),
                        member(f"{uid}.txt", row["text"].encode()),
                        member(f"{uid}.{row['ext']}", image),
                    )
                )


def sample_json(row: dict[str, Any]) -> bytes:
    """Return the json of a sample: uid, url, text, lang, keep_probability, all matched texts, sizes and hash.

    UTF-8, keys in this order, so that `text` is the caption for loaders that take it from the json.
    """
    names = ("uid", "url", "text", "lang", "keep_probability", "texts", "width", "height")
    more = ("original_width", "original_height", "sha256")
    return msgspec.json.encode({name: row[name] for name in names + more})

"""Requests for captions: where each image lies in the shards, so that a captioner reads it there, and its texts."""

from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.shards.indexes import read_index
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import read_members

MAX_JSON_BYTES = 4 << 20
REQUESTS = pa.schema(
    [
        ("uid", pa.string()), ("shard", pa.string()), ("member", pa.string()), ("offset", pa.int64()),
        ("size", pa.int64()), ("sha256", pa.string()), ("text", pa.string()), ("texts", pa.list_(pa.string())),
    ]
)  # fmt: skip
"""An image: its tar, the place of its bytes there, the kept text, and all its texts."""
Places = dict[str, tuple[int, int]]
"""Name of a member -> offset and size of its data."""


@dataclass(frozen=True)
class RequestTask:
    """A tar, its side-car, and the file to write."""

    tar: str
    sidecar: str
    output: str


def plan_requests(part: Part, folder: str) -> list[RequestTask]:
    """Return a task for each shard of a set, in order."""
    tars = [storage.join(part.path, entry["tar"]) for entry in part.manifest["files"]]
    files = zip(tars, part.files, strict=True)
    return [RequestTask(tar, sidecar, storage.join(folder, sidecar.rsplit("/", 1)[-1])) for tar, sidecar in files]


def write_requests(task: RequestTask) -> Receipt:
    """Write the requests of a shard. No image is read where the shard has an index that is true."""
    samples = read_rows(task.sidecar, SAMPLES, ["uid", "ext", "bytes", "sha256", "text"], further=None).to_pylist()
    with storage.open_input(task.tar) as file:
        rows = _requests(task.tar, file, samples, _indexed(task.tar))
        if rows is None:
            file.seek(0)
            members = read_members(file, ReadLog())
            walked = {member.name: (member.offset, member.size) for member in members if member}
            rows = _requests(task.tar, file, samples, walked)
    if rows is None:
        raise HeadtailError(f"{task.tar} does not hold the samples of its side-car: check_shards tells more")
    output = write_rows(task.output, pa.Table.from_pylist(rows, REQUESTS))
    return Receipt(task.tar, len(rows), len(rows), outputs=[output])


def _requests(tar: str, file: BinaryIO, samples: list[dict], places: Places) -> list[dict] | None:
    """Return the rows; None if the places are not those of the samples."""
    rows = []
    for sample in samples:
        member = f"{sample['uid']}.{sample['ext']}"
        offset, size = places.get(member, (-1, -1))
        texts = _texts(file, places.get(f"{sample['uid']}.json", (-1, -1)), sample["uid"])
        if offset < 0 or size != sample["bytes"] or texts is None:
            return None
        plain = {name: sample[name] for name in ("uid", "sha256", "text")}
        rows.append({**plain, "shard": tar, "member": member, "offset": offset, "size": size, "texts": texts})
    return rows


def _texts(file: BinaryIO, place: tuple[int, int], uid: str) -> list[str] | None:
    """Return all texts that the json at a place gives; None if it is not that of the sample."""
    offset, size = place
    if offset < 0 or not 0 <= size <= MAX_JSON_BYTES:
        return None
    file.seek(offset)
    try:
        values = msgspec.json.decode(file.read(size))
        found = values.get("matched_texts", values["texts"])
        return [text["text"] if isinstance(text, dict) else text for text in found] if values["uid"] == uid else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def _indexed(tar: str) -> Places:
    """Return the places that the index of a tar gives, none where there is none or it is damaged."""
    try:
        return {name: (offset, size) for members in read_index(tar) for _, offset, size, name in members}
    except (FileNotFoundError, ValueError):
        return {}

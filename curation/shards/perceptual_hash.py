"""Perceptual hashes: 64 bits that stay the same when an image is resized, recompressed or slightly retouched."""

import io
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from curation.core import storage
from curation.core.heap import large_blocks_kept
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.images.status import images_path, read_status
from curation.shards.quick_hash import quick_hash

PHASHES = pa.schema([pa.field("uid", pa.string(), nullable=False), pa.field("phash", pa.string(), nullable=False)])
IMAGEHASH, QUICK = 1, 2
"""Versions of the hash, which are not compared with each other: ImageHash's, which removal lists hold, and ours."""
VERSIONS = (IMAGEHASH, QUICK)
VERSION_KEY = "phash_version"
"""Key in the metadata of a Parquet file's schema: the version of its hashes."""
DECODED_SIDE = 128
"""Version 1 uses 32 x 32 pixels: a JPEG is decoded at a scale with four pixels for each side, several times faster."""


def phashes_path(status_path: str, version: int) -> str:
    """Return the path of the perceptual hashes of a status file's images."""
    ending = ".phashes" if version == IMAGEHASH else f".phashes{version}"
    return status_path.removesuffix(".parquet") + ending


@dataclass(frozen=True)
class HashTask:
    """The status file of one downloaded list, and the version of the hash."""

    status: str
    version: int


def hash_images(task: HashTask) -> Receipt:
    """Write the perceptual hash of every image of a downloaded list, unless an earlier run wrote them."""
    out = phashes_path(task.status, task.version)
    receipt = Receipt(out)
    if storage.exists(out):
        return receipt
    rows = read_status([task.status], ["status", "offset", "bytes"])
    rows = rows.filter(pc.equal(rows["status"], "success"))
    hashes = []
    with large_blocks_kept(), storage.open_input(images_path(task.status)) as file:
        for offset, size in zip(rows["offset"].to_pylist(), rows["bytes"].to_pylist(), strict=True):
            file.seek(offset)
            hashes.append(phash(file.read(size), task.version))
    write_rows(out, pa.table([rows["uid"], pa.array(hashes, pa.string())], PHASHES))
    receipt.rows_in = receipt.rows_out = rows.num_rows
    return receipt


def phash(data: bytes, version: int) -> str:
    """Return the 64-bit DCT hash of an image file as 16 hex digits.

    Version 1 is ImageHash's `phash`. Version 2 (`quick_hash.py`) is three times faster, and more stable.
    """
    if version == QUICK:
        return quick_hash(data)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", (DECODED_SIDE, DECODED_SIDE))
        return str(_imagehash().phash(image))


@cache
def _imagehash() -> ModuleType:
    # Imported late: it imports scipy and PyWavelets, which most runs do not need.
    import imagehash

    return imagehash

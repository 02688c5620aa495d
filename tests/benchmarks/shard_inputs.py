"""Downloads of any size without a network: lists, tars and download_status as download_images leaves them."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import DOWNLOAD_STATUS, LISTS
from curation.core.storage import write_json
from curation.core.tables import Table
from curation.core.tar_writer import TarWriter
from curation.images.downloads import RANGES, Downloads, download_recipe
from curation.images.ranges import Ranges, list_name
from tests.unit.images.settings import download_settings

PER_RANGE = 6250
BALANCE = {
    "seed": 0, "unit": "pair", "rule": {"reference": "en", "others": "tail_share", "t_by_language": {}}, "t": None,
    "tail_share": 0.06, "target_images": None, "headroom": 1.0, "solved_t": None,
}  # fmt: skip
"""What balance_pairs notes of itself."""


def pictures(count: int, side: int, quality: int, seed: int = 0) -> Iterator[bytes]:
    """Yield distinct JPEGs with as much detail as photographs, noise of several scales, that look different."""
    random = np.random.default_rng(seed)
    height = side * 3 // 4

    def noise(cells: int, weight: int, times: int = 1) -> np.ndarray:
        small = random.integers(0, 255, (cells * 3 // 4, cells, 3), np.uint8)
        large = Image.fromarray(small).resize((side * times, height * times))
        return (np.asarray(large, np.float32) * (weight / 255)).astype(np.uint8)

    shapes = [noise(8, 90) for _ in range(64)]
    texture = noise(128, 60, times=4) + noise(512, 16, times=4)
    places = random.choice(9 * height * side, count, replace=False)
    for number, place in enumerate(places.tolist()):
        down, right = divmod(place, 3 * side)
        shape = shapes[number % len(shapes)]
        out = io.BytesIO()
        canvas = shape + texture[down : down + height, right : right + side]
        Image.fromarray(canvas).save(out, "JPEG", quality=quality)
        yield out.getvalue()


def write_downloads(folder: Path, images: int, side: int = 384, quality: int = 89) -> Ranges:
    """Write lists and downloads of `images` distinct images of about 20 KB each."""
    ranges = Ranges(1 << max(0, (images // PER_RANGE - 1).bit_length()), 0)
    lists, downloads = Table(f"{folder}/lists"), Downloads(f"{folder}/downloads")
    write_json(f"{folder}/downloads/{RANGES}", vars(ranges))
    rows = _curated(images, ranges)
    numbers = ranges.of(rows["order"].to_numpy())
    out, receipts = lists.begin(0), []
    for number in range(ranges.count):
        start, end = np.searchsorted(numbers, [number, number + 1]).tolist()
        output = write_rows(f"{out}/{list_name(number)}", rows.slice(start, end - start))
        receipts.append(Receipt(str(number), end - start, end - start, outputs=[output]))
    part = lists.commit(0, Recipe("plan_lists", 1, vars(ranges), []), receipts, 0.0, balance=BALANCE)
    recipe = download_recipe(download_settings(), [part])
    number, receipts, faces = downloads.begin_generation(recipe, ranges), [], pictures(images, side, quality)
    for path in part.files:
        receipts.append(_store(path, f"{downloads.part_path(number)}/{path.rsplit('/', 1)[-1]}", faces, side))
    downloads.end_generation(number, recipe, ranges, receipts, 0.0)
    return ranges


def _curated(images: int, ranges: Ranges) -> pa.Table:
    """Rows as of `curated`: one to three texts with about four entries each."""
    urls = [f"https://images.example.org/{number}.jpg" for number in range(images)]
    rows = []
    for number, url in enumerate(urls):
        uid = hashlib.sha224(url.encode()).hexdigest()[:24]
        texts = [
            {
                "text": f"A photograph of thing {number % 997} beside thing {(number + k) % 13} — version {number}",
                "text_key": "alt",
                "lang": "en",
                "lang_score": 0.93,
                "entry_ids": [k, 17, number % 5000, 7000 + number % 71],
                "keep_probability": 0.37,
                "kept": k == 0,
            }
            for k in range(1 + number % 3)
        ]  # fmt: skip
        rows.append(
            {"uid": uid, "url": url, "text": texts[0]["text"], "lang": "en", "keep_probability": 0.4, "texts": texts}
        )
    order = ranges.order(pa.array([row["uid"] for row in rows]))
    table = pa.Table.from_pylist([row | {"order": int(o)} for row, o in zip(rows, order, strict=True)], LISTS)
    return table.sort_by([("order", "ascending"), ("uid", "ascending")])


def _store(source: str, out: str, faces: Iterator[bytes], side: int) -> Receipt:
    rows = pq.read_table(source, columns=["uid", "url", "order"]).to_pylist()
    with open(out.replace(".parquet", ".tar"), "wb") as file:
        writer = TarWriter(file)
        status = [_status(row, writer, faces, side) for row in rows]
        writer.close()
    output = write_rows(out, pa.Table.from_pylist(status, DOWNLOAD_STATUS))
    return Receipt(out, len(rows), len(rows), outputs=[output])


def _status(row: dict, writer: TarWriter, faces: Iterator[bytes], side: int) -> dict:
    body = next(faces)
    sides = {"width": side, "height": side * 3 // 4, "original_width": side, "original_height": side * 3 // 4}
    return dict.fromkeys(DOWNLOAD_STATUS.names) | row | sides | {
        "status": "success", "redirects": 0, "attempts": 1, "seconds": 0.1, "ext": "jpg", "http_status": 200,
        "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body), "source_bytes": len(body),
        "offset": writer.add(f"{row['uid']}.jpg", body),
    }  # fmt: skip

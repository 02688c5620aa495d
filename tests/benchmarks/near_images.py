"""Near duplicates by embedding against an exhaustive comparison: `make bench NAME=near_images`.

20,000 vectors of 1,024 numbers, none negative, as the features of image models are: images of 400 topics, a fifth of
them copies of another image, at cosines that real crops, banners and mirrors have (.93 to .995). The tasks of
write_shards find the near duplicates through files, in one process; the other side compares each image with all that
stay, in double precision. `missed` are images that the tasks keep although one that stays is near, `wrong` those that
they drop without one: the latter must be 0. The last line is one JSON object. Arguments: images=20000 cosine=0.95
cell_images=2000 vectors=FILE.npy (of your own, shape (n, width), rows in random order)

`pictures=FOLDER pieces=164` takes real pictures instead, all that a folder holds and so many pieces of the photographs
of photographs.py, with four copies of each (COPIES), and embeds them with open_nsfw; `copies_found` are the shares that
are near their own picture, `other_pairs` the pairs of pictures that are not copies, and `other_pairs_near` of these.
"""

import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageOps

from curation.core.choices import Signal
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.core.whole_vectors import whole_vectors
from curation.images.ranges import Ranges, list_name
from curation.shards import cells
from curation.shards.cells import CellPlans, draw_pivots, gather_pivots
from curation.shards.near_steps import drop_near_images
from curation.shards.selection import CHOSEN
from curation.shards.steps import PIVOTS, PIVOTS_OF_GROUPS, SURVIVORS, UNIQUE, VECTORS, SelectionSteps
from curation.shards.stored_vectors import VECTORS_SCHEMA, as_bytes
from curation.signals.open_nsfw import OpenNsfw
from tests.benchmarks.photographs import pieces as pieces_of_photographs

TOPICS, WIDTH, RANGES = 400, 1024, 4


def made_vectors(images: int, seed: int = 0) -> np.ndarray:
    """Return float32[images, WIDTH], of length 1, in random order."""
    random = np.random.default_rng(seed)

    def unit(values: np.ndarray) -> np.ndarray:
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    topics = unit(np.maximum(random.normal(0.6, 1, (TOPICS, WIDTH)), 0))
    originals = images * 4 // 5
    mine = unit(topics[random.integers(0, TOPICS, originals)] + random.uniform(0.3, 0.9, (originals, 1)) * unit(
        np.maximum(random.normal(0.3, 1, (originals, WIDTH)), 0)))  # fmt: skip
    copied = random.integers(0, originals, images - originals)
    noise = random.normal(0, 1, (len(copied), WIDTH))
    noise = unit(noise - mine[copied] * (noise * mine[copied]).sum(axis=1, keepdims=True))
    cosines = random.uniform(0.93, 0.995, (len(copied), 1))
    copies = cosines * mine[copied] + np.sqrt(1 - cosines**2) * noise
    return np.concatenate([mine, copies])[random.permutation(images)].astype(np.float32)


def _smaller(image: Image.Image) -> Image.Image:
    smaller, out = image.resize((image.width * 2 // 3, image.height * 2 // 3)), io.BytesIO()
    smaller.save(out, "JPEG", quality=20)
    return Image.open(out).convert("RGB")


def _crop(image: Image.Image) -> Image.Image:
    return image.crop((image.width // 20, image.height // 20, image.width * 19 // 20, image.height * 19 // 20))


def _banner(image: Image.Image) -> Image.Image:
    with_banner = image.copy()
    ImageDraw.Draw(with_banner).rectangle((0, image.height * 6 // 7, image.width, image.height), (200, 30, 40))
    return with_banner


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop by a tenth": _crop,
    "banner over a seventh": _banner,
    "mirrored": ImageOps.mirror,
    "smaller by a third, quality 20": _smaller,
}


def picture_vectors(folder: str, pieces: int) -> np.ndarray:
    """Return float32[n, 1 + len(COPIES), width]: the embeddings of pictures and of their copies."""
    files = {
        path.read_bytes(): path for path in sorted(Path(folder).rglob("*")) if path.suffix in (".jpg", ".png", ".webp")
    }
    pictures = [Image.open(path).convert("RGB") for path in files.values()]
    pictures = [image for image in pictures if min(image.size) >= 64 and max(image.size) <= 4096]
    pictures += list(pieces_of_photographs(pieces)) if pieces else []
    model = OpenNsfw([Signal.embedding])

    def embed(image: Image.Image) -> np.ndarray:
        return np.asarray(model.score(image)["embedding"], np.float32)

    return np.array([[embed(image), *(embed(copy(image)) for copy in COPIES.values())] for image in pictures])


def describe_pictures(vectors: np.ndarray, cosine: float) -> dict[str, Any]:
    """Return how many copies are near their own picture, and how many other pictures are near each other."""
    near = np.einsum("nkw,nw->nk", vectors, vectors[:, 0]) >= cosine
    shares = {name: round(float(near[:, place].mean()), 3) for place, name in enumerate(COPIES, 1)}
    others = np.triu(vectors[:, 0] @ vectors[:, 0].T >= cosine, 1)
    count = len(vectors)
    return {
        "pictures": count, "copies_found": shares,
        "other_pairs": count * (count - 1) // 2, "other_pairs_near": int(others.sum()),
    }  # fmt: skip


def exhaustive(vectors: np.ndarray, cosine: float, block: int = 500) -> tuple[set[int], int]:
    """Return the images that an exhaustive comparison drops, the best being the first; and the pairs that are near."""
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    dropped, pairs = set[int](), 0
    for start in range(0, len(unit), block):
        near = unit[start : start + block] @ unit[: start + block].T >= cosine
        for row, places in enumerate(near):
            better = np.flatnonzero(places[: start + row]).tolist()
            pairs += len(better)
            if any(place not in dropped for place in better):
                dropped.add(start + row)
    return dropped, pairs


def search(folder: Path, vectors: np.ndarray, cosine: float) -> set[int]:
    """Return the images that the tasks drop; images with a lower number have more pixels."""
    ranges = Ranges(RANGES, 0)
    steps = SelectionSteps(ranges, "", str(folder), {})
    uids = pa.array([f"{number:024x}" for number in range(len(vectors))])
    order = ranges.order(uids)
    numbers, plans = ranges.of(order), CellPlans.of(len(vectors))
    stored = pa.array(as_bytes(whole_vectors(vectors)[0]), pa.binary())
    for number in range(ranges.count):
        mine = np.flatnonzero(numbers == number)
        mine = mine[np.argsort(order[mine])]
        filled = {field.name: pa.nulls(len(mine), field.type) for field in CANDIDATES}
        filled |= {field.name: pa.array(np.zeros(len(mine)), field.type) for field in CANDIDATES
                   if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)}  # fmt: skip
        filled |= {field.name: pa.array([""] * len(mine)) for field in CANDIDATES if field.type == pa.string()}
        sides = {"original_width": pa.array(len(vectors) - mine, CANDIDATES.field("original_width").type),
                 "original_height": pa.array(np.ones(len(mine)), CANDIDATES.field("original_height").type)}  # fmt: skip
        filled |= {"uid": uids.take(pa.array(mine)), "order": pa.array(order[mine]), **sides}
        name = list_name(number)
        write_rows(f"{steps.folder('candidates')}/{name}", pa.table([filled[n] for n in CANDIDATES.names], CANDIDATES))
        places = pa.array(np.arange(len(mine), dtype=np.int32))
        chosen = pa.table([filled["uid"], places, places, places.cast(pa.int64())], CHOSEN)
        write_rows(f"{steps.folder(UNIQUE)}/{name}", chosen)
        write_rows(f"{steps.folder(VECTORS)}/{name}", pa.table([stored.take(pa.array(mine))], VECTORS_SCHEMA))
        drawn = draw_pivots(filled["uid"], stored.take(pa.array(mine)), plans, ranges.seed)
        write_rows(steps.file(PIVOTS_OF_GROUPS, number, "parquet"), drawn)
    gather_pivots([steps.file(PIVOTS_OF_GROUPS, number, "parquet") for number in range(RANGES)], steps.folder(PIVOTS))

    def run(function: Callable[[Any], Receipt], tasks: Sequence[Any]) -> list[Receipt]:
        return [function(task).check() for task in tasks]

    drop_near_images(run, steps, plans, cosine, len(vectors))
    left = [read_rows(f"{steps.folder(SURVIVORS)}/{list_name(number)}", CHOSEN) for number in range(ranges.count)]
    return {*range(len(vectors))} - {int(uid, 16) for uid in pa.concat_tables(left)["uid"].to_pylist()}


def main(
    images: int = 20_000,
    cosine: float = 0.95,
    vectors: str = "",
    cell_images: int = cells.CELL_IMAGES,
    pictures: str = "",
    pieces: int = 0,
) -> int:
    """Compare both sides; the exit code is 1 if an image is dropped that no image is near."""
    cells.CELL_IMAGES = cell_images
    told: dict[str, Any] = {}
    folder = Path("build/bench-near-images").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    if pictures:
        embedded = picture_vectors(pictures, pieces)
        told = describe_pictures(embedded, cosine)
        given = np.random.default_rng(0).permutation(embedded.reshape(-1, embedded.shape[-1]))
    else:
        given = np.load(vectors).astype(np.float32) if vectors else made_vectors(images)
    start = time.process_time()
    expected, pairs = exhaustive(given, cosine)
    exhaustive_seconds = time.process_time() - start
    start = time.process_time()
    dropped = search(folder, given, cosine)
    seconds = time.process_time() - start
    shutil.rmtree(folder, ignore_errors=True)
    unit = given.astype(np.float64) / np.linalg.norm(given.astype(np.float64), axis=1, keepdims=True)
    kept = np.array(sorted({*range(len(given))} - dropped))
    wrong = [number for number in dropped if not (unit[kept[kept < number]] @ unit[number] >= cosine - 0.001).any()]
    missed = 0
    for start_row in range(0, len(kept), 500):
        mine = kept[start_row : start_row + 500]
        near = (unit[mine] @ unit[kept].T >= cosine) & (kept < mine[:, np.newaxis])
        missed += int(near.any(axis=1).sum())
    found = told | {
        "images": len(given), "cosine": cosine, "near_pairs": pairs, "exhaustive_drops": len(expected),
        "dropped": len(dropped), "missed": missed, "wrong": len(wrong),
        "found_share": round(1 - missed / max(1, missed + len(dropped)), 4),
        "core_seconds": round(seconds, 2), "exhaustive_core_seconds": round(exhaustive_seconds, 2),
    }  # fmt: skip
    print(json.dumps(found))
    return len(wrong)


if __name__ == "__main__":
    given_values: dict[str, Any] = dict(argument.split("=", 1) for argument in sys.argv[1:])
    kinds: dict[str, Callable[[str], Any]] = {
        "images": int, "cosine": float, "vectors": str, "cell_images": int, "pictures": str, "pieces": int,
    }  # fmt: skip
    sys.exit(main(**{name: kinds[name](value) for name, value in given_values.items()}) > 0)

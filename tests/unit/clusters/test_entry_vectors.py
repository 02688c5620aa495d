"""Vectors and names out of entries: equal to loops over entries in plain Python."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.counts import save_array
from curation.clusters.entry_vectors import (
    DRAWS,
    WIDTH,
    EntryVectors,
    EntryWeights,
    MatchedFile,
    directions,
    read_entry_vectors,
)
from curation.clusters.names import LABELLED, NameTask, count_entries, names_of
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, MATCHES
from curation.core.whole_vectors import whole_units

COUNTS = {"de": [4, 0, 9, 1], "en": [1000, 30, 7, 1, 1, 500]}
Image = list[tuple[str, list[int], bool]]
"""The texts of an image: language, entry ids, whether balancing keeps them."""
IMAGES: list[Image] = [
    [("en", [0, 2], True), ("de", [2], False)],
    [("en", [1], True), ("en", [1, 5], True)],
    [("de", [0, 3], False)],
    [("en", [4], True), ("de", [0], True), ("en", [0], False)],
    [("en", [7], True)],  # later than the counts
]


def write_images(path: Path, images: list[Image], balanced: bool) -> MatchedFile:
    def text_of(lang: str, ids: list[int], kept: bool) -> dict:
        told = {"text": f"{ids}", "text_key": "alt", "lang": lang, "lang_score": 1.0, "entry_ids": ids}
        return told | ({"keep_probability": 0.5, "kept": kept} if balanced else {})

    schema = CURATED if balanced else MATCHES
    rows = [
        {"uid": f"{n:024x}", "url": "u", "texts": [text_of(*text) for text in texts]} for n, texts in enumerate(images)
    ]
    more = {"text": "t", "lang": "en", "keep_probability": 1.0} if balanced else {}
    write_rows(str(path), pa.Table.from_pylist([row | more for row in rows], schema))
    return MatchedFile(str(path), balanced)


@pytest.mark.parametrize("balanced", [False, True], ids=["matches", "curated"])
def test_vectors_are_those_of_loops(balanced: bool, tmp_path: Path) -> None:
    for lang, counts in COUNTS.items():
        save_array(f"{tmp_path}/counts/{lang}.npy", np.array(counts))
    matched = write_images(tmp_path / "bucket.parquet", IMAGES, balanced)
    sums = np.zeros((len(IMAGES), WIDTH))
    for row, texts in enumerate(IMAGES):
        for lang, ids, kept in texts:
            for entry in ids if kept or not balanced else []:
                counts = COUNTS[lang]
                count = max(counts[entry], 1) if entry < len(counts) else 1
                weight = round(16 * math.log2(1 + max(counts) / count))
                places, signs = directions(pa.array([lang]), np.array([entry]))
                for place, sign in zip(places[0], signs[0], strict=True):
                    sums[row, place] += weight * sign
    receipt = Receipt("read")
    (batch,) = read_entry_vectors(matched, EntryVectors(EntryWeights(f"{tmp_path}/counts", "m")), receipt)
    units, good = whole_units(sums)
    assert good.tolist() == [True, True, not balanced, True, True]
    assert np.array_equal(batch.units, units[good])
    assert batch.uids.to_pylist() == [f"{row:024x}" for row in np.flatnonzero(good)]
    assert receipt.check().drops["no_vector"] == int((~good).sum())


def test_directions_are_even_and_all_but_at_right_angles() -> None:
    """Of 1,000 entries: places by a chi-square test that fails once in a million times, and products of pairs."""
    places, signs = directions(pa.array(["en"] * 1000), np.arange(1000))
    assert places.shape == signs.shape == (1000, DRAWS)
    seen = np.bincount(places.ravel(), minlength=WIDTH)
    expected = 1000 * DRAWS / WIDTH
    chi, freedom = ((seen - expected) ** 2 / expected).sum(), WIDTH - 1
    assert abs(chi - freedom) < 4.9 * math.sqrt(2 * freedom)
    assert abs(signs.sum()) < 4.9 * math.sqrt(1000 * DRAWS)
    dense = np.zeros((1000, WIDTH))
    np.add.at(dense, (np.repeat(np.arange(1000), DRAWS), places.ravel()), signs.ravel())
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    products = (dense @ dense.T)[np.triu_indices(1000, 1)]
    assert abs(products.mean()) < 5e-3
    assert products.std() == pytest.approx(1 / math.sqrt(WIDTH), rel=0.05)
    other, _ = directions(pa.array(["de"] * 1000), np.arange(1000))
    assert (other != places).any(axis=1).all()


def test_names_are_the_entries_that_a_cluster_has_more_often(tmp_path: Path) -> None:
    """Clusters 0 and 1 are of cats and of cars, 2 is of neither; all have "photo", and one image is in no sample."""
    cat, car, photo, rare = 0, 1, 2, 3
    images: list[Image] = [[("en", [cat, photo], True)] for _ in range(6)]
    images += [[("en", [car, photo], True), ("de", [car], True)] for _ in range(5)]
    images += [[("en", [photo, rare], True)], [("en", [photo], True)], [("en", [cat], True)]]
    labels = [0] * 6 + [1] * 5 + [2] * 2
    task = NameTask(write_images(tmp_path / "b.parquet", images, True), f"{tmp_path}/counted")
    uids = [f"{row:024x}" for row in range(len(labels))]
    write_rows(f"{tmp_path}/labels", pa.table({"uid": uids, "fine": pa.array(labels, pa.int32())}, LABELLED))
    receipt = count_entries(task, f"{tmp_path}/labels")
    assert receipt.drops == Counter(not_in_sample=1)
    known = {("en", cat): "cat", ("en", car): "car\nor so", ("en", photo): "photo", ("de", car): None}

    def words(langs: pa.Array, codes: np.ndarray, ids: np.ndarray) -> pa.Array:
        return pa.array([known[langs[int(code)].as_py(), int(entry)] for code, entry in zip(codes, ids, strict=True)])

    assert names_of([task.output], [0, 1, 2], words) == [["cat"], ["car or so"], []]
    assert names_of([task.output], [0, 0, 1], words) == [["cat", "car or so"], []]

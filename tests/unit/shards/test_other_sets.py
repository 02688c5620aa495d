"""Images that are in other sets, or look like images there, are left out."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.choices import NearDuplicates
from curation.core.errors import HeadtailError
from curation.core.exchange import read_slices
from curation.core.receipts import Receipt
from curation.images.ranges import Ranges
from curation.shards.benchmark_images import BENCHMARK_IMAGES
from curation.shards.cells import CellPlans, gather_pivots
from curation.shards.duplicates import OF_FILE, drop_duplicates
from curation.shards.near_steps import drop_near_images
from curation.shards.other_sets import OtherSets, deal_other_keys, open_others
from curation.shards.perceptual_hash import IMAGEHASH, QUICK, VERSION_KEY
from curation.shards.steps import PIVOTS, UNIQUE, VECTORS, SelectionSteps
from curation.shards.stored_vectors import VECTORS_SCHEMA, to_vectors
from tests.shard_data import curated_rows
from tests.unit.shards.settings import unique_rules
from tests.unit.shards.test_benchmark_images import photo
from tests.unit.shards.test_near_images import run
from tests.unit.shards.test_write import URLS, make_shards, select, stored
from tests.unit.sources.test_hostile_tables import counted_memory

RANGES = Ranges(2, 0)
VECTOR = pa.list_(pa.float16(), 3)


@pytest.fixture(scope="module")
def first_set(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a set of the photographs 0 to 9; not to be written to."""
    folder = tmp_path_factory.mktemp("first")
    images = {url: photo(seed, quality=90) for seed, url in enumerate(URLS[:10])}
    downloads, lists = stored(folder, curated_rows(URLS[:10]), images, RANGES)
    make_shards(folder, downloads, lists, RANGES, size=4)
    manifest = folder / "shards/_manifest.json"
    assert json.loads(manifest.read_text())["rows_out"] == 10
    return f"{folder}/shards"


def steps_of(folder: Path, images: dict[str, bytes | str]) -> SelectionSteps:
    downloads, lists = stored(folder, curated_rows(list(images)), images, RANGES)
    return SelectionSteps(RANGES, lists.path, f"{folder}/work", downloads.status_files(RANGES))


def selected(steps: SelectionSteps, others: OtherSets, near: str) -> Receipt:
    rules = replace(unique_rules(near=near), others=True)
    for task in others.key_tasks(steps, rules.near_version):
        for _ in range(2):  # a run that was stopped computes no hash twice
            deal_other_keys(task, RANGES).check()
    return select(steps, rules=rules)


@pytest.mark.parametrize(
    ("near", "version", "drops"),
    [
        ("false", None, {"in_other_set": 3, "duplicate_image": 1}),
        ("hash", QUICK, {"in_other_set": 6, "duplicate_image": 1}),
        ("true", IMAGEHASH, {"in_other_set": 6, "duplicate_image": 1}),
    ],
)
def test_images_of_another_set_are_left_out(
    tmp_path: Path, first_set: str, near: str, version: int | None, drops: dict
) -> None:
    images: dict[str, bytes | str] = {url: photo(seed, quality=90) for seed, url in enumerate(URLS[:3])}
    images |= {URLS[20 + seed]: photo(seed, quality=70) for seed in range(3, 6)}
    images |= {URLS[30]: photo(30), URLS[31]: photo(31), URLS[32]: photo(31)}
    others = open_others([first_set], NearDuplicates(near), version, "embedding")
    assert [sorted(entry) for entry in others.named] == [["id", "path"]]
    receipt = selected(steps_of(tmp_path, images), others, near)
    assert receipt.drops == drops
    assert receipt.rows_out == 9 - sum(drops.values())


def test_a_table_of_hash_images_is_another_set(tmp_path: Path) -> None:
    body = photo(1)
    digest = hashlib.sha256(body).hexdigest()
    rows = [["a"] * 2, ["1.jpg", "2.jpg"], [digest, "0" * 64], ["0" * 16, "1" * 16]]
    pq.write_table(pa.table(rows, schema=BENCHMARK_IMAGES), tmp_path / "known.parquet")
    steps = steps_of(tmp_path, {URLS[1]: body, URLS[2]: photo(2)})
    receipt = selected(steps, open_others([f"{tmp_path}/known.parquet"], NearDuplicates.false, None, ""), "false")
    assert (receipt.drops, receipt.rows_out) == ({"in_other_set": 1}, 1)


def test_images_like_those_of_another_set_are_left_out_by_embedding(tmp_path: Path) -> None:
    angles = dict(zip(URLS[:5], (0, 15, 30, 60, 90), strict=True))

    def vector(url: str) -> list[float]:
        return [np.cos(np.radians(angles[url])), np.sin(np.radians(angles[url])), 0.0]

    columns = [["a"] * 2, ["1.jpg", "2.jpg"], ["0" * 64, "1" * 64], ["0" * 16] * 2]
    known = pa.table(columns, schema=BENCHMARK_IMAGES).append_column(
        "embedding", pa.array([np.array(vector(URLS[0]), np.float16), np.zeros(3, np.float16)], VECTOR)
    )
    pq.write_table(known, tmp_path / "known.parquet")
    others = open_others([f"{tmp_path}/known.parquet"], NearDuplicates.embedding, None, "")
    steps = steps_of(tmp_path, {url: photo(number) for number, url in enumerate(URLS[:5])})
    selected(steps, others, "embedding")
    for path in sorted(Path(steps.folder("candidates")).glob("*")):
        urls = pq.read_table(path)["url"].to_pylist()
        vectors = to_vectors(pa.array([vector(url) for url in urls], pa.list_(pa.float32())))
        Path(steps.folder(VECTORS)).mkdir(exist_ok=True)
        pq.write_table(pa.table([vectors], VECTORS_SCHEMA), f"{steps.folder(VECTORS)}/{path.name}")
    gather_pivots([], steps.folder(PIVOTS))
    for task in steps.drop(UNIQUE):
        drop_duplicates(task, RANGES)
    receipts, facts = drop_near_images(run, steps, CellPlans.of(5, 2), 0.95, 7, others)
    drops = sum((receipt.drops for receipt in receipts), Receipt("").drops)
    assert drops == {"in_other_set": 2}
    assert facts["compared"] == 5


@pytest.mark.parametrize(
    ("near", "version", "told"),
    [
        ("false", None, "has no column sha256, and is no finished set of shards: hash_images makes"),
        ("embedding", None, "has no column sha256, embedding, .* with embeddings=true"),
        ("hash", QUICK, "has no column sha256, and is"),
    ],
    ids=["false", "embedding", "hash"],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, near: str, version: int | None, told: str) -> None:
    pq.write_table(pa.table({"phash": ["0" * 16]}), tmp_path / "a.parquet")
    with pytest.raises(HeadtailError, match=told):
        open_others([f"{tmp_path}/a.parquet"], NearDuplicates(near), version, "embedding")


def test_hashes_of_another_version_and_side_cars_without_embeddings_are_refused(tmp_path: Path, first_set: str) -> None:
    old = BENCHMARK_IMAGES.with_metadata({VERSION_KEY: "1"}).empty_table()
    pq.write_table(old, tmp_path / "a.parquet")
    with pytest.raises(HeadtailError, match=r"hashes of version 1, and .* compares version 2: .* overwrite=true"):
        open_others([f"{tmp_path}/a.parquet"], NearDuplicates.hash, QUICK, "embedding")
    pq.write_table(BENCHMARK_IMAGES.empty_table(), tmp_path / "new.parquet")
    with pytest.raises(HeadtailError, match=r"compares version 1: set filters.near_duplicates=hash"):
        open_others([f"{tmp_path}/new.parquet"], NearDuplicates.true, IMAGEHASH, "embedding")
    with pytest.raises(HeadtailError, match="no column vector: write that set with score_columns=true"):
        open_others([first_set], NearDuplicates.embedding, None, "vector")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param({"sha256": [1, 2]}, "sha256 of .* is int64, expected string", id="numbers"),
        pytest.param({"sha256": [["a"], []]}, "sha256 of .* is list<.*>, expected string", id="lists"),
        pytest.param({"phash": [{"a": 1}] * 2}, "phash of .* is struct<.*>, expected string", id="structs"),
        pytest.param({"embedding": [1.0, 2.0]}, "embedding of .* is double, expected lists", id="no vectors"),
        pytest.param({"embedding": [["a"], []]}, "embedding of .* is list<.*>, expected lists", id="texts"),
    ],
)
def test_columns_of_other_types_are_refused(tmp_path: Path, columns: dict, told: str) -> None:
    given = {"sha256": ["0" * 64] * 2, "phash": ["0" * 16] * 2} | columns
    pq.write_table(pa.table(given).replace_schema_metadata(BENCHMARK_IMAGES.metadata), tmp_path / "a.parquet")
    near = NearDuplicates.embedding if "embedding" in columns else NearDuplicates.hash
    with pytest.raises(HeadtailError, match=f"against: {told}"):
        open_others([f"{tmp_path}/a.parquet"], near, QUICK if near == NearDuplicates.hash else None, "embedding")


def test_a_table_that_is_made_to_exhaust_memory_is_read_in_little(tmp_path: Path) -> None:
    """One value of half a megabyte, and one hash, in 2,000 rows each: 1 GB as texts."""
    rows = 2_000
    places = pa.array([0] * rows, pa.int32())
    shas = pa.concat_arrays([pa.DictionaryArray.from_arrays(places, [value]) for value in ("x" * 500_000, "0" * 64)])
    known = pa.table({"sha256": shas, "phash": ["0" * 16, None] * rows})
    path = tmp_path / "known.parquet"
    pq.write_table(
        known.replace_schema_metadata(BENCHMARK_IMAGES.metadata),
        path,
        dictionary_pagesize_limit=1 << 30,
    )
    steps = steps_of(tmp_path, {URLS[1]: photo(1)})
    (task,) = open_others([str(path)], NearDuplicates.hash, QUICK, "").key_tasks(steps, QUICK)
    with counted_memory() as pool:
        receipt = deal_other_keys(task, RANGES).check()
    assert pool.max_memory() < 400 << 20
    assert (receipt.rows_in, receipt.rows_out, receipt.drops) == (2 * rows, rows, {"faulty_row": rows})
    kept = [row for receiver in range(RANGES.groups) for row in read_slices(steps.folder("keys"), receiver).to_pylist()]
    assert {row["key"] for row in kept} == {"0" * 16, f"{OF_FILE}{'0' * 64}"}
    assert len(kept) < 20, "a hash that is there a thousand times is sent once in a batch"


def test_a_file_that_another_set_has_in_another_form_is_left_out(tmp_path: Path) -> None:
    """The other set resized or blurred it: its perceptual hash is another one, its sha256 that of the file as sent."""
    bodies = {URLS[seed]: photo(seed, quality=90) for seed in range(3)}
    bodies |= {URLS[7]: photo(7), URLS[8]: photo(7)}
    digests = [hashlib.sha256(body).hexdigest() for body in bodies.values()]
    rows = [
        ["a"] * 3,
        ["1.jpg", "2.jpg", "7.jpg"],
        [digests[1], digests[2], digests[3]],
        ["1" * 16, "2" * 16, "7" * 16],
    ]
    pq.write_table(pa.table(rows, schema=BENCHMARK_IMAGES), tmp_path / "known.parquet")
    others = open_others([f"{tmp_path}/known.parquet"], NearDuplicates.hash, QUICK, "")
    receipt = selected(steps_of(tmp_path, bodies), others, "hash")
    assert (receipt.drops, receipt.rows_out) == ({"in_other_set": 4}, 1)

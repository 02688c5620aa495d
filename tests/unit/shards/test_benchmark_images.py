"""Images of benchmarks: hashed from folders, tars and tables, and left out of the shards in whatever size they came."""

import functools
import io
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core import bounded_parquet
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parquet_sink import write_rows
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.core.whole_vectors import whole_vectors
from curation.images.ranges import Ranges, list_name
from curation.shards import benchmark_files, benchmark_images
from curation.shards.benchmark_files import FILES_PER_TASK, SUFFIXES, Embedder, hash_files, plan_hashing
from curation.shards.benchmark_images import (
    BENCHMARK_IMAGES,
    EMBEDDING_COLUMN,
    BenchmarkImages,
    BenchmarkRules,
    count_hits,
    open_benchmarks,
    read_benchmarks,
)
from curation.shards.duplicates import key_images
from curation.shards.perceptual_hash import QUICK, hash_images, phash
from curation.shards.selection import select_images
from curation.shards.steps import VECTORS, SelectionSteps
from curation.shards.stored_vectors import VECTORS_SCHEMA, to_vectors
from tests.http_server import draw
from tests.shard_data import curated_rows
from tests.unit.shards.settings import image_filters, unique_rules
from tests.unit.shards.test_write import URLS, select, stored


@functools.cache
def photo(seed: int, size: tuple[int, int] = (320, 240), kind: str = "JPEG", **options: int) -> bytes:
    """A picture of smooth noise: each seed another."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(out, kind, **options)
    return out.getvalue()


def table(folder: Path, name: str = "birds", embedder: Embedder | None = None) -> tuple:
    """Hash the files of a folder, as the job does; returns the files of the table."""
    tasks = plan_hashing({name: list_files([str(folder)], SUFFIXES)}, f"{folder}-hashes")
    for task in tasks:
        hash_files(task, embedder).check()
    return open_benchmarks([f"{folder}-hashes"])


def test_images_are_found_resized_and_recompressed_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    for seed in (3, 7):
        (tmp_path / f"birds/{seed}.png").write_bytes(photo(seed, (500, 375), "PNG"))
    bodies = {URLS[seed]: photo(seed, quality=60) for seed in range(20)}
    ranges = Ranges(4, 0)
    downloads, lists = stored(tmp_path, curated_rows(URLS[:20]), bodies, ranges)
    rules = unique_rules(benchmarks=BenchmarkRules(table(tmp_path / "birds"), 4, QUICK))
    steps = SelectionSteps(ranges, lists.path, f"{tmp_path}/work", downloads.status_files(ranges))
    receipt = select(steps, rules=rules)
    assert receipt.drops == {"benchmark_image": 2}
    facts = count_hits([task.hits for task in steps.key(filtered=False)], rules.benchmarks)
    uids = {row["uid"] for row in curated_rows([URLS[3], URLS[7]])}
    assert {example["uid"] for example in facts["examples"]} == uids
    assert {example["image"] for example in facts["examples"]} == {"3.png", "7.png"}
    assert all(example["distance"] <= 4 for example in facts["examples"])
    assert facts["benchmarks"] == {"birds": {"images": 2, "hits": 2}}
    assert (facts["method"], facts["distance"]) == ("perceptual hash", 4)


def test_images_are_found_by_their_embeddings_too(tmp_path: Path) -> None:
    draw_vector = np.random.default_rng(0)
    (tmp_path / "birds").mkdir()
    of_body = {}
    for seed in (3, 107, 108):
        body = photo(seed, (500, 375), "PNG")
        (tmp_path / f"birds/{seed}.png").write_bytes(body)
        of_body[body] = draw_vector.random(8).astype(np.float16)
    (tmp_path / "birds/plain.png").write_bytes(body := photo(109, kind="PNG"))
    of_body[body] = np.zeros(8, np.float16)  # an image without a direction is found by its hash only
    embedder = Embedder(of_body.__getitem__, pa.list_(pa.float16(), 8))
    files = table(tmp_path / "birds", embedder=embedder)
    urls = [*URLS[:6], *URLS[7:9]]
    bodies = {url: photo(seed, quality=60) for seed, url in enumerate(urls)}
    ranges = Ranges(4, 0)
    downloads, lists = stored(tmp_path, curated_rows(urls), bodies, ranges)
    near, far = of_body[photo(107, (500, 375), "PNG")] * 3, draw_vector.random(8)
    near[0] += np.float16(0.1)
    given = dict.fromkeys(urls, far) | {urls[1]: near, urls[2]: of_body[photo(108, (500, 375), "PNG")], urls[5]: None}
    rules = unique_rules(benchmarks=BenchmarkRules(files, 4, QUICK, 0.98))
    steps = SelectionSteps(ranges, lists.path, f"{tmp_path}/work", downloads.status_files(ranges))
    for task in steps.select():
        select_images(task, ranges, image_filters())
    for number in range(ranges.count):
        listed = read_rows(f"{steps.folder('candidates')}/{list_name(number)}", CANDIDATES)["url"].to_pylist()
        vectors = to_vectors(pa.array([given[url] for url in listed], pa.list_(pa.float64())))
        write_rows(f"{steps.folder(VECTORS)}/{list_name(number)}", pa.table([vectors], VECTORS_SCHEMA))
    for task in steps.hash(rules.versions):
        hash_images(task)
    tasks = steps.key(filtered=False, embedded=True)
    drops = [key_images(task, ranges, rules).check().drops for task in tasks]
    assert sum(drops, Counter()) == {"benchmark_image": 3}
    facts = count_hits([task.hits for task in tasks], rules.benchmarks)
    uids = {row["uid"]: row["url"] for row in curated_rows(urls)}
    found = {uids[each["uid"]]: (each["image"], each["distance"] is None, each["cosine"]) for each in facts["examples"]}
    cosine = found[urls[1]][2]
    assert found == {
        urls[1]: ("107.png", True, cosine),
        urls[2]: ("108.png", True, 1.0),
        urls[3]: ("3.png", False, None),
    }
    assert 0.98 < cosine < 1
    assert facts["benchmarks"] == {"birds": {"images": 4, "hits": 3}}
    assert (facts["method"], facts["hits_by_embedding"]) == ("perceptual hash and embedding", 2)


def test_the_most_similar_are_those_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_images, "VECTORS_AT_ONCE", 7)
    draw_vector = np.random.default_rng(1)
    known = whole_vectors(draw_vector.random((40, 6)))[0]
    known[33] = known[11]
    vectors = np.concatenate([whole_vectors(draw_vector.random((20, 6)))[0], known[[11, 33, 5]]])
    places, cosines = BenchmarkImages(np.zeros(0, np.uint64), pa.table({}), known, np.arange(40)).most_similar(
        vectors, 0.97
    )
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors.astype(float), known.astype(float))]
    exact = unit[0] @ unit[1].T
    best = exact.round(9).argmax(axis=1)
    assert places.tolist() == [place if exact[row, place] >= 0.97 else -1 for row, place in enumerate(best)]
    assert cosines[places >= 0] == pytest.approx(exact.max(axis=1)[places >= 0])
    assert 3 < (places >= 0).sum() < 20


def test_a_table_without_embeddings_is_refused_where_they_are_compared(tmp_path: Path) -> None:
    pq.write_table(BENCHMARK_IMAGES.empty_table(), tmp_path / "a.parquet")
    with pytest.raises(HeadtailError, match="no column embedding: run hash_images with embeddings=true"):
        open_benchmarks([str(tmp_path / "a.parquet")], embedded=True)


@pytest.mark.parametrize("distance", [0, 1, 4, 16])
def test_the_nearest_are_those_of_a_plain_loop(distance: int) -> None:
    rng = np.random.default_rng(distance)
    known = rng.integers(0, 2**64, 50, np.uint64)
    flips = np.array([sum(1 << int(bit) for bit in rng.choice(64, k, False)) for k in range(20)], np.uint64)
    hashes = np.concatenate([known[:20] ^ flips, rng.integers(0, 2**64, 30, np.uint64), known[:2]])
    places, distances = BenchmarkImages(known, pa.table({})).nearest(
        pa.array([f"{value:016x}" for value in hashes]), distance
    )
    for value, place, bits in zip(hashes, places, distances, strict=True):
        apart = [(int(value) ^ int(each)).bit_count() for each in known]
        near = min(apart) <= distance
        assert place == (apart.index(min(apart)) if near else -1)
        assert not near or bits == min(apart)
    assert (places >= 0).sum() >= min(distance + 1, 20)


def test_folders_tars_and_tables_give_the_same_hashes(tmp_path: Path) -> None:
    files = {f"{seed}.jpg": photo(seed) for seed in range(3)}
    for name in ("folder/deep", "tar", "bytes", "structs"):
        (tmp_path / name).mkdir(parents=True)
    for name, body in files.items():
        (tmp_path / "folder/deep" / name).write_bytes(body)
    (tmp_path / "folder/readme.txt").write_text("no image")
    with tarfile.open(tmp_path / "tar/00000.tar", "w") as tar:
        for name, body in [*files.items(), ("0.cls", b"3")]:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    column = pa.array(list(files.values()))
    pq.write_table(pa.table({"label": [0, 1, 2], "image": column}), tmp_path / "bytes/a.parquet")
    structs = pa.StructArray.from_arrays([column, pa.array(list(files))], ["bytes", "path"])
    pq.write_table(pa.table({"image": structs}), tmp_path / "structs/a.parquet")
    found = {name: read_benchmarks(table(tmp_path / name)).rows for name in ("folder", "tar", "bytes", "structs")}
    expected = sorted(phash(body, QUICK) for body in files.values())
    assert {name: sorted(rows["phash"].to_pylist()) for name, rows in found.items()} == dict.fromkeys(found, expected)
    assert found["tar"]["image"].to_pylist() == [f"00000.tar/{name}" for name in files]
    assert found["structs"]["image"].to_pylist() == ["a.parquet/0", "a.parquet/1", "a.parquet/2"]


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    for name, body in {"a.jpg": b"no image", "b.jpg": draw(1)[:200], "c.png": draw(1, "PNG"), "d.gif": b""}.items():
        (tmp_path / "birds" / name).write_bytes(body)
    (task,) = plan_hashing({"birds": list_files([str(tmp_path / "birds")], SUFFIXES)}, f"{tmp_path}/hashes")
    receipt = hash_files(task)
    assert (receipt.rows_in, receipt.rows_out) == (4, 1)
    assert receipt.drops == {"not_an_image": 2, "undecodable": 1}


def test_many_images_are_several_tasks() -> None:
    info = type("Info", (), {})
    infos = []
    for number in range(FILES_PER_TASK + 1):
        each = info()
        each.path = f"/{number}.jpg"
        infos.append(each)
    tasks = plan_hashing({"b": infos, "a": infos[:1]}, "/out")
    assert [(task.benchmark, len(task.files)) for task in tasks] == [("a", 1), ("b", FILES_PER_TASK), ("b", 1)]
    assert len({task.output for task in tasks}) == 3


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (pa.schema([("phash", pa.string())]), "has no column benchmark, image, sha256: hash_images makes"),
        (
            BENCHMARK_IMAGES.remove_metadata(),
            "of version unknown, expected 1 or 2: run hash_images again with overwrite=true",
        ),
        (BENCHMARK_IMAGES.with_metadata({"phash_version": "7"}), "of version 7, expected 1 or 2"),
    ],
    ids=["columns", "no-version", "other-version"],
)
def test_other_tables_are_refused(tmp_path: Path, schema: pa.Schema, told: str) -> None:
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")
    with pytest.raises(HeadtailError, match=told):
        open_benchmarks([str(tmp_path / "a.parquet")])


def test_a_table_of_images_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    pq.write_table(pa.table({"image": [draw(1), draw(2)]}), tmp_path / "birds/a.parquet")
    whole = (tmp_path / "birds/a.parquet").read_bytes()
    (tmp_path / "birds/a.parquet").write_bytes(whole[:-100])
    with pytest.raises(HeadtailError, match=r"a\.parquet cannot be read"):
        table(tmp_path / "birds")


@pytest.mark.parametrize("phash", ["no hash", "-1", "0x0f", "f" * 64, "1_" * 8], ids=range(5))
def test_a_hash_that_is_none_is_refused(tmp_path: Path, phash: str) -> None:
    rows = pa.table([["birds"], ["a.jpg"], ["0" * 64], [phash]], schema=BENCHMARK_IMAGES)
    pq.write_table(rows, tmp_path / "a.parquet")
    with pytest.raises(HeadtailError, match="a perceptual hash is not 16 hex digits"):
        read_benchmarks(open_benchmarks([str(tmp_path / "a.parquet")]))


def rows_of(count: int = 2, **columns: Any) -> pa.Table:
    """Images of a benchmark, with other columns than hash_images writes."""
    names = {"benchmark": ["birds"] * count, "image": ["a.jpg"] * count}
    names |= {"sha256": ["0" * 64] * count, "phash": ["0" * 16] * count}
    return pa.table(names | columns).replace_schema_metadata(BENCHMARK_IMAGES.metadata)


def same(value: str, count: int) -> pa.Array:
    """One value of a dictionary, named by all rows."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [value]).cast(pa.string())


@pytest.mark.parametrize(
    ("made", "told"),
    [
        pytest.param(
            lambda: rows_of(20, image=same("x" * 500_000, 20)), "a value of 500,000 bytes in image", id="long names"
        ),
        pytest.param(lambda: rows_of(image=["a.jpg", None]), "has a row without image", id="null"),
        pytest.param(lambda: rows_of(phash=["0" * 16, None]), "has a row without phash", id="no hash"),
        pytest.param(
            lambda: rows_of(benchmark=pa.array([b"a\xff"] * 2).view(pa.string())), "holds damaged texts", id="no UTF-8"
        ),
        pytest.param(lambda: rows_of(image=[1, 2]), "image is int64, expected string", id="numbers"),
        pytest.param(
            lambda: rows_of(phash=[["0" * 16]] * 2), r"phash is list<.*string>, expected string", id="lists of hashes"
        ),
        pytest.param(lambda: rows_of(embedding=[0.5, 0.5]), "embedding of .* is double, expected lists", id="number"),
        pytest.param(
            lambda: rows_of(embedding=[[[0.5]], [[0.5]]]), "embedding of .* is list<.*>, expected lists", id="deep"
        ),
        pytest.param(
            lambda: rows_of(300, embedding=[[0.5] * 9] * 300), "its lists and structs take", id="a huge row group"
        ),
        pytest.param(
            lambda: rows_of(2000, embedding=[[0.5] * 9] * 2000), "take more than 50,000 bytes in memory", id="many"
        ),
    ],
)
def test_a_table_that_is_made_to_exhaust_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[], pa.Table], told: str
) -> None:
    table = made()
    monkeypatch.setattr(bounded_parquet, "MAX_NESTED_BYTES", 10_000 if table.num_rows == 300 else 1 << 20)
    monkeypatch.setattr(benchmark_images, "MAX_BYTES", 50_000)
    if EMBEDDING_COLUMN not in table.column_names:
        table = table.append_column(EMBEDDING_COLUMN, pa.array([[0.5]] * len(table)))
    pq.write_table(table, tmp_path / "a.parquet", dictionary_pagesize_limit=1 << 20)
    with pytest.raises(HeadtailError, match=told):
        read_benchmarks(open_benchmarks([f"{tmp_path}/a.parquet"], embedded=True), embedded=True)


def test_images_in_a_table_are_read_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_parquet, "MAX_NESTED_BYTES", 100)  # fields of structs are no lists: their sum is free
    bodies = [draw(seed) for seed in range(3)] * 30
    structs = pa.StructArray.from_arrays([pa.array(bodies), pa.array(["x" * 9] * 90)], ["bytes", "path"])
    (tmp_path / "birds").mkdir()
    pq.write_table(pa.table({"image": structs, "text": ["a"] * 90}), path := tmp_path / "birds/a.parquet")
    assert read_benchmarks(table(tmp_path / "birds")).rows.num_rows == 90
    monkeypatch.setattr(benchmark_files, "MAX_PAGE_BYTES", 1000)
    with pytest.raises(HeadtailError, match=r"a\.parquet cannot be read: a page of [\d,]+ bytes, more than 1,000"):
        table(tmp_path / "birds")
    twice = pa.Table.from_arrays([pa.array(bodies), pa.array(bodies)], ["image", "image"])
    for made, told in [
        (twice, "several columns of the name image"),
        (pa.table({"image": ["a"]}), "no column of images"),
    ]:
        pq.write_table(made, path)
        with pytest.raises(HeadtailError, match=told):
            table(tmp_path / "birds")

"""Captions are brought to their images, from tables by each kind of key and from the json of samples."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.schemas import SAMPLES
from curation.core.uids import uid_of
from curation.shards.caption_pairs import MAX_CHARS, pairs_of_tables, pairs_of_tars, read_sidecars
from curation.shards.keyed_join import order_of

URLS = [f"https://example.org/{number}.jpg" for number in range(10)]
UIDS = [uid_of(url) for url in URLS]
DIGESTS = [f"{number:064x}" for number in range(10)]
TEXTS = [f"alt-text {number}" for number in range(10)]
LANGS = ["en"] * 6 + ["de"] * 4


def sidecars(folder: Path) -> list[str]:
    """Side-cars of 4, 4 and 2 images."""
    given: dict[str, Any] = {
        "uid": UIDS,
        "url": URLS,
        "text": TEXTS,
        "lang": LANGS,
        "sha256": DIGESTS,
        "ext": ["jpg"] * 10,
    }
    rest = {field.name: pa.array([1] * 10).cast(field.type) for field in SAMPLES if field.name not in given}
    table = pa.table({**given, **rest}).select(SAMPLES.names).cast(SAMPLES)
    paths = []
    for number, start in enumerate((0, 4, 8)):
        paths.append(str(folder / f"{number:05d}.parquet"))
        pq.write_table(table.slice(start, 4), paths[-1])
    return paths


def write(folder: Path, name: str, **columns: list) -> str:
    pq.write_table(pa.table(columns), folder / name)
    return str(folder / name)


def test_images_are_those_of_the_first_shards(tmp_path: Path) -> None:
    paths = sidecars(tmp_path)
    assert [read_sidecars(paths, images)[0]["uid"].to_pylist() for images in (3, 4, 100)] == [UIDS[:3], UIDS[:4], UIDS]
    assert [read_sidecars(paths, images)[1] for images in (4, 5)] == [paths[:1], paths[:2]]
    assert read_sidecars([], 5)[0].num_rows == 0


def test_sidecars_may_have_scores(tmp_path: Path) -> None:
    path = sidecars(tmp_path)[0]
    pq.write_table(pq.read_table(path).append_column("clip", pa.array([0.1, 0.2, 0.3, 0.4])), path)
    samples, _ = read_sidecars([path], 9)
    assert samples["uid"].to_pylist() == UIDS[:4]
    assert samples.column_names == ["uid", "sha256", "text", "lang"]


def test_rows_of_tables_come_by_each_key(tmp_path: Path) -> None:
    samples, _ = read_sidecars(sidecars(tmp_path), 9)
    tables = [
        write(tmp_path, "uids.parquet", uid=[UIDS[0], UIDS[9], "no uid"], caption=["zero", "not asked for", "faulty"]),
        write(tmp_path, "hashes.parquet", sha256=[DIGESTS[1]], caption=[["one", "another"]]),
        write(tmp_path, "urls.parquet", url=[URLS[7], URLS[8], "http://else/"], caption=["seven", "", "fits nothing"]),
    ]
    pairs = pairs_of_tables(samples, tables)
    assert pairs.captions == ["zero", "one", None, None, None, None, None, "seven", None]
    assert list(pairs.by_language()) == [
        ("en", TEXTS[:2], ["zero", "one"]),
        ("de", TEXTS[7:8], ["seven"]),
    ]
    assert pairs.facts == {
        "rows": 7, "faulty_rows": 2, "same_image": 0, "cut": 0, "images": 9, "images_with": 3, "images_without": 6,
    }  # fmt: skip


def test_of_two_rows_of_an_image_the_first_by_hash_is_taken(tmp_path: Path) -> None:
    samples, _ = read_sidecars(sidecars(tmp_path), 3)
    first = write(tmp_path, "a.parquet", uid=[UIDS[1], UIDS[1]], caption=["x", "y"])
    second = write(tmp_path, "b.parquet", sha256=[DIGESTS[1]], caption=["z"])
    expected = min(
        "xyz", key=lambda caption: order_of(json.dumps({"syn_text": [caption]}, separators=(",", ":")).encode())
    )
    for order in ([first, second], [second, first]):
        pairs = pairs_of_tables(samples, order)
        assert pairs.captions == [None, expected, None]
        assert pairs.facts["same_image"] == 2


def test_long_captions_are_cut(tmp_path: Path) -> None:
    samples, _ = read_sidecars(sidecars(tmp_path), 3)
    captions = ["x" * MAX_CHARS, "y" * (MAX_CHARS + 1), "z" * 60_000]
    jsons = {uid: json.dumps({"caption_a": caption}).encode() for uid, caption in zip(UIDS, captions, strict=False)}
    tables = [write(tmp_path, "long.parquet", uid=UIDS[:3], caption=captions)]
    for pairs in (pairs_of_tables(samples, tables), *pairs_of_tars(samples, [tar(tmp_path / "0.tar", jsons)]).values()):
        assert pairs.captions == [caption[:MAX_CHARS] for caption in captions]
        assert pairs.facts["cut"] == 2


def test_vectors_are_refused(tmp_path: Path) -> None:
    samples, _ = read_sidecars(sidecars(tmp_path), 3)
    with pytest.raises(HeadtailError, match=r"v\.parquet holds vectors, expected a column caption"):
        pairs_of_tables(samples, [write(tmp_path, "v.parquet", uid=UIDS[:1], vector=[[0.5]])])


def tar(path: Path, jsons: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as file:
        for key, data in jsons.items():
            for ending, content in (("json", data), ("jpg", b"\xff" * 3000)):
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return str(path)


def test_captions_of_the_json_come_by_their_names(tmp_path: Path) -> None:
    samples, _ = read_sidecars(sidecars(tmp_path), 4)
    described = [
        {"caption": "the alt-text", "caption_a": "a0", "caption_b": ""},
        {"caption_a": " ", "caption_b": "b1"},
        {"caption_a": ["a list"], "caption_c": 7},
        {"caption_a": "a3"},
        {"caption_a": "of an image that is not asked for"},
    ]
    path = tar(tmp_path / "0.tar", {UIDS[k]: json.dumps(each).encode() for k, each in enumerate(described)})
    found = pairs_of_tars(samples, [path])
    assert {name: pairs.captions for name, pairs in found.items()} == {
        "caption_a": ["a0", None, None, "a3"],
        "caption_b": [None, "b1", None, None],
    }
    assert found["caption_b"].facts == {"images": 4, "images_with": 1, "images_without": 3, "cut": 0}
    for name, damage in {"1.tar": b"{", "2.tar": b"[" * 100_000}.items():
        with pytest.raises(HeadtailError, match=r"is no JSON: .*: run check_shards"):
            pairs_of_tars(samples, [tar(tmp_path / name, {UIDS[0]: damage})])
    Path(path).write_bytes(Path(path).read_bytes()[:2000])
    with pytest.raises(HeadtailError, match=r"0\.tar cannot be read: .*: run check_shards"):
        pairs_of_tars(samples, [path])


def test_a_table_of_other_columns_is_named_with_its_setting(tmp_path: Path) -> None:
    path = write(tmp_path, "links.parquet", URL=URLS)
    samples, _ = read_sidecars(sidecars(tmp_path), 10)
    with pytest.raises(HeadtailError, match=r"^captions: .*links\.parquet cannot be attached: its columns are URL"):
        pairs_of_tables(samples, [path])

"""Scores as DataComp and clip-retrieval lay them out: keys, columns, and vectors by row, in bounded memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.shards import score_join
from curation.shards.scores import open_scores, score_files
from tests.unit.shards.test_score_join import COUNT, Images, write


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path)


def vectors(rows: int, width: int = 5) -> np.ndarray:
    return np.random.default_rng(rows).random((rows, width)).astype(np.float16)


@pytest.mark.parametrize("key", ["sha256", "url"])
def test_the_metadata_of_datacomp_is_joined_by_what_names_our_images(
    images: Images, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_join, "BATCH_ROWS", 3)
    folder = tmp_path / "metadata"
    folder.mkdir()
    rows = [
        {
            "uid": f"{number:032x}", "url": image["url"], "text": "of theirs", "original_width": 7,
            "clip_l14_similarity_score": number / 100, "face_bboxes": [[0.1, 0.2, 0.3, 0.4]][: number % 2],
            "sha256": image["sha256"],
        }
        for number, image in enumerate(images.rows[:-4])
    ]  # fmt: skip
    for name, mine in (("0a", rows[:9]), ("0b", rows[9:])):
        mine = [{column: row[column] for column in row if key == "sha256" or column != "sha256"} for row in mine]
        write(folder / f"{name}.parquet", mine)
        np.savez_compressed(folder / f"{name}.npz", l14_img=vectors(len(mine)), b32_txt=vectors(len(mine), 2))
    (table,) = open_scores([str(folder)])
    assert table.key == key
    assert [*table.scores.names] == ["clip_l14_similarity_score", "face_bboxes", "l14_img", "b32_txt"]
    assert len(score_files([str(folder)])) == 4, "the recipe of a set names the arrays, too"
    (counts,) = images.join([folder]).counts
    assert (counts["key"], counts["rows"], counts["faulty_rows"], counts["images_with"]) == (key, 20, 0, 20)
    expected = [*zip(rows, [*vectors(9), *vectors(11)], [*vectors(9, 2), *vectors(11, 2)], strict=True)]
    found = dict(zip((image["uid"] for image in images.rows), images.scored(), strict=True))
    for image, (row, long, short) in zip(images.rows, expected, strict=False):
        mine = found[image["uid"]]
        assert (mine["clip_l14_similarity_score"], mine["face_bboxes"]) == (
            row["clip_l14_similarity_score"], row["face_bboxes"],
        )  # fmt: skip
        assert (mine["l14_img"], mine["b32_txt"]) == (long.astype(float).tolist(), short.astype(float).tolist())
    assert all(found[image["uid"]]["l14_img"] is None for image in images.rows[-4:])


def test_a_filter_that_names_no_vector_reads_no_array(images: Images, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [{"uid": "f" * 32, "url": images.rows[0]["url"], "clip": 0.5}])
    folder = tmp_path / "table"
    folder.mkdir()
    write(folder / "a.parquet", [{"uid": "f" * 32, "url": images.rows[0]["url"], "clip": 0.5}])
    np.savez(folder / "a.npz", l14_img=vectors(3))  # of another number of rows
    assert sum(row["clip"] == 0.5 for row in images.filtered([folder], "clip > 0.1")) == 1
    with pytest.raises(HeadtailError, match=r"a\.parquet cannot be joined: an array of shape \(3, 5\)"):
        images.filtered([folder], "l14_img[0] > 0")


@pytest.mark.parametrize("ours", [True, False], ids=["our shards", "shards of others"])
def test_a_folder_of_clip_retrieval_has_scores_and_embeddings_by_row(
    images: Images, tmp_path: Path, ours: bool
) -> None:
    folder = tmp_path / "clip"
    for name in ("metadata", "img_emb"):
        (folder / name).mkdir(parents=True)
    for number, mine in enumerate((images.rows[:20], images.rows[20:])):
        rows = [
            {"image_path": image["uid"] if ours else f"{k:09d}", "url": image["url"], "width": 3, "similarity": k / 10}
            for k, image in enumerate(mine)
        ]
        write(folder / f"metadata/metadata_{number}.parquet", rows)
        np.save(folder / f"img_emb/img_emb_{number}.npy", vectors(len(mine)))
    (counts,) = images.join([folder]).counts
    assert (counts["key"], counts["images_with"]) == ("image_path" if ours else "url", COUNT)
    found = images.scored()
    assert [*found[0]] == ["similarity", "embedding"]
    assert [row["similarity"] for row in found] == [k / 10 for k in (*range(20), *range(COUNT - 20))]
    together = np.concatenate([vectors(20), vectors(COUNT - 20)]).astype(float)
    assert np.array([row["embedding"] for row in found]).tolist() == together.tolist()


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("b.npz", b"PK", r"b\.npz has no Parquet file of its name"),
        ("a.npz", b"PK", r"a\.npz cannot be read: no npz file"),
    ],
    ids=["no table", "no archive"],
)
def test_an_array_that_does_not_fit_is_named(tmp_path: Path, name: str, body: bytes, told: str) -> None:
    write(tmp_path / "a.parquet", [{"uid": "a" * 24, "clip": 1.0}])
    (tmp_path / name).write_bytes(body)
    with pytest.raises(HeadtailError, match=told):
        open_scores([str(tmp_path)])


def test_an_array_that_is_cut_off_or_of_another_form_is_one_line(images: Images, tmp_path: Path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    pq.write_table(pa.table({"uid": [row["uid"] for row in images.rows], "a": [1.0] * COUNT}), folder / "a.parquet")
    np.savez(folder / "a.npz", v=vectors(COUNT))
    whole = (folder / "a.npz").read_bytes()
    for array in (np.zeros((COUNT, 3), int), np.zeros(COUNT), np.zeros((COUNT, 1 << 18), np.float64)[:, :0]):
        np.savez(folder / "a.npz", v=array)
        with pytest.raises(HeadtailError, match=r"cannot be joined: (an array of|vectors of)"):
            images.join([folder])
    broken = bytearray(whole)
    broken[200:230] = b"\xff" * 30
    np.savez_compressed(folder / "a.npz", v=np.random.default_rng(0).random((COUNT, 8), np.float32))
    packed = bytearray((folder / "a.npz").read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    for body in (broken, packed):
        (folder / "a.npz").write_bytes(bytes(body))
        with pytest.raises(HeadtailError, match="cannot be joined"):
            images.join([folder])

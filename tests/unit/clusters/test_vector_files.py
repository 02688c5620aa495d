"""Vectors of users' files: keys, columns, arrays beside tables, and rows that cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.clusters.vector_files import count_rows, list_vectors, open_vector_files, read_vectors
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.uids import uid_of
from curation.core.whole_vectors import whole_units

UIDS = [f"{number:024x}" for number in range(5)]
ROWS = np.arange(15, dtype=np.float64).reshape(5, 3) + 1


def read(path: Path, column: str = "") -> tuple[list[str], np.ndarray, Receipt]:
    receipt = Receipt("read")
    found = [
        batch for file in open_vector_files(list_vectors([str(path)]), column) for batch in read_vectors(file, receipt)
    ]
    uids = [uid for batch in found for uid in batch.uids.to_pylist()]
    return uids, np.concatenate([batch.units for batch in found]), receipt.check()


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


KINDS = {
    "list": pa.list_(pa.float32()),
    "of doubles": pa.list_(pa.float64()),
    "large list": pa.large_list(pa.float32()),
    "of one length, half floats": pa.list_(pa.float16(), 3),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_columns_of_lists(kind: pa.DataType, tmp_path: Path) -> None:
    lists = pa.array([row.tolist() for row in ROWS.astype(np.float16 if "half" in str(kind) else np.float64)], kind)
    path = write(tmp_path / "a.parquet", uid=UIDS, clip=lists, score=[0.5] * 5)
    uids, units, receipt = read(path)
    assert uids == UIDS
    assert np.array_equal(units, whole_units(ROWS)[0])
    assert (receipt.rows_in, receipt.rows_out) == (5, 5)
    assert count_rows(str(path)) == 5


def test_rows_without_a_uid_or_a_vector_are_counted(tmp_path: Path) -> None:
    lists = [[1.0, 2.0], None, [0.0, 0.0], [1.0, None], [3.0, 4.0], [float("inf"), 0.0], [1.0, 1.0]]
    keys = [*UIDS, "0" * 24, "no uid"]
    uids, units, receipt = read(write(tmp_path / "a.parquet", uid=keys, v=pa.array(lists, pa.list_(pa.float32()))))
    assert uids == [UIDS[0], UIDS[4]]
    assert units.tolist() == whole_units(np.array([[1.0, 2.0], [3.0, 4.0]]))[0].tolist()
    assert receipt.rows_in == 7
    assert receipt.drops == {"no_vector": 4, "no_uid": 1}


def test_urls_stand_for_uids(tmp_path: Path) -> None:
    urls = ["https://a.example/1.jpg", "https://a.example/2.jpg"]
    uids, _, _ = read(write(tmp_path / "a.parquet", url=urls, v=ROWS[:2].tolist()))
    assert uids == [uid_of(url) for url in urls]


def test_a_folder_of_clip_retrieval(tmp_path: Path) -> None:
    for name in ("metadata", "img_emb"):
        (tmp_path / name).mkdir()
    for part in (0, 1):
        rows = slice(3 * part, 3 * part + 3)
        paths = [f"/x/{uid}.jpg" for uid in UIDS[rows]]
        write(tmp_path / f"metadata/metadata_{part}.parquet", image_path=paths, caption=["a"] * len(paths))
        np.save(tmp_path / f"img_emb/img_emb_{part}.npy", ROWS[rows].astype(np.float16))
    uids, units, _ = read(tmp_path)
    assert uids == UIDS
    assert np.array_equal(units, whole_units(ROWS)[0])


def test_an_array_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", uid=UIDS)
    np.save(tmp_path / "a.npy", ROWS.astype(np.float32))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:-8])
    with pytest.raises(HeadtailError, match=r"embeddings: .*a\.parquet cannot be read: .*cut off"):
        read(tmp_path)


def test_an_empty_list_is_no_vector_wherever_it_stands(tmp_path: Path) -> None:
    for lists in ([[], [], [3.0, 4.0], [], None], [[3.0, 4.0], [], [], [], []]):
        uids, units, receipt = read(write(tmp_path / "a.parquet", uid=UIDS, v=pa.array(lists, pa.list_(pa.float32()))))
        assert uids == [UIDS[lists.index([3.0, 4.0])]]
        assert units.tolist() == [[2400, 3200]]
        assert receipt.drops["no_vector"] == 4
    uids, units, receipt = read(write(tmp_path / "a.parquet", uid=UIDS, v=pa.array([[]] * 5, pa.list_(pa.float32()))))
    assert (uids, receipt.drops["no_vector"]) == ([], 5)


def test_what_is_no_table_of_vectors_is_refused(tmp_path: Path) -> None:
    two = write(tmp_path / "two.parquet", uid=UIDS, a=ROWS.tolist(), b=ROWS.tolist())
    with pytest.raises(HeadtailError, match=r"two\.parquet has 2 columns of lists of numbers, .*: a, b; vectors="):
        read(two)
    assert read(two, "b")[0] == UIDS
    with pytest.raises(HeadtailError, match=r"vectors=c: .* has no such column"):
        read(two, "c")
    with pytest.raises(HeadtailError, match=r"has 0 columns of lists of numbers, expected one: uid, n"):
        read(write(tmp_path / "none.parquet", uid=UIDS, n=[[1]] * 5))
    with pytest.raises(HeadtailError, match=r"has no column uid or url that names images among sha256, v"):
        read(write(tmp_path / "sha.parquet", sha256=["0" * 64], v=[[1.0]]))
    with pytest.raises(HeadtailError, match=r"cannot be read: a vector of 2 numbers, and others of 1"):
        read(write(tmp_path / "widths.parquet", uid=UIDS[:2], v=[[1.0], [1.0, 2.0]]))
    (tmp_path / "bad.parquet").write_bytes(two.read_bytes()[:200])
    with pytest.raises(HeadtailError, match=r"bad\.parquet"):
        read(tmp_path / "bad.parquet")

"""Companion tars hold what belongs to each sample, in the shards' order, and count what fits nothing."""

import hashlib
import io
import json
import shutil
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import AttachConfig, ExportConfig
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.shards import attachments, companions, keyed_join, vector_rows
from curation.shards.check import check_shard, plan_checks
from curation.shards.joined import Joined
from curation.shards.sample_json import SampleForm
from jobs import attach, export
from tests.unit.shards.conftest import MakeSet
from tests.unit.shards.test_write import NEWEST_FORM
from tests.unit.sources.test_hostile_tables import counted_memory


@pytest.fixture
def shards(small_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Shards of 8, 8 and 4 samples, in the form of the parameter; tasks run in this process."""
    small_set(tmp_path, getattr(request, "param", NEWEST_FORM))
    for job in (attach, export):
        monkeypatch.setattr(job, "open_session", lambda *_, **__: None)
        monkeypatch.setattr(job, "run_tasks", lambda _, work, tasks, *__, **___: [work(task).check() for task in tasks])
    return tmp_path / "shards"


def run(shards: Path, data: Path, *more: str) -> dict[str, int]:
    attach.run(compose_config("attach", AttachConfig, [f"shards={shards}", "name=x", f"data={data}", *more]))
    return json.loads((shards / "captions/x/_manifest.json").read_text())["counts"]


def rows_of(shards: Path) -> list[dict]:
    return [row for path in sorted(shards.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def members(shards: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted((shards / "captions/x").glob("*.tar")):
        with tarfile.open(path) as archive:
            found |= {member.name: archive.extractfile(member).read() for member in archive}
    return found


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stop_at_the_second_tar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the next run in the middle of its tars; later ones go on."""
    whole, calls = attach.write_companion, []

    def killed(task: Any) -> Any:
        calls.append(task)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(attach, "write_companion", killed)


@pytest.mark.parametrize("key", ["uid", "sha256", "url"])
def test_captions_follow_the_order_of_the_shards(shards: Path, tmp_path: Path, key: str) -> None:
    for tar in shards.glob("*.tar"):
        tar.write_bytes(b"no image is read")
    before, rows = hashes(shards), rows_of(shards)
    given = [(row[key], [f"a {row['uid']}"]) for row in reversed(rows[1:])]
    given += [(rows[1][key], ["another"]), ("f" * 64 if key == "sha256" else "f" * 24, ["of no image"]), (None, ["x"])]
    table = pa.table({key: [row[0] for row in given], "caption": [row[1] for row in given], "model": ["m"] * 22})
    pq.write_table(table, tmp_path / "captions.parquet")
    counts = run(shards, tmp_path / "captions.parquet")
    assert counts["rows"] == 22
    assert (counts["faulty_rows"], counts["fit_no_image"], counts["same_key"]) == (1, 1, 1)
    assert (counts["samples"], counts["samples_with"], counts["samples_without"]) == (20, 19, 1)
    found = members(shards)
    assert list(found) == [f"{row['uid']}.syn.json" for row in rows[1:]]
    last = rows[-1]["uid"]
    assert json.loads(found[f"{last}.syn.json"]) == {"syn_text": [f"a {last}"], "model": "m"}
    after = hashes(shards)
    assert {name: after[name] for name in before} == before
    manifest = (shards / "captions/x/_manifest.json").read_text()
    assert '"captions.parquet"' in manifest
    assert str(tmp_path) not in manifest


def test_a_killed_run_ends_with_the_same_bytes_and_other_data_are_refused(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"uid": [row["uid"] for row in rows_of(shards)], "caption": ["a b"] * 20})
    pq.write_table(table, tmp_path / "c.parquet")
    stop_at_the_second_tar(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(shards, tmp_path / "c.parquet")
    run(shards, tmp_path / "c.parquet")
    resumed = hashes(shards / "captions")
    shutil.rmtree(shards / "captions")
    run(shards, tmp_path / "c.parquet")
    assert hashes(shards / "captions") == resumed
    monkeypatch.undo()
    pq.write_table(table.slice(1), tmp_path / "c.parquet")
    with pytest.raises(HeadtailError, match="made from other files: set overwrite=true"):
        run(shards, tmp_path / "c.parquet")


def test_embeddings_and_members_of_other_tars_are_copied(shards: Path, tmp_path: Path) -> None:
    rows = rows_of(shards)
    for name in ("img_emb", "metadata"):
        (tmp_path / "emb" / name).mkdir(parents=True)
    vectors = np.arange(80, dtype=np.float16).reshape(20, 4)
    np.save(tmp_path / "emb/img_emb/img_emb_0.npy", vectors)
    pq.write_table(pa.table({"image_path": [row["uid"] for row in rows]}), tmp_path / "emb/metadata/metadata_0.parquet")
    run(shards, tmp_path / "emb")
    found = [np.load(io.BytesIO(data), allow_pickle=False) for data in members(shards).values()]
    assert np.array_equal(np.stack(found), vectors)
    with tarfile.open(tmp_path / "dr.tar", "w") as archive:
        for row in rows[:3]:
            parts = {"json": json.dumps({"sha256": row["sha256"]}).encode(), "jpg": b"x", "syn.json": b"{}"}
            for extension, data in (parts | {"pth.gz": b"no pickle"}).items():
                info = tarfile.TarInfo(f"k{row['uid']}.{extension}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    counts = run(shards, tmp_path / "dr.tar", "overwrite=true")
    assert (counts["samples_with"], counts["samples_without"]) == (3, 17)
    wanted = [f"{row['uid']}.{extension}" for row in rows[:3] for extension in ("syn.json", "pth.gz")]
    assert list(members(shards)) == wanted
    assert members(shards)[wanted[1]] == b"no pickle"


@pytest.mark.parametrize("key", ["sha256", "url"])
def test_an_array_beside_the_metadata_of_datacomp_is_attached_by_row(
    shards: Path, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_rows, "AT_ONCE_BYTES", 50)  # three vectors
    rows = rows_of(shards)[:13]
    (folder := tmp_path / "metadata").mkdir()
    vectors = np.arange(52, dtype=np.float16).reshape(13, 4)
    for name, part in (("0a", slice(0, 9)), ("0b", slice(9, 13))):
        theirs = [f"{number:032x}" for number in range(9)][: len(rows[part])]
        pq.write_table(pa.table({"uid": theirs, key: [row[key] for row in rows[part]]}), folder / f"{name}.parquet")
        np.savez_compressed(folder / f"{name}.npz", l14_img=vectors[part], b32_txt=-vectors[part])
    counts = run(shards, folder, "array=l14_img")
    assert (counts["rows"], counts["faulty_rows"], counts["samples_with"]) == (13, 0, 13)
    found = {name: np.load(io.BytesIO(data), allow_pickle=False) for name, data in members(shards).items()}
    assert found.keys() == {f"{row['uid']}.npy" for row in rows}
    together = np.stack([found[f"{row['uid']}.npy"] for row in rows])
    assert together.dtype == np.float16
    assert np.array_equal(together, vectors)
    before = hashes(shards / "captions/x")
    run(shards, folder, "array=l14_img")
    assert hashes(shards / "captions/x") == before
    with pytest.raises(HeadtailError, match="set overwrite=true"):
        run(shards, folder, "array=b32_txt")
    with pytest.raises(HeadtailError, match=r"0a\.parquet has no array l14: its \.npz file has l14_img, b32_txt"):
        run(shards, folder, "array=l14")
    with pytest.raises(HeadtailError, match=r"0b\.parquet has no array l14_img: no \.npz file of its name"):
        run(shards, folder / "0b.parquet", "array=l14_img")


@pytest.mark.parametrize(
    ("array", "table", "told"),
    [
        pytest.param(np.array([[{}]], object), {"uid": ["a" * 24]}, "Python objects|type object", id="objects"),
        pytest.param(np.zeros((2, 3)), {"uid": ["a" * 24]}, r"an array of shape \(2, 3\)", id="other rows"),
        pytest.param(np.zeros((1, 3), int), {"uid": ["a" * 24]}, "type int64, expected 1 rows", id="no floats"),
        pytest.param(np.zeros((1, 1 << 18)), {"uid": ["a" * 24]}, "vectors of 262,144 numbers", id="long"),
        pytest.param(np.zeros((1, 3)), {"id": ["a" * 24]}, "are id, expected one of uid, sha256, url", id="no key"),
    ],
)
def test_hostile_npz_files_are_refused(shards: Path, tmp_path: Path, array: np.ndarray, table: dict, told: str) -> None:
    (tmp_path / "metadata").mkdir()
    np.savez(tmp_path / "metadata/a.npz", v=array, allow_pickle=True)
    pq.write_table(pa.table(table), tmp_path / "metadata/a.parquet")
    with pytest.raises(HeadtailError, match=rf"a\.npz cannot be attached: .*({told})"):
        run(shards, tmp_path / "metadata", "array=v")


@pytest.mark.parametrize("kind", ["objects", "claims more"])
def test_hostile_arrays_are_refused(shards: Path, tmp_path: Path, kind: str) -> None:
    for name in ("img_emb", "metadata"):
        (tmp_path / "emb" / name).mkdir(parents=True)
    pq.write_table(pa.table({"image_path": ["a"]}), tmp_path / "emb/metadata/metadata_0.parquet")
    path = tmp_path / "emb/img_emb/img_emb_0.npy"
    if kind == "objects":
        np.save(path, np.array([[{}]], object), allow_pickle=True)
    else:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 4)})
    with pytest.raises(HeadtailError, match=r"img_emb_0\.npy cannot be attached"):
        run(shards, tmp_path / "emb")


@pytest.mark.parametrize(
    ("shards", "indexed"),
    [(NEWEST_FORM, True), (SampleForm(1), True), (SampleForm(1), False)],
    ids=["new form", "old form", "old form without indexes"],
    indirect=["shards"],
)
def test_caption_requests_tell_where_each_image_lies(shards: Path, tmp_path: Path, indexed: bool) -> None:
    if not indexed:
        for path in shards.glob("*.idx"):
            path.unlink()
    out = tmp_path / "requests"
    overrides = [f"output={tmp_path}", f"shards={shards}", "format=caption_requests", f"exported={out}"]
    export.run(compose_config("export", ExportConfig, overrides))
    rows = [row for path in sorted(out.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert [row["uid"] for row in rows] == [row["uid"] for row in rows_of(shards)]
    for row in rows:
        with tarfile.open(row["shard"]) as archive:
            image = archive.extractfile(row["member"]).read()
        assert Path(row["shard"]).read_bytes()[row["offset"] :][: row["size"]] == image
        assert row["text"] in row["texts"]
    assert {len(row["texts"]) for row in rows} == {1, 2, 3}


def test_old_tars_go_before_new_ones_come(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    for name in ("old", "new"):
        pq.write_table(pa.table({"uid": uids, "caption": [name] * 20}), tmp_path / f"{name}.parquet")
    run(shards, tmp_path / "old.parquet")
    stop_at_the_second_tar(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(shards, tmp_path / "new.parquet", "overwrite=true")
    assert {json.loads(data)["syn_text"][0] for data in members(shards).values()} == {"new"}
    assert not json.loads((shards / "captions/x/_manifest.json").read_text())["complete"]
    run(shards, tmp_path / "old.parquet")
    assert {json.loads(data)["syn_text"][0] for data in members(shards).values()} == {"old"}


def test_small_chunks_give_the_same_bytes(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    table = pa.table({"uid": uids * 3, "caption": [f"a photo {number}" for number in range(60)]})
    pq.write_table(table, tmp_path / "c.parquet")
    assert run(shards, tmp_path / "c.parquet")["same_key"] == 40
    whole = hashes(shards / "captions")
    shutil.rmtree(shards / "captions")
    monkeypatch.setattr(keyed_join, "CHUNK_BYTES", 300)
    run(shards, tmp_path / "c.parquet")
    assert hashes(shards / "captions") == whole


def test_no_more_than_a_chunk_of_values_is_held(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    pq.write_table(pa.table({"uid": uids, "caption": ["word " * 150] * 20}), tmp_path / "c.parquet")
    moved, held = list[int](), list[int]()
    write, windows = keyed_join.write_slices, Joined.windows

    def write_slices(path: str, table: pa.Table, *more: Any) -> None:
        if "value" in table.column_names:
            moved.append(table.nbytes)
        write(path, table, *more)

    def counted_windows(self: Joined) -> Iterator[tuple]:
        for start, end, values in windows(self):
            held.append(len(values))
            yield start, end, values

    monkeypatch.setattr(companions, "BATCH_ROWS", 1)
    monkeypatch.setattr(keyed_join, "CHUNK_BYTES", 2000)
    monkeypatch.setattr(keyed_join, "write_slices", write_slices)
    monkeypatch.setattr(Joined, "windows", counted_windows)
    run(shards, tmp_path / "c.parquet")
    assert max(moved) < 4000
    assert sum(moved) > 20 * 2 * 750
    assert held == [2] * 10


def test_companions_of_other_shards_are_refused(shards: Path, tmp_path: Path) -> None:
    table = pa.table({"uid": [row["uid"] for row in rows_of(shards)], "caption": ["a b"] * 20})
    pq.write_table(table, tmp_path / "c.parquet")
    run(shards, tmp_path / "c.parquet")
    manifest = json.loads((shards / "_manifest.json").read_text())
    manifest["files"][0]["tar_sha256"] = "0" * 64
    (shards / "_manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(HeadtailError, match="made from other shards: set overwrite=true"):
        run(shards, tmp_path / "c.parquet")


def test_shards_with_companions_are_checked_and_read_as_without(shards: Path, tmp_path: Path) -> None:
    table = pa.table({"uid": [row["uid"] for row in rows_of(shards)], "caption": ["a b"] * 20})
    pq.write_table(table, tmp_path / "c.parquet")
    before = list_files([str(shards)], (".tar",))
    run(shards, tmp_path / "c.parquet")
    tasks, problems = plan_checks(str(shards))
    assert not problems
    assert not [failure for task in tasks for failure in check_shard(task).failures]
    assert list_files([str(shards)], (".tar",)) == before
    manifest = shards / "captions/x/_manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"complete": False}))
    assert list_files([str(shards)], (".tar",)) == before


@pytest.mark.parametrize("column", ["vector", "embedding"])
@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float16()), pa.list_(pa.float64(), 4)])
def test_columns_of_vectors_become_arrays(shards: Path, tmp_path: Path, column: str, kind: pa.DataType) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    vectors = np.arange(80, dtype=kind.value_type.to_pandas_dtype()).reshape(20, 4)
    given = [None, *vectors[1:].tolist()]
    given[2] = [1.0, None, 2.0, 3.0]
    if kind.value_type == pa.float16():
        given = [row and [None if value is None else np.float16(value) for value in row] for row in given]
    pq.write_table(pa.table({"uid": uids, column: pa.array(given, kind)}), tmp_path / "v.parquet")
    assert run(shards, tmp_path / "v.parquet")["faulty_rows"] == 2
    found = {name: np.load(io.BytesIO(data), allow_pickle=False) for name, data in members(shards).items()}
    assert list(found) == [f"{uid}.npy" for uid in [uids[1], *uids[3:]]]
    stacked = np.stack(list(found.values()))
    assert stacked.dtype == vectors.dtype
    assert np.array_equal(stacked, vectors[[1, *range(3, 20)]])


def test_faulty_captions_are_counted(shards: Path, tmp_path: Path) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    long = "x" * (attachments.MAX_CAPTION_CHARS + 1)
    captions = [["a", None, "", "b"], None, [], [None], ["c"] * 101, [long], ["c"] * 100, *[["d"]] * 13]
    keys = [*uids[:7], "no uid", None, *uids[9:]]
    pq.write_table(pa.table({"uid": keys, "caption": captions}), tmp_path / "c.parquet")
    assert run(shards, tmp_path / "c.parquet")["faulty_rows"] == 7
    found = members(shards)
    assert list(found) == [f"{uid}.syn.json" for uid in [uids[0], uids[6], *uids[9:]]]
    assert json.loads(found[f"{uids[0]}.syn.json"]) == {"syn_text": ["a", "b"]}
    assert len(json.loads(found[f"{uids[6]}.syn.json"])["syn_text"]) == 100


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"uid": ["a"], "caption": [[["a"]]]}, "caption is a column of the type .*, expected a string or a list"),
        ({"uid": [1], "caption": ["a"]}, "uid is a column of the type int64, expected a string"),
        ({"uid": ["a"], "vector": [["a"]]}, "vector is a column of the type .*, expected a list of floats"),
        ({"uid": ["a"], "vector": [1.0]}, "vector is a column of the type double, expected a list of floats"),
        ({"uid": ["a"], "caption": ["a"], "vector": [[1.0]]}, "expected a key .* and one of caption"),
        ({"caption": ["a"]}, "expected a key"),
    ],
    ids=["nested", "number as uid", "texts as vector", "no list", "two values", "no key"],
)
def test_tables_of_other_columns_are_refused(
    shards: Path, tmp_path: Path, columns: dict[str, list], expected: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    with pytest.raises(HeadtailError, match=rf"c\.parquet cannot be attached: .*{expected}"):
        run(shards, tmp_path / "c.parquet")


def test_a_long_text_that_many_lists_name_takes_little_memory(shards: Path, tmp_path: Path) -> None:
    uids = [row["uid"] for row in rows_of(shards)]
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["x" * (1 << 20)])
    lists = pa.ListArray.from_arrays(pa.array(range(0, 20_001, 100), pa.int32()), texts)
    path = tmp_path / "c.parquet"
    pq.write_table(pa.table({"uid": uids * 10, "caption": lists}), path)
    facts = Counter[str]()
    tracemalloc.start()
    with counted_memory() as pool:
        assert list(attachments.read_attached(str(path), "", facts)) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert facts["faulty_rows"] == 200
    assert pool.max_memory() + peak < 300 << 20


def test_damaged_parquet_is_refused(shards: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"uid": ["a" * 24], "caption": ["a b"]}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:4] + bytes(40) + whole[44:]):
        (tmp_path / "c.parquet").write_bytes(damaged)
        with pytest.raises(HeadtailError, match=r"c\.parquet cannot be attached"):
            run(shards, tmp_path / "c.parquet")

"""Companion tars hold what belongs to each sample, in the shards' order, and count what fits nothing."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import AttachConfig, ExportConfig
from curation.core.errors import HeadtailError
from curation.images.ranges import Ranges
from jobs import attach, export
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, make_shards, stored


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Shards of 8, 8 and 4 samples; tasks run in this process."""
    downloads, lists = stored(tmp_path, curated_rows(URLS[:20]), bodies(20), Ranges(1, 0))
    make_shards(tmp_path, downloads, lists, Ranges(1, 0), size=8)
    for job in (attach, export):
        monkeypatch.setattr(job, "open_session", lambda *_, **__: None)
        monkeypatch.setattr(job, "run_tasks", lambda _, work, tasks, *__: [work(task).check() for task in tasks])
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


@pytest.mark.parametrize("key", ["uid", "sha256", "url"])
def test_captions_follow_the_order_of_the_shards(shards: Path, tmp_path: Path, key: str) -> None:
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


def test_a_killed_run_ends_with_the_same_bytes_and_other_data_are_refused(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"uid": [row["uid"] for row in rows_of(shards)], "caption": ["a b"] * 20})
    pq.write_table(table, tmp_path / "c.parquet")
    whole, calls = attach.write_companion, []

    def killed(task: Any) -> Any:
        calls.append(task)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(attach, "write_companion", killed)
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


@pytest.mark.parametrize("indexed", [True, False])
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

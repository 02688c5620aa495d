"""Checks of shards on an object store: an outage is no broken shard, whichever request it begins with."""

import io
import tarfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from curation.core import s3_store, storage
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.parquet_sink import write_rows
from curation.shards.check import CheckTask, check_shard
from curation.spark.shared_keys import _read_uids
from tests.faulty_store import Faults, FaultyStore, store_found_in

TASK = CheckTask("s3://bucket/s/00000.tar", "s3://bucket/s/00000.parquet", 1, "0")


def test_an_outage_is_no_broken_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "TRIES", 1)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        for name, size in (("0.json", 2), ("0.txt", 1), ("0.jpg", 400_000)):
            member = tarfile.TarInfo(name)
            member.size = size
            out.addfile(member, io.BytesIO(bytes(size)))
    uids = pa.record_batch({"task": [msgspec.json.encode(TASK.sidecar).decode()]})
    with FaultyStore(tmp_path) as server, store_found_in(server) as fs:
        fs.mkdir("bucket")
        storage.write_bytes(TASK.tar, tar.getvalue())
        write_rows(TASK.sidecar, pa.table({"uid": ["0"]}))
        monkeypatch.setattr(fs, "default_block_size", 1 << 17)
        server.begin(Faults())
        assert len(check_shard(TASK).failures) > 0
        assert server.requests["GET"] >= 4
        for requests in range(1, server.requests.total()):
            server.begin(Faults(down_after=requests))
            with pytest.raises(HeadtailError, match="start again when the store answers"), faults_as_lines():
                check_shard(TASK)
        with pytest.raises(HeadtailError, match="start again when the store answers"):
            list(_read_uids(iter([uids])))

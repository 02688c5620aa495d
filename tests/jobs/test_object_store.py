"""A whole run on s3://: archives, entry lists, tables, downloads, shards and report, byte for byte the local run's.

The store throttles, breaks connections, loses answers and lets credentials expire.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.schema.jobs import ShowConfig
from jobs import show
from tests.faulty_store import Faults, FaultyStore, store_found_in
from tests.jobs.calls import Calls, one_process
from tests.jobs.conftest import Sample
from tests.sample.run import changed

RUN = "s3://bucket/run"
FAULTS = Faults(
    slow_down=0.003, broken_upload=0.01, broken_download=0.01, lost_answer=0.01, expire_after=2000, renewed_after=1
)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    with FaultyStore(tmp_path) as store, store_found_in(store) as fs:
        fs.mkdir("bucket")
        store.begin(FAULTS)
        yield fs
        assert {"SlowDown", "broken_download", "ExpiredToken"} <= store.failed.keys()


@pytest.fixture
def calls(s3: Any) -> Iterator[Calls]:  # noqa: ARG001 the process finds the server in its environment
    with one_process() as calls:
        yield calls


def rows_and_bytes(folder: Path) -> dict[str, bytes]:
    """The files of a run that hold rows, bytes and images, by their paths."""
    tables = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "shards", "entries")
    files = [path for table in tables for path in sorted((folder / table).rglob("*.*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if not path.name.startswith((".", "_", "README"))
    }


def test_a_whole_run_lies_on_an_object_store(
    sample: Sample, finished: Path, tmp_path: Path, s3: Any, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put(f"{sample.folder}/wat/", "bucket/crawl/wat/", recursive=True)
    s3.put(f"{sample.folder}/entries/", "bucket/entries/", recursive=True)
    places = [f"output={RUN}", "source.paths=s3://bucket/crawl/wat", "entry_lists=s3://bucket/entries"]
    arguments = changed(sample.overrides(tmp_path), places)
    calls.headtail("curate", *arguments)

    s3.get("bucket/run/", f"{tmp_path}/run/", recursive=True)
    here, there = rows_and_bytes(finished), rows_and_bytes(tmp_path / "run")
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    assert told_of(tmp_path / "run") == told_of(finished)
    assert not [name for name in s3.find("bucket/run") if ".tmp" in name or "/.work" in name or "_slices" in name]

    again = calls.headtail("curate", *arguments)
    assert again.count(" is done: ") == 7
    assert " starts: " not in again

    show.run(ShowConfig(output=RUN))
    assert capsys.readouterr().out.endswith("nothing is missing\n")
    show.run(ShowConfig(output=RUN, table="curated"))
    assert ", of, " in capsys.readouterr().out  # a word of the table of entries
    show.run(ShowConfig(output=f"{RUN}/shards"))
    assert "keep_" in capsys.readouterr().out

    uids = pq.read_table(io.BytesIO(there["shards/00000.parquet"]))["uid"].to_pylist()
    tables = {"scores": {"clip": [0.5] * len(uids)}, "captions": {"caption": ["a kite"] * len(uids)}}
    for name, columns in tables.items():
        pq.write_table(pa.table({"uid": uids, **columns}), tmp_path / f"{name}.parquet")
        s3.put(f"{tmp_path}/{name}.parquet", f"bucket/{name}.parquet")
    given = ["scores=s3://bucket/scores.parquet", "captions.x=s3://bucket/captions.parquet"]
    asked = ["filter=width > 8 and clip > 0.3", "score_columns=true", *given, "overwrite=true"]
    calls.headtail("write_shards", f"output={RUN}", "spark.master=local[2]", *asked)
    with s3.open("bucket/run/shards/00000.parquet") as file:
        filtered = pq.read_table(file)
    assert set(filtered["clip"].to_pylist()) == {0.5}
    assert filtered["uid"].to_pylist() == uids
    assert b"".join(s3.cat(s3.glob("bucket/run/shards/*.tar")).values()).count(b'"caption_x":"a kite"') == len(uids)

    told = calls.headtail("check_shards", f"{RUN}/shards", "spark.master=local[2]")
    assert "are fit for training" in told
    uid = first_uid(there)
    calls.headtail("remove_samples", f"shards={RUN}/shards", f"uids=[{uid}]", "spark.master=local[2]")
    assert f"{uid}.json".encode() not in b"".join(s3.cat(s3.glob("bucket/run/shards/*.tar")).values())
    assert "are fit for training" in calls.headtail("check_shards", f"{RUN}/shards", "spark.master=local[2]")


def told_of(run: Path) -> dict[str, Any]:
    """What a report tells of the data; not how long it took, nor where it lies."""
    report = json.loads((run / "report/report.json").read_text())
    told = {name: report[name] for name in ("overview", "languages", "entries", "samples", "downloads")}
    files = {path.name: path.read_text().partition(",")[2] for path in (run / "report/entries").glob("*.js")}
    assert files
    return told | {"entries_in_files": files}


def first_uid(files: dict[str, bytes]) -> str:
    """The uid of the first sample of the first shard."""
    return files["shards/00000.tar"].split(b".json", 1)[0].decode()

"""A job that had work and gave nothing fails, and is not finished; what a later job would refuse is told first."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig, ExtractPairsConfig, MatchPairsConfig
from curation.core.errors import HeadtailError
from curation.core.tables import Table
from jobs import curate, extract_pairs, match_pairs, source_files

pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three images, with a column that holds no URL."""
    rows = [{"url": f"http://h.org/{row}.jpg", "text": f"kite {row}", "id": f"image {row}"} for row in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


def given(output: Path, source: Path, *settings: str) -> list[str]:
    return [
        f"output={output}", "source=table", f"source.paths={source}", "language.model=none", "languages=en", *settings,
    ]  # fmt: skip


def extract(output: Path, source: Path, *settings: str) -> int:
    extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, given(output, source, *settings)))
    return sum(part.receipt.rows_out for part in Table(f"{output}/pairs").parts())


def whole_chain(output: Path, source: Path, *settings: str) -> None:
    found = given(output, source, "download_images=false", "buckets=2", *settings)
    curate.run(compose_config("curate", CurateConfig, found))


def test_no_pair_is_an_error_and_the_corrected_command_needs_no_overwrite(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(HeadtailError, match=r"no pair of 3 rows \(bad_url 3\): are the URLs in id\? source.url_column"):
        extract(run, table, "source.url_column=id")
    assert Table(f"{run}/pairs").parts() == []
    assert extract(run, table) == 3
    with pytest.raises(HeadtailError, match="no pair of 3 rows"):
        extract(tmp_path / "none", table, "source.url_column=id", "files_per_part=1")
    assert extract(tmp_path / "none", table, "source.url_column=id", "allow_empty=true") == 0
    assert extract(tmp_path / "none", table, "source.url_column=id") == 0  # is done


def test_files_that_all_fail_are_not_finished(table: Path, tmp_path: Path) -> None:
    whole, run = table.read_bytes(), tmp_path / "run"
    table.write_bytes(whole[:-20])
    for limit in ((), ("source.limit=2",)):
        with pytest.raises(HeadtailError, match=r"1 of 1 input could not be read to their end"):
            extract(run, table, *limit)
    assert not list(run.rglob("_manifest.json"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "0.parquet").write_bytes(whole[:-20])
    (tmp_path / "more" / "1.parquet").write_bytes(whole)
    # A part of failures is finished where max_failed_share bears it.
    assert extract(tmp_path / "borne", tmp_path / "more", "files_per_part=1", "max_failed_share=0.5") == 3
    assert len(Table(f"{tmp_path}/borne/pairs").parts()) == 2
    table.write_bytes(whole)
    assert extract(run, table, "source.limit=2") == 2


def test_mistakes_are_told_before_the_session_starts(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_files, "open_session", lambda *_, **__: pytest.fail("a session was started"))
    (tmp_path / "removals.txt").write_text("what?\n")
    (tmp_path / "file").write_text("")
    for settings, told in (
        (["source.url_column=URL"], r"table.parquet: there is no column URL, only url, text, id"),
        (["source.url_column=URL", "source.limit=1"], r"table.parquet: there is no column URL, only url, text, id"),
        ([f"urls.removals={tmp_path}/removals.txt"], r"removals.txt, line 1: expected a uid"),
        (["source.kind=webdataset"], "it is a Parquet file, and source.kind is webdataset: set source=table"),
        ([f"pairs={tmp_path}/file/pairs"], f"{tmp_path}/file/pairs cannot be a folder: {tmp_path}/file is a file"),
    ):
        with pytest.raises(HeadtailError, match=told):
            extract(tmp_path / "run", table, *settings)
    assert os.listdir(tmp_path / "run") == []


def test_no_match_is_an_error_and_the_corrected_list_needs_no_overwrite(table: Path, tmp_path: Path) -> None:
    run, lists = tmp_path / "run", tmp_path / "lists"
    extract(run, table)
    lists.mkdir()

    def match(*entries: str) -> int:
        (lists / "en.json").write_text(json.dumps(entries))
        settings = [f"output={run}", f"entry_lists={lists}", "buckets=2"]
        match_pairs.run(compose_config("match_pairs", MatchPairsConfig, settings))
        return Table(f"{run}/matches").parts()[0].receipt.rows_out

    with pytest.raises(HeadtailError, match=r"en.json holds no usable entry"):
        match(" ")
    with pytest.raises(HeadtailError, match=r"no match of 3 rows \(unmatched 3\): see entry_lists"):
        match("dog")
    assert match("kite") == 3


def test_who_accepts_it_gets_a_report_of_nothing(table: Path, tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text('["kite"]')
    settings = (f"entry_lists={tmp_path}/en.json", "source.url_column=id")
    with pytest.raises(HeadtailError, match="no pair"):
        whole_chain(tmp_path / "run", table, *settings)
    whole_chain(tmp_path / "run", table, *settings, "allow_empty=true")
    assert json.loads((tmp_path / "run/report/report.json").read_text())
    whole_chain(tmp_path / "run", table, *settings)  # everything is done


def test_the_chain_refuses_at_its_start_what_its_last_jobs_would_refuse(table: Path, tmp_path: Path) -> None:
    run, lists = tmp_path / "run", tmp_path / "en.json"
    (tmp_path / "removals.txt").write_text("what?\n")
    (tmp_path / "file").write_text("")
    pq.write_table(pa.table({"uid": ["a"], "clip": [0.5]}), tmp_path / "scores.parquet")
    scores = f"scores={tmp_path}/scores.parquet"
    pq.write_table(pa.table({"datacomp_uid": ["a"], "caption": ["b"]}), tmp_path / "captions.parquet")
    lists.write_text('["kite"]')
    for settings, told in (
        (["filter=no_such_column > 1"], "filter='no_such_column > 1': .*no_such_column"),
        (["balance.t=5", "balance.reference=de"], "balance.reference=de is not matched: set it to one of en"),
        (["filter=width >"], "filter='width >': "),
        (["filter=width"], "filter='width': "),
        ([scores, "filter=clips > 0.3"], "filter='clips > 0.3': .*clips"),
        ([f"scores={tmp_path}/none"], "none names no file"),
        ([f"captions.x={tmp_path}/captions.parquet"], "captions: a table has the key datacomp_uid, and the pairs will"),
        ([f"captions.x={tmp_path}/scores.parquet"], "captions.x: .*expected caption"),
        ([f"removals={tmp_path}/removals.txt"], "removals.txt, line 1: expected a uid"),
        ([f"shards={tmp_path}/file/shards"], f"{tmp_path}/file is a file"),
        (["download_images=false", f"report={tmp_path}/file/report"], f"{tmp_path}/file is a file"),
    ):
        with pytest.raises(HeadtailError, match=told) as caught:
            whole_chain(run, table, f"entry_lists={lists}", "download_images=true", *settings)
        assert "\n" not in str(caught.value)
        assert os.listdir(run) == []
    lists.write_text('["kite"')
    with pytest.raises(HeadtailError, match=r"en.json is no entry list"):
        whole_chain(run, table, f"entry_lists={lists}")
    assert os.listdir(run) == []
    lists.write_text('["kite"]')
    whole_chain(run, table, f"entry_lists={lists}", scores, "filter=clips > 0.3")  # without shards nothing reads it

"""Shards that are there already through the whole chain: no image is fetched, the same guarantees hold."""

import importlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core.parts import sum_receipts
from curation.core.tables import Table
from curation.images.worker import LOADED_AS, _downloader
from curation.shards.shard_set import ShardSet
from jobs import download_images
from tests.jobs.conftest import Sample, rows, tar_bytes
from tests.sample_tars import picture, write_tar
from tests.sample_tars import sample as make_sample
from tests.shared_runs import over_shards

SHARDS = ("source=webdataset", "download.resize=original", "max_failed_share=0")


@pytest.fixture(scope="module")
def again(webdataset_run: Path) -> Path:
    """The sample's shards, curated once more."""
    return webdataset_run


def samples_of(run: Path) -> dict[str, dict]:
    """The side-cars' rows by uid."""
    (part,) = ShardSet(str(run / "shards")).parts()
    return {row["uid"]: row for row in rows_of(part.files)}


def rows_of(files: list[str]) -> list[dict]:
    return pa.concat_tables([pq.read_table(file) for file in files]).to_pylist()


def test_counts_add_up_and_images_are_those_that_were_there(finished: Path, again: Path) -> None:
    before, after = samples_of(finished), samples_of(again)
    pairs = sum_receipts(Table(str(again / "pairs")).parts()).check()
    assert pairs.rows_in == pairs.rows_out == len(before)  # each sample is a text of an image
    assert {row["uid"] for row in rows(again, "pairs").to_pylist()} == set(before)
    downloads = sum_receipts(Table(str(again / "downloads")).parts()).check()
    assert downloads.rows_in == downloads.rows_out == rows(again, "curated").num_rows > 50
    assert rows(again, "downloads")["http_status"].null_count == downloads.rows_in, "an image was fetched"
    assert set(after) <= set(before)
    for uid, row in after.items():
        assert (row["url"], row["text"]) == (before[uid]["url"], before[uid]["text"])
        assert (row["width"], row["height"]) == (before[uid]["width"], before[uid]["height"])
    (shards,) = ShardSet(str(again / "shards")).parts()
    assert shards.receipt.rows_in == downloads.rows_in
    assert (again / "report" / "index.html").exists()


def test_the_cut_into_tasks_changes_no_byte(sample: Sample, finished: Path, again: Path, tmp_path: Path) -> None:
    cut = ("buckets=7", "files_per_part=1", "download.images_per_list=16")
    run = sample.curate(tmp_path / "run", *over_shards(finished), *cut)
    assert len(Table(str(run / "pairs")).parts()) > 1
    assert tar_bytes(run) == tar_bytes(again)


def test_a_run_that_was_stopped_goes_on(
    sample: Sample, finished: Path, again: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*over_shards(finished), "download.images_per_list=16")
    with monkeypatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(download_images, "check_success", stop)  # after the first lists
        with pytest.raises(KeyboardInterrupt):
            sample.curate(tmp_path / "run", *settings)
    receipts = {path.name: path.read_text() for path in (tmp_path / "run/downloads").glob("part-*/range-*.json")}
    assert receipts
    sample.curate(tmp_path / "run", *settings)
    assert len(Table(str(tmp_path / "run/downloads")).parts()) == 2
    assert tar_bytes(tmp_path / "run") == tar_bytes(again)


def test_shards_of_img2dataset_and_without_urls(sample: Sample, tmp_path: Path) -> None:
    _downloader()  # its package without the command line, which asks the network and leaves temporary folders
    writers = importlib.import_module(f"{LOADED_AS}.writer")
    folder = tmp_path / "in"
    folder.mkdir()
    schema = pa.schema([("key", pa.string()), ("url", pa.string()), ("caption", pa.string())])
    for shard in range(2):
        writer = writers.WebDatasetSampleWriter(shard, str(folder), True, 5, schema, "jpg")
        for number in range(shard * 30, shard * 30 + 30):
            key, caption = f"{number:09d}", f"a red kite {number}"
            meta = {"key": key, "url": f"http://h.org/{number}.jpg", "caption": caption}
            writer.write(picture(number), key, caption, meta)
        writer.close()
    bare = [make_sample(f"x{number}", picture(number), f"a red kite {number}") for number in range(60, 90)]
    write_tar(folder / "bare.tar", [member for members in bare for member in members])
    (tmp_path / "en.txt").write_text("kite\nred\n")
    run = sample.curate(
        tmp_path / "run", f"source.paths={folder}", *SHARDS, f"entry_lists={tmp_path}/en.txt", "languages=en",
        "language.model=none", "balance.t=1000", "download.resize=no", "urls.allow_private_hosts=[]",
    )  # fmt: skip
    after = samples_of(run)
    assert sorted(row["text"] for row in after.values()) == sorted(f"a red kite {number}" for number in range(90))
    assert sum(not row["url"] and row["sha256"].startswith(uid) for uid, row in after.items()) == 30
    sizes = json.loads((run / "shards/sizes.json").read_text())
    assert sum(sizes.values()) == 90
    for row in after.values():
        with Image.open(io.BytesIO(picture(int(row["text"].split()[-1])))) as image:
            assert image.size == (row["original_width"], row["original_height"])

import io
import random
import struct
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import TaskContext
from pyspark.serializers import SpecialLengths
from pyspark.sql import SparkSession

from conf.schema.jobs import MatchPairsConfig
from conf.schema.topics import MatchingConfig, SparkConfig
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import MATCHES, PAIRS
from curation.core.seeds import salt_of
from curation.core.table_reader import read_rows, read_schema
from curation.core.tables import Table
from curation.matching.buckets import bucket_path, buckets_of, merge_bucket, plan_merge
from curation.matching.entry_store import EntryStore
from curation.matching.match import MATCHED, MatchTask, iter_matched
from curation.matching.merging import merge_images
from curation.spark.byte_shuffle import WholeValues, shuffle_tasks
from curation.spark.matching import match_to_buckets
from jobs import match_pairs
from tests.unit.matching.settings import match_settings

WORDS = ["dog", "cat", "a", "photo", "of", "猫", "Hund", "xyz"]


def make_pairs(seed: int, count: int = 500, images: int = 200) -> pa.Table:
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        image = draw.randrange(images)
        text = " ".join(draw.choices(WORDS, k=draw.randrange(1, 5)))
        uid = f"{image * 328:04x}{image:020x}"
        rows.append({
            "uid": uid, "url": f"http://host/{image}", "text": text, "text_key": draw.choice(["alt", "title"]),
            "lang": draw.choice(["en", "de", "zh", "fr"]), "lang_score": draw.choice([None, 0.5]), "page_url": None,
            "crawl": "c", "source_file": "f",
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PAIRS)


def write(path: Path, schema: pa.Schema, table: pa.Table) -> dict:
    with ParquetSink(str(path), schema) as sink:
        for batch in table.to_batches(max_chunksize=97):
            sink.write(batch)
    return sink.output()


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "en.txt").write_text("dog\ncat\na photo\nphoto of")
    (folder / "de.txt").write_text("Hund\nxyz")
    (folder / "zh.txt").write_text("猫")
    return folder


def expected(
    tables: list[pa.Table], store: EntryStore, max_texts: int = 64, salt: int = 0
) -> tuple[list[dict], Counter[str]]:
    """All pairs matched and merged in one go."""
    receipt = Receipt("all")
    matched = list(iter_matched(pa.concat_tables(tables).to_batches(), store, match_settings(), receipt))
    rows = pa.Table.from_batches(matched, MATCHED).sort_by("uid").to_batches()
    images = [image for batch in merge_images(rows, receipt.drops, max_texts, salt) for image in batch.to_pylist()]
    return images, +receipt.drops


def read_images(files: list[str]) -> list[dict]:
    return [row for file in files for row in read_rows(file, MATCHES).to_pylist()]


def test_each_receiver_gets_the_values_of_its_number(spark: SparkSession) -> None:
    def send(task: str) -> Iterator[tuple[int, bytes]]:
        for receiver in (3, 36, int(task)):
            yield receiver, f"{receiver} of {task}".encode()
        yield 36, b""

    def receive(values: Iterator[bytes]) -> Iterator[str]:
        receiver = TaskContext.get().partitionId()
        yield Receipt(f"{receiver}", failures=sorted(value.decode() for value in values)).to_json()

    receipts = shuffle_tasks(spark, [5, 3], send, 37, receive)
    assert [receipt.task for receipt in receipts] == [str(number) for number in range(37)]
    got = {int(receipt.task): receipt.failures for receipt in receipts if receipt.failures}
    assert got == {3: ["3 of 3", "3 of 3", "3 of 5"], 5: ["5 of 5"], 36: ["", "", "36 of 3", "36 of 5"]}


@pytest.mark.parametrize("files", [1, 7])
def test_the_cluster_gives_what_the_pure_functions_give(
    spark: SparkSession, lists: Path, tmp_path: Path, files: int
) -> None:
    store = EntryStore.open(str(lists))
    table = make_pairs(1)
    tasks = []
    for part in range(files):
        write(tmp_path / f"pairs-{part}.parquet", PAIRS, table.take(list(range(part, len(table), files))))
        tasks.append(MatchTask((str(tmp_path / f"pairs-{part}.parquet"),)))
    folder = str(tmp_path / "out")
    receipt = match_to_buckets(spark, tasks, store, match_settings(max_texts=2), 5, folder)
    images, drops = expected([table], store, max_texts=2)
    written = [bucket_path(folder, bucket) for bucket in range(5)]
    assert read_images(written) == images
    assert [output["path"] for output in receipt.outputs] == written
    assert (receipt.rows_in, receipt.rows_out) == (len(table), sum(len(image["texts"]) for image in images))
    assert receipt.drops == drops
    assert receipt.facts["images"] == len(images)
    for bucket, path in enumerate(written):
        uids = pa.array([image["uid"] for image in read_images([path])], pa.string())
        assert (buckets_of(uids, 5) == bucket).all()
        assert read_schema(path) == MATCHES


def test_a_uid_that_is_none_is_refused() -> None:
    for uid in ("", "abc", "ABCD", "zz00", None):
        with pytest.raises(ValueError, match="uid"):
            buckets_of(pa.array(["0000", uid]), 4)


class Run:
    """Runs of match_pairs on a pairs table that grows."""

    def __init__(self, folder: Path, lists: Path) -> None:
        self.folder, self.lists, self.tables = folder, lists, []

    def add(self, seed: int) -> None:
        table, number = Table(str(self.folder / "pairs")), len(self.tables)
        self.tables.append(make_pairs(seed))
        folder = table.begin(number)
        output = write(Path(folder) / "00000.parquet", PAIRS, self.tables[-1])
        receipt = Receipt("p", len(self.tables[-1]), len(self.tables[-1]), outputs=[output])
        table.commit(
            number, Recipe("extract_pairs", 1, {}, [{"path": str(seed), "size": 1, "version": ""}]), [receipt], 0
        )

    def run(self, **settings: object) -> None:
        values = {"output": str(self.folder), "pairs": str(self.folder / "pairs"),
                  "matches": str(self.folder / "matches"), "entries": str(self.folder / "entries"),
                  "entry_lists": str(self.lists), "buckets": 5,
                  "spark": SparkConfig()}  # fmt: skip
        match_pairs.run(MatchPairsConfig(**(values | settings)))

    def check(self) -> None:
        table = Table(str(self.folder / "matches"))
        (part,) = table.parts()
        images, _ = expected(self.tables, EntryStore.open(str(self.lists)))
        assert read_images(part.files) == images
        total = sum(len(pairs) for pairs in self.tables)
        assert (part.receipt.rows_in, part.receipt.rows_out) == (total, sum(len(image["texts"]) for image in images))
        assert part.receipt.facts["images"] == len(images)
        assert len(part.inputs()) == len(self.tables)
        assert part.receipt.check()
        assert not Table(str(self.folder / "matches" / "_waiting")).parts()


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, lists: Path) -> Run:  # noqa: ARG001
    return Run(tmp_path, lists)


def test_one_part_then_a_further_crawl_then_two_more(job: Run, capsys: pytest.CaptureFixture) -> None:
    job.add(1)
    job.run()
    job.check()
    job.run()
    assert "is done" in capsys.readouterr().err
    job.add(2)
    job.run()
    job.check()
    job.add(3)
    job.add(4)
    job.run()
    job.check()
    capsys.readouterr()
    job.run()
    assert "is done" in capsys.readouterr().err


def test_a_drawn_seed_salts_a_table_and_later_crawls_take_its_salt(job: Run, tmp_path: Path) -> None:
    job.add(1)
    job.run(seed=-9, matching=MatchingConfig(max_texts=1))
    (salted,) = Table(str(tmp_path / "matches")).parts()
    job.run(seed=9, matching=MatchingConfig(max_texts=1), matches=str(tmp_path / "given"))
    (given,) = Table(str(tmp_path / "given")).parts()
    assert salted.manifest["settings"] == {**given.manifest["settings"], "salt": salt_of(-9)}
    chosen = [{(row["uid"], text["text"]) for row in read_images(part.files) for text in row["texts"]}
              for part in (salted, given)]  # fmt: skip
    assert len(chosen[0]) == len(chosen[1])
    assert chosen[0] != chosen[1]
    job.add(2)
    job.run(seed=9, matching=MatchingConfig(max_texts=1))
    (merged,) = Table(str(tmp_path / "matches")).parts()
    assert merged.manifest["settings"] == salted.manifest["settings"]
    assert read_images(merged.files) == expected(job.tables, EntryStore.open(str(job.lists)), 1, salt_of(-9))[0]


def test_several_parts_at_once_give_the_bytes_of_one_by_one(job: Run, tmp_path: Path) -> None:
    job.add(1)
    job.run()
    job.add(2)
    job.run()
    one_by_one = [Path(file).read_bytes() for file in Table(str(tmp_path / "matches")).files()]
    job.run(matches=str(tmp_path / "again"))
    assert [Path(file).read_bytes() for file in Table(str(tmp_path / "again")).files()] == one_by_one


@pytest.mark.parametrize("moment", ["matching", "merging", "deleting"])
def test_a_run_that_is_killed_goes_on(
    job: Run, monkeypatch: pytest.MonkeyPatch, moment: str, capsys: pytest.CaptureFixture
) -> None:
    job.add(1)
    job.run()
    job.add(2)
    job.add(3)
    with monkeypatch.context() as patch:
        calls = []

        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        if moment == "matching":
            real = match_pairs.match_to_buckets
            patch.setattr(
                match_pairs, "match_to_buckets", lambda *args: stop() if calls else calls.append(1) or real(*args)
            )
        elif moment == "merging":
            patch.setattr(match_pairs, "merge_buckets", stop)
        else:
            patch.setattr("curation.matching.parts._delete", lambda parts: stop() if parts else None)
        with pytest.raises(KeyboardInterrupt):
            job.run()
    if moment == "deleting":
        assert len(Table(str(job.folder / "matches")).parts()) == 2
    capsys.readouterr()
    job.run()
    job.check()
    again = capsys.readouterr().err
    assert again.count("pairs of") == {"matching": 1, "merging": 0, "deleting": 0}[moment]


def test_finished_work_is_not_overwritten(job: Run, lists: Path, tmp_path: Path) -> None:
    job.add(1)
    job.run()
    with pytest.raises(HeadtailError, match=r"max_texts was 64, is 3\): set overwrite=true"):
        job.run(matching=MatchingConfig(max_texts=3))
    (lists / "de.txt").write_text("Hund")
    with pytest.raises(HeadtailError, match="the hash of entry_lists has changed"):
        job.run()
    job.run(overwrite=True)
    job.check()
    assert Table(str(tmp_path / "matches")).parts()[0].manifest["settings"]["edges"] == "script"


def test_pairs_may_have_further_columns(job: Run, tmp_path: Path) -> None:
    job.add(1)
    (file,) = Table(str(tmp_path / "pairs")).files()
    pairs = pq.read_table(file)
    pq.write_table(pairs.append_column("users", pa.array([0] * len(pairs))), file)
    job.run()
    job.check()
    pq.write_table(pairs.drop_columns("lang"), file)
    with pytest.raises(HeadtailError, match=r"00000.parquet has other columns than expected: lang is missing"):
        job.run(matches=str(tmp_path / "again"))
    assert not (tmp_path / "again").exists()


def test_merging_accounts_for_all(tmp_path: Path, lists: Path) -> None:
    store = EntryStore.open(str(lists))
    for part in range(2):
        images, _ = expected([make_pairs(part, images=20)], store)
        write(Path(bucket_path(str(tmp_path / str(part)), 0)), MATCHES, pa.Table.from_pylist(images, schema=MATCHES))
    (task,) = plan_merge([str(tmp_path / "0"), str(tmp_path / "1")], str(tmp_path / "out"), 1)
    receipt = partial(merge_bucket, max_texts=64)(task).check()
    texts = sum(len(image["texts"]) for file in task.inputs for image in read_images([file]))
    assert receipt.rows_in == texts
    assert receipt.drops["same_text"] > 0


def test_values_of_a_stream_that_is_cut_are_an_error() -> None:
    """Spark closes the stream of an attempt that it gives up: what has come is then not all of a bucket."""
    out = io.BytesIO()
    for value in (b"one", b""):
        out.write(struct.pack("!i", len(value)) + value)
    whole = out.getvalue() + struct.pack("!i", SpecialLengths.END_OF_DATA_SECTION)
    assert list(WholeValues().load_stream(io.BytesIO(whole))) == [b"one", b""]
    for size in range(len(whole)):
        with pytest.raises((EOFError, struct.error)):
            list(WholeValues().load_stream(io.BytesIO(whole[:size])))

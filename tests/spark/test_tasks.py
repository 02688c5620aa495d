"""How tasks run in the workers of Spark."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from curation.core import progress
from curation.core.beats import moved
from curation.core.meter import Reading
from curation.core.progress import Amount
from curation.core.receipts import Receipt
from curation.core.run_log import RunLog
from curation.core.tables import sweep
from curation.spark import watching
from curation.spark.tasks import PRELOAD, fork_from, run_tasks
from curation.spark.watching import count_tasks


@dataclass(frozen=True)
class Looking:
    """A task that looks at its process."""

    name: str


def look(task: Looking) -> Receipt:
    """Tell which processes these are, and which modules they have imported."""
    receipt = Receipt(task.name)
    receipt.facts["daemon"] = os.getppid()
    receipt.facts.update({name: int(name in sys.modules) for name in ("numba", "pandas", "curation.images.download")})
    return receipt


def test_no_task_pays_for_the_modules_of_its_worker(spark: SparkSession) -> None:
    def look(task: Looking) -> Receipt:
        receipt = Receipt(task.name)
        receipt.facts["objects"] = len(gc.get_objects())
        receipt.facts["frozen"] = gc.get_freeze_count()
        return receipt

    for receipt in run_tasks(spark, look, [Looking(name) for name in "abcdefgh"])[2:]:
        assert receipt.facts["frozen"] > 30_000
        assert receipt.facts["objects"] < 10_000


def test_a_list_of_tasks_is_one_stage_of_spark_in_their_order(spark: SparkSession) -> None:
    context = spark.sparkContext
    context.setJobGroup("one list", "")
    try:
        names = [f"{number}" for number in range(20)]
        assert [receipt.task for receipt in run_tasks(spark, look, [Looking(name) for name in names])] == names
        (job,) = context.statusTracker().getJobIdsForGroup("one list")
        info = context.statusTracker().getJobInfo(job)
        assert info
        assert len(info.stageIds) == 1
        stage = context.statusTracker().getStageInfo(info.stageIds[0])
        assert stage
        assert stage.numTasks == 20
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]  # Spark's way to take it back


def test_workers_are_forked_with_the_modules_of_their_stage_and_no_others(spark: SparkSession) -> None:
    environment = spark.sparkContext.environment
    before = environment.get(PRELOAD)
    fork_from(spark, "curation.images.download")
    environment["OF_THIS_TEST"] = "a daemon of its own: workers of other tests have imported what their tasks needed"
    try:
        facts = run_tasks(spark, look, [Looking("a")])[0].facts
    finally:
        del environment["OF_THIS_TEST"]
        environment.update({PRELOAD: before} if before else {})
    assert (facts["curation.images.download"], facts["numba"], facts["pandas"]) == (1, 0, 0)


def test_tasks_and_rows_of_sql_share_their_workers(spark: SparkSession) -> None:
    def daemons(_: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"daemon": [os.getppid()]})

    of_tasks = run_tasks(spark, look, [Looking("a")])[0].facts["daemon"]
    (row,) = spark.range(1, numPartitions=1).mapInArrow(daemons, "daemon long").collect()
    assert row.daemon == of_tasks


def test_heartbeats_arrive_while_tasks_run_and_leave_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of images is one task: without heartbeats its rows would be told at its end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = progress.start_run(RunLog("", "x"))
    wait = tmp_path / "seen"

    def work(task: Looking) -> Receipt:
        moved(7, "dns")
        until = time.monotonic() + 30
        while not wait.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return Receipt(task.name, 9, 8, Counter(dns=1))

    readings: list[Reading] = []

    def watch() -> None:
        while not readings or not readings[-1].done:
            time.sleep(0.02)
            if step := run.step():
                readings.append(step.reading(count_tasks()))
        wait.touch()

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    run_tasks(spark, work, [Looking("a")], amount=Amount(9, "images"))
    watcher.join()
    told = readings[-1]
    assert (told.step, told.unit, told.done, told.total, told.tasks_done) == ("work", "images", 7, 9, 0)
    assert told.reasons == Counter(dns=7)
    assert run.memory.worker > 1 << 20
    assert run.steps == []
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]


def test_without_a_place_for_heartbeats_tasks_run(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/no/such")
    (receipt,) = run_tasks(spark, lambda task: Receipt(task.name, 1, 1), [Looking("a")])
    assert receipt.rows_out == 1


def test_on_a_cluster_the_place_of_heartbeats_goes_with_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "is_local", lambda: False)
    progress.start_run(RunLog("", "x"))
    with watching.watched_step("x", 1, str(tmp_path / "part-00000")) as (beats, _):
        assert beats
        assert not beats.near
        (place,) = (tmp_path / "part-00000").iterdir()
        assert (str(place), place.name[0]) == (beats.folder, ".")
        (place / "a-1.json").write_text("{}")
    assert list((tmp_path / "part-00000").iterdir()) == []
    with watching.watched_step("x", 1, "") as (beats, _):
        assert beats is None  # finished tasks are all that is told
    killed = tmp_path / "part-00000" / place.name
    killed.mkdir()
    (killed / "a-1.json").touch()
    sweep(str(tmp_path / "part-00000"))
    assert not killed.exists()


def test_what_killed_drivers_leave_is_deleted(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    names = [f"{watching.PREFIX}{process.pid}-dead", f"{watching.PREFIX}{os.getpid()}-mine", "headtail-other"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a-1.json").touch()
    watching.sweep_dead(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])

"""What goes wrong on a cluster is one line; what would lose rows is refused."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from curation.core.attempts import failure_of_given_up
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.spark import faults
from curation.spark.faults import fault_line
from curation.spark.session import open_session, refuse_settings
from curation.spark.tasks import run_tasks


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("ModuleNotFoundError: No module named 'curation'", "the workers' Python lacks headtail: give spark-submit"),
        ("ModuleNotFoundError: No module named 'headtail'", "the workers' Python lacks headtail: give spark-submit"),
        ("Error from python worker:\n  headtail.names.NamesError: another package conf, /x/conf, was imported",
         "another package conf, /x/conf, was imported"),
        (
            'Lost task 0.3 (TID 3): java.io.IOException: Cannot run program "./env/bin/python": error=2, No such file',
            "the workers do not have the driver's Python",
        ),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.10 than that in driver: 3.11",
         "the workers run another version of Python"),
        ("ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: Command exited with "
         "code 137", "a task lost its executor spark.task.maxFailures times"),
        ("A secret key must be specified via the spark.authenticate.secret config.", "spark.authenticate=true needs a"),
        ("Traceback:\ncuration.core.errors.HeadtailError: worker-7: /data: No space left on device\n\n\tat org.apache",
         "worker-7: /data: No space left on device"),
    ],
    ids=["no curation", "no headtail", "a foreign package", "no Python", "another Python", "executors lost",
         "no secret", "a HeadtailError"],
)  # fmt: skip
def test_faults_of_a_cluster_have_a_line(monkeypatch: pytest.MonkeyPatch, message: str, expected: str) -> None:
    monkeypatch.setattr(faults, "is_local", lambda: False)  # another test may have left a local session
    line = fault_line(PySparkException(message))
    assert line is not None
    assert line.startswith(expected)
    assert "\n" not in line


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.10 than that in driver: 3.11",
            id="another Python",
        ),
        pytest.param(
            'java.io.IOException: Cannot run program "/no/python": error=2, No such file or directory', id="no Python"
        ),
    ],
)
def test_another_python_of_a_local_run_needs_no_archive(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    monkeypatch.setattr(faults, "is_local", lambda: True)
    monkeypatch.setenv("PYSPARK_PYTHON", "/no/python")
    line = fault_line(PySparkException(message))
    assert line is not None
    assert line.startswith("the workers' Python, /no/python, cannot be started, or is not of the driver's version")
    assert f"unset spark.python and PYSPARK_PYTHON, or use {sys.executable}" in line


def test_control_characters_of_a_message_are_shown_in_the_log(spark: SparkSession) -> None:
    assert logged(spark, "a\x1b[31mb\x07c\x9bd\u202ee\tf").endswith("a\\x1b[31mb\\x..c\\x..d\\x..e\tf\n")


def test_a_stack_in_the_log_comes_once_and_its_control_characters_are_shown(spark: SparkSession) -> None:
    told = logged(spark, "a", spark._jvm.java.lang.RuntimeException("b\x1bc"))
    assert told.split("\n")[0].endswith(": a")
    assert told.count("java.lang.RuntimeException: b\\x1bc") == 1


def logged(spark: SparkSession, message: str, thrown: object = None) -> str:
    """Return a line of Spark's log."""
    log4j = spark._jvm.org.apache.logging.log4j
    builder = log4j.core.impl.Log4jLogEvent.newBuilder().setLoggerName("test").setLevel(log4j.Level.ERROR)
    event = builder.setMessage(log4j.message.SimpleMessage(message)).setThrown(thrown).build()
    layout = log4j.LogManager.getContext(False).getConfiguration().getAppender("stderr").getLayout()
    return layout.toSerializable(event)


def test_what_is_no_known_fault_keeps_its_stack() -> None:
    assert fault_line(PySparkException("KeyError: 'x'")) is None


def test_a_file_that_a_worker_lacks_is_a_line(spark: SparkSession) -> None:
    def read(task: dict) -> Receipt:
        with open(task["path"]) as file:
            file.read()
        return Receipt("")

    with pytest.raises(HeadtailError, match=r"^/no/such/file: No such file or directory$"):
        run_tasks(spark, read, [{"path": "/no/such/file"}])


class _Session:
    """The part of a session that refuse_settings reads."""

    def __init__(self, **conf: str) -> None:
        self.conf = {key.replace("_", "."): value for key, value in conf.items()}
        self.sparkContext = self

    def getConf(self) -> dict[str, str]:  # noqa: N802
        return self.conf


@pytest.mark.parametrize(
    ("failures", "excluded", "refused"), [(2, "true", True), (3, "true", False), (1, "false", False)]
)
def test_fewer_tries_than_spark_can_bear_are_refused(failures: int, excluded: str, refused: bool) -> None:
    session = _Session(spark_task_maxFailures=str(failures), spark_excludeOnFailure_enabled=excluded)
    if refused:
        with pytest.raises(
            HeadtailError, match=r"spark.task.maxFailures=2 is too low .* set spark.*maxFailures to 3 or more"
        ):
            refuse_settings(session)  # type: ignore[arg-type]
    else:
        refuse_settings(session)  # type: ignore[arg-type]


def test_settings_that_leave_rows_out_are_refused(spark: SparkSession) -> None:
    spark.conf.set("spark.sql.files.ignoreCorruptFiles", "true")
    try:
        with pytest.raises(HeadtailError, match=r"ignoreCorruptFiles=true would silently drop rows"):
            open_session("tests", "local[2]", "1g", {})
    finally:
        spark.conf.unset("spark.sql.files.ignoreCorruptFiles")


@dataclass(frozen=True)
class Reading:
    """A task that ends its process if it is named so."""

    name: str


def test_a_task_that_ends_its_process_twice_is_given_up(spark: SparkSession, tmp_path: Path) -> None:
    def read(task: Reading) -> Receipt:
        with open(tmp_path / task.name, "a") as file:
            file.write("x")
        if task.name == "deadly":
            os._exit(1)
        return Receipt(task.name, rows_in=1, rows_out=1)

    def give_up(task: Reading) -> Receipt:
        return Receipt(task.name, failures=[failure_of_given_up(task.name)])

    tasks = [Reading(name) for name in ("a", "deadly", "b")]
    receipts = run_tasks(spark, read, tasks, str(tmp_path / "part"), give_up)
    assert [(receipt.task, receipt.rows_out) for receipt in receipts] == [("a", 1), ("deadly", 0), ("b", 1)]
    assert [failure["reason"] for failure in receipts[1].failures] == ["given_up"]
    assert [(tmp_path / task.name).read_text() for task in tasks] == ["x", "xx", "x"]


def test_a_task_that_ends_with_an_error_is_tried_once_on_this_machine(spark: SparkSession, tmp_path: Path) -> None:
    def read(task: Reading) -> Receipt:
        with open(tmp_path / "tries", "a") as file:
            file.write("x")
        raise HeadtailError(f"{task.name} is broken")

    assert int(spark.sparkContext.master.rpartition(",")[2].rstrip("]")) > 1
    with pytest.raises(HeadtailError, match=r"^a is broken$"):
        run_tasks(spark, read, [Reading("a")], str(tmp_path / "part"))
    assert (tmp_path / "tries").read_text() == "x"

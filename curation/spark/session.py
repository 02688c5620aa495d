"""The Spark session of a job."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from curation.core.errors import HeadtailError
from curation.spark.faults import fault_line
from curation.spark.java import ensure_java

SETTINGS = {
    # A batch is bounded in bytes as well as rows: one page can hold megabytes of text.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16384",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
    # Spark's rows at level 1 take 1.5 times the bytes of the table that is written of them, at level 3 1.2 times.
    "spark.io.compression.codec": "zstd",
    "spark.io.compression.zstd.level": "3",
    "spark.sql.session.timeZone": "UTC",
    # A library of img2dataset would ask the network for its updates.
    "spark.executorEnv.NO_ALBUMENTATIONS_UPDATE": "1",
    # Arrow's own pool keeps what a task has freed, and so does the system's where large blocks are not mapped.
    "spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL": "system",
    "spark.executorEnv.MALLOC_MMAP_THRESHOLD_": "262144",
}


def open_session(
    name: str,
    master: str | None,
    driver_memory: str,
    conf: Mapping[str, str],
    fallbacks: Mapping[str, str] | None = None,
    python: str | None = None,
) -> SparkSession:
    """Return the session of a job: spark-submit's, where that started us, else a local one.

    `master` None leaves the choice to spark-submit (local[*] without it); `conf` wins over our settings, `fallbacks`
    are for what spark-submit and the cluster leave open. Raises HeadtailError for settings that lose data.
    """
    os.environ.setdefault("PYSPARK_PYTHON", python or sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    builder = SparkSession.builder.appName(f"headtail {name}")
    given = _given() if submitted else frozenset()
    ours = {key: value for key, value in (fallbacks or {}).items() if key not in given} | SETTINGS
    if not submitted:
        ensure_java()
        ours |= {
            "spark.driver.memory": driver_memory,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_log_settings()}",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
        }
        builder = builder.master(master or "local[*]")
        if master and not master.startswith("local"):
            del ours["spark.driver.host"], ours["spark.driver.bindAddress"]
    elif master:
        builder = builder.master(master)
    for key, value in {**ours, **conf}.items():
        builder = builder.config(key, value)
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        spark = builder.getOrCreate()
    except Py4JError as error:
        raise HeadtailError(fault_line(error) or f"Spark does not start: {error}") from error
    if threading.current_thread() is threading.main_thread():
        # pyspark's own handler first asks the JVM, over a connection that may be in the middle of an answer.
        signal.signal(signal.SIGINT, interrupted)
    # An error of a user's SQL expression would be told with 10 kB of JSON before our line.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    refuse_settings(spark)
    if submitted:
        _quieten(spark)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _given() -> frozenset[str]:
    """The settings of spark-submit's command line and of the cluster's spark-defaults.conf: the JVM knows them."""
    SparkContext._ensure_initialized()
    return frozenset(key for key, _ in SparkConf().getAll())


def refuse_settings(spark: SparkSession) -> None:
    """Raise HeadtailError where settings would leave rows out without a word, or stop Spark's scheduler."""
    for key in ("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles"):
        if spark.conf.get(key, "false").lower() == "true":
            raise HeadtailError(f"{key}=true would leave rows out without a word: set it to false")
    conf = spark.sparkContext.getConf()
    failures = int(conf.get("spark.task.maxFailures", "4"))
    on_one = int(conf.get("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "2"))
    if conf.get("spark.excludeOnFailure.enabled", "false").lower() == "true" and failures <= on_one:
        raise HeadtailError(
            f"spark.task.maxFailures={failures} is too low for spark.excludeOnFailure.enabled=true, which gives a task "
            f"{on_one} attempts on one machine: set it to {on_one + 1} or more, or the other to false"
        )


def _quieten(spark: SparkSession) -> None:
    """Give the driver's log our settings: spark-submit has set up its own by now."""
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    settings = jvm.java.io.File(_log_settings()).toURI()
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(settings)


def _log_settings() -> str:
    return str(files("curation.spark") / "log4j2.properties")


def close_session() -> None:
    """Stop the session, if there is one, and if its JVM still is: a terminal's Ctrl-C goes to both."""
    with suppress(Py4JError, OSError):
        if spark := SparkSession.getActiveSession():
            spark.stop()

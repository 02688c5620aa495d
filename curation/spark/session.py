"""The Spark session of a job."""

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from curation.core import progress
from curation.core.attempts import MAX_DEATHS
from curation.core.errors import HeadtailError, shows_stacks
from curation.core.imports import absent
from curation.core.progress import say, waiting
from curation.spark.class_archive import archive_options
from curation.spark.environment import LOOPBACK, given_settings, is_local_master, name_user, prepare_environment
from curation.spark.faults import fault_line, is_local
from curation.spark.java import started_java
from curation.spark.jvm import LOG_LEVEL, OPTION_VARIABLES, start_jvm, with_cure
from curation.spark.watching import count_tasks
from headtail.names import worker_variables

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
DAEMON = "spark.python.daemon.module"
PY_FILES = "spark.submit.pyFiles"
SETTINGS = {
    # Batches are bounded in bytes too: one page can hold megabytes of text.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16384",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
    "spark.io.compression.codec": "zstd",
    "spark.io.compression.zstd.level": "3",
    # Java's streams otherwise keep the last hundred objects: 50 blocks of each bucket while matching is shuffled.
    "spark.serializer.objectStreamReset": "1",
    "spark.sql.session.timeZone": "UTC",
    # Arrow's own memory pool does not return freed memory to the system; malloc does so only for mapped blocks.
    "spark.executorEnv.ARROW_DEFAULT_MEMORY_POOL": "system",
    "spark.executorEnv.MALLOC_MMAP_THRESHOLD_": "262144",
    DAEMON: "headtail.daemon",
    # As Spark SQL sets it. With another value, tasks and rows of SQL would each have workers of their own.
    "spark.executorEnv.SPARK_SIMPLIFIED_TRACEBACK": "1",
}
PATIENT_COMPILER = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 -XX:Tier4CompileThreshold=150000 "
    "-XX:Tier4BackEdgeThreshold=400000"
)
"""Ten times Java's thresholds: its optimizing compiler otherwise takes a third of the JVM's time in a short job."""


_checks: list[Callable[[SparkSession], None]] = []


@contextmanager
def on_start(check: Callable[[SparkSession], None]) -> Iterator[None]:
    """Call `check` once within the block, when the first job of it opens the session: before any work is done.

    A chain of jobs whose work is done opens no session, and is not checked.
    """
    _checks.append(check)
    try:
        yield
    finally:
        if check in _checks:
            _checks.remove(check)


def open_session(
    name: str,
    master: str | None,
    driver_memory: str,
    conf: Mapping[str, str],
    fallbacks: Mapping[str, str] | None = None,
    python: str | None = None,
    ui: bool = False,
) -> SparkSession:
    """Return the session of a job: spark-submit's session if spark-submit started the process, else a new one.

    With `master` None, spark-submit chooses the master; without spark-submit it is local[*]. `conf` overrides the
    settings of this module. `fallbacks` apply where neither spark-submit nor the cluster sets a value. With `ui`
    Spark's pages are up, and a line tells their address. Raises HeadtailError for settings that would lose data.
    """
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    given = _submitted_settings() if submitted else {}
    if starts := not submitted and SparkContext._gateway is None:
        prepare_environment(conf.get("spark.master", _with_attempts(master or "local[*]")), python)
    named = given.keys() if submitted else given_settings()
    ours = {"spark.app.name": f"headtail {name}"}
    ours |= {key: value for key, value in (fallbacks or {}).items() if key not in named} | SETTINGS
    if given.get(PY_FILES) or conf.get(PY_FILES):  # spark-submit sets it, empty, for each job in Python
        del ours[DAEMON]  # workers may find headtail only in these files, which they see when their first task begins
    if submitted:
        os.environ.setdefault("PYSPARK_PYTHON", python or sys.executable)
        ours |= {"spark.master": master} if master else {}
    else:
        ours |= {
            "spark.master": _with_attempts(master or "local[*]"),
            "spark.driver.memory": driver_memory,
            "spark.ui.enabled": "false",
            "spark.ui.killEnabled": "false",  # whoever sees the pages could stop the run
            JAVA_OPTIONS: f"-Dlog4j2.configurationFile={_log_settings()} -D{LOG_LEVEL}=warn {PATIENT_COMPILER}",
        }
        if is_local_master(ours["spark.master"]):
            ours |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    if ui:
        ours["spark.ui.enabled"] = "true"
    settings = {**ours, "spark.ui.showConsoleProgress": "false", **conf}
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    is_new = SparkContext._active_spark_context is None
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        with waiting("starting Spark"), absent("pandas"):  # pyspark would look whether pandas is there
            if starts:
                _start(settings)
            spark = builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise HeadtailError(with_cure(fault_line(error) or f"Spark does not start: {error}")) from error
    if threading.current_thread() is threading.main_thread():
        # pyspark's handler would first call the JVM, over a connection that may be in use.
        signal.signal(signal.SIGINT, interrupted)
    # For an error in a user's SQL expression, this logger prints 10 kB of JSON.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    spark.sparkContext.environment |= worker_variables(is_local())
    refuse_settings(spark)
    if submitted:
        _apply_log_settings(spark)
    spark.sparkContext.setLogLevel("ERROR" if submitted else "WARN")
    progress.run.track = count_tasks
    if ui and is_new and (address := spark.sparkContext.uiWebUrl):
        say("spark", f"its pages are at {address}")
    while _checks:
        _checks.pop(0)(spark)
    return spark


def _start(settings: Mapping[str, str]) -> None:
    """Start the JVM of this process, and tell pyspark of it."""
    home, options = Path(os.environ["JAVA_HOME"]), settings.get(JAVA_OPTIONS, "")
    given = [options, settings.get("spark.driver.defaultJavaOptions", ""), *map(os.environ.get, OPTION_VARIABLES)]
    archive = archive_options(started_java(home), home, list(filter(None, given)))
    if packages := settings.get("spark.jars.packages"):
        say("spark", f"fetches {packages}, unless this machine has them")
    try:
        gateway = start_jvm({**settings, JAVA_OPTIONS: " ".join([options, *map(shlex.quote, archive)])})
    except HeadtailError:
        if not archive:
            raise
        gateway = start_jvm(settings)  # a file of options or spark-defaults.conf can be at odds with the archive
    name_user(gateway)
    SparkContext._ensure_initialized(gateway=gateway)


def _with_attempts(master: str) -> str:
    """Return a local master with as many attempts at a task as give_up of run_tasks needs; Spark's own default is one.

    >>> _with_attempts("local"), _with_attempts("local[*]"), _with_attempts("local[4, 1]"), _with_attempts("yarn")
    ('local[1, 3]', 'local[*, 3]', 'local[4, 1]', 'yarn')
    """
    if threads := re.fullmatch(r"local(?:\[(\*|\d+)\])?", master):
        return f"local[{threads[1] or 1}, {MAX_DEATHS + 1}]"
    return master


def _submitted_settings() -> dict[str, str]:
    """Return the settings of spark-submit's command line and of the cluster's spark-defaults.conf."""
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def refuse_settings(spark: SparkSession) -> None:
    """Raise HeadtailError for Spark settings that would silently drop rows, or stop Spark's scheduler."""
    for key in ("spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles"):
        if (spark.conf.get(key, "false") or "").lower() == "true":
            raise HeadtailError(f"{key}=true would silently drop rows: set it to false")
    conf = spark.sparkContext.getConf()
    failures = int(conf.get("spark.task.maxFailures", "4"))
    on_one = int(conf.get("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "2"))
    if conf.get("spark.excludeOnFailure.enabled", "false").lower() == "true" and failures <= on_one:
        raise HeadtailError(
            f"spark.task.maxFailures={failures} is too low for spark.excludeOnFailure.enabled=true, which gives a task "
            f"{on_one} attempts on one machine: set spark.task.maxFailures to {on_one + 1} or more, or "
            "spark.excludeOnFailure.enabled to false"
        )


def _apply_log_settings(spark: SparkSession) -> None:
    """Apply our log settings to a driver that spark-submit has configured."""
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    if not shows_stacks():
        jvm.java.lang.System.setProperty("headtail.stack", "none")
    settings = jvm.java.io.File(_log_settings()).toURI()
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(settings)


def _log_settings() -> str:
    return str(files("curation.spark") / "log4j2.properties")


def close_session() -> None:
    """Stop the session if one is active. Its JVM may be gone: Ctrl-C in a terminal reaches both processes."""
    with suppress(Py4JError, OSError):
        if spark := SparkSession.getActiveSession():
            spark.stop()

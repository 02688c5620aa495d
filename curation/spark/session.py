"""The Spark session of a job."""

import os
import sys
from importlib.resources import files

from pyspark.sql import SparkSession

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


def open_session(name: str, master: str | None, driver_memory: str, conf: dict[str, str]) -> SparkSession:
    """Return the session of a job: spark-submit's, where that started us, else a local one.

    `master` None leaves the choice to spark-submit (local[*] without it); `conf` wins over our settings.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    builder = SparkSession.builder.appName(f"headtail {name}")
    ours = dict(SETTINGS)
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
    for key, value in (ours | conf).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _log_settings() -> str:
    return str(files("curation.spark") / "log4j2.properties")


def close_session() -> None:
    """Stop the session, if there is one."""
    if spark := SparkSession.getActiveSession():
        spark.stop()

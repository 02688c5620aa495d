"""A standalone master and its workers, processes of their own that run this environment's Python, a core each.

Spark's "one core" is one task at a time: its executor and the Python beside it would take two if they could. So each
worker, with all that it starts, is bound to a core of its own, as on a machine that has one.
"""

import os
import re
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pyspark

from curation.spark.java import ensure_java

SPARK = Path(pyspark.__file__).parent
STARTING_SECONDS = 120


class Standalone:
    """One master and workers of one core each, in `folder`; `master` is its address."""

    def __init__(self, folder: Path, workers: int, memory: str = "2g") -> None:
        self.folder, self.workers, self.memory = folder, workers, memory
        self._processes: list[subprocess.Popen] = []

    def __enter__(self) -> Self:
        ensure_java()
        started = re.compile(r"Starting Spark master at (spark://\S+)")
        self.master = self._start("master", started, "master.Master", "--host", "127.0.0.1", "--port", "0")
        cores = sorted(os.sched_getaffinity(0))
        for number in range(self.workers):
            options = ("--host", "127.0.0.1", "--cores", "1", "--memory", self.memory, self.master)
            name = f"worker-{number}"
            work = str(self.folder / name)
            registered = re.compile(r"Successfully registered with master (\S+)")
            self._start(name, registered, "worker.Worker", "--work-dir", work, *options, core=cores[number])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)

    def _start(self, name: str, sign: re.Pattern[str], role: str, *options: str, core: int | None = None) -> str:
        """Start a process and return what its log says once it is up."""
        log = self.folder / f"{name}.log"
        command = [str(SPARK / "bin/spark-class"), f"org.apache.spark.deploy.{role}", "--webui-port", "0", *options]
        if core is not None:
            command = ["taskset", "--cpu-list", str(core), *command]
        with log.open("wb") as output:
            environment = os.environ | {"SPARK_HOME": str(SPARK)}
            self._processes.append(
                subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=self.folder)
            )
        for _ in range(10 * STARTING_SECONDS):
            if found := sign.search(log.read_text()):
                return found[1]
            time.sleep(0.1)
        raise RuntimeError(f"{name} does not start: {log.read_text()[-2000:]}")

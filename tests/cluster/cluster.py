"""A real Spark cluster on this machine: one master and workers, processes that share the disk and nothing else.

A worker knows neither the project nor the Python that it is installed in: its environment is empty but for Spark and
Java, its folder is its own, and what its executors run comes out of the packed archive. Whatever belongs to a process
is ended through the session it started, by pid.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyspark

from curation.spark.java import java_home
from tests.conftest import QUICK_JVM

HOST = "127.0.0.1"
STARTING_SECONDS = 120


@dataclass
class Worker:
    """A worker's process and the folder it works in."""

    process: subprocess.Popen
    folder: Path


class Cluster:
    """A standalone cluster whose workers have one core each; `submit` runs a job on it from the packed archive."""

    def __init__(self, folder: Path, archive: Path, workers: int = 2, host: str = HOST) -> None:
        self.folder, self.archive, self.host = folder, archive, host
        self.workers: list[Worker] = []
        self._submitted: list[subprocess.Popen] = []
        self.home = folder / "spark"
        self.driver = folder / "driver"
        self._wanted = workers
        self._port, self._web_port = free_port(), free_port()

    @property
    def master(self) -> str:
        """The address of the master."""
        return f"spark://{self.host}:{self._port}"

    def __enter__(self) -> Self:
        self._lay_out()
        address = ["--host", self.host, "--port", str(self._port), "--webui-port", str(self._web_port)]
        main = ["org.apache.spark.deploy.master.Master", *address]
        self._master = self._spawn(main, self.folder / "master", self.host)
        try:
            for _ in range(self._wanted):
                self.start_worker()
            self.wait_for_workers(self._wanted)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._submitted, *(worker.process for worker in self.workers), self._master):
            end_session(process)

    def _lay_out(self) -> None:
        """Give the cluster a Spark of its own, the one that pyspark brings, and the driver an unpacked archive."""
        package = Path(pyspark.__file__).parent
        self.home.mkdir(parents=True)
        for name in ("bin", "sbin", "jars"):
            (self.home / name).symlink_to(package / name)
        shutil.copytree(package / "python" / "lib", self.home / "python" / "lib")
        (self.home / "conf").mkdir()
        defaults = f"spark.authenticate true\nspark.authenticate.secret {secrets.token_hex(32)}\n"
        (self.home / "conf" / "spark-defaults.conf").write_text(defaults)
        self.driver.mkdir()
        subprocess.run(["tar", "-xzf", str(self.archive), "-C", str(self.driver)], check=True)

    def start_worker(self, within: Sequence[str] = (), host: str | None = None) -> Worker:
        """Start a worker with a core, in a folder of its own; `within` is a command that runs what follows it."""
        folder = self.folder / f"worker-{len(self.workers)}"
        options = ["--host", host or self.host, "--cores", "1", "--memory", "2g", "--webui-port", str(free_port())]
        main = ["org.apache.spark.deploy.worker.Worker", *options, "--work-dir", str(folder), self.master]
        self.workers.append(Worker(self._spawn(main, folder, host or self.host, within), folder))
        return self.workers[-1]

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers are there."""
        deadline = time.monotonic() + STARTING_SECONDS
        while self.alive_workers() != count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.alive_workers()} of {count} workers came: see {self.folder}/*/log")
            time.sleep(0.1)

    def alive_workers(self) -> int:
        """Return how many workers the master counts on."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self._web_port}/json/", timeout=5) as answer:
                return json.load(answer)["aliveworkers"]
        except (OSError, ValueError):  # a master that is just starting may answer with nothing
            return 0

    def kill_worker(self, worker: Worker) -> None:
        """Kill a worker with its executors and all their Python, as when a machine goes down."""
        end_session(worker.process)

    def executors(self, worker: Worker) -> list[int]:
        """Return the pids of a worker's executors."""
        return [pid for pid, command in session(worker.process.pid) if "CoarseGrainedExecutorBackend" in command]

    def kill_executor(self, worker: Worker) -> bool:
        """Kill a worker's executors, as when memory runs out; whether there was one."""
        found, copies = self.executors(worker), list(worker.folder.glob("app-*/*/env"))
        for pid in found:
            kill(pid)
        for copy in copies if found else []:
            shutil.rmtree(copy, ignore_errors=True)  # of the archive, a GB
        return bool(found)

    def submit(
        self, job: str, *settings: str, conf: dict[str, str] | None = None, archived: bool = True
    ) -> subprocess.Popen:
        """Start a job as a user does, or as one who forgets the archive; all that it says goes to one pipe."""
        given = {
            "spark.pyspark.driver.python": str(self.driver / "bin" / "python"),
            "spark.executor.cores": "1",
            "spark.executor.memory": "1g",
            "spark.executor.extraJavaOptions": QUICK_JVM,
            "spark.driver.memory": "1g",
            "spark.ui.enabled": "false",
            **(conf or {}),
        }
        command = [str(self.home / "bin" / "spark-submit"), "--master", self.master]
        command += ["--archives", f"{self.archive}#env"] if archived else []
        command += [word for key, value in given.items() for word in ("--conf", f"{key}={value}")]
        folder = self.folder / "submitted"
        folder.mkdir(exist_ok=True)
        for copy in self.folder.glob("worker-*/app-*/*/env"):
            shutil.rmtree(copy, ignore_errors=True)
        process = subprocess.Popen(
            [*command, str(self.driver / "packages" / "jobs" / f"{job}.py"), "spark=standalone", *settings],
            cwd=folder, env=self._environment(folder, self.host), start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._submitted.append(process)
        return process

    def _spawn(self, main: list[str], folder: Path, host: str, within: Sequence[str] = ()) -> subprocess.Popen:
        folder.mkdir()
        with open(folder / "log", "w") as log:
            return subprocess.Popen(
                [*within, str(self.home / "bin" / "spark-class"), *main],
                cwd=folder, env=self._environment(folder, host), start_new_session=True, stdout=log, stderr=log,
            )  # fmt: skip

    def _environment(self, folder: Path, host: str) -> dict[str, str]:
        """Of a process: nothing is inherited."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "SPARK_HOME": str(self.home),
            "JAVA_HOME": java_home(),
            "SPARK_LOCAL_IP": host,
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": QUICK_JVM,
            "SPARK_SUBMIT_OPTS": QUICK_JVM,
            "SPARK_LAUNCHER_OPTS": QUICK_JVM,
        }


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def session(leader: int) -> Iterator[tuple[int, str]]:
    """Yield pid and command line of the processes of a session."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":
                    yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def kill(pid: int) -> None:
    """Kill a process without warning, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end_session(process: subprocess.Popen) -> None:
    """Kill a process that leads a session, with all that it started, until nothing is left."""
    while found := list(session(process.pid)):
        for pid, _ in found:
            kill(pid)
        time.sleep(0.01)
    process.wait()

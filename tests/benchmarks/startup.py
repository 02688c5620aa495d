"""What a job costs beside its rows: `make bench NAME=startup`.

- `ratio_bare_session`: `extract_pairs` over ten rows, from typing to its end, over a pyspark session with one
  mapInArrow, which uses the archive of Spark's classes, too. `ratio_plain_session` compares with a session of plain
  pyspark, which has none. Both sides are taken in turn; the fastest of each counts. The first of all runs, which writes
  the archive, and compiles kernels, does not count.
- `help_seconds`: the slowest of `headtail --help`, `headtail curate --help` and a mistake.
- `workers`: for each stage, seconds of CPU for its modules, paid once on a machine, and for a worker; its resident
  memory before its first byte in MB, and the part that it does not share with other workers (`own_mb`).
- `task_ms`, `bucket_ms`: what a further task costs (1 and 101 tasks without rows), and a further bucket of
  `match_pairs` (64 and 587), in milliseconds of two cores; `jvm_task_ms` is the JVM's CPU time for a task.
- `parts`: where the seconds of the ten rows go.

The last line is one JSON object. Arguments: rounds=3 master=local[2]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark

from conf.compose import compose_config
from conf.schema.jobs import MatchPairsConfig
from curation.core.receipts import Receipt
from curation.spark.class_archive import archive_options
from curation.spark.java import java_home, started_java
from curation.spark.session import close_session, open_session
from curation.spark.tasks import fork_from, run_tasks
from jobs import match_pairs
from tests.benchmarks.memory import descendants

ROOT = Path(__file__).parents[2]
BARE = """
import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master(sys.argv[1]).config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.extraJavaOptions", sys.argv[2])
spark = builder.getOrCreate()
assert len(spark.range(10, numPartitions=2).mapInArrow(lambda batches: batches, "id long").collect()) == 10
spark.stop()
"""
PARTS = """
import sys, time
began, seen = float(sys.argv.pop(1)), []
def mark(name): seen.append((name, time.time()))
mark("python")
import jobs.cli, conf.compose, conf.schema.jobs
config = conf.compose.compose_config("extract_pairs", conf.schema.jobs.ExtractPairsConfig, sys.argv[1:])
mark("settings")
import jobs.extract_pairs as job, jobs.source_files as start, curation.spark.session as session
mark("imports")
def marked(module, name, before, after):
    function = getattr(module, name)
    def call(*given, **named):
        mark(before)
        found = function(*given, **named)
        mark(after)
        return found
    setattr(module, name, call)
marked(session, "start_jvm", "checks", "jvm")
marked(start, "open_session", "checks", "session")
marked(job, "run_tasks", "plan", "tasks_and_workers")
job.run(config)
mark("manifest")
session.close_session()
mark("close")
import json
told, last = {}, began
for name, at in seen:
    told[name], last = round(told.get(name, 0) + at - last, 2), at
print(json.dumps(told))
"""
STAGES = {
    "extraction": "curation.extraction.extract",
    "matching": "curation.matching.match",
    "balancing": "curation.balancing.balance",
    "downloads": "curation.images.download",
    "shards": "curation.shards.write",
    "report": "curation.report.stats",
}
TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of(*command: str, code: int = 0) -> float:
    """The seconds of a process, from its start to its end."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return time.monotonic() - started


def cpu_seconds(pid: int) -> float:
    """The CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def best_of(rounds: int, sides: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The fewest seconds of each side, taken in turn."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name] = min(side(), found.get(name, 1e9))
    return found


def ten_rows(folder: Path) -> list[str]:
    """Ten rows, and the arguments of `extract_pairs` that read them."""
    rows = [f"http://example.org/{number}.jpg,a black cat on mat number {number}\n" for number in range(10)]
    (folder / "ten.csv").write_text("url,text\n" + "".join(rows))
    return ["source=table", f"source.paths={folder / 'ten.csv'}"]


def sessions(folder: Path, rounds: int, master: str) -> dict[str, float]:
    """Seconds of the ten rows, and of the bare sessions, with and without the archive of classes."""
    runs = iter(range(1000))
    given = ten_rows(folder)

    def extract() -> float:
        output = folder / str(next(runs))
        return seconds_of("-m", "jobs.extract_pairs", f"output={output}", f"spark.master={master}", *given)

    os.environ["JAVA_HOME"], os.environ["PYSPARK_PYTHON"] = java_home(), sys.executable
    home = Path(os.environ["JAVA_HOME"])
    extract()
    options: list[str] = []
    for _ in range(120):  # the JVM of the first run may still write it
        options = archive_options(started_java(home), home)
        if any("SharedArchiveFile" in option for option in options):
            break
        time.sleep(1)
    sides = {
        "ten_rows": extract,
        "bare_session": lambda: seconds_of("-c", BARE, master, " ".join(options)),
        "plain_session": lambda: seconds_of("-c", BARE, master, "-Dnone=1"),
    }
    return best_of(rounds, sides)


def parts_of(folder: Path, master: str) -> dict[str, float]:
    """Where the seconds of the ten rows go."""
    arguments = [f"output={folder / 'parts'}", f"spark.master={master}", *ten_rows(folder)]
    command = [sys.executable, "-c", PARTS, str(time.time()), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def helps(rounds: int) -> dict[str, float]:
    """Seconds of help and of a mistake."""
    headtail = ("-m", "headtail")
    return best_of(
        rounds,
        {
            "list": lambda: seconds_of(*headtail, "--help"),
            "job": lambda: seconds_of(*headtail, "curate", "--help"),
            "mistake": lambda: seconds_of(*headtail, "curate", "output=x", "balance.tt=5", code=1),
        },
    )


@dataclass(frozen=True)
class Nothing:
    """A task without work."""

    name: str


def nothing(task: Nothing) -> Receipt:
    """Do nothing."""
    return Receipt(task.name)


def look(task: Nothing) -> Receipt:
    """Tell the memory and the CPU time of the worker, and the CPU time of the process that it was forked from."""
    receipt = Receipt(task.name)
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(("Rss:", "Private_Dirty:", "Private_Clean:")):
            receipt.facts["rss" if line.startswith("Rss") else "own"] += int(line.split()[1])
    receipt.facts["worker"] = round(1000 * cpu_seconds(os.getpid()))
    receipt.facts["daemon"] = round(1000 * cpu_seconds(os.getppid()))
    return receipt


def workers(spark: pyspark.sql.SparkSession) -> dict[str, dict[str, float]]:
    """What a worker of each stage costs before it reads its first byte."""
    found = {}
    for stage, module in STAGES.items():
        fork_from(spark, module)
        tasks = [Nothing(str(number)) for number in range(spark.sparkContext.defaultParallelism)]
        facts = [receipt.facts for receipt in run_tasks(spark, look, tasks)]
        found[stage] = {
            "once_seconds": facts[0]["daemon"] / 1000,
            "worker_seconds": max(each["worker"] for each in facts) / 1000,
            "rss_mb": max(each["rss"] for each in facts) // 1024,
            "own_mb": max(each["own"] for each in facts) // 1024,
        }
    return found


def per_task(spark: pyspark.sql.SparkSession, folder: Path) -> dict[str, float]:
    """Milliseconds of a further task: of the clock, and of the JVM's CPU."""
    jvm = next(pid for pid in descendants(os.getpid()) if Path(f"/proc/{pid}/comm").read_text().strip() == "java")

    def run(count: int) -> tuple[float, float]:
        started, cpu = time.monotonic(), cpu_seconds(jvm)
        run_tasks(spark, nothing, [Nothing(str(number)) for number in range(count)], str(folder / "tasks"))
        return time.monotonic() - started, cpu_seconds(jvm) - cpu

    run(1)
    (one, one_cpu), (many, many_cpu) = run(1), run(101)
    return {"task_ms": 10 * (many - one), "jvm_task_ms": 10 * (many_cpu - one_cpu)}


def per_bucket(folder: Path, master: str) -> float:
    """Milliseconds of a further bucket of `match_pairs`."""
    (folder / "en.txt").write_text("black cat\nmat\n")
    seconds = []
    for buckets in (65, 64, 587):
        settings = [f"output={folder / '0'}", f"matches={folder / 'matches'}", f"entry_lists={folder / 'en.txt'}"]
        settings += [f"buckets={buckets}", "overwrite=true", f"spark.master={master}"]
        started = time.monotonic()
        match_pairs.run(compose_config("match_pairs", MatchPairsConfig, settings))
        seconds.append(time.monotonic() - started)
    return 1000 * (seconds[2] - seconds[1]) / (587 - 64)


def main(arguments: Sequence[str]) -> None:
    """Run all, and print the result as the last line."""
    given = dict(argument.split("=", 1) for argument in arguments)
    rounds, master = int(given.get("rounds", 3)), given.get("master", "local[2]")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds = sessions(folder, rounds, master)
        asked, parts = helps(rounds), parts_of(folder, master)
        spark = open_session("bench", master, "1g", {})
        found = {
            "load": os.getloadavg()[0],
            **{f"{name}_seconds": value for name, value in seconds.items()},
            "ratio_bare_session": seconds["ten_rows"] / seconds["bare_session"],
            "ratio_plain_session": seconds["ten_rows"] / seconds["plain_session"],
            "help_seconds": max(asked.values()),
            **{f"help_{name}_seconds": value for name, value in asked.items()},
            **per_task(spark, folder),
            "bucket_ms": per_bucket(folder, master),
        }
        found = {name: round(value, 3) for name, value in found.items()}
        found |= {"parts": parts, "workers": workers(spark)}
        close_session()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The jobs as a user starts them: three ways, one line for a mistake, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.core.tables import Table
from curation.spark.java import java_home
from tests.conftest import ROOT, needs_shared
from tests.hostile_names import foreign_packages
from tests.jobs.calls import Calls, one_process
from tests.jobs.conftest import Sample, rows, tar_bytes

BIN = Path(sys.executable).parent


def call(*command: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=300, check=False
    )


def test_headtail_alone_lists_the_jobs() -> None:
    done = call(str(BIN / "headtail"))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for job in ("curate", "extract_pairs", "write_shards"):
        assert any(line.split()[:1] == [job] and len(line.split()) > 3 for line in lines)


def test_help_tells_type_unit_and_default() -> None:
    done = call(str(BIN / "headtail"), "write_shards", "--help")
    assert done.returncode == 0
    assert "samples_per_shard" in done.stdout
    assert "integer samples, default 10000" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["curat"], "unknown job 'curat': did you mean curate?", id="job with a typo"),
        pytest.param(["report"], "unknown job 'report': did you mean report_stats? ", id="a word of a job"),
        pytest.param(["sweep"], "did you mean curate -m balance.t=...? ", id="another word for a job"),
        pytest.param(["dance"], "unknown job 'dance': the jobs are curate, ", id="no such job"),
        pytest.param(
            ["run", "curate", "output=/x"], "unknown job 'run': write headtail curate key=", id="a verb before"
        ),
        pytest.param(
            ["--check-shards"], "unknown job '--check-shards': write headtail check_shards", id="job as a flag"
        ),
        pytest.param(["output=/x"], "the job is missing before 'output=/x': the jobs are curate, ", id="no job"),
        pytest.param(
            ["explain", "a", "dog"],
            "'a' and 'dog': put quotes around a value with blanks; a run is named by output=...",
            id="words without quotes",
        ),
        pytest.param(
            ["count_entries", "matches=/nowhere", "entry_counts=/nowhere"], "must be given: add output=", id="no output"
        ),
        pytest.param(
            ["count_entries", "output=/nowhere"],
            "/nowhere/matches holds no complete table: run match_pairs first",
            id="no matches",
        ),
        pytest.param(
            ["balance_pairs", "output=/x", "balance.tail_shar=0.1"],
            "did you mean balance.tail_share",
            id="no such setting",
        ),
        pytest.param(
            ["balance_pairs", "output=/x", "balance.tail_share=7"],
            "balance.tail_share must be at most 1, got 7",
            id="tail_share of 7",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(arguments: list[str], told: str) -> None:
    done = call(str(BIN / "headtail"), *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    """One process for mistakes that jobs find themselves: each would spend a second on its imports."""
    with one_process() as calls:
        yield calls


LATER_MISTAKES = {
    "build_metadata output=/x languages=en sources=/no": "sources=/no does not exist",
    "extract_pairs output=/nowhere source.paths=/no/such.wat.gz": "/no/such.wat.gz names no file",
    "match_pairs output=/x entry_lists=/no/lists": "/no/lists",
    "curate output=/x source.paths=/y entry_lists=/no/lists": "/no/lists",
}


@pytest.mark.parametrize("line", LATER_MISTAKES, ids=lambda line: line.split()[0])
def test_a_mistake_that_a_job_finds_is_one_line_too(calls: Calls, line: str) -> None:
    told = calls.headtail(*line.split(), code=1)
    assert told.startswith(f"headtail {line.split()[0]}: ")
    assert LATER_MISTAKES[line] in told
    assert told.count("\n") == 1, told


def test_three_ways_give_the_same_rows_among_foreign_packages(finished: Path, installed: Path, tmp_path: Path) -> None:
    """In the working folder of the driver and of its workers, and on their PYTHONPATH, lie packages with our names.

    `headtail` comes from the wheel, the other two from this checkout. `python -m` takes the first `jobs` that it finds.
    """
    settings = [f"matches={finished}/matches", "spark.master=local[2]", "spark.driver_memory=1g"]
    ways = {
        "submit": [str(BIN / "spark-submit"), "--driver-memory", "1g", str(ROOT / "jobs" / "count_entries.py")],
        "module": [sys.executable, "-m", "headtail", "count_entries"],
        "headtail": [str(installed / "headtail"), "count_entries"],
    }
    for form, (name, way) in enumerate(ways.items()):
        elsewhere, path = tmp_path / f"in-{name}", foreign_packages(tmp_path / f"on-the-path-of-{name}", form)
        foreign_packages(elsewhere, form + 1)
        before = sorted(elsewhere.rglob("*"))
        environment = {"JAVA_HOME": java_home(), "PYSPARK_PYTHON": sys.executable} if name == "submit" else {}
        environment["PYTHONPATH"] = os.pathsep.join([str(path)] if name == "headtail" else [str(path), str(ROOT)])
        done = call(*way, f"output={tmp_path / name}", *settings, cwd=elsewhere, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert rows(tmp_path / name, "entry_counts").equals(rows(finished, "entry_counts"))
        assert sorted(elsewhere.rglob("*")) == before


def test_a_mistake_under_spark_submit_is_one_line_too(tmp_path: Path) -> None:
    command = [str(BIN / "spark-submit"), str(ROOT / "jobs" / "count_entries.py"), f"output={tmp_path}", "balance.t=1"]
    done = call(*command, cwd=tmp_path, JAVA_HOME=java_home(), PYSPARK_PYTHON=sys.executable)
    assert done.returncode == 1
    told = done.stdout + done.stderr  # spark-submit passes both on as its standard output
    assert "unknown setting 'balance.t'" in told
    assert "Traceback" not in told


def test_a_list_that_no_language_is_named_by_is_refused(calls: Calls, finished: Path, tmp_path: Path) -> None:
    entries = tmp_path / "entries-en.json"
    entries.write_text('["red"]')
    settings = [f"output={tmp_path}/run", f"pairs={finished}/pairs", f"entry_lists={entries}"]
    told = calls.headtail("match_pairs", *settings, code=1)
    assert "named by the code of its language, as en.json, and 'entries-en' is none" in told


def test_a_language_without_a_list_is_refused_before_anything_is_read(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("dog\n")
    given = ["output=/x", "source.paths=/y", f"entry_lists={tmp_path}", "languages=en,xx"]
    told = calls.headtail("curate", *given, code=1)
    assert told.startswith("headtail curate: languages: there is no entry list of xx in ")


@needs_shared
def test_all_real_wats_through_the_chain_without_the_download(real_wats_run: Path) -> None:
    """Truncated, odd and old archives: each is read, and what was read adds up."""
    (part,) = Table(str(real_wats_run / "pairs")).parts()
    assert len(part.files) == len(part.inputs()) == 29
    assert part.receipt.rows_in == part.receipt.rows_out + part.receipt.drops.total() > 1000
    matched = rows(real_wats_run, "matches")
    assert matched.num_rows > 50
    assert (real_wats_run / "report" / "index.html").exists()


@pytest.mark.parametrize("wait", ["pairs", "matches"])
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    sample: Sample, finished: Path, tmp_path: Path, wait: str
) -> None:
    """Killed as soon as a table begins to exist: in the middle of the stage that writes it.

    A second start while the first run lives is refused.
    tests/jobs/test_shards_killed.py does so with downloads and shards.
    """
    run = tmp_path / "run"
    command = [str(BIN / "headtail"), "curate", *sample.overrides(run, "files_per_part=3")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 240
    while not list((run / wait).rglob("part-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGSTOP)  # it lives, and is where it was when it is killed
    second = call(*command)
    assert second.returncode == 1
    assert f"another run (curate, process {process.pid} on " in second.stderr
    assert second.stderr.count("\n") == 1, second.stderr
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    sample.curate(run, "files_per_part=3")
    for table in ("pairs", "matches", "curated"):
        assert rows(run, table).equals(rows(finished, table)), table
    assert tar_bytes(run) == tar_bytes(finished)
    left = [path for path in run.rglob("*") if path.name.endswith((".tmp", ".lease"))]
    assert left == []


@pytest.mark.parametrize("stopped_by", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_stopped_at_work_it_says_so_in_one_line(sample: Sample, tmp_path: Path, stopped_by: int) -> None:
    """Ctrl-C goes to all processes of a terminal, the JVM among them; a scheduler's SIGTERM to the job alone."""
    command = [str(BIN / "headtail"), "curate", *sample.overrides(tmp_path / "run", "files_per_part=1")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 240
    while not (tmp_path / "run/pairs/part-00001").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    if stopped_by == signal.SIGINT:
        os.killpg(process.pid, stopped_by)
    else:
        process.send_signal(stopped_by)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    last = told.splitlines()[-1]
    assert last == "headtail curate: stopped; run the same command again to continue"
    assert not list(tmp_path.rglob(".lease"))
    assert all(line.startswith(("extract_pairs ", "curate ")) for line in told.splitlines()[:-1]), told

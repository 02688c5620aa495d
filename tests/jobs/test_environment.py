"""A local run in an environment that would break Spark: it goes on, or says why not in one line."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import QUICK_JVM, ROOT

HEADTAIL = [sys.executable, "-c", "from jobs.cli import main; main()"]
"""As bin/headtail, with the modules of this checkout."""


def extract(folder: Path, *settings: str) -> list[str]:
    table = folder / "t.csv"
    table.write_text("url,text\nhttps://a.example.org/1.jpg,a dog\nhttps://a.example.org/2.jpg,a cat\n")
    given = ["source=table", f"source.paths={table}", "spark.master=local[1]", f"output={folder}/run", "seed=0"]
    return [*HEADTAIL, "extract_pairs", *given, *settings]


def environment(**changes: str) -> dict[str, str]:
    quick = {"SPARK_SUBMIT_OPTS": QUICK_JVM, "SPARK_LAUNCHER_OPTS": QUICK_JVM, "PYTHONPATH": str(ROOT)}
    return {**os.environ, **quick, **changes}


def test_a_local_run_needs_no_name_of_machine_or_user_and_no_other_spark(tmp_path: Path) -> None:
    """The host's name does not resolve, the user has neither name nor home, and another Spark and Python are named."""
    names = ["unshare", "--uts", "--", "unshare", "--user", "--map-user=4242", "--map-group=4242", "--"]
    if subprocess.run([*names, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no permission to change the names of machine and user")
    script = 'hostname no-such-host-xyz; shift; exec unshare --user --map-user=4242 --map-group=4242 -- "$@"'
    command = ["unshare", "--uts", "--", "sh", "-c", script, "sh", "--", *extract(tmp_path, "spark.ui=true")]
    changes = {"SPARK_HOME": "/opt/another", "PYSPARK_PYTHON": "/no/python", "SPARK_LOCAL_IP": "10.9.9.9"}
    changes |= {"JAVA_HOME": "/no/java", "HOME": f"{tmp_path}/t.csv/home", "SPARK_REMOTE": "sc://elsewhere"}
    done = subprocess.run(
        command, env=environment(**changes), cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    # A slow machine tells every 30 seconds where it is.
    lines = [line for line in done.stderr.splitlines() if not re.search(r"^\w+ +\d+:\d\d, |\(\d+ s\)$", line)]
    assert lines[0] == "extract_pairs    starts: 1 file, part 0"
    assert lines[1].startswith("spark            JAVA_HOME=/no/java holds no Java 17 or newer")
    assert lines[2].startswith("spark            Spark ")
    assert lines[3].startswith("spark            its pages are at http://127.0.0.1:")
    assert lines[4].startswith("extract_pairs    done: 2 rows in, 2 out")
    assert re.match(r"extract_pairs    took \d+:\d\d, ", lines[5])
    assert len(lines) == 6
    (log,) = (tmp_path / "run" / "_logs").glob("*/log.txt")
    assert [line.split(" ", 1)[1] for line in log.read_text().splitlines() if " SPARK_HOME=" in line] == [lines[2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "t.csv"]  # no folder called `~` or `?`


def test_ctrl_c_while_the_jvm_starts_is_a_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        extract(tmp_path), env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("extract_pairs    starts")
    time.sleep(0.3)  # the JVM takes seconds
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told == "headtail extract_pairs: stopped; run the same command again to continue\n"

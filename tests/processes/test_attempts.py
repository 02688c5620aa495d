"""A task that ends its process twice is given up; one that ends with an error, or is stopped, is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.errors import PySparkException

from curation.core.attempts import attempt, failure_of_given_up, noted_error
from curation.core.errors import HeadtailError
from curation.spark.faults import fault_line

DEATHS = {
    "exit": "os._exit(1)",
    "killed": "os.kill(os.getpid(), 9)",
    "out of memory": "resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); os.abort() if eat() else None",
    "out of time": 'exec(\'with clock.running(): re.match("(a*)*b", "a" * 40)\')',
}
CODE = """
import os, re, resource, sys
from curation.core.attempts import attempt
from curation.core.record_errors import RecordClock
clock = RecordClock(0.1)
def eat():
    try:
        return not bytearray(1 << 40)
    except MemoryError:
        return True
with attempt(sys.argv[1], "task") as may_run:
    print(may_run, flush=True)
    if may_run:
        DEATH
"""


@pytest.mark.parametrize("name", DEATHS)
def test_a_task_that_ends_its_process_twice_is_given_up(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE.replace("DEATH", DEATHS[name]), str(tmp_path)]
    ends = [subprocess.run(command, capture_output=True, text=True, check=False, timeout=60) for _ in range(3)]
    assert [end.stdout for end in ends] == ["True\n", "True\n", "False\n"]
    assert [end.returncode != 0 for end in ends] == [True, True, False]


def test_an_error_is_no_death(tmp_path: Path) -> None:
    def fail() -> None:
        with attempt(str(tmp_path), "task") as may_run:
            raise OSError(f"full, {may_run}")

    for _ in range(3):
        with pytest.raises(OSError, match="full, True"):
            fail()
    with attempt(str(tmp_path), "task") as may_run, attempt(str(tmp_path), "another") as other_may_run:
        assert may_run
        assert other_may_run
    assert not os.listdir(tmp_path)


def test_an_error_that_was_noted_is_raised_again_without_the_work(tmp_path: Path) -> None:
    tried = []

    def work(fault: Exception | None) -> None:
        with noted_error(str(tmp_path / "note")):
            tried.append(fault)
            if fault:
                raise fault

    work(None)
    with pytest.raises(HeadtailError, match="the disk is full"):
        work(HeadtailError("the disk is full"))
    for _ in range(2):
        with pytest.raises(RuntimeError) as again:
            work(None)
        assert fault_line(PySparkException(str(again.value))) == "the disk is full"
    assert len(tried) == 2


def test_the_failure_names_the_file() -> None:
    assert failure_of_given_up("/a.warc.gz")["file"] == "/a.warc.gz"

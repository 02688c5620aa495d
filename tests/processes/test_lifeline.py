"""What a program has started ends with it, whoever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifeline import Lifeline

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
WORKER = "trap '' TERM INT HUP; echo $$ >{file}.tmp; mv {file}.tmp {file}; exec sleep 60"
DRIVER = """
import sys
from tests.lifeline import Lifeline
with Lifeline() as lifeline:
    lifeline.run(["sh", "-c", sys.argv[1] + " & wait"])
"""


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end, "nothing happened in 30 seconds"
        time.sleep(0.01)


def is_running(process: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_workers_end_with_a_driver_that_a_signal_ends(tmp_path: Path, end: signal.Signals) -> None:
    file = tmp_path / "worker"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, WORKER.format(file=file)], env=os.environ | {"PYTHONPATH": os.getcwd()},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(file.exists)
    worker = int(file.read_text())
    assert is_running(worker)
    driver.send_signal(end)
    driver.wait()
    wait_for(lambda: not is_running(worker))


def test_workers_end_with_their_program(tmp_path: Path) -> None:
    file = tmp_path / "worker"
    script = f"({WORKER.format(file=file)}) & while ! test -e {file}; do sleep 0.01; done; exit 3"
    with Lifeline() as lifeline:
        assert lifeline.run(["sh", "-c", script]) == 3
    wait_for(lambda: not is_running(int(file.read_text())))

"""Every process collects the same tests under the same names: workers that disagree refuse to run."""

import os
import subprocess
import sys
import time

from tests.conftest import ROOT

LONGEST_ID = 80


def start_collecting(**changes: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")} | changes
    # Without workers, without rewritten assertions: only names are asked for.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--assert=plain", "-p", "no:cacheprovider"]
    return subprocess.Popen([*command, "-p", "no:xdist"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def names_of(process: subprocess.Popen[str]) -> list[str]:
    told, _ = process.communicate()
    assert process.returncode == 0, told[-5000:]
    return [line for line in told.splitlines() if "::" in line]


def test_names_depend_neither_on_time_nor_on_hashes() -> None:
    with start_collecting(PYTHONHASHSEED="1", TZ="UTC") as early:
        time.sleep(2)  # gzip and zip write the time into their data, in steps of up to two seconds
        with start_collecting(PYTHONHASHSEED="2", TZ="Asia/Tokyo") as late:
            names, later_names = names_of(early), names_of(late)
    assert sorted({*names} ^ {*later_names}) == []
    assert names == later_names
    assert "tests/unit/test_collection.py::test_names_depend_neither_on_time_nor_on_hashes" in names
    # pytest escapes what is not printable ASCII: such a case, or a long one, needs an id in words.
    assert [name for name in names if "\\" in name or len(name.partition("[")[2]) > LONGEST_ID] == []

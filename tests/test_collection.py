"""Every process collects the same tests under the same names: workers that disagree refuse to run."""

import os
import subprocess
import sys
from collections.abc import Iterable

import pytest

from tests.conftest import ROOT

LONGEST_ID = 80


def collect_elsewhere() -> list[str]:
    """The names that a process collects later, with other hashes and in another time zone."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2", "TZ": "Asia/Tokyo"}
    # Without workers, without rewritten assertions: only names are asked for.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--assert=plain", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "-p", "no:xdist"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    return [line for line in done.stdout.splitlines() if "::" in line]


def in_files(names: Iterable[str]) -> list[str]:
    """The names with the files in the order of their names, as some are named on a command line in another order."""
    return sorted(names, key=lambda name: name.partition("::")[0])


def test_names_depend_neither_on_time_nor_on_hashes(request: pytest.FixtureRequest) -> None:
    """This process has collected the tests that it was asked for seconds ago; another one collects all tests now."""
    here, names = [item.nodeid for item in request.session.items], collect_elsewhere()
    chosen = set(here)
    assert sorted(chosen - set(names)) == []
    assert in_files(name for name in names if name in chosen) == in_files(here)
    assert request.node.nodeid in here
    # pytest escapes what is not printable ASCII: such a case, or a long one, needs an id in words.
    assert [name for name in names if "\\" in name or len(name.partition("[")[2]) > LONGEST_ID] == []

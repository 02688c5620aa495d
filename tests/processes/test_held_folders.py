"""A folder that a process writes is refused to any other."""

import subprocess
import sys
from pathlib import Path

from curation.core.leases import hold_leases


def test_the_table_of_entries_is_held_by_one_run(tmp_path: Path) -> None:
    given = {"entries": f"{tmp_path}/words", "entry_lists": "/x", "output": str(tmp_path)}
    with hold_leases("curate", [given["entries"]]):
        started = [sys.executable, "-m", "headtail", "report_stats", *(f"{k}={v}" for k, v in given.items())]
        told = subprocess.run(started, capture_output=True, text=True, check=False).stderr
    assert f"writes to {tmp_path}/words: wait for its end" in told

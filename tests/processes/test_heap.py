"""Large blocks of the heap, as a worker of Spark has them."""

import json
import os
import subprocess
import sys

import pytest

from curation.core.heap import SETTING

FAULTS = """
import json, resource
from curation.core.heap import large_blocks_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for size in [4] * 20:  # not a constant, which Python would make once
        b"x" * (size << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = [faults()]
with large_blocks_kept():
    faults()
    found.append(faults())
print(json.dumps([*found, faults()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_blocks_of_an_image_are_kept_only_within_the_block() -> None:
    environment = {**os.environ, SETTING: "262144"}
    told = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True)
    before, within, after = json.loads(told.stdout)
    pages = 20 * (4 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert min(before, after) > pages / 20 > within * 10  # huge pages may make a fault of many pages

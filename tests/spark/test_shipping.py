"""Work that travels to a worker brings the way to our packages along, past foreign ones."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark import cloudpickle

from curation.core.languages import code_of_label
from curation.spark.shipping import shipped
from tests.conftest import ROOT
from tests.hostile_names import foreign_packages

WORKER = "import pickle, sys; print(*pickle.load(sys.stdin.buffer)([]))"
"""Reads and runs work as a worker of Spark does, in its own folder, which comes first on the path."""


@pytest.mark.parametrize("local", [True, False], ids=["this machine", "another machine"])
def test_a_worker_reads_work_among_foreign_packages(local: bool, tmp_path: Path) -> None:
    def work(_: Iterator[pa.RecordBatch]) -> Iterator:
        yield sys.modules[code_of_label.__module__].__file__

    cwd, path = foreign_packages(tmp_path / "cwd", 1), foreign_packages(tmp_path / "path", 0)
    # The worker of another machine has headtail on its path, one of this machine need not.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(path), *([] if local else [str(ROOT)])])}
    pickled, command = cloudpickle.dumps(shipped(work, local)), [sys.executable, "-c", WORKER]
    done = subprocess.run(command, input=pickled, cwd=cwd, env=environment, capture_output=True, check=False)
    assert done.stdout.decode() == f"{ROOT}/curation/core/languages.py\n", done.stderr.decode()

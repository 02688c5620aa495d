"""The process from which Spark forks its workers on a machine: it imports once what all of them need.

Spark starts headtail/daemon.py, which calls `main`. Spark's own daemon imports pyspark from an archive of sources,
which Python compiles at each start, and leaves all other imports to each worker. Workers share the memory of modules
that were imported before the fork.
"""

import gc
import importlib
import os
import sys
from contextlib import redirect_stdout, suppress

import pyspark.daemon

from curation.core.imports import absent
from curation.spark.tasks import PRELOAD

GROUND = ("pyspark.worker", "pyarrow.compute")
"""Modules that each worker needs."""


def main() -> None:
    """Import modules, then fork workers as Spark asks for them."""
    with redirect_stdout(sys.stderr):  # Spark reads a port from the standard output
        import_for_workers(os.environ.get(PRELOAD, ""))
    gc.collect()
    gc.freeze()  # a collection in a worker would copy the memory of the objects that it looks at
    pyspark.daemon.manager()


def import_for_workers(preload: str) -> None:
    """Import what each worker needs, and the module `preload`, without what only other users of a library need.

    A module that cannot be imported is left to the worker, whose error names it.
    """
    with suppress(Exception):  # a daemon that ends here would end the job with no word of the cause
        with absent("pandas"):  # pyarrow looks for it at the first array, and never again
            import pyarrow as pa

            pa.array([0])
        for module in (*GROUND, *([preload] if preload else [])):
            importlib.import_module(module)
        if "numba" in sys.modules:
            start_numba()


def start_numba() -> None:
    """Let numba set itself up, as it would before the first kernel, but without SciPy's linear algebra."""
    with absent("scipy.linalg"):
        importlib.import_module("numba.np.arraymath")
    import pyarrow as pa

    from curation.core.uids import uids_of

    uids_of(pa.array(["http://example.org/"]))

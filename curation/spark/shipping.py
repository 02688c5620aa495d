"""Work on its way to the workers, which first make sure that the names of our packages mean ours.

Spark starts a worker's Python in a folder that may hold a package `conf` or `curation` of somebody else, and with a
PYTHONPATH that may, too. pickle would import that one. So the work travels as bytes, within a function that needs no
module of ours and that runs the text of headtail/names.py before it reads them.
"""

import inspect
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark import cloudpickle

from headtail import names

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def shipped(work: Work, local: bool) -> Work:
    """Return work that a worker can read wherever it runs.

    A worker on this machine takes the driver's packages. Another one takes those on its own path, since what lies at
    the driver's place there may be an older version.
    """
    home = names.own_home() if local else None
    text, finder, pickled = inspect.getsource(names), names.OwnPackages.__name__, cloudpickle.dumps(work)

    # Only builtins and the standard library may occur here: cloudpickle takes everything else along by its module.
    def read_and_run(batches):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        import pickle
        import sys
        import types

        if not any(type(each).__name__ == finder for each in sys.meta_path):
            module = types.ModuleType("headtail.names")
            exec(text, vars(module))
            module.claim_on_worker(home)
        return pickle.loads(pickled)(batches)

    return read_and_run

"""The process from which Spark forks its workers on a machine: in all of them the names of our packages mean ours.

Spark runs it as `python -m headtail.daemon` (`spark.python.daemon.module`), in a folder and with a PYTHONPATH that may
hold other packages of these names.
"""

import importlib
import os
import sys

from headtail.names import HOME, NamesError, claim, own_home


def main() -> None:
    """Claim the names, import what workers need (curation.spark.daemon), and fork them as Spark asks for them."""
    home = os.environ.get(HOME) or own_home()  # on the driver's machine the driver's
    if home != own_home():
        for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
            del sys.modules[name]  # another version lies first on the path
    try:
        claim(home)
    except NamesError as error:
        sys.exit(f"{NamesError.__module__}.{NamesError.__name__}: {error}")  # curation.spark.faults finds this line
    prefer_installed_spark = importlib.import_module("curation.core.imports").prefer_installed_spark
    prefer_installed_spark(sys.path)
    importlib.import_module("curation.spark.daemon").main()


if __name__ == "__main__":
    main()

"""The start of a program of headtail: when this module is imported, the names of our packages mean ours.

Each job imports it before any other module of ours, because a job is also a script of spark-submit.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from headtail.names import NamesError, claim, own_home

try:
    claim(own_home())
except NamesError as error:
    sys.exit(f"headtail: {error}")


def main() -> None:
    """Run the job that the first argument names: the command `headtail`."""
    importlib.import_module("jobs.cli").main()


def launch(run: Callable[[Any], None]) -> None:
    """Run one job with the arguments of the command line: `python -m jobs.<job>`, and spark-submit."""
    importlib.import_module("jobs.cli").launch(run)

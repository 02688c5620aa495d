"""Entry lists, matching, counts, thresholds and draws for tables in memory: MetaCLIP's balancing without Spark.

>>> import headtail
>>> entries = headtail.EntryList(["dog", "red kite"])
>>> matches = headtail.match(["a dog", "my dog", "a red kite", "dog, again", "a tree"], entries)
>>> print(matches.counts.table().to_pandas().to_string(index=False))
lang  entry_id    entry  count
  en         0      dog      3
  en         1 red kite      1
>>> matches.balance(t=1, seed=5)["text"].to_pylist()
['my dog', 'a red kite']

docs/api.md shows it on a real table. Open `matching.py` first; `__main__.py` is the command line. The names are loaded
at their first use, because the command line imports this file, too.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.balancing.online import OnlineBalance
    from curation.balancing.worker_state import position_after
    from curation.core.errors import HeadtailError
    from headtail.balancer import Balancer
    from headtail.counts import Counts
    from headtail.entry_list import EntryList, open_lists
    from headtail.forecast import Forecast
    from headtail.matching import Matches, match
    from headtail.runs import Run, open_run
    from headtail.stream import BalancedDataset

__all__ = [
    "BalancedDataset",
    "Balancer",
    "Counts",
    "EntryList",
    "Forecast",
    "HeadtailError",
    "Matches",
    "OnlineBalance",
    "Run",
    "match",
    "open_lists",
    "open_run",
    "position_after",
]

_MODULES = {
    "BalancedDataset": "headtail.stream",
    "Balancer": "headtail.balancer",
    "Counts": "headtail.counts",
    "EntryList": "headtail.entry_list",
    "Forecast": "headtail.forecast",
    "HeadtailError": "curation.core.errors",
    "Matches": "headtail.matching",
    "OnlineBalance": "curation.balancing.online",
    "Run": "headtail.runs",
    "match": "headtail.matching",
    "open_lists": "headtail.entry_list",
    "open_run": "headtail.runs",
    "position_after": "curation.balancing.worker_state",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _check_curation()
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _check_curation() -> None:
    """Raise ImportError where `curation` means another package than headtail's: its line says which."""
    own = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "curation")
    found = find_spec("curation")
    places = list(found.submodule_search_locations or [found.origin or ""]) if found else []
    if own not in map(os.path.abspath, places):
        there = f"{places[0]} stands in its way" if places else "there is none"
        raise ImportError(f"headtail needs its own package curation, {own}, and {there}: rename the other, or move it")

"""The measured figures of an estimate (figures.json), with the machine and the date of their measurement.

`make bench NAME=figures` measures all of them in one sitting and writes the file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured number with its unit, a description, and the command that prints it."""

    value: float
    unit: str
    command: str
    text: str


@dataclass(frozen=True)
class Sitting:
    """The machine of the measurement, and its date."""

    machine: str
    date: str


@lru_cache(maxsize=1)
def _document() -> Mapping[str, Any]:
    return json.loads((files("curation.report") / "figures.json").read_text())


@lru_cache(maxsize=1)
def measured() -> Mapping[str, Figure]:
    """Return the measured figures by name."""
    return {
        name: Figure(entry["value"], entry["unit"], entry["command"], entry["is"])
        for name, entry in _document()["figures"].items()
    }


def sitting() -> Sitting:
    """Return where and when the figures were measured."""
    return Sitting(_document()["machine"], _document()["date"])

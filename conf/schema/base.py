"""How a setting is declared: with its default, help text, unit and range."""

import math
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from curation.core.amounts import counted
from curation.core.errors import HeadtailError


def setting(
    default: Any,
    help_text: str,
    *,
    unit: str = "",
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    writes: bool = False,
) -> Any:
    """Declare a field of a configuration. `unit` appears in --help and in messages; a value is greater than `above`.

    `writes`: the value is the path of a folder that the job writes.
    """
    metadata = {
        "help": help_text, "unit": unit, "above": above, "minimum": minimum, "maximum": maximum, "writes": writes,
    }  # fmt: skip
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def table(name: str, help_text: str, *, writes: bool = False) -> Any:
    """Declare the path of a table that the job reads, or `writes`; the default is a folder in the folder of the run."""
    return setting(f"${{output}}/{name}", help_text, writes=writes)


@dataclass
class Settings:
    """Base of all configurations: checks the ranges that the fields declare."""

    topic: ClassVar[str] = ""
    """Prefix of the settings' keys, and the folder of presets in conf/."""
    preset: ClassVar[str] = ""
    """Name of the topic's default preset."""
    presets: ClassVar[dict[str, str]] = {}
    """Default presets of a job that differ from those of its topics: topic -> preset, or ${topic} for the same name."""

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._check(declared.name, value, declared.metadata)

    def _check(self, name: str, value: float, metadata: Any) -> None:
        low, high = metadata.get("minimum"), metadata.get("maximum")
        unit = metadata.get("unit", "")
        above = metadata.get("above")
        if isinstance(value, float) and not math.isfinite(value):
            raise HeadtailError(f"{self._key(name)} must be a finite number, got {value}")
        if above is not None and not value > above:
            raise HeadtailError(f"{self._key(name)} must be above {_bound(above, unit)}, got {value}")
        if low is not None and not value >= low:
            raise HeadtailError(f"{self._key(name)} must be at least {_bound(low, unit)}, got {value}")
        if high is not None and not value <= high:
            raise HeadtailError(f"{self._key(name)} must be at most {_bound(high, unit)}, got {value}")

    def _key(self, name: str) -> str:
        return f"{self.topic}.{name}" if self.topic else name


def _bound(value: float, unit: str) -> str:
    """Return a bound with its unit: `1 sample`, but `0.1 s`."""
    is_word = unit.isalpha() and len(unit) > 2
    return counted(value, unit) if value == 1 and is_word else f"{value} {unit}".rstrip()

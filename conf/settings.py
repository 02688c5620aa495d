"""The settings of a job by their dotted keys."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints


def settings_of(kind: type) -> dict[str, tuple[Any, Any]]:
    """Return (type, dataclass field) of each setting of a configuration class by its dotted key."""
    return dict(_settings(kind, ""))


@cache
def _settings(kind: Any, prefix: str) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    hints = get_type_hints(kind)
    for declared in fields(kind):
        hint = hints[declared.name]
        if is_dataclass(hint):
            found |= _settings(hint, f"{prefix}{declared.name}.")  # type: ignore[arg-type]  # a class, not an instance
        else:
            found[f"{prefix}{declared.name}"] = (hint, declared)
    return found

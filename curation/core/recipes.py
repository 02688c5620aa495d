"""Recipes: the fingerprint of everything that decides the rows of a part.

A part is finished if its recipe's id equals the id of the recipe to run. The id is the SHA-256 of stage, logic version,
settings and inputs; package versions and Spark settings are not part of it. A new version of headtail must not run a
finished stage again: a new setting is declared with `added`, and `recipe_settings` omits the setting while it has the
value that gives the old rows.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

from curation.core.credentials import cut_values
from curation.core.setting_names import OLD_VALUES, setting_name

OLD_ROWS = "old_rows"
"""Key in a dataclass field's metadata: the value of the setting with which the rows are as before the field existed."""

MAX_SHOWN = 120
_DIGEST = re.compile(r"[0-9a-f]{32,64}")
"""A hash, which tells a reader nothing."""


@dataclass(frozen=True)
class Recipe:
    """Stage, logic version, settings and inputs of a part.

    `settings` are plain JSON values. `inputs` are plain dicts in a fixed order: {path, size, version} for a file,
    {path, id} for an upstream part.
    """

    stage: str
    logic_version: int
    settings: dict[str, Any]
    inputs: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Settings must equal the settings read back from a manifest: tuples become lists, sets become sorted lists.
        object.__setattr__(self, "settings", json.loads(json.dumps(self.settings, default=_plain)))

    @cached_property
    def id(self) -> str:
        """First 32 hex digits of the SHA-256 of the recipe as canonical JSON. Paths of upstream parts are left out."""
        inputs = [
            {"id": entry["id"]} if "id" in entry else {key: entry[key] for key in sorted(entry)}
            for entry in self.inputs
        ]
        value = [self.stage, self.logic_version, self.settings, inputs]
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def added(old_rows: Any, **options: Any) -> Any:
    """Declare a field of a settings dataclass that older recipes lack; with `old_rows` the rows are the old ones.

    >>> @dataclass
    ... class Rules:
    ...     size: int
    ...     mode: str = added("plain")
    >>> recipe_settings(Rules(3, "plain")), recipe_settings(Rules(3, "fancy"))
    ({'size': 3}, {'size': 3, 'mode': 'fancy'})
    """
    return field(metadata={OLD_ROWS: old_rows}, **options)


def kept(settings: Any, name: str, manifests: Sequence[Mapping[str, Any]]) -> Any:
    """Return a settings dataclass with the value of the `added` field `name` by which a run was begun.

    That is the value in the manifest of its first part; a new run, without a part, has that of `settings`.

    >>> @dataclass(frozen=True)
    ... class Rules:
    ...     size: int
    ...     version: int = added(1, default=2)
    >>> [kept(Rules(3), "version", parts) for parts in ([], [{"settings": {"size": 3}}])]
    [Rules(size=3, version=2), Rules(size=3, version=1)]
    """
    if not manifests:
        return settings
    (old,) = (each.metadata[OLD_ROWS] for each in fields(settings) if each.name == name)
    return replace(settings, **{name: manifests[0]["settings"].get(name, old)})


def recipe_settings(value: Any) -> Any:
    """Return a settings dataclass as plain values, without `added` settings that are at their old value."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        given = [(each, getattr(value, each.name)) for each in fields(value)]
        return {each.name: recipe_settings(one) for each, one in given if one != each.metadata.get(OLD_ROWS, _NEVER)}
    if isinstance(value, Mapping):
        return {key: recipe_settings(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [recipe_settings(one) for one in value]
    return value


_NEVER = object()


def difference(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    """Return the difference between a manifest's recipe and another one: `language.min_score was 0.0, is 0.5`."""
    return ", ".join(differences(manifest, vars(recipe))) or "its inputs, or an address in its settings, have changed"


DRAWN = "drawn"
"""What is shown of a seed that was drawn, and of a salt: whoever knows them can foretell the draws."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a text for each difference of logic version and settings between two manifests or recipes.

    >>> differences({"logic_version": 1, "settings": {"t": 5}}, {"logic_version": 1, "settings": {"t": 7}})
    ['t was 5, is 7']
    >>> lists = ({"logic_version": 1, "settings": {"entry_lists": {"en": digit * 64}}} for digit in "ab")
    >>> differences(*lists)
    ['entry_lists.en has changed']

    Seeds that were drawn, and salts, are secrets, and are not shown:

    >>> seeds = ({"logic_version": 1, "settings": {"seed": seed}} for seed in (5, -7))
    >>> differences(*seeds)
    ['seed was 5, is drawn']
    >>> differences({"logic_version": 1, "settings": {}}, {"logic_version": 1, "settings": {"limit": 5}})
    ['limit was not given, is 5']
    """
    versions = [each["logic_version"] for each in (before, now)]
    newer = " (another version of headtail)" if versions[0] != versions[1] else ""
    changes = [f"logic_version was {versions[0]}, is {versions[1]}{newer}"] if newer else []
    old, new = (flatten(cut_values(each["settings"])) for each in (before, now))
    stage = now.get("stage", "")
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            left_out = OLD_VALUES.get(stage, {}).get(key)
            was, now_is = (shown_value(key, each.get(key, left_out)) for each in (old, new))
            name = setting_name(stage, key)
            if was == now_is == DRAWN:
                changes.append(f"{name} has changed")
            elif was == now_is:
                changes.append(f"files of {name} have changed")
            elif _DIGEST.fullmatch(was) and _DIGEST.fullmatch(now_is):
                changes.append(f"{name} has changed")
            else:
                changes.append(f"{name} was {was}, is {now_is}")
    return changes


def shown_value(key: str, value: Any) -> str:
    """Return the value of a setting, by its dotted key, in a message; DRAWN for a secret."""
    name = key.rpartition(".")[2]
    if value is not None and (name == "salt" or (name == "seed" and isinstance(value, int) and value < 0)):
        return DRAWN
    return _shown(value)


def _shown(value: Any) -> str:
    """Return a setting as a message shows it: files by their paths, and at most MAX_SHOWN characters."""
    if isinstance(value, list):
        value = [each["path"] if isinstance(each, dict) and "path" in each else each for each in value]
    if value is None:
        return "not given"
    text = repr(value) if value == "" else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _plain(value: Any) -> list:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a setting must be a plain JSON value, got {value!r}")


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted key.

    >>> flatten({"a": {"b": 1}, "c": None})
    {'a.b': 1, 'c': None}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat.update(flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat

"""What readers look at in the samples of a set of shards, as counts that merge: members, and kinds of values in json.

The shards may be those of others, so names are cut, and of too many names only the first are kept.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

FIRST = 5
"""Hugging Face datasets takes the members and types of a set from so many samples at its start."""
MAX_NAMES, MAX_CHARS, MAX_ELEMENTS, MAX_DEPTH = 200, 60, 100, 4
BLANK = "blank"
"""The kind of a string of nothing but blanks."""
_KINDS = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list", dict: "object"}
KINDS = (*_KINDS.values(), BLANK, "null")


@dataclass
class Traits:
    """Counts of samples.

    `members` counts sets of extensions (`jpg json txt`); `values` the kinds of values by their place in the json
    (`texts[]: string`), each once a sample. `first` and `first_values` are those of the first samples.
    """

    samples: int = 0
    members: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)
    first_values: list[list[str]] = field(default_factory=list)

    @classmethod
    def of_shards(cls, shards: Iterable[Mapping[str, Any]]) -> Self:
        """Return the sum of what `to_json` gave for the shards of a set, in their order."""
        total = cls()
        for shard in shards:
            total.samples += shard["samples"]
            for counts, more in ((total.members, shard["members"]), (total.values, shard["values"])):
                for name, count in more.items():
                    _add(counts, name, count)
            room = FIRST - len(total.first)
            total.first += shard["first"][:room]
            total.first_values += shard["first_values"][:room]
        return total

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return vars(self)

    def count(self, sample: Mapping[str, Any]) -> None:
        """Count a sample as webdataset groups its members: extension -> bytes."""
        members = " ".join(sorted(name for name in sample if not name.startswith("__")))[: 3 * MAX_CHARS]
        values = sorted(set(_values(_decoded(sample.get("json")))))[:MAX_NAMES]
        self.samples += 1
        _add(self.members, members, 1)
        for value in values:
            _add(self.values, value, 1)
        if len(self.first) < FIRST:
            self.first.append(members)
            self.first_values.append(values)

    def having(self, *extensions: str) -> int:
        """Return the number of samples that have one of the members."""
        return sum(count for members, count in self.members.items() if set(extensions) & set(members.split()))

    def with_value(self, place: str, *kinds: str) -> int:
        """Return the number of samples that have a value of one of the kinds at a place at the top of the json."""
        return sum(self.values[f"{place}: {kind}"] for kind in kinds)


def _add(counts: Counter[str], name: str, count: int) -> None:
    if name in counts or len(counts) < MAX_NAMES:
        counts[name] += count


def _decoded(data: bytes | None) -> Any:
    try:
        return json.loads(data or b"")
    except (ValueError, RecursionError):
        return None


def _values(value: Any, place: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the kinds of a value and of those in it, by their places."""
    if place:
        blank = isinstance(value, str) and not value.strip()
        yield f"{place}: {BLANK if blank else _KINDS.get(type(value), 'null')}"
    if depth == MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key in list(value)[:MAX_ELEMENTS]:
            yield from _values(value[key], f"{place}.{key[:MAX_CHARS]}".removeprefix("."), depth + 1)
    elif isinstance(value, list) and place:
        for element in value[:MAX_ELEMENTS]:
            yield from _values(element, f"{place}[]", depth + 1)

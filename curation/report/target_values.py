"""The targets of a balance, as the report, the card and `show` tell them: how many entries and concepts have one."""

from collections.abc import Sequence
from typing import Any

from curation.balancing.targets import EntryTargets
from curation.core.amounts import counted


def target_values(targets: EntryTargets | None) -> list[dict[str, Any]]:
    """Return by language how many entries have a target, and how many of them a weight and an own t.

    Those of concepts follow, by namespace.

    >>> import numpy as np
    >>> target_values(EntryTargets({"en": (np.array([3, 5, 8]), np.array([2.0, 4.0, -100.0]))}))
    [{'lang': 'en', 'entries': 3, 'weights': 2, 'own_t': 1}]
    """
    if targets is None:
        return []
    found = []
    for owner, things, mine in (
        ("lang", "entries", targets.of_entries()),
        ("namespace", "concepts", targets.of_concepts()),
    ):
        for name, (ids, values) in sorted(mine.by_lang.items()):
            own = int((values < 0).sum())
            found.append({owner: name, things: len(ids), "weights": len(ids) - own, "own_t": own})
    return found


def target_text(row: dict[str, Any]) -> str:
    """Return how many entries of a language, or concepts of a namespace, have a target, in words.

    >>> target_text({"lang": "en", "entries": 3, "weights": 2, "own_t": 1})
    '3 entries of en (2 with a weight, 1 with a t)'
    """
    kinds = {"a weight": row["weights"], "a t": row["own_t"]}
    told = ", ".join(f"{number:,} with {kind}" for kind, number in kinds.items() if number)
    owner, things = ("namespace", "concepts") if "namespace" in row else ("lang", "entries")
    return f"{counted(row[things], things)} of {row[owner]} ({told})"


def target_texts(rows: Sequence[dict[str, Any]], most: int) -> list[str]:
    """Return the texts of at most this many rows, and how many more there are."""
    left = rows[most:]
    kinds = {"lang": "languages", "namespace": "namespaces"}
    owners = [nouns for owner, nouns in kinds.items() if any(owner in row for row in left)]
    more = [counted(len(left), f"more {' or '.join(owners)}")] if left else []
    return [*map(target_text, rows[:most]), *more]

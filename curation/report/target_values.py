"""The targets of a balance, as the report, the card and `show` tell them: how many entries have one."""

from typing import Any

from curation.balancing.targets import EntryTargets
from curation.core.amounts import counted


def target_values(targets: EntryTargets | None) -> list[dict[str, Any]]:
    """Return by language how many entries have a target, and how many of them a weight and an own t.

    >>> import numpy as np
    >>> target_values(EntryTargets({"en": (np.array([3, 5, 8]), np.array([2.0, 4.0, -100.0]))}))
    [{'lang': 'en', 'entries': 3, 'weights': 2, 'own_t': 1}]
    """
    if targets is None:
        return []
    found = []
    for lang, (ids, values) in sorted(targets.by_lang.items()):
        own = int((values < 0).sum())
        found.append({"lang": lang, "entries": len(ids), "weights": len(ids) - own, "own_t": own})
    return found


def target_text(row: dict[str, Any]) -> str:
    """Return how many entries of a language have a target, in words.

    >>> target_text({"lang": "en", "entries": 3, "weights": 2, "own_t": 1})
    '3 entries of en (2 with a weight, 1 with a t)'
    """
    kinds = {"a weight": row["weights"], "a t": row["own_t"]}
    told = ", ".join(f"{number:,} with {kind}" for kind, number in kinds.items() if number)
    return f"{counted(row['entries'], 'entries')} of {row['lang']} ({told})"

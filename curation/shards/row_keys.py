"""The keys by which rows of other programs name images."""

import re
from typing import Any

from curation.core.uids import uid_of

_DIGITS = {"uid": 24, "sha256": 64, "datacomp_uid": 32}
_PATTERNS = {kind: re.compile(rf"[0-9a-f]{{{digits}}}") for kind, digits in _DIGITS.items()}


def key_of(kind: str, value: Any) -> str | None:
    """Return the key of a row: a URL stands for its uid."""
    if not isinstance(value, str):
        return None
    if kind == "url":
        return f"u{uid_of(value)}" if value and value.isprintable() else None
    if kind == "datacomp_uid":
        value = value.lower()
    return f"{kind[0]}{value}" if _PATTERNS[kind].fullmatch(value) else None

"""Patterns of e-mail addresses and telephone numbers: how many texts hold one, and texts without them.

The patterns find what looks like one. Numbers of another kind, such as a date beside a time, may look like a telephone
number; an address that is spelled out is not found. So shares say where to look, and prove nothing.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORD, _DIGIT, _GAP = r"[\p{L}\p{N}_]", r"\p{Nd}", "[ \u00a0().\\-/]{0,3}"
EMAIL = rf"[\p{{L}}\p{{N}}_.%+-]{{1,64}}(?:@|%40){_WORD}[\p{{L}}\p{{N}}_.-]{{0,250}}\.\p{{L}}{{2,24}}"
PHONE = rf"[+(]{{0,2}}{_DIGIT}(?:{_GAP}{_DIGIT}){{6,14}}"
"""Seven to fifteen digits with at most three blanks, dots, hyphens, slashes or brackets between two of them."""

LONGEST = 400
"""More characters than a pattern finds: so many at the end of a text that was cut may be a part of an address."""
MAX_READ = 2_000
"""Characters of a text that are kept for `masked_beginning`."""


def _python(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in the words of Python, which has no properties of Unicode."""
    inner = pattern.replace(r"\p{Nd}", r"\d").replace(r"\p{L}\p{N}_", r"\w").replace(r"\p{L}", r"[^\W\d_]")
    return re.compile(inner)


_EMAIL, _PHONE = _python(EMAIL), _python(PHONE)


def hold_emails(texts: pa.Array) -> np.ndarray:
    """Return whether each text holds what looks like an e-mail address, bool."""
    found = pc.match_substring(texts, "@").to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(found)
    if len(rows):
        found[rows] = pc.match_substring_regex(texts.take(pa.array(rows)), EMAIL).to_numpy(zero_copy_only=False)
    return found


def hold_phones(texts: pa.Array) -> np.ndarray:
    """Return whether each text holds what looks like a telephone number, bool."""
    return pc.match_substring_regex(texts, PHONE).to_numpy(zero_copy_only=False)


def masked(text: str) -> str:
    """Return a text in which e-mail addresses and telephone numbers are masked.

    >>> masked("write to me.too@example.co.uk or call +49 (30) 123-4567")
    'write to [email] or call [number]'
    """
    return _PHONE.sub("[number]", _EMAIL.sub("[email]", text))


def masked_beginning(text: str, limit: int) -> str:
    """Return at most `limit` characters of a masked text, which may have been cut after MAX_READ characters.

    >>> masked_beginning("x" * 290 + " me@example.org", 300)[-10:]
    'xx [email]'
    >>> "me" in masked_beginning("a@example.org " * 142 + "me@example.org", 2000)
    False
    """
    shown = masked(text[:MAX_READ])
    return shown[:limit] if len(text) < MAX_READ else shown[: min(limit, max(len(shown) - LONGEST, 0))]

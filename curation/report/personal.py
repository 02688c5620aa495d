"""Patterns of e-mail addresses and telephone numbers: how many texts hold one, and texts without them.

The patterns find what looks like one. Numbers of another kind, such as a date beside a time, may look like a telephone
number; an address that is spelled out is not found. So shares say where to look, and prove nothing.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.plain_texts import plain_text

_WORD, _DIGIT, _GAP = r"[\p{L}\p{N}_]", r"\p{Nd}", "[ \u00a0().\\-/]{0,3}"
EMAIL = rf"[\p{{L}}\p{{N}}_.%+-](?:@|%40){_WORD}[\p{{L}}\p{{N}}_.-]{{0,250}}\.\p{{L}}{{2}}"
"""The least that an address has: to look for more letters at its ends takes longer, and finds the same texts."""
PHONE = rf"[+(]{{0,2}}{_DIGIT}(?:{_GAP}{_DIGIT}){{6,14}}"
"""Seven to fifteen digits with at most three blanks, dots, hyphens, slashes or brackets between two of them."""

_ANY = "0-9A-Za-z_\u00aa-\u1fff\u2070-\u2fff\u3001-\U0010ffff"
"""Letters, digits and marks of all scripts, and of other signs those that are not ASCII: masks take rather more."""
_EMAIL = re.compile(rf"(?<![{_ANY}.%+'-])[{_ANY}.%+'-]+(?:@|%40)[{_ANY}][{_ANY}.-]*[.\u3002][^\W\d_][{_ANY}-]+")
_BETWEEN = "[ \t\u00a0().\\-/_\u00b7\u2010-\u2015\u2212\u30fb\u30fc]{0,3}"
_PHONE = re.compile(rf"[+(]{{0,2}}\d(?:{_BETWEEN}\d){{6,}}")
_YEARS = re.compile(r"[12]\d{3} ?[\u2013\u2014] ?[12]\d{3}")
"""Years with a longer dash between them stay, although a telephone number may have eight digits."""

LONGEST = 400
"""More characters than a true address has: so many at the end of a text that was cut may be a part of one."""
MAX_READ = 2_000
"""Characters of a text that are kept for `masked_beginning`."""


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

    A text that hides one in escapes, invisible characters or other forms of letters is given in its plain form.

    >>> masked("write to me.too@example.co.uk or call +49 (30) 123-4567")
    'write to [email] or call [number]'
    """
    shown, plain = _masked(text), _masked(plain_text(text))
    return shown if plain_text(shown) == plain else plain


def _masked(text: str) -> str:
    """Return a text in which the addresses and numbers are masked that stand there as they are."""
    text = _EMAIL.sub("[email]", text)
    return _PHONE.sub(lambda found: found[0] if _YEARS.fullmatch(found[0].lstrip("+(")) else "[number]", text)


def masked_beginning(text: str, limit: int) -> str:
    """Return at most `limit` characters of a masked text, which may have been cut after MAX_READ characters.

    >>> masked_beginning("x" * 290 + " me@example.org", 300)[-10:]
    'xx [email]'
    >>> "me" in masked_beginning("a@example.org " * 142 + "me@example.org", 2000)
    False
    """
    shown = masked(text[:MAX_READ])
    return shown[:limit] if len(text) < MAX_READ else shown[: min(limit, max(len(shown) - LONGEST, 0))]

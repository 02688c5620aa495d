"""Which texts extraction keeps, and in what form.

Tab, CR and LF become blanks and the ends are stripped of Unicode white space; inside, runs of blanks stay, as the
published algorithm keeps them, unless `collapse_blanks` is set.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

REASONS = ("", "blank_text", "short_text", "long_text", "broken_text")
"""Drop reasons by the number that `clean_texts` gives; 0 is a text that stays."""
KEPT, BLANK, SHORT, LONG, BROKEN = range(5)

_BREAKS = str.maketrans("\t\n\r", "   ")
_RUN = re.compile(r"\s+")


@dataclass(frozen=True)
class TextRules:
    """Bounds of a text.

    `min_chars` and `max_chars` count characters after stripping (None: no bound); `max_replacement_share` is the
    largest share of U+FFFD, which stands for bytes that were no text.
    """

    min_chars: int | None = None
    max_chars: int | None = None
    max_replacement_share: float = 0.1
    collapse_blanks: bool = False


def clean_texts(texts: pa.Array, rules: TextRules) -> tuple[pa.Array, np.ndarray]:
    """Return the texts as they are kept, empty where dropped, and a number in REASONS for each, uint8."""
    reasons = np.zeros(len(texts), np.uint8)
    cleaned: list[str] = []
    for row, text in enumerate(texts.to_pylist()):
        text, reasons[row] = clean(text, rules)
        cleaned.append(text)
    return pa.array(cleaned, pa.string()), reasons


def clean(text: str, rules: TextRules) -> tuple[str, int]:
    r"""Apply the rules to one text; it is empty where the reason is not KEPT.

    >>> clean("\ta  red\nkite ", TextRules())
    ('a  red kite', 0)
    """
    text = text.translate(_BREAKS).strip()
    if rules.collapse_blanks:
        text = _RUN.sub(" ", text)
    if not text:
        return "", BLANK
    if rules.min_chars is not None and len(text) < rules.min_chars:
        return "", SHORT
    if rules.max_chars is not None and len(text) > rules.max_chars:
        return "", LONG
    if "\ufffd" in text and text.count("\ufffd") > rules.max_replacement_share * len(text):
        return "", BROKEN
    return text, KEPT

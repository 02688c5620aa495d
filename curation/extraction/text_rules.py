"""The rules of texts: which texts extraction keeps, and in which form.

Tab, CR and LF become blanks, and Unicode white space at both ends is stripped. Runs of blanks inside stay, as in the
published algorithm, unless `collapse_blanks` is set. `are_free_of_listed_words` needs the language of a text, so it
runs after language detection. The work on bytes is in `text_kernels.py`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import Emails
from curation.core.languages import LANGUAGES
from curation.core.string_buffers import buffers_of, string_array
from curation.core.text_lists import read_lines
from curation.extraction.drop_reasons import EMAIL
from curation.extraction.text_kernels import clean_rows

MASK = "[email]"
# A local part of at most 64 characters that begins where no such character stands before it: linear on any text.
_ADDRESS = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?=[\w.-]{1,255})[^\W_](?:[\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)


@dataclass(frozen=True)
class TextRules:
    """Bounds of a text.

    `min_chars` and `max_chars` count characters after stripping (None: no bound); `max_replacement_share` is the
    largest share of U+FFFD, which stands for bytes that are no text. `emails` keeps e-mail addresses, masks them (each
    becomes MASK) or drops their texts. `word_lists` is the path of word lists, with `{lang}` for the code: texts that
    contain a word of their language's list are dropped.
    """

    min_chars: int | None
    max_chars: int | None
    max_replacement_share: float
    collapse_blanks: bool
    emails: Emails
    word_lists: str


def clean_texts(texts: pa.Array, rules: TextRules) -> tuple[pa.Array, np.ndarray]:
    r"""Return the texts as they are kept, empty where dropped, and a number in TEXT_REASONS for each, uint8.

    >>> rules = TextRules(None, None, 0.1, collapse_blanks=False, emails=Emails.keep, word_lists="")
    >>> clean_texts(pa.array(["\ta  red\nkite ", " "]), rules)[0].to_pylist()
    ['a  red kite', '']
    """
    offsets, data = buffers_of(texts)
    cleaned_offsets, cleaned, reasons = clean_rows(
        offsets, data, rules.min_chars or 0, rules.max_chars or 0, rules.max_replacement_share, rules.collapse_blanks
    )
    kept = string_array(cleaned_offsets, cleaned)
    return (kept, reasons) if rules.emails is Emails.keep else _without_emails(kept, reasons, rules.emails)


def _without_emails(texts: pa.Array, reasons: np.ndarray, emails: Emails) -> tuple[pa.Array, np.ndarray]:
    found = np.flatnonzero(pc.match_substring(texts, "@").to_numpy(zero_copy_only=False))
    changed = {row: _ADDRESS.sub(MASK, texts[row].as_py()) for row in found.tolist()}
    changed = {row: text for row, text in changed.items() if text != texts[row].as_py()}
    if not changed:
        return texts, reasons
    rows = np.array(sorted(changed))
    if emails is Emails.drop:
        reasons[rows] = EMAIL
        return texts, reasons
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([changed[row] for row in rows.tolist()])), reasons


def are_free_of_listed_words(texts: pa.Array, langs: pa.Array, word_lists: str) -> pa.Array:
    """Return whether each text contains no word of the list of its language: bool."""
    patterns = (word_pattern(word_lists, lang) for lang in langs.to_pylist())
    pairs = zip(texts.to_pylist(), patterns, strict=True)
    return pa.array([pattern is None or not pattern.search(text) for text, pattern in pairs], pa.bool_())


def all_word_lists(word_lists: str) -> str:
    """Return the glob of the word lists of all languages.

    >>> all_word_lists("/my[1]/{lang}.txt")
    '/my[[]1]/*.txt'
    """
    return "*".join(map(storage.escaped, word_lists.split("{lang}")))


@lru_cache(512)
def word_pattern(word_lists: str, lang: str) -> re.Pattern[str] | None:
    """Return a pattern that finds the words of a language's list, None without a list.

    `{lang}` in the path stands for the code. Words are whole words where the language puts blanks between them; case is
    ignored.
    """
    path = word_lists.replace("{lang}", lang)
    if lang not in LANGUAGES or not storage.exists(path):
        return None
    lines = read_lines(path, "replace")
    words = sorted({line.strip() for line in lines} - {""}, key=lambda word: (-len(word), word))
    if not words:
        return None
    either = "|".join(map(re.escape, words))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)" if LANGUAGES[lang].blanks else either, re.IGNORECASE)

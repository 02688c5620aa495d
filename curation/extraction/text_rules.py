"""Which texts extraction keeps, and in what form.

Tab, CR and LF become blanks and the ends are stripped of Unicode white space; inside, runs of blanks stay, as the
published algorithm keeps them, unless `collapse_blanks` is set.
"""

import re
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import Emails
from curation.core.string_buffers import buffers_of, string_array

REASONS = ("", "blank_text", "short_text", "long_text", "broken_text", "email")
"""Drop reasons by the number that `clean_texts` gives; 0 is a text that stays."""
KEPT, BLANK, SHORT, LONG, BROKEN, EMAIL = range(6)
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
    r"""Return the texts as they are kept, empty where dropped, and a number in REASONS for each, uint8.

    >>> rules = TextRules(None, None, 0.1, collapse_blanks=False, emails=Emails.keep, word_lists="")
    >>> clean_texts(pa.array(["\ta  red\nkite ", " "]), rules)[0].to_pylist()
    ['a  red kite', '']
    """
    offsets, data = buffers_of(texts)
    cleaned_offsets, cleaned, reasons = _clean_rows(
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


@numba.njit(cache=True, nogil=True)
def _clean_rows(
    offsets: np.ndarray, data: np.ndarray, min_chars: int, max_chars: int, max_share: float, collapse: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = len(offsets) - 1
    cleaned = np.empty(offsets[rows] - offsets[0], np.uint8)
    cleaned_offsets = np.zeros(rows + 1, np.int32)
    reasons = np.zeros(rows, np.uint8)
    used = np.uint64(0)
    one = np.uint64(1)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while at < end:  # blanks in front
            width = _blank_width(data, at, end)
            if width == 0:
                break
            at += width
        start, chars, broken = used, 0, 0
        last = used  # behind the last character that is no blank
        last_chars = 0
        index, stop = np.uint64(at), np.uint64(end)
        pending = False  # a run of blanks to be collapsed
        while index < stop:
            byte = data[index]
            if byte > 32 and byte < 128:  # the common case
                if pending:
                    cleaned[used] = 32
                    used += one
                    chars += 1
                    pending = False
                cleaned[used] = byte
                used += one
                index += one
                chars += 1
                last, last_chars = used, chars
                continue
            width = _blank_width(data, np.int64(index), end)
            if width:
                if collapse:
                    pending = True
                    index += np.uint64(width)
                    continue
                if byte == 9 or byte == 10 or byte == 13:
                    cleaned[used] = 32
                    used += one
                    index += one
                else:
                    for _ in range(width):
                        cleaned[used] = data[index]
                        used += one
                        index += one
                chars += 1
                continue
            if pending:
                cleaned[used] = 32
                used += one
                chars += 1
                pending = False
            if byte == 0xEF and index + np.uint64(2) < stop:
                broken += data[index + one] == 0xBF and data[index + np.uint64(2)] == 0xBD
            cleaned[used] = byte
            used += one
            index += one
            while index < stop and data[index] & 0xC0 == 0x80:
                cleaned[used] = data[index]
                used += one
                index += one
            chars += 1
            last, last_chars = used, chars
        used = last
        if last_chars == 0:
            reasons[row] = 1
        elif last_chars < min_chars:
            reasons[row] = 2
        elif max_chars and last_chars > max_chars:
            reasons[row] = 3
        elif broken > max_share * last_chars:
            reasons[row] = 4
        if reasons[row]:
            used = start
        cleaned_offsets[row + 1] = used
    return cleaned_offsets, cleaned, reasons


@numba.njit(cache=True, nogil=True)
def _blank_width(data: np.ndarray, at: int, end: int) -> int:
    """The bytes of the character at `at` if it is white space as `str.isspace` has it, else 0."""
    byte = data[at]
    if byte <= 32:
        return 1 if byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31 else 0
    if byte == 0xC2:  # U+0085, U+00A0
        return 2 if at + 1 < end and (data[at + 1] == 0x85 or data[at + 1] == 0xA0) else 0
    if byte < 0xE1 or byte > 0xE3 or at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:  # U+2000 to U+200A, U+2028, U+2029, U+202F
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0  # U+205F

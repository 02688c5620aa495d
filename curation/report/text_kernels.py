"""Lengths of texts, and how many tokens CLIP's tokenizer makes of a text at least and at most, without its vocabulary.

The tokenizer cuts a text at blanks, and between letters, single digits and runs of other marks; each piece becomes one
token or more, and a token stands for one byte or more. So a text has at least as many tokens as pieces and at most as
many as bytes that are no blanks. A piece is counted only where the tokenizer is sure to cut: bytes beyond ASCII may be
letters or marks and apostrophes may belong to either side, so both join what stands beside them.
"""

import numba
import numpy as np

MAX_TOKENS = 75
"""Tokens of a text that CLIP reads: its context of 77 less the marks of start and end."""
_BLANK, _LETTER, _MARK, _DIGIT, _FURTHER = range(5)


@numba.njit(cache=True, nogil=True)
def measure_texts(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return of each text its characters, its words, its pieces and its bytes that are no blanks, int32 each.

    Texts come as (offsets, UTF-8 bytes). A word is a run of characters without a blank: a character up to U+0020, a
    no-break space or an ideographic space.
    """
    rows = len(offsets) - 1
    characters, words = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
    pieces, filled = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        before, blank = _BLANK, True
        while at < end:
            byte = data[at]
            if byte & 0xC0 != 0x80:
                characters[row] += 1
            width = _blank_width(data, at, end)
            if width:
                before, blank = _BLANK, True
                at += width
                continue
            if blank:
                words[row] += 1
                blank = False
            filled[row] += 1
            at += 1
            if byte == 39 or byte == 127:  # an apostrophe, or a control character that the tokenizer takes away
                continue
            kind = _kind(byte)
            is_cut = kind != before and (before != _FURTHER or kind == _DIGIT)
            if kind == _FURTHER and before != _BLANK:
                is_cut = False
            if is_cut or kind == _DIGIT:
                pieces[row] += 1
            before = kind
    return characters, words, pieces, filled


@numba.njit(cache=True, nogil=True)
def _kind(byte: int) -> int:
    if byte >= 128:
        return _FURTHER
    if 48 <= byte <= 57:
        return _DIGIT
    if 65 <= byte <= 90 or 97 <= byte <= 122:
        return _LETTER
    return _MARK


@numba.njit(cache=True, nogil=True)
def _blank_width(data: np.ndarray, at: int, end: int) -> int:
    byte = data[at]
    if byte <= 32:
        return 1
    if byte == 0xC2 and at + 1 < end and data[at + 1] == 0xA0:
        return 2
    if byte == 0xE3 and at + 2 < end and data[at + 1] == 0x80 and data[at + 2] == 0x80:
        return 3
    return 0

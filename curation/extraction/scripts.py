"""The scripts of texts: which ones occur, how many letters there are, and whether most of them are capitals.

`scripts.tsv` beside this module holds the code points of each script: Unicode 16's property Script, of which ranges
meet where no other character lies between them. `Kana` is both kana and the mark that makes them long.
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa

from curation.core.languages import LANGUAGES
from curation.core.string_buffers import buffers_of

LAST = 0x323B0
"""There are no letters from here on."""
HAN_LETTERS = 3
"""A Chinese character, a kana or a syllable of Hangul says as much as this many letters."""
_CAPITAL, _SMALL, _DOTTED = 32, 64, 128
_NUMBER = 31


def _read_table() -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the scripts, and of each code point the number of its script with bits for its case."""
    names, points = [""], np.zeros(LAST, np.uint8)
    for line in files("curation.extraction").joinpath("scripts.tsv").read_text("utf-8").splitlines()[1:]:
        name, ranges = line.split("\t")
        for each in ranges.split(" "):
            first, _, last = each.partition("-")
            points[int(first, 16) : int(last or first, 16) + 1] = len(names)
        names.append(name)
    for point in np.flatnonzero(points).tolist():
        if point < 0x3000 or 0xA640 <= point < 0xAC00 or point > 0xFF00:
            points[point] |= chr(point).isupper() * _CAPITAL | chr(point).islower() * _SMALL
    points[0x130] |= _DOTTED
    return tuple(names), points


SCRIPTS, _POINTS = _read_table()
"""The names of scripts (ISO 15924) by their numbers; 0 is no script of the table."""
_LATIN, _HAN, _KANA, _HANGUL = (SCRIPTS.index(name) for name in ("Latn", "Hani", "Kana", "Hang"))
_PARTS = {"Jpan": ("Kana", "Hani"), "Kore": ("Hang", "Hani"), "Hans": ("Hani",), "Hant": ("Hani",)}
_SEVERAL = {
    "sr": ("Latn",), "sh": ("Cyrl",), "bs": ("Cyrl",), "uz": ("Cyrl",), "az": ("Cyrl", "Arab"), "tt": ("Latn",),
    "kk": ("Latn", "Arab"), "ku": ("Arab",), "tk": ("Cyrl",), "sd": ("Deva",), "gom": ("Latn",), "hif": ("Deva",),
    "bh": ("Latn",), "ks": ("Deva",), "crh": ("Cyrl",), "lrc": ("Arab",),
}  # fmt: skip
"""Further scripts in which texts of a detector label are written beside the script of its Wikipedia."""
ANY = 0xFFFFFFFF


@cache
def scripts_of_label(label: str) -> int:
    """Return the scripts of a detector label as bits of their numbers; ANY for a label that the table does not have.

    >>> [bin(scripts_of_label(label)).count("1") for label in ("de", "sr", "ja")], scripts_of_label("deu_Latn") == ANY
    ([1, 2, 2], True)
    """
    known = {language.label: language.script for language in LANGUAGES.values() if language.label}
    names = [*_SEVERAL.get(label, ())] + ([known[label]] if label in known else [])
    parts = [part for name in names for part in _PARTS.get(name, (name,))]
    return sum({1 << SCRIPTS.index(part) for part in parts if part in SCRIPTS}) or ANY


class TextScripts(NamedTuple):
    """The scripts of texts, n each.

    `present` (uint32) has the bits of the scripts that occur; Latin, in which brands and units are written everywhere,
    only if at least half of the letters are Latin. `main` (uint8) is the number of the script that has the
    most letters; kana and Hangul have the Chinese characters beside them, too. `letters` (int32) counts letters,
    HAN_LETTERS for each kana, syllable of Hangul and Chinese character.
    `capitals` (bool) says that most letters are capitals, `dotted` (bool) that one is the Turkish capital with a dot.
    """

    present: np.ndarray
    main: np.ndarray
    letters: np.ndarray
    capitals: np.ndarray
    dotted: np.ndarray


def scripts_of(texts: pa.Array) -> TextScripts:
    """Return the scripts of texts without nulls.

    >>> found = scripts_of(pa.array(["ROTER SCHUH", "赤い靴", "12"]))
    >>> [SCRIPTS[number] for number in found.main], found.capitals.tolist()
    (['Latn', 'Kana', ''], [True, False, False])
    """
    offsets, data = buffers_of(texts)
    rows = len(offsets) - 1
    found = TextScripts(*(np.zeros(rows, kind) for kind in (np.uint32, np.uint8, np.int32, np.bool_, np.bool_)))
    _read_scripts(offsets, data, _POINTS, *found)
    return found


@numba.njit(cache=True, nogil=True)
def _read_scripts(
    offsets: np.ndarray,
    data: np.ndarray,
    points: np.ndarray,
    present: np.ndarray,
    main: np.ndarray,
    letters: np.ndarray,
    capitals: np.ndarray,
    dotted: np.ndarray,
) -> None:
    counts = np.zeros(32, np.int32)
    one = np.uint64(1)
    for row in range(len(offsets) - 1):
        index, stop = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        counts[:] = 0
        upper, lower, dots = 0, 0, 0
        while index < stop:
            byte = np.uint32(data[index])
            if byte < 0x80:
                point, width = byte, one
            else:
                width = np.uint64(2) if byte < 0xE0 else np.uint64(3) if byte < 0xF0 else np.uint64(4)
                if index + width > stop:
                    break
                point = byte & np.uint32(0xFF >> (width + one))
                for step in range(one, width):
                    point = point << np.uint32(6) | np.uint32(data[index + step]) & np.uint32(63)
            index += width
            if point < LAST:
                kind = points[point]
                counts[kind & _NUMBER] += 1
                upper += kind & _CAPITAL > 0
                lower += kind & _SMALL > 0
                dots += kind & _DOTTED > 0
        counts[0] = 0
        for number in (_HAN, _KANA, _HANGUL):
            counts[number] *= HAN_LETTERS
        total, bits = 0, np.uint32(0)
        for number in range(1, len(counts)):
            if counts[number]:
                total += counts[number]
                bits |= np.uint32(1) << np.uint32(number)
        # Of five Chinese characters one kana makes Japanese; a single one in a Chinese text is an ornament.
        if counts[_KANA] * 5 >= counts[_HAN] and counts[_KANA]:
            counts[_KANA] += counts[_HAN]
        if counts[_HANGUL]:
            counts[_HANGUL] += counts[_HAN]
        best = 0
        for number in range(1, len(counts)):
            if counts[number] > counts[best]:
                best = number
        if best == _HAN and counts[_KANA] == counts[_HAN]:
            best = _KANA
        if best == _HAN and counts[_HANGUL] == counts[_HAN]:
            best = _HANGUL
        if counts[_LATIN] * 2 < total:
            bits &= ~(np.uint32(1) << np.uint32(_LATIN))
        present[row] = bits
        main[row] = best
        letters[row] = total
        capitals[row] = upper > 1 and upper > lower
        dotted[row] = dots > 0

"""Spacing of texts and entries: the definition of a match.

An entry matches a text iff the *padded entry* is a substring of the *spaced text* (Demystifying CLIP Data,
arXiv 2309.16671, section 3; Meta CLIP 2, arXiv 2507.22062, for the edges). Case, accents, widths and normal forms
matter; an entry counts once per text.

**Spaced text**: tab, newline and carriage return become blanks; a blank goes before and after each of the spaced marks
``, . ; : ? ! ` `` and before and after the whole. Nothing else is spaced, nothing is collapsed or stripped.

**Padded entry**: a blank before and after, the entry otherwise untouched. An edge whose character is in the *edge
class* gets no blank, which lets entries of scripts that are written without blanks match inside a run of text:

| edges | edge class | source |
|---|---|---|
| `blank` | empty | Demystifying CLIP Data |
| `script` | CJK, Thai, Lao, Burmese, Khmer, Tibetan, ASCII punctuation and ， 。 、 and their like | Meta CLIP 2 |
| `script_kana` | the same and kana, which the published class leaves out | ours |

| text | entries (first is 0) | edges | ids | why |
|---|---|---|---|---|
| `a dog.` | `dog` | any | 0 | a blank is put before the spaced mark |
| `a dog-cart` | `dog`, `dog-cart` | any | 1 | a hyphen is not spaced |
| `"dog"` | `dog`, `"dog"` | any | 1 | a quote is not spaced |
| `Dog` | `dog`, `Dog` | any | 1 | case matters |
| `dog dog` | `dog` | any | 0 | once per text |
| `red, blue` | `red , blue`, `red blue`, `,` | any | 2 | spacing leaves two blanks behind the comma |
| `Mr. Smith` | `Mr. Smith`, `Mr` | any | 1 | the mark in the first entry has no blank before it: it never matches |
| `3.5` | `3.5`, `3` | any | 1 | marks inside numbers are spaced, too |
| `new  york` | `new york`, `new`, `york` | any | 1 2 | blanks are not collapsed |
| `一只黑猫` | `黑猫`, `猫` | blank | none | no blank around them |
| `一只黑猫` | `黑猫`, `猫` | script | 0 1 | CJK edges get no blank |
| `iPhone手机` | `iPhone`, `手机` | script | 1 | the right edge of a Latin entry still needs a blank |
| `くろねこだ` | `ねこ` | script | none | kana is not in the published class |
| `くろねこだ` | `ねこ` | script_kana | 0 | it is in ours |

tests/unit/matching/test_spacing.py holds the whole table of named cases.
"""

import re
import string
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import Edges

MARKS = ",.;:?!`"
"""The spaced marks: a blank is put before and after each."""

_SPACED = (("\t", " "), ("\n", " "), ("\r", " "), *((mark, f" {mark} ") for mark in MARKS))
# A mark that touches something other than a blank, or two marks with fewer than two blanks between them.
_UNMATCHABLE = re.compile(r"[\t\n\r]|[^ ][,.;:?!`]|[,.;:?!`][^ ]|[,.;:?!`] [,.;:?!`]")

# First and last code point. The CJK ranges are those of the published rule: ideographs with extensions A to F,
# compatibility ideographs, radicals, Kangxi radicals, description characters. Hangul is not among them.
_SCRIPTS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0x2CEB0, 0x2EBEF), (0xF900, 0xFAFF), (0x2E80, 0x2EFF), (0x2F00, 0x2FDF), (0x2FF0, 0x2FFF),
    (0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x0F00, 0x0FFF),
)  # fmt: skip
_PUNCTUATION = string.punctuation + "，。、；：？！“”‘’（）【】《》〈〉「」『』～—"
# Hiragana and katakana with the long vowel mark, phonetic extensions, half-width katakana.
_KANA = ((0x3040, 0x309F), (0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
CODE_POINTS = 0x30000
"""All code points of all edge classes are smaller."""


@cache
def edge_class(edges: Edges) -> np.ndarray:
    """Return whether each code point below `CODE_POINTS` is in the edge class: bool."""
    inside = np.zeros(CODE_POINTS, np.bool_)
    if edges != Edges.blank:
        for first, last in _SCRIPTS + (_KANA if edges == Edges.script_kana else ()):
            inside[first : last + 1] = True
        inside[[ord(character) for character in _PUNCTUATION]] = True
    inside.flags.writeable = False
    return inside


def in_edge_class(character: str, edges: Edges) -> bool:
    """Return whether a character gets no blank at the edge of an entry."""
    return ord(character) < CODE_POINTS and bool(edge_class(edges)[ord(character)])


def space_text(text: str) -> str:
    """Return the spaced text, in which padded entries are searched.

    >>> space_text("red, blue")
    ' red ,  blue '
    """
    for found, spaced in _SPACED:  # a tenth of the time of a regular expression
        text = text.replace(found, spaced)
    return f" {text} "


def pad_entry(entry: str, edges: Edges) -> str:
    """Return the padded entry, which is searched in spaced texts; `entry` is not empty.

    >>> pad_entry("black cat", Edges.script), pad_entry("T恤", Edges.script), pad_entry("T恤", Edges.blank)
    (' black cat ', ' T恤', ' T恤 ')
    """
    left = "" if in_edge_class(entry[0], edges) else " "
    right = "" if in_edge_class(entry[-1], edges) else " "
    return f"{left}{entry}{right}"


def pad_entries(entries: pa.StringArray, edges: Edges) -> pa.StringArray:
    """Return `pad_entry` of each entry of an array without nulls and empty entries."""
    sides = []
    for first, last in ((0, 1), (-1, None)):
        edge = pc.utf8_slice_codeunits(entries, first, last).dictionary_encode()
        blanks = ["" if in_edge_class(character, edges) else " " for character in edge.dictionary.to_pylist()]
        sides.append(pa.array(blanks, pa.string()).take(edge.indices))
    return pc.binary_join_element_wise(sides[0], entries, sides[1], "")


def can_match(entry: str, edges: Edges) -> bool:
    """Return whether any text can match the entry.

    It can iff the padded entry holds no tab, newline or carriage return, each spaced mark in it has a blank or the
    padded edge on both sides, and two marks have at least two blanks between them. Such a text is the padded entry
    without the blanks around its marks.

    >>> [can_match(entry, Edges.blank) for entry in (".", "Mr. Smith", "a . b", ". ,", ".  ,")]
    [True, False, True, False, True]
    """
    return not _UNMATCHABLE.search(pad_entry(entry, edges))

"""The words of wordfreq, a package of word frequencies in some 40 languages (extra `starter`).

Its words are case-folded and sorted by frequency. Runs of digits are folded, too (`1990` counts as `0000`), so a word
with one is no word of any text.
"""

import hashlib
import importlib.metadata
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.core.errors import HeadtailError

LICENCE = "CC BY-SA 4.0 (data of wordfreq by Robyn Speer, from many sources)"
INSTALL = "pip install 'wordfreq>=3.1,<4'"
NEEDS_PACKAGE = f"starter lists need the package wordfreq: {INSTALL}"
# Wikipedia's codes of languages that wordfreq calls otherwise.
_CODES = {"bs": "sh", "hr": "sh", "no": "nb", "sr": "sh", "tl": "fil"}
_FOLDED_DIGITS = re.compile(r"\d[\d.,]*\d")
PER_BILLION = 9
"""Frequencies are told per 10**9 words."""


@dataclass(frozen=True)
class WordList:
    """The words of one language: `code` is wordfreq's, `path` that of its file."""

    code: str
    path: Path
    version: str

    @property
    def name(self) -> str:
        """The name of the list that is the same on every machine: `wordfreq 3.1.1 large_en.msgpack.gz`."""
        return f"wordfreq {self.version} {self.path.name}"

    @property
    def sha256(self) -> str:
        """The SHA-256 in hex of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def words(self) -> Iterator[tuple[str, float]]:
        """Yield the words without folded digits, most frequent first, each with its frequency per billion words.

        Words of one frequency are in the order of code points.
        """
        import wordfreq

        for centibels, band in enumerate(wordfreq.read_cBpack(str(self.path))):
            # A frequency is stored in hundredths of a power of ten.
            frequency = float(f"{10 ** (PER_BILLION - centibels / 100):.4g}")
            for word in sorted(band):
                if not _FOLDED_DIGITS.search(word):
                    yield word, frequency


def word_lists() -> dict[str, WordList]:
    """Return the list of each language by Wikipedia's code; raises HeadtailError if wordfreq is not installed."""
    try:
        import wordfreq
    except ImportError as error:
        if error.name in (None, "wordfreq"):
            raise HeadtailError(NEEDS_PACKAGE) from error
        raise HeadtailError(f"wordfreq cannot be imported ({error}): {INSTALL}") from error
    version = importlib.metadata.version("wordfreq")
    lists = {code: WordList(code, Path(path), version) for code, path in wordfreq.available_languages().items()}
    renamed = {wiki: lists[code] for wiki, code in _CODES.items() if code in lists}
    return dict(sorted(({code: found for code, found in lists.items() if code not in ("nb", "fil")} | renamed).items()))

"""Captions against the alt-texts of the same images: the entries that they match, their length, the words they share.

Numbers are states that merge: those of parts, merged, are those of the whole.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curation.matching.engines import Matcher
from curation.matching.match import match_distinct

CONTEXT = 77
"""Tokens that CLIP's text encoder takes, its marks of start and end included; it cuts longer texts."""
BANDS = ("no count", "below t/100", "below t/10", "below t", "t or more", "10 t or more")
"""Bands of entries by their count in the run; the first four are the tail, and the others the head."""
TAIL_BANDS = 4
_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\w\s]|_)+")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]|[\x00-\x08\x0b\x0e-\x1f\x7f]")
_QUOTES = str.maketrans("‘’‛“”", "'''\"\"")


def token_bounds(text: str) -> tuple[int, int]:
    """Return the least and the most tokens that CLIP's tokenizer makes of a text, its start and its end included.

    CLIP's vocabulary is not part of headtail. The tokenizer first cuts a text into pieces: runs of letters, single
    digits, runs of other signs, endings such as 's. A piece is one token or more, and at most one for each of its UTF-8
    bytes. (Texts that the tokenizer mends first, as wrongly decoded UTF-8, may have fewer.) For English prose the least
    number is close: of WordNet's glosses the tokenizer makes 1.09 tokens a piece. For other scripts it is far off.

    >>> token_bounds("A dog's 12 toys."), token_bounds("犬")
    ((9, 15), (3, 5))
    """
    cleaned = _CONTROL.sub("", html.unescape(html.unescape(text))).translate(_QUOTES).lower()
    pieces = sum(1 for _ in _PIECE.finditer(cleaned))
    return pieces + 2, sum(len(part.encode("utf-8", "replace")) for part in cleaned.split()) + 2


def words_of(text: str) -> set[str]:
    """Return the words of a text: runs of letters and digits, in lower case.

    >>> sorted(words_of("A dog_house, a DOG"))
    ['a', 'dog', 'house']
    """
    return set(_WORD.findall(text.lower()))


def band_of(counts: np.ndarray, t: float) -> np.ndarray:
    """Return the number of the band of each count in BANDS.

    >>> band_of(np.array([0, 1, 10, 99, 100, 5000]), 100).tolist()
    [0, 2, 3, 3, 4, 5]
    """
    bands = np.searchsorted(np.array([t / 100, t / 10, t, 10 * t]), counts, side="right") + 1
    return np.where(counts > 0, bands, 0)


@dataclass
class TextNumbers:
    """Lengths of texts: how many have so many characters, words, and tokens at least and at most."""

    chars: Counter[int] = field(default_factory=Counter)
    words: Counter[int] = field(default_factory=Counter)
    tokens_least: Counter[int] = field(default_factory=Counter)
    tokens_most: Counter[int] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Add a text."""
        least, most = token_bounds(text)
        self.chars[len(text)] += 1
        self.words[len(_WORD.findall(text))] += 1
        self.tokens_least[least] += 1
        self.tokens_most[most] += 1

    def merge(self, other: "TextNumbers") -> None:
        """Add the numbers of other texts."""
        for name, counter in vars(self).items():
            counter.update(getattr(other, name))

    def values(self) -> dict[str, float]:
        """Return means, medians, and the shares of texts over CONTEXT tokens, for sure and at most."""
        found: dict[str, float] = {}
        for name, counter in vars(self).items():
            found[f"{name}_mean"] = _mean(counter)
            found[f"{name}_median"] = _median(counter)
        found["over_77_least_share"] = _share_over(self.tokens_least)
        found["over_77_most_share"] = _share_over(self.tokens_most)
        return found


def _mean(counter: Counter[int]) -> float:
    return sum(value * count for value, count in counter.items()) / max(1, counter.total())


def _median(counter: Counter[int]) -> int:
    left = (counter.total() + 1) // 2
    for value in sorted(counter):
        left -= counter[value]
        if left <= 0:
            return value
    return 0


def _share_over(counter: Counter[int]) -> float:
    return sum(count for value, count in counter.items() if value > CONTEXT) / max(1, counter.total())


@dataclass
class CaptionStats:
    """Captions and alt-texts of the same images in one language; `entries` is the size of its entry list.

    Arrays are int64 by entry id: images whose alt-text matches an entry, whose caption does, and whose both do.
    """

    entries: int
    images: int = 0
    alt_texts: TextNumbers = field(default_factory=TextNumbers)
    captions: TextNumbers = field(default_factory=TextNumbers)
    words: Counter[str] = field(default_factory=Counter)
    by_alt_text: np.ndarray = field(init=False)
    by_caption: np.ndarray = field(init=False)
    by_both: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.by_alt_text, self.by_caption, self.by_both = (np.zeros(self.entries, np.int64) for _ in range(3))

    def add(self, alt_texts: Sequence[str], captions: Sequence[str], matcher: Matcher) -> None:
        """Add the texts of some images: alt_texts[i] and captions[i] are those of one image."""
        self.images += len(captions)
        for alt_text, caption in zip(alt_texts, captions, strict=True):
            self.alt_texts.add(alt_text)
            self.captions.add(caption)
            first, second = words_of(alt_text), words_of(caption)
            self.words += Counter({"alt_text": len(first), "caption": len(second), "both": len(first & second)})
        by_alt_text, by_caption = (
            _keys(match_distinct(pa.array(texts, pa.string()), matcher)) for texts in (alt_texts, captions)
        )
        both = np.intersect1d(by_alt_text, by_caption, assume_unique=True)
        for counts, found in zip(self._arrays(), (by_alt_text, by_caption, both), strict=True):
            counts += np.bincount(found & 0xFFFFFFFF, minlength=self.entries)

    def merge(self, other: "CaptionStats") -> None:
        """Add the numbers of other images."""
        self.images += other.images
        self.alt_texts.merge(other.alt_texts)
        self.captions.merge(other.captions)
        self.words += other.words
        for counts, more in zip(self._arrays(), other._arrays(), strict=True):
            counts += more

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.by_alt_text, self.by_caption, self.by_both

    def values(self, counts: np.ndarray, t: float | None) -> dict[str, Any]:
        """Return all numbers as plain values. `counts` (by entry id) are those of the run, `t` its threshold.

        The counts of entries with targets are relative to t (`EntryTargets.relative`). Without `t` all entries with a
        count are in one band, the head.
        """
        padded = np.zeros(self.entries, counts.dtype)
        padded[: len(counts)] = counts[: self.entries]
        bands = band_of(padded, t or 0.0)
        return {
            "images": self.images,
            "t": t,
            "alt_texts": self.alt_texts.values(),
            "captions": self.captions.values(),
            "words_of_alt_texts_in_captions_share": self.words["both"] / max(1, self.words["alt_text"]),
            "words_of_captions_in_alt_texts_share": self.words["both"] / max(1, self.words["caption"]),
            "bands": [self._band(name, bands == number) for number, name in enumerate(BANDS)],
            "tail": self._band("tail", bands < TAIL_BANDS),
            "head": self._band("head", bands >= TAIL_BANDS),
        }

    def _band(self, name: str, of_band: np.ndarray) -> dict[str, Any]:
        alt_text, caption, both = (counts[of_band] for counts in self._arrays())
        return {
            "band": name,
            "entries": int(of_band.sum()),
            "entries_by_alt_texts": int((alt_text > 0).sum()),
            "entries_by_captions": int((caption > 0).sum()),
            "entries_lost": int(((alt_text > 0) & (caption == 0)).sum()),
            "matches_by_alt_texts": int(alt_text.sum()),
            "matches_by_captions": int(caption.sum()),
            "matches_by_both": int(both.sum()),
        }


def _keys(ids: pa.ListArray) -> np.ndarray:
    """Return a number for each match: the place of the text in the upper 32 bits, the id of the entry in the others."""
    places = np.repeat(np.arange(len(ids), dtype=np.int64), np.diff(ids.offsets.to_numpy()))
    return places << 32 | ids.flatten().to_numpy().astype(np.int64)


def stats_lines(name: str, lang: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the numbers of `CaptionStats.values` as lines for a terminal."""
    t = "no threshold" if found["t"] is None else f"t {found['t']:,.6g}"
    yield f"{name}, {lang}: {found['images']:,} images with alt-text and caption, {t}"
    yield f"  {'':22}{'alt-texts':>12}{'captions':>12}"
    for label, key, form in (
        ("characters, median", "chars_median", ",d"),
        ("words, median", "words_median", ",d"),
        ("tokens at least, median", "tokens_least_median", ",d"),
        (f"over {CONTEXT} tokens, at least", "over_77_least_share", ".1%"),
        (f"over {CONTEXT} tokens, at most", "over_77_most_share", ".1%"),
    ):
        yield f"  {label:26}{found['alt_texts'][key]:>8{form}}{found['captions'][key]:>12{form}}"
    yield (
        f"  of the alt-texts' words {found['words_of_alt_texts_in_captions_share']:.1%} are in the caption, of the "
        f"captions' words {found['words_of_captions_in_alt_texts_share']:.1%} in the alt-text"
    )
    yield (
        f"  {'entries with a count of':24}{'entries':>9}{'by alt-texts':>14}{'by captions':>13}{'lost':>8}"
        f"{'matches: alt-texts':>20}{'captions':>10}{'both':>10}"
    )
    for band in (*found["bands"], found["tail"], found["head"]):
        yield (
            f"  {band['band']:24}{band['entries']:>9,}{band['entries_by_alt_texts']:>14,}"
            f"{band['entries_by_captions']:>13,}{band['entries_lost']:>8,}{band['matches_by_alt_texts']:>20,}"
            f"{band['matches_by_captions']:>10,}{band['matches_by_both']:>10,}"
        )

"""Numbers of captions and alt-texts, against the plainest loops; parts merged are the whole."""

import functools
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from curation.report.caption_stats import BANDS, CaptionStats, band_of, stats_lines, token_bounds
from headtail import EntryList

WORDS = ["dog", "cat", "red", "kite", "tree", "zebra", "quagga", "house", "the", "a", "of"]
ENTRIES = ["dog", "cat", "red kite", "tree", "zebra", "quagga", "house", "okapi"]
COUNTS = np.array([5000, 900, 99, 100, 9, 0, 12, 3], np.int64)
T = 100.0


@functools.cache
def matcher() -> Any:
    return EntryList(ENTRIES).matcher


def texts(count: int, seed: int, most: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randrange(1, most))) for _ in range(count)]


ALT_TEXTS, CAPTIONS = texts(300, 1, 6), texts(300, 2, 30)


def holds(text: str, entry: str) -> bool:
    return f" {entry} " in f" {text} "


def band(count: int) -> str:
    if not count:
        return "no count"
    limits = [(T / 100, "below t/100"), (T / 10, "below t/10"), (T, "below t"), (10 * T, "t or more")]
    return next((name for limit, name in limits if count < limit), "10 t or more")


def by_loops() -> dict[str, Counter[str]]:
    found = {name: Counter[str]() for name in BANDS}
    for entry, count in zip(ENTRIES, COUNTS.tolist(), strict=True):
        mine = found[band(count)]
        by_alt = [holds(text, entry) for text in ALT_TEXTS]
        by_caption = [holds(text, entry) for text in CAPTIONS]
        mine["entries"] += 1
        mine["entries_by_alt_texts"] += any(by_alt)
        mine["entries_by_captions"] += any(by_caption)
        mine["entries_lost"] += any(by_alt) and not any(by_caption)
        mine["matches_by_alt_texts"] += sum(by_alt)
        mine["matches_by_captions"] += sum(by_caption)
        mine["matches_by_both"] += sum(first and second for first, second in zip(by_alt, by_caption, strict=True))
    return found


def stats(start: int = 0, end: int = 300) -> CaptionStats:
    made = CaptionStats(len(ENTRIES))
    made.add(ALT_TEXTS[start:end], CAPTIONS[start:end], matcher())
    return made


def test_bands_words_and_lengths_are_those_of_plain_loops() -> None:
    found = stats().values(COUNTS, T)
    expected = by_loops()
    for row in found["bands"]:
        assert row == {"band": row["band"], **dict.fromkeys(row.keys() - {"band"}, 0), **expected[row["band"]]}
    for name, bands in {"tail": BANDS[:4], "head": BANDS[4:]}.items():
        total = sum((expected[each] for each in bands), Counter())
        assert {key: value for key, value in found[name].items() if key != "band" and value} == +total
    shared = [set(alt.split()) & set(cap.split()) for alt, cap in zip(ALT_TEXTS, CAPTIONS, strict=True)]
    first, second = (sum(len(set(text.split())) for text in side) for side in (ALT_TEXTS, CAPTIONS))
    assert found["words_of_alt_texts_in_captions_share"] == sum(map(len, shared)) / first
    assert found["words_of_captions_in_alt_texts_share"] == sum(map(len, shared)) / second
    lengths = sorted(len(text) for text in CAPTIONS)
    assert found["captions"]["chars_mean"] == pytest.approx(sum(lengths) / 300)
    assert found["captions"]["chars_median"] == lengths[149]
    assert found["captions"]["words_median"] == sorted(len(text.split()) for text in CAPTIONS)[149]
    assert found["images"] == 300


def test_parts_merged_are_the_whole() -> None:
    merged = CaptionStats(len(ENTRIES))
    for start, end in ((0, 1), (1, 120), (120, 120), (120, 300)):
        merged.merge(stats(start, end))
    assert merged.values(COUNTS, T) == stats().values(COUNTS, T)
    nothing = CaptionStats(len(ENTRIES)).values(COUNTS[:2], None)
    assert nothing["images"] == nothing["captions"]["chars_median"] == nothing["captions"]["over_77_most_share"] == 0
    assert nothing["head"]["entries"] == 2  # without a threshold


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 2, 2),
        ("a dog", 4, 6),
        ("It's 2024!", 9, 11),
        ("Tom &amp; Jerry", 5, 11),
        ("don’t", 4, 7),
        ("___---", 3, 8),
        ("привет мир", 4, 20),
        ("犬" * 30, 3, 92),
        ("a\x00 \x1b[31mdog", 4, 6),
    ],
    ids=[
        "empty",
        "words",
        "ending and digits",
        "entity",
        "curly",
        "signs",
        "cyrillic",
        "no blanks",
        "control characters",
    ],
)
def test_bounds_of_tokens(text: str, least: int, most: int) -> None:
    assert token_bounds(text) == (least, most)


def test_texts_over_77_tokens_are_bounded() -> None:
    made = CaptionStats(len(ENTRIES))
    made.add(["a", "b"], ["a " * 75, "a " * 76], matcher())
    assert made.captions.values()["over_77_least_share"] == 0.5
    made.add(["a", "b"], ["犬" * 26, "ab"], matcher())
    found = made.captions.values()
    assert (found["over_77_least_share"], found["over_77_most_share"]) == (0.25, 0.5)


def test_lines_tell_all_bands_and_fit_a_terminal() -> None:
    lines = list(stats_lines("caption_a", "en", stats().values(COUNTS, T)))
    assert lines[0] == "caption_a, en: 300 images with alt-text and caption, t 100"
    assert [line.split("  ")[1] for line in lines[-8:]] == [*BANDS, "tail", "head"]
    assert max(map(len, lines)) <= 110
    assert "no threshold" in next(iter(stats_lines("x", "en", stats().values(COUNTS, None))))


def test_bands_touch() -> None:
    assert band_of(np.array([0, 1, 2, 19, 20, 199, 200, 1999, 2000]), 200).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5]

"""Lengths, tokens, personal data and repeats of texts equal their plain definitions."""

import itertools
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.core.string_buffers import buffers_of
from curation.report import personal
from curation.report.repeats import count_repeats, repeat_values, spread_hashes
from curation.report.spread import Spread, hashes_of
from curation.report.text_kernels import measure_texts

BLANKS = r"[\x00-\x20\u00a0\u3000]"
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|[0-9]|(?:[^\s\w]|_)+")
"""How CLIP's tokenizer cuts ASCII: an underscore is a mark, as all that is no letter and no digit."""


def measure(*texts: str) -> list[list[int]]:
    return [values.tolist() for values in measure_texts(*buffers_of(pa.array(texts, pa.string())))]


def random_texts(alphabet: str, longest: int, count: int) -> list[str]:
    """Texts of all lengths up to the longest, from few characters, so that each pair of them stands side by side."""
    rng = random.Random(1)
    return ["".join(rng.choices(alphabet, k=rng.randint(0, longest))) for _ in range(count)]


def test_characters_words_and_bytes() -> None:
    texts = random_texts("ab1 ,'é漢\u3000\u00a0\n😀", 30, 2000)
    characters, words, _, filled = measure(*texts)
    assert characters == [len(text) for text in texts]
    assert words == [len(re.findall(rf"(?:(?!{BLANKS}).)+", text, re.DOTALL)) for text in texts]
    assert filled == [len(re.sub(BLANKS, "", text).encode()) for text in texts]


def test_pieces_are_never_more_than_the_tokenizer_makes() -> None:
    texts = [text for longest in (4, 60) for text in random_texts("abcst12 ,.!'_-", longest, 2000)]
    cut = [sum(len(PIECES.findall(word)) for word in text.split()) for text in texts]
    _, _, pieces, filled = measure(*texts)
    wrong = [row for row in zip(texts, pieces, cut, filled, strict=True) if not row[1] <= row[2] <= row[3]]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red kite", 3), ("it's 2024!", 6), ("a,b", 3), ("!?", 1), ("", 0), ("日本語", 1), ("é é", 2), ("café!", 1),
        ("x-1", 3),
    ],
    ids=["words", "clitic", "comma", "marks", "empty", "japanese", "accents", "accent and mark", "hyphen"],
)  # fmt: skip
def test_pieces(text: str, pieces: int) -> None:
    assert measure(text)[2] == [pieces]


HELD = {
    "mail": ("ask me.too+x@mail.example.co.uk now", "ask [email] now"),
    "umlauts": ("müller@bücher.example", "[email]"),
    "phone": ("call +49 (30) 123-4567!", "call [number]!"),
    "arabic digits": ("٠١٢٣٤٥٦٧", "[number]"),
    "neither": ("@home with 123 456", "@home with 123 456"),
    "a year": ("from 1999 to 2004", "from 1999 to 2004"),
}


@pytest.fixture(scope="module")
def held() -> dict[str, tuple[bool, bool]]:
    """Which texts of HELD hold an address of mail, and which a number of a telephone: one search for all texts."""
    texts = pa.array([text for text, _ in HELD.values()])
    marks = personal.hold_emails(texts).tolist(), personal.hold_phones(texts).tolist()
    return dict(zip(HELD, zip(*marks, strict=True), strict=True))


@pytest.mark.parametrize("name", HELD)
def test_personal_data(held: dict[str, tuple[bool, bool]], name: str) -> None:
    """Both dialects of regular expressions find the same."""
    text, masked = HELD[name]
    assert personal.masked(text) == masked
    assert held[name] == ("[email]" in masked, "[number]" in masked)


HIDDEN = {
    "wide at": "jane\uff20example.org",
    "small at": "jane\ufe6bexample.org",
    "wide dot": "jane@example\uff0eorg",
    "ideographic dot": "\u4f8b@\u4f8b\u3048\u3002\u30c6\u30b9\u30c8",
    "marks": "\u0908\u092e\u0947\u0932@\u0909\u0926\u093e\u0939\u0930\u0923.\u092d\u093e\u0930\u0924",
    "zero width": "jane\u200b@\u200bexample.org",
    "right to left": "jane\u202e@example.org",
    "entity": "jane&#64;example.org",
    "entity of an entity": "ja&#110;e&amp;#64;example.org",
    "twice escaped": "jane%252540example.org",
    "wide and escaped": "jane%EF%BC%A0example.org",
    "long": "j" * 99 + "@example.org",
    "apostrophe": "o'brien@example.org",
    "punycode": "jane@xn--fsq.xn--0zwm56d",
    "half an entity": "mary&#45;jane@example.org",
    "two numbers": "030 1234567 040 7654321",
    "long digits": "12345678901234567890",
    "wide digits": "\uff11\uff12\uff13\uff0d\uff14\uff15\uff16\uff17",
    "wide brackets": "03\uff081234\uff095678",
    "long mark": "03\u30fc1234\u30fc5678",
    "escaped blanks": "%2B1%20555%2D123%2D4567",
    "many blanks": "(555)    123    4567",
    **{f"separator {ord(one):x}": f"555{one}123{one}4567" for one in "\u2011\u2013\u2212\u202f\u2009\u00ad\t_\u00b7"},
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_another_spelling_hides_is_masked(text: str) -> None:
    masked = personal.masked(f"see \u201c {text} \u201d now")
    assert masked in (f"see \u201c {kind} \u201d now" for kind in ("[email]", "[number]"))


@pytest.mark.parametrize("text", [
    "1024 x 768", "2012, 2013, 2014", "(1898\u20131956)", "1998 \u2013 2004", "1,299.00 \u20ac", "30\u201340 cm",
    "10.5 x 12 cm", "100% wool &amp; 20% silk", "24/7", "\u00bd \u2122 \U0001f469\u200d\U0001f4bb", "me @ home",
], ids=itertools.count())  # fmt: skip
def test_years_prices_and_sizes_stay_as_they_are(text: str) -> None:
    assert personal.masked(text) == text


@pytest.mark.parametrize(("senders", "receivers"), [(1, 1), (4, 3)])
def test_repeats_equal_a_loop(tmp_path: Path, senders: int, receivers: int) -> None:
    values = [f"text {number}" for number in np.random.default_rng(3).zipf(1.6, 800).clip(max=10**6)]
    spread = Spread(str(tmp_path), receivers)
    for sender in range(senders):
        spread_hashes(spread, str(sender), [hashes_of(pa.array(values[sender::senders]))])
    found = repeat_values([count_repeats(task).check() for task in spread.tasks()])
    times = Counter(values).values()
    assert found is not None
    assert (found["values"], found["distinct"], found["largest"]) == (800, len(times), max(times))
    assert found["repeated"] == sum(n for n in times if n > 1)
    assert found["groups"] == sum(n > 1 for n in times)
    assert found["sizes"]["5"] == sum(5 <= n < 10 for n in times)


def test_no_values_have_no_repeats(tmp_path: Path) -> None:
    assert repeat_values([count_repeats(task) for task in Spread.of(str(tmp_path), 0).tasks()]) is None

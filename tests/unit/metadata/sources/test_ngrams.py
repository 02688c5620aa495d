"""Counts equal the simplest count of the same texts, in every script, for any limit of memory."""

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from curation.core.languages import LANGUAGES
from metadata.sources import ngrams
from metadata.sources.ngrams import count_ngrams
from metadata.sources.words import segmenter
from tests.dump_data import count_naively, join_bigram


def count(texts: Iterable[str], lang: str, **options: int) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    words: Counter[str] = Counter()
    bigrams: Counter[tuple[str, str]] = Counter()
    for batch in count_ngrams(texts, LANGUAGES[lang], **options):
        for row in batch.to_pylist():
            assert row["lang"] == lang
            if row["source"] == "unigram":
                assert row["second"] is None
                words[row["first"]] += row["count"]
            else:
                bigrams[row["first"], row["second"]] += row["count"]
    return words, bigrams


CASES = {
    "blanks": ("a b  a\tb\nc", {"a": 2, "b": 2, "c": 1}, {("a", "b"): 2, ("b", "a"): 1, ("b", "c"): 1}),
    "case": ("The the", {"The": 1, "the": 1}, {("The", "the"): 1}),
    "punctuation breaks": ("a, b. c", {"a": 1, "b": 1, "c": 1}, {}),
    "marks within words": ("well-known it's", {"well": 1, "known": 1, "it": 1, "s": 1}, {("known", "it"): 1}),
    "middle dot": ("col·lecció צה״ל", {"col·lecció": 1, "צה״ל": 1}, {("col·lecció", "צה״ל"): 1}),
    "other scripts' marks": ("है। वह، ok", {"है": 1, "वह": 1, "ok": 1}, {}),
    "single characters": ("a日本", {"a": 1, "日": 1, "本": 1}, {("a", "日"): 1, ("日", "本"): 1}),
    "symbols": ("♥ €5 +1", {"♥": 1, "€5": 1, "1": 1}, {("♥", "€5"): 1}),
    "invisible": ("a\u200bb\ufeff c", {"a": 1, "b": 1, "c": 1}, {("a", "b"): 1, ("b", "c"): 1}),
    "astral": ("😀 𐍈x 𠀀y", {"😀": 1, "𐍈x": 1, "𠀀": 1, "y": 1}, {("😀", "𐍈x"): 1, ("𐍈x", "𠀀"): 1, ("𠀀", "y"): 1}),
    "empty": ("", {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_tokens(name: str) -> None:
    text, words, bigrams = CASES[name]
    assert count([text], "en") == (words, bigrams)


def test_no_bigram_across_pages() -> None:
    assert count(["a b", "c d"], "en")[1] == {("a", "b"): 1, ("c", "d"): 1}


def test_words_beyond_all_measure_break() -> None:
    long = "x" * (ngrams.MAX_WORD_BYTES + 1)
    assert count([f"a {long} b", long, "c d"], "en") == ({"a": 1, "b": 1, "c": 1, "d": 1}, {("c", "d"): 1})


def test_random_texts_equal_a_naive_count() -> None:
    rng = random.Random(3)
    letters = "ab \n.,-'éüд語本ไทยກ်ខ་།·״€“”—～＋😀𠀀\u200b\0\u00ad" + "aaa   "
    texts = ["".join(rng.choices(letters, k=rng.randrange(0, 200))) for _ in range(1900)]
    expected = count_naively(texts, singles=True)
    for lang in ("en", "ca"):
        assert count(texts, lang) == expected
        assert count(texts, lang, max_bigrams=50) == expected


def test_segmented_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert segmenter(LANGUAGES["ja"])[0] == "icu"
    words, bigrams = count(["日本語の文章。東京都に住む"], "ja")
    assert "日本語" in words
    assert "東京" in words or "東京都" in words
    assert not any("。" in word for word in words)
    assert ("日本語", "の") in bigrams
    assert "ไทย" in count(["ภาษาไทยเป็นภาษา"], "th")[0]
    assert count(["བོད་ཡིག་དང་། ཡི་གེ"], "bo") == (
        {"བོད": 1, "ཡིག": 1, "དང": 1, "ཡི": 1, "གེ": 1},
        {("བོད", "ཡིག"): 1, ("ཡིག", "དང"): 1, ("ཡི", "གེ"): 1},
    )
    monkeypatch.setitem(__import__("sys").modules, "icu4py.breakers", None)
    assert segmenter(LANGUAGES["ja"]) == ("characters", None)
    assert count(["日本"], "ja") == ({"日": 1, "本": 1}, {("日", "本"): 1})


@pytest.mark.parametrize("lang", ["ja", "km", "lo", "my", "ryu", "th", "zh", "zh_yue", "bo", "dz"])
def test_every_language_without_blanks_is_segmented(lang: str) -> None:
    assert segmenter(LANGUAGES[lang])[1] is not None


@pytest.mark.parametrize(
    ("first", "second", "blanks", "expected"),
    [
        ("New", "York", True, "New York"), ("日本", "語", False, "日本語"), ("New", "York", False, "New York"),
        ("12", "月", False, "12月"), ("日", "本", True, "日本"), ("ソニー", "は", False, "ソニーは"),
        ("བོད", "ཡིག", False, "བོད་ཡིག"), ("a", "日", True, "a 日"),
    ],
    ids=[
        "English", "Japanese", "English without blanks", "digits and Japanese", "Japanese with blanks", "two scripts",
        "Tibetan", "Latin and Japanese",
    ],
)  # fmt: skip
def test_join_bigram(first: str, second: str, blanks: bool, expected: str) -> None:
    assert join_bigram(first, second, blanks) == expected

"""The definition of a match: the table of named cases, and generated entries."""

import random
import re
from functools import cache

import pyarrow as pa
import pytest

from curation.core.choices import Edges
from curation.matching.spacing import can_match, pad_entries, pad_entry, space_text

ALL = ("blank", "script", "script_kana")
CASES = [
    # name, text, entries, edges, ids
    ("the whole text", "dog", ["dog"], ALL, [0]),
    ("inside a word", "dogma", ["dog"], ALL, []),
    ("a mark sets words free", "a dog.", ["dog"], ALL, [0]),
    ("every mark does", "a,b.c;d:e?f!g`h", list("abcdefgh"), ALL, list(range(8))),
    ("a hyphen is not spaced", "a dog-cart", ["dog", "dog-cart"], ALL, [1]),
    ("quotes and brackets are not", 'a "dog" (cat)', ["dog", "cat", '"dog"', "(cat)"], ALL, [2, 3]),
    ("a slash is not", "cat/dog", ["cat", "dog"], ALL, []),
    ("case matters", "Dog", ["dog", "Dog"], ALL, [1]),
    ("accents matter", "cafe", ["café"], ALL, []),
    ("normal forms matter", "cafe\u0301", ["caf\u00e9", "cafe\u0301"], ALL, [1]),
    ("once per text", "dog dog dog", ["dog"], ALL, [0]),
    ("entries overlap", "a b c", ["a b", "b c", "a b c", "b"], ALL, [0, 1, 2, 3]),
    ("prefixes and suffixes", "new york city", ["new", "new york", "york city", "new york city"], ALL, [0, 1, 2, 3]),
    ("a comma leaves two blanks", "red, blue", ["red , blue", "red blue", ",", "red ,  blue"], ALL, [2, 3]),
    ("blanks are not collapsed", "new  york", ["new york", "new  york", "new"], ALL, [1, 2]),
    ("tab, newline and return are blanks", "new\tyork\ncity\r", ["new york city"], ALL, [0]),
    ("other white space is not", "new\u00a0york\u3000city\x0b", ["new", "york", "city"], ALL, []),
    ("a mark inside never matches", "Mr. Smith", ["Mr. Smith", "Mr", "Smith"], ALL, [1, 2]),
    ("a number is cut at its point", "3.5", ["3.5", "3", "5"], ALL, [1, 2]),
    ("a lone mark matches", "what?", ["?", "!"], ALL, [0]),
    ("two marks stand two blanks apart", "no..", [". .", ".  ."], ALL, [1]),
    ("a blank at an entry's edge is kept", "a  b", [" b", "b", "b "], ALL, [0, 1]),
    ("the edges of the text are blanks", "b", [" b", "b ", "b"], ALL, [2]),
    ("empty text", "", ["a", ".", "猫"], ALL, []),
    ("only blanks", "   ", ["a", "."], ALL, []),
    ("NUL is a character", "a\0b c", ["a", "b", "c"], ALL, [2]),
    ("zero-width characters are characters", "do\u200bg \u200bcat", ["dog", "cat"], ALL, []),
    ("a byte order mark is one, too", "\ufeffdog cat", ["dog", "cat"], ALL, [1]),
    ("emoji are words", "🐶 dog🐱", ["🐶", "dog", "🐱"], ALL, [0]),
    ("joined emoji are one word", "👩\u200d🚀", ["👩", "👩\u200d🚀"], ALL, [1]),
    ("Cyrillic needs blanks", "чёрная кошка", ["кошка", "чёрная кош"], ALL, [0]),
    ("a word of exactly 8 bytes", "elephant elephants", ["elephant"], ALL, [0]),
    ("words that share 8 bytes", "elephants", ["elephant", "elephants"], ALL, [1]),
    ("Hangul needs blanks", "고양이가 개", ["고양이", "개"], ALL, [1]),
    ("CJK under the first rule", "一只黑猫", ["黑猫", "一只黑猫"], ("blank",), [1]),
    ("CJK inside a run", "一只黑猫", ["黑猫", "猫", "白"], ("script", "script_kana"), [0, 1]),
    ("one ideograph in many", "猫猫猫", ["猫", "猫猫"], ("script", "script_kana"), [0, 1]),
    ("a Latin edge needs a blank", "iPhone手机 5", ["iPhone", "手机", "5"], ("script", "script_kana"), [1, 2]),
    ("mixed edges", "红T恤 T恤", ["T恤", "恤 T恤"], ("script", "script_kana"), [0, 1]),
    ("CJK beyond the basic plane", "\U00020000\U0002ceb0x", ["\U00020000", "\U0002ceb0"], ("script",), [0, 1]),
    ("extension G is not in the class", "\U00030000\U00030001", ["\U00030000"], ALL, []),
    ("Thai", "แมวดำตัวหนึ่ง", ["แมว", "ดำ"], ("script", "script_kana"), [0, 1]),
    ("Lao, Burmese, Khmer, Tibetan", "ກຂ ကခ កខ ཀཁ", ["ຂ", "က", "ខ", "ཁ"], ("script",), [0, 1, 2, 3]),
    ("full-width marks are in the class", "好，吧", ["好", "，", "吧", "，吧"], ("script",), [0, 1, 2, 3]),
    ("but are not spaced", "dog，cat", ["dog", "cat", "，"], ("script",), [2]),
    ("ASCII punctuation is in the class", "(dog)", ["(dog)", "(", "dog"], ("script",), [0, 1]),
    ("and binds under the first rule", "(dog)", ["(dog)", "("], ("blank",), [0]),
    ("an edge of punctuation gets no blank", "C++11 c#", ["C++", "c#"], ("script",), [0, 1]),
    ("under the first rule it does", "C++11 c#", ["C++", "c#"], ("blank",), [1]),
    ("an edge that is a spaced mark", "Yahoo! inc.", ["Yahoo!", "inc.", "!", "Yahoo !"], ("script",), [2, 3]),
    ("the same under the first rule", "Yahoo! inc.", ["Yahoo!", "inc.", "!", "Yahoo !"], ("blank",), [2, 3]),
    ("kana is not in the published class", "くろねこだ", ["ねこ", "ネコ"], ("blank", "script"), []),
    ("kana by our extension", "くろねこだ", ["ねこ", "ろね"], ("script_kana",), [0, 1]),
    ("a kana entry with blanks", "くろ ねこ だ", ["ねこ"], ALL, [0]),
    ("kanji between kana", "お茶です", ["茶"], ("script", "script_kana"), [0]),
    ("half-width kana", "ｱﾒﾘｶ人", ["ｱﾒﾘｶ", "人"], ("script_kana",), [0, 1]),
    ("half-width kana by the published class", "ｱﾒﾘｶ人", ["ｱﾒﾘｶ", "人"], ("script",), [1]),
]  # fmt: skip


def scan(text: str, entries: list[str], edges: Edges) -> list[int]:
    """The definition, word for word."""
    spaced = space_text(text)
    return [index for index, entry in enumerate(entries) if pad_entry(entry, edges) in spaced]


@pytest.mark.parametrize(
    ("text", "entries", "edges", "ids"),
    [
        pytest.param(case[1], case[2], Edges(edges), case[4], id=f"{case[0]}-{edges}")
        for case in CASES
        for edges in case[3]
    ],
)
def test_named_cases(text: str, entries: list[str], edges: Edges, ids: list[int]) -> None:
    assert scan(text, entries, edges) == ids


def test_spacing_is_the_published_one() -> None:
    assert space_text("a,b\tc") == " a , b c "
    assert space_text("") == "  "
    assert space_text("?!") == "  ?  !  "


@cache
def short_entries() -> set[str]:
    """Return the different ones of 20,000 drawn entries."""
    draw = random.Random(4)
    return {"".join(draw.choices("a ., 猫か\t\n", k=draw.randint(1, 6))) for _ in range(20_000)}


@pytest.mark.parametrize("edges", Edges)
def test_can_match_finds_exactly_the_entries_that_some_text_holds(edges: Edges) -> None:
    for entry in short_entries():
        padded = pad_entry(entry, edges)
        # If any text holds it, the one without the blanks of the marks does.
        witness = re.sub(r" ?([.,]) ?", r"\1", padded)
        assert can_match(entry, edges) == (padded in space_text(witness)), entry


@pytest.mark.parametrize("edges", Edges)
def test_padding_an_array_is_padding_each(edges: Edges) -> None:
    entries = ["a", "猫", "a猫", "猫a", "か", "(x", "x)", " b", "𠀀", "é", "เ"]
    assert pad_entries(pa.array(entries), edges).to_pylist() == [pad_entry(entry, edges) for entry in entries]
    assert pad_entries(pa.array([], pa.string()), edges).to_pylist() == []

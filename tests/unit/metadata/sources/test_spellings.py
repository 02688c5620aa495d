"""Spellings that case folding has lost."""

import pytest

from metadata.sources.spellings import capital_forms, other_spellings, restored

CAPITALS = {
    "a German noun": ("haus", "de", ["Haus", "HAUS"]),
    "a long word": ("eiffelturm", "de", ["Eiffelturm"]),
    "no abbreviation with a mark": ("o'c", "en", ["O'c"]),
    "a name of two words": ("new york", "en", ["New york", "New York"]),
    "a name that has its capitals": ("New York", "en", []),
    "a hyphen": ("t-shirt", "en", ["T-shirt", "T-Shirt"]),
    "an Irish name": ("o'brien", "en", ["O'brien", "O'Brien"]),
    "a French name": ("l’oréal", "fr", ["L’oréal", "L’Oréal"]),
    "no name": ("we're", "en", ["We're"]),
    "Turkish": ("istanbul", "tr", ["İstanbul"]),
    "Turkish, short": ("izmi", "tr", ["İzmi", "İZMİ"]),
    "Turkish without a dot": ("ısı", "tr", ["Isı", "ISI"]),
    "Dutch": ("ijsland", "nl", ["IJsland"]),
    "Dutch of others": ("ijsland", "en", ["Ijsland"]),
    "a digraph": ("ǆep", "hr", ["ǅep", "ǄEP"]),
    "Georgian begins no word with a capital": ("საქართველო", "ka", []),
    "Greek": ("άνθρωπος", "el", ["Άνθρωπος"]),
    "Cyrillic": ("москва", "ru", ["Москва"]),
    "no letters of two cases": ("東京", "ja", []),
    "letters and others": ("tシャツ", "ja", ["Tシャツ"]),
    "digits": ("3d", "en", ["3D"]),
}


@pytest.mark.parametrize("name", CAPITALS)
def test_capitals(name: str) -> None:
    text, lang, expected = CAPITALS[name]
    assert capital_forms(text, lang) == list(dict.fromkeys(expected))


def test_final_sigma_is_restored_where_a_word_ends() -> None:
    words = {"τουσ": "τους", "σ'αγαπώ": "σ'αγαπώ", "πάσ-πάσ": "πάς-πάς", "σώσ'τε": "σώσ'τε", "φως": "φως", "σ": "σ"}
    assert {word: restored(word, "el") for word in words} == words
    assert restored("τουσ", "en") == "τουσ"


def test_sharp_s_may_stand_at_each_place() -> None:
    assert other_spellings("massstab", "de") == ["maßstab"]
    assert other_spellings("wasser", "de") == ["waßer"]
    assert other_spellings("haus", "de") == other_spellings("strasse", "fr") == []


def test_serbian_stands_in_both_alphabets() -> None:
    words = {"ljubav": "љубав", "džep": "џеп", "đak": "ђак", "čačak": "чачак", "žena": "жена", "šuma": "шума"}
    assert {word: other_spellings(word, "sr") for word in words} == {key: [word] for key, word in words.items()}
    assert other_spellings("wikipedia", "sr") == other_spellings("ljubav", "hr") == []

"""The careful rule: scripts, capitals, texts of which the classifier knows no part, and the evidence of pages."""

import random

import numpy as np
import pyarrow as pa
import pytest
import regex

from curation.core.languages import LANGUAGES
from curation.extraction.language import DEFAULT_MODEL, load_model
from curation.extraction.language_rule import (
    CODES,
    GIVEN,
    LANG_BY,
    NO_CODE,
    PAGE,
    classify,
    decide,
    declared_number,
    number_of,
)
from curation.extraction.page_evidence import PageLanguages
from curation.extraction.scripts import SCRIPTS, scripts_of

NONE = ""


def decided(texts: list[str], declared: str = NONE, longer: str = NONE, by: int = PAGE) -> list[tuple[str, str]]:
    model = load_model(DEFAULT_MODEL)
    hints = [np.full(len(texts), number_of(code) if code else NO_CODE, np.int16) for code in (declared, longer)]
    found = decide(classify(pa.array(texts, pa.string()), model), model, hints[0], hints[1], by)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    codes = [CODES[code] if code != NO_CODE else "" for code in found.codes.tolist()]
    return list(zip(codes, [LANG_BY[by] for by in found.by.tolist()], strict=True))


@pytest.mark.parametrize(
    ("text", "declared", "longer", "expected"),
    [
        pytest.param("カ", NONE, NONE, ("ja", "script"), id="one kana"),
        pytest.param("カメラ", "zh", "zh", ("ja", "script"), id="kana on a Chinese page"),
        pytest.param("산", NONE, NONE, ("ko", "script"), id="one syllable of Hangul"),
        pytest.param("ΣΚΥΛΟΣ", "en", NONE, ("el", "script"), id="Greek capitals"),
        pytest.param("ก", NONE, NONE, ("th", "script"), id="one letter of Thai"),
        pytest.param("核", NONE, NONE, ("zh", "script"), id="one Chinese character"),
        pytest.param("核", "ja", NONE, ("ja", "page"), id="one Chinese character on a Japanese page"),
        pytest.param("核", "en", NONE, ("zh", "script"), id="one Chinese character on an English page"),
        pytest.param("Q版の可爱小熊猫大图片", NONE, NONE, ("zh", "model"), id="a kana as an ornament"),
        pytest.param("𓀀𓀁", NONE, NONE, ("", "unknown"), id="hieroglyphs"),
        pytest.param("", NONE, NONE, ("", "unknown"), id="empty"),
        pytest.param("2019 - 12", NONE, NONE, ("", "unknown"), id="no letter"),
        pytest.param("2019 - 12", NONE, "fr", ("fr", "page"), id="no letter on a French page"),
        pytest.param("DSC_0012", "de", NONE, ("de", "page"), id="a file on a German page"),
        pytest.param("DSC_0012", "ru", NONE, ("", "unknown"), id="a file on a Russian page"),
        pytest.param("DSC_0012", "de", "fr", ("fr", "page"), id="longer texts against a declaration"),
        pytest.param("DER ROTE HUND IM GARTEN", NONE, NONE, ("de", "model"), id="German capitals"),
        pytest.param("LE CHIEN ROUGE DANS LE JARDIN", NONE, NONE, ("fr", "model"), id="French capitals"),
        pytest.param("KIRMIZI KÖPEK BAHÇEDE VE EVİN ÖNÜNDE", NONE, NONE, ("tr", "model"), id="Turkish capitals"),
        pytest.param("the house on the hill", "de", "de", ("en", "model"), id="sure English on a German page"),
        pytest.param("hund", NONE, "da", ("da", "page"), id="a word on a Danish page"),
        pytest.param("hund", NONE, "de", ("de", "page"), id="a word on a German page"),
    ],
)
def test_decisions(text: str, declared: str, longer: str, expected: tuple[str, str]) -> None:
    assert decided([text], declared, longer) == [expected]


def test_a_tables_column_is_given() -> None:
    assert decided(["hund"], "da", by=GIVEN) == [("da", "given")]


def test_no_text_gets_a_language_that_has_not_its_script() -> None:
    rng = random.Random(3)
    alphabets = ["abcdefghij", "абвгдежз", "ابتثجح", "αβγδε", "的核山水", "かきくカ", "가나다", "กขค", "אבגד", "अआइ"]
    texts = ["".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(1, 9))) for _ in range(500)]
    present = scripts_of(pa.array(texts)).present
    for declared in (NONE, "en", "ru"):
        for text, (code, _), bits in zip(texts, decided(texts, declared), present.tolist(), strict=True):
            names = {SCRIPTS[number] for number in range(1, len(SCRIPTS)) if bits >> number & 1}
            if code and code != "other":
                writes = {"Jpan": {"Kana", "Hani"}, "Kore": {"Hang", "Hani"}}
                script = LANGUAGES[code].script
                assert names & (writes.get(script, {script}) | {"Latn", "Cyrl", "Arab", "Deva"}), (text, code)


def test_the_order_of_texts_and_repeats_change_nothing() -> None:
    texts = ["hund", "DER ROTE HUND", "核", "a red kite over the hill", "LinkedIn", "", "カ"]
    once = dict(zip(texts, decided(texts, "da"), strict=True))
    many = random.Random(1).choices(texts, k=100)
    assert decided(many, "da") == [once[text] for text in many]


@pytest.mark.parametrize(
    ("tag", "code"),
    [("de-AT", "de"), ("EN_us", "en"), ("zh-Hant-TW", "zh"), ("iw", "he"), ("jp", "ja"), ("nb", "no"),
     ("x-default", ""), ("", ""), ("de, en", ""), ("und", ""), (" fr ", "fr"), ("yue", "zh")],
)  # fmt: skip
def test_tags(tag: str, code: str) -> None:
    assert declared_number(tag) == (number_of(code) if code else NO_CODE)


LONG = {
    "en": "a red kite flies over the old town and the river",
    "de": "ein roter Drachen fliegt über die alte Stadt",
    "ja": "古い町の橋の上を飛ぶ赤い凧",
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["en"], "", id="one text is not enough"),
        pytest.param(["en", "en"], "en", id="two texts"),
        pytest.param(["ja", "ja"], "ja", id="a script that decides"),
        pytest.param(["en", "en", "de", "de"], "", id="a tie"),
        pytest.param(["en", "en", "en", "de", "de"], "en", id="more than half"),
        pytest.param(["short"] * 9, "", id="short texts"),
    ],
)
def test_language_of_a_page(texts: list[str], expected: str) -> None:
    model, pages = load_model(DEFAULT_MODEL), PageLanguages()
    rows = [(7, LONG.get(text, "red dog")) for text in texts] + [(9, LONG["de"])]
    random.Random(len(rows)).shuffle(rows)
    for start in range(0, len(rows), 2):  # whatever the batches
        part = rows[start : start + 2]
        found = classify(pa.array([text for _, text in part]), model)
        pages.add(found, np.array([page for page, _ in part]))
    found_codes = pages.of(np.array([7, 9, 8, 0])).tolist()
    assert found_codes == [number_of(expected) if expected else NO_CODE, NO_CODE, NO_CODE, NO_CODE]


def test_scripts_equal_the_properties_of_unicode() -> None:
    names = {"Latn": "Latin", "Cyrl": "Cyrillic", "Arab": "Arabic", "Grek": "Greek", "Hani": "Han", "Hang": "Hangul",
             "Thai": "Thai", "Deva": "Devanagari", "Hebr": "Hebrew", "Geor": "Georgian"}  # fmt: skip
    letters = [chr(point) for point in range(0x2FFFF) if not 0xD800 <= point < 0xE000 and chr(point).isalpha()]
    present = scripts_of(pa.array(letters)).present
    for name, long_name in names.items():
        found = {letters[at] for at in np.flatnonzero(present >> np.uint32(SCRIPTS.index(name)) & np.uint32(1))}
        assert found == set(regex.findall(rf"\p{{Script={long_name}}}", "".join(letters))), name

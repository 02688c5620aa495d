"""The careful rule: the language of a text by the classifier, the text's scripts, and the evidence of its page.

1. A text of which most letters are capitals goes to the classifier in small letters.
2. A script of which only one language of the classifier makes use decides (Hangul, kana, Thai, Greek ...).
3. Of the classifier's first LABELS labels, those stay whose script occurs in the text. The scores are weighed by the
   page: DECLARED for the language that the page declares (DECLARED_ENGLISH if that is English, which templates say of
   any page), LONGER for the language of the page's longer texts, both together MOST at most, and RARE for languages of
   which the web has few pages, unless the page speaks for them. The heaviest label wins.
4. Of a text of which the classifier knows no part, the page's language decides if its script occurs in the text, or
   else the script's usual language. The others are undecided.

The constants are fitted on one half of given captions and judged on the other: tests/benchmarks/language_accuracy.py.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.languages import LANGUAGES, OTHER, code_of_label, language_of
from curation.extraction.language import beginnings
from curation.extraction.language_model import LanguageModel
from curation.extraction.scripts import ANY, SCRIPTS, TextScripts, scripts_of, scripts_of_label

LABELS = 5
DECLARED, DECLARED_ENGLISH, LONGER, MOST, RARE = 10.0, 2.0, 10.0, 20.0, 0.8
LONG_LETTERS, SURE = 20, 0.5
"""A text with so many letters and such a score speaks for the language of its page."""
MIN_LONG_TEXTS = 2
"""A page's language needs so many texts, and more than half of all texts that speak."""

MODEL, SCRIPT, PAGE, GIVEN, UNKNOWN = range(5)
LANG_BY = ("model", "script", "page", "given", "unknown")
"""How a language was decided, by number. `given` is a language column of a table, where others have a page."""
BY_PAGE_SCORE, BY_SCRIPT_SCORE = 0.5, 0.25
"""Scores of texts of which the classifier knows no part."""

CODES = tuple(sorted({OTHER, *(language.list_code for language in LANGUAGES.values())}))
"""The list codes by their numbers; the smaller number is the smaller code."""
NO_CODE = -1
_NUMBERS = {code: number for number, code in enumerate(CODES)}
_ENGLISH = _NUMBERS["en"]
# The languages with at least 0.1% of the pages of Common Crawl (its statistics of languages, CC-MAIN-2024-51).
_COMMON = (
    "en ru de ja zh es fr it pt nl pl tr cs vi id ar fa sv ko el hu uk ro da fi no sk bg he th hr ca lt sl et sr lv"
)
_USUAL = {"Hani": "zh", "Hebr": "he", "Geor": "ka"}
_ALIASES = {"iw": "he", "in": "id", "ji": "yi", "jp": "ja", "cn": "zh", "gr": "el", "cz": "cs", "dk": "da", "ua": "uk",
            "vn": "vi", "fil": "tl", "mo": "ro"}  # fmt: skip
"""Old codes of languages, and codes of countries that pages write for the language."""


def number_of(code: str) -> int:
    """Return the number of a list code in CODES."""
    return _NUMBERS[code]


@cache
def declared_number(tag: str) -> int:
    """Return the number of the list code of a language tag as pages write it; NO_CODE where it names no language.

    >>> [CODES[declared_number(tag)] for tag in ("en-US", "zh_Hant", "nb", "IW")], declared_number("de, en")
    (['en', 'zh', 'no', 'he'], -1)
    """
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    language = language_of(_ALIASES.get(primary, primary))
    return _NUMBERS[language.list_code] if language else NO_CODE


@dataclass(frozen=True)
class _Labels:
    """The labels of a model: their list codes and scripts, and the languages that scripts decide, by script number."""

    codes: np.ndarray
    scripts: np.ndarray
    owners: np.ndarray
    usual: np.ndarray


@cache
def _labels_of(labels: tuple[str, ...]) -> _Labels:
    names = [label.removeprefix("__label__") for label in labels]
    codes = np.array([_NUMBERS[code_of_label(name)] for name in names], np.int16)
    scripts = np.array([scripts_of_label(name) for name in names], np.uint32)
    owners = np.full(len(SCRIPTS), NO_CODE, np.int16)
    for number in range(1, len(SCRIPTS)):
        users = {int(code) for code, bits in zip(codes, scripts, strict=True) if bits != ANY and bits >> number & 1}
        owners[number] = users.pop() if len(users) == 1 else NO_CODE
    usual = owners.copy()
    for name, code in _USUAL.items():
        if _NUMBERS[code] in codes:
            usual[SCRIPTS.index(name)] = _NUMBERS[code]
    return _Labels(codes, scripts, owners, usual)


@cache
def _scripts_of_codes() -> np.ndarray:
    """Return the scripts of each list code as bits; ANY for `other`."""
    bits = np.zeros(len(CODES), np.uint32)
    for language in LANGUAGES.values():
        if language.label:
            bits[_NUMBERS[language.list_code]] |= scripts_of_label(language.label)
    bits[_NUMBERS[OTHER]] = ANY
    bits[bits == 0] = ANY
    return bits


class Classified(NamedTuple):
    """What n texts say themselves: values of the d distinct ones, and `place` (int32, n), the row of each text there.

    `texts` (string, d) are as the classifier reads them. `code` (int16) is the number in CODES of the first label, with
    its `score` (float32); `written` (bool) says whether the text has the label's script, `known` (bool) whether the
    classifier knows a part of the text. `owner` (int16) is the code that the script decides, `usual` (int16) the usual
    one of the script, NO_CODE without one.
    """

    place: np.ndarray
    texts: pa.Array
    code: np.ndarray
    score: np.ndarray
    written: np.ndarray
    known: np.ndarray
    owner: np.ndarray
    usual: np.ndarray
    scripts: TextScripts


def classify(texts: pa.Array, model: LanguageModel) -> Classified:
    """Ask the classifier for the first labels of texts without nulls."""
    encoded = texts.dictionary_encode()
    distinct = beginnings(encoded.dictionary)
    scripts = scripts_of(distinct)
    distinct = _small_letters(distinct, scripts)
    label, score = model.first(distinct)
    score = np.minimum(score, np.float32(1))
    table = _labels_of(tuple(model.labels))
    none_label, none_score = _unknown_text(model)
    known = (label >= 0) & ~((label == none_label) & (score == none_score))
    return Classified(
        encoded.indices.to_numpy(),
        distinct,
        table.codes[label],
        score,
        table.scripts[label] & scripts.present != 0,
        known,
        table.owners[scripts.main],
        table.usual[scripts.main],
        scripts,
    )


def _unknown_text(model: LanguageModel) -> tuple[int, np.float32]:
    """Return the label and score by which the classifier says that it knows no part of a text."""
    label, score = model.first(pa.array([""]))
    return int(label[0]), np.minimum(score[0], np.float32(1))


def _small_letters(texts: pa.Array, scripts: TextScripts) -> pa.Array:
    """Return the texts with small letters where most letters are capitals.

    Beside a Turkish capital with a dot, one without a dot is the letter without a dot.

    >>> texts = pa.array(["DER HUND", "NATO in Brüssel", "KIRMIZI İP"])
    >>> _small_letters(texts, scripts_of(texts)).to_pylist()
    ['der hund', 'NATO in Brüssel', 'kırmızı ip']
    """
    if not scripts.capitals.any():
        return texts
    capitals = pa.array(scripts.capitals)
    chosen = texts.filter(capitals)
    dotted = scripts.dotted[scripts.capitals]
    if dotted.any():
        turkish = pc.replace_substring(pc.replace_substring(chosen, "İ", "i"), "I", "ı")
        chosen = pc.if_else(pa.array(dotted), turkish, chosen)
    return pc.replace_with_mask(texts, capitals, pc.utf8_lower(chosen))


class Decided(NamedTuple):
    """The languages of texts, n each: numbers in CODES (int16), scores in [0, 1] (float32), places in LANG_BY (uint8).

    The score is the share of the chosen code in the weighed scores of the classifier; 1 if a script decided. The code
    of an undecided text is NO_CODE.
    """

    codes: np.ndarray
    scores: np.ndarray
    by: np.ndarray


def decide(
    texts: Classified, model: LanguageModel, declared: np.ndarray, longer: np.ndarray, by_declared: int = PAGE
) -> Decided:
    """Return the languages of texts by themselves and by their pages.

    `declared` and `longer` (int16, n) are the language that the page declares and that of its longer texts, NO_CODE for
    none. `by_declared` is PAGE, or GIVEN where a table's column declares the language. The classifier's further labels
    are asked for where one of them can outweigh the first.
    """
    place = texts.place
    code, score = texts.code[place], texts.score[place]
    weight = _weights(code, declared, longer)
    rival = np.maximum(_weights(declared, declared, longer) * (declared != code), np.float32(1))
    rival = np.maximum(rival, _weights(longer, declared, longer) * (longer != code))
    weighed, others = score * weight, np.float32(1) - score
    open_rows = np.flatnonzero(
        texts.known[place] & (texts.owner[place] == NO_CODE) & (~texts.written[place] | (weighed <= others * rival))
    )
    chosen, total = code.copy(), weighed + others
    found = np.divide(weighed, total, out=np.zeros(len(place), np.float32), where=total > 0)
    if len(open_rows):
        chosen[open_rows], found[open_rows] = _heaviest(texts, open_rows, model, declared, longer)
    by = np.where(
        chosen == code, MODEL, np.where(chosen == longer, PAGE, np.where(chosen == declared, by_declared, MODEL))
    )

    unknown = ~texts.known[place] | (chosen == NO_CODE)
    if unknown.any():
        chosen[unknown], found[unknown], by[unknown] = NO_CODE, 0, UNKNOWN
        _fill(unknown, texts.usual[place], BY_SCRIPT_SCORE, SCRIPT, chosen, found, by)
        present = texts.scripts.present[place]
        for hint, number in ((declared, by_declared), (longer, PAGE)):
            written = (hint != NO_CODE) & ((_scripts_of_codes()[hint] & present != 0) | (present == 0))
            _fill(unknown & written, hint, BY_PAGE_SCORE, number, chosen, found, by)
    owner = texts.owner[place]
    _fill(owner != NO_CODE, owner, 1.0, SCRIPT, chosen, found, by)
    return Decided(chosen, np.minimum(found, np.float32(1)), by.astype(np.uint8))


def _heaviest(
    texts: Classified, rows: np.ndarray, model: LanguageModel, declared: np.ndarray, longer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the heaviest of the first LABELS labels of some rows, and its share of all weights; NO_CODE for none."""
    distinct, at = np.unique(texts.place[rows], return_inverse=True)
    labels, scores = model.top(texts.texts.take(pa.array(distinct)), LABELS)
    labels, scores = labels[at], np.minimum(scores[at], np.float32(1))
    table = _labels_of(tuple(model.labels))
    present = texts.scripts.present[texts.place[rows]]
    written = (labels >= 0) & (table.scripts[labels] & present[:, None] != 0)
    codes = np.where(written, table.codes[labels], np.int16(NO_CODE))
    weights = _weights(codes, declared[rows, None], longer[rows, None])
    weighed = np.where(written, scores, np.float32(0)) * weights
    best = weighed.argmax(axis=1)
    chosen = codes[np.arange(len(rows)), best]
    rest = np.maximum(np.float32(1) - scores.sum(axis=1, dtype=np.float32), np.float32(0))
    same = (codes == chosen[:, None]) & written
    share = np.where(same, weighed, np.float32(0)).sum(axis=1, dtype=np.float32)
    return chosen, share / np.maximum(weighed.sum(axis=1, dtype=np.float32) + rest, np.float32(1e-9))


def _weights(codes: np.ndarray, declared: np.ndarray, longer: np.ndarray) -> np.ndarray:
    """Return the weights of codes (float32) on pages with such evidence."""
    is_declared, is_longer = (codes == declared) & (codes != NO_CODE), (codes == longer) & (codes != NO_CODE)
    by_declared = np.where(codes == _ENGLISH, np.float32(DECLARED_ENGLISH), np.float32(DECLARED))
    weights = np.where(is_declared, by_declared, np.float32(1)) * np.where(is_longer, np.float32(LONGER), np.float32(1))
    weights = np.minimum(weights, np.float32(MOST))
    return np.where(is_declared | is_longer | _common()[codes], weights, np.float32(RARE))


def _fill(
    rows: np.ndarray, values: np.ndarray, value_score: float, number: int, codes: np.ndarray, score: np.ndarray,
    by: np.ndarray,
) -> None:  # fmt: skip
    """Decide those of some rows that have a value."""
    rows = rows & (values != NO_CODE)
    codes[rows], score[rows], by[rows] = values[rows], value_score, number


@cache
def _common() -> np.ndarray:
    """Return whether a language is common on the web, by number; NO_CODE, the last place, is not."""
    wanted = set(_COMMON.split())
    return np.array([*(code in wanted for code in CODES), False])

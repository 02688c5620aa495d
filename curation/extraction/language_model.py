"""fastText classifiers over Arrow strings: the labels and scores of the library fasttext, without an object a text."""

from typing import Protocol

import numpy as np
import pyarrow as pa

from curation.extraction.fasttext_file import read_fasttext
from curation.extraction.library_model import LibraryModel


class LanguageModel(Protocol):
    """A classifier of texts.

    `labels` are as in the model (`__label__de`). A line break in a text counts as a blank. Texts must be valid: no
    nulls, and UTF-8 (ArrowInvalid or UnicodeDecodeError otherwise).
    """

    labels: list[str]

    def first(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of each text's first label (int16, in `labels`) and its score (float32).

        -1 and 0 mean that the model knows no part of the text. A score may be over 1 by rounding, as the library's.
        """

    def top(self, texts: pa.Array, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first k labels of each text, int16 [texts, k], and their scores, float32 [texts, k].

        The order is the library's: the best first. Where the library finds fewer, -1 and 0 fill the row up.
        """


def open_model(path: str) -> LanguageModel:
    """Read a model. Raises HeadtailError if the file is no fastText model."""
    file = read_fasttext(path)
    return LibraryModel(path, [label.decode(errors="replace") for label in file.labels])

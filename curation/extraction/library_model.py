"""A fastText model of any kind, evaluated by the library fasttext, one text at a time."""

import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError


class LibraryModel:
    """The library behind the interface of `language_model.LanguageModel`."""

    def __init__(self, path: str, labels: list[str]) -> None:
        # Most processes do not need the library, and its import and its model take 25 MB.
        import fasttext

        try:
            model = fasttext.load_model(path)
        except (ValueError, RuntimeError) as error:
            raise HeadtailError(f"{path} is not a fastText model: {error}") from None
        # The method under `predict`, which adds two microseconds to each text.
        self.predict = model.f.predict
        self.labels = labels
        self._number = {label: number for number, label in enumerate(labels)}

    def first(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Return the first label of each text and its score, see `LanguageModel`."""
        labels, scores = self.top(texts, 1)
        return labels[:, 0], scores[:, 0]

    def top(self, texts: pa.Array, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first k labels of each text and their scores, see `LanguageModel`."""
        labels = np.full((len(texts), k), -1, np.int16)
        scores = np.zeros((len(texts), k), np.float32)
        for row, text in enumerate(texts.to_pylist()):
            for place, (score, label) in enumerate(self.predict(text.replace("\n", " ") + "\n", k, 0.0, "strict")):
                labels[row, place] = self._number[label]
                scores[row, place] = score
        return labels, scores

"""Language detection: what the classifier cannot take, models of all kinds, and a batch against one text at a time."""

from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.core.languages import code_of_label
from curation.extraction.language import (
    DEFAULT_MODEL,
    MODEL_CHARS,
    NO_MODEL,
    detect_languages,
    load_model,
    path_of_model,
)
from tests.conftest import SHARED, needs_shared
from tests.unit.extraction.settings import language_rules


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "\n", "", "\x00", "a\ufffdb", "\u2028", "x" * 100_000, "😀" * 5000, "</s>", "__label__de"],
    ids=["two lines", "empty line", "empty", "NUL", "replaced", "line separator", "long", "emoji", "end mark", "label"],
)
def test_odd_texts_get_a_code_and_a_score(text: str) -> None:
    codes, scores = detect_languages(pa.array([text]))
    assert codes.to_pylist()[0]
    assert 0 <= scores[0] <= 1
    assert scores.dtype == np.float32


def test_nothing_but_the_beginning_of_a_long_text_counts() -> None:
    english, russian = "the house on the hill ", "дом на холме и старый мост "
    long = (english * MODEL_CHARS)[:MODEL_CHARS] + russian * MODEL_CHARS
    assert detect_languages(pa.array([long]))[0].to_pylist() == ["en"]


@needs_shared
def test_a_batch_equals_one_text_at_a_time() -> None:
    lines = (SHARED / "captions" / "cc3m-validation.tsv").read_text(encoding="utf-8").splitlines()[:300]
    texts = [line.split("\t")[0] for line in lines] * 2
    model = fasttext.load_model(path_of_model(DEFAULT_MODEL))
    codes, scores = detect_languages(pa.array(texts)[1:])
    for text, code, score in zip(texts[1:], codes.to_pylist(), scores.tolist(), strict=True):
        labels, probabilities = model.predict(text)
        assert code == code_of_label(labels[0])
        assert score == np.float32(min(probabilities[0], 1.0))


def test_empty_batch() -> None:
    codes, scores = detect_languages(pa.array([], pa.string()))
    assert codes.to_pylist() == []
    assert len(scores) == 0


def test_models_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="there is no such file"):
        load_model(str(tmp_path / "none.bin"))
    (tmp_path / "broken.bin").write_bytes(b"no model")
    with pytest.raises(HeadtailError, match="is not a fastText model"):
        load_model(str(tmp_path / "broken.bin"))
    with pytest.raises(HeadtailError, match="exactly one code"):
        language_rules(model=NO_MODEL)

"""The kernels of language models against the library: labels, and scores bit for bit, of models of many kinds."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.extraction.language import DEFAULT_MODEL, load_model, path_of_model
from curation.extraction.language_model import KernelModel, LanguageModel, open_model
from curation.extraction.library_model import LibraryModel
from tests.fasttext_models import HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, ONE_VS_ALL, SOFTMAX, RandomModel
from tests.language_texts import generated_texts

QUANTISED = {"kept": 300, "quantised": True}
FLAT = {"loss": SOFTMAX}
BY_KERNELS = {
    "tree": RandomModel(),
    "softmax": RandomModel(**FLAT),
    "quantised": RandomModel(**QUANTISED),
    "quantised without norms": RandomModel(**QUANTISED, norms=False, quantised_output=True),
    "quantised output": RandomModel(**QUANTISED, quantised_output=True),
    "quantised output, softmax": RandomModel(**QUANTISED, **FLAT, quantised_output=True),
    "all n-grams pruned": RandomModel(quantised=True, kept=0),
    "words alone": RandomModel(minn=0, maxn=0, bucket=0),
    "of a version without n-grams": RandomModel(version=11),
    "n-grams alone": RandomModel(words=()),
    "no end mark": RandomModel(words=("the",)),
    "single characters": RandomModel(minn=1, maxn=3),
    "long n-grams": RandomModel(minn=3, maxn=6, width=16),
    "no n-gram is long enough": RandomModel(minn=5, maxn=3),
    "equal scores in a tree": RandomModel(levels=2, counts=[1] * 40),
    "equal scores in a softmax": RandomModel(**FLAT, levels=2, counts=[1] * 40),
    "scores close to each other": RandomModel(spread=0.01, counts=[5] * 100),
    "scores at the ends": RandomModel(spread=30),
    "scores at the ends of a softmax": RandomModel(**FLAT, spread=30),
    "deep tree": RandomModel(counts=[2**power for power in range(20, 0, -1)], spread=0.5),
    "two labels": RandomModel(counts=[9, 5], width=1),
    "one label of a softmax": RandomModel(**FLAT, counts=[9]),
    "counts that do not fall": RandomModel(counts=[1, 5, 9, 2]),
}
BY_LIBRARY = {
    "negative sampling": RandomModel(loss=NEGATIVE_SAMPLING),
    "one against all": RandomModel(loss=ONE_VS_ALL),
    "n-grams of words": RandomModel(word_ngrams=2),
    "a tree of one label": RandomModel(loss=HIERARCHICAL_SOFTMAX, counts=[9]),
    "a negative length": RandomModel(minn=-1),
}


def assert_equal_to_library(model: LanguageModel, path: str, texts: list[str], ks: tuple[int, ...] = (1, 5)) -> None:
    """Compare labels, and scores bit for bit."""
    array = pa.array(texts, pa.string())
    library = LibraryModel(path, model.labels)
    wanted = {k: library.top(array, k) for k in ks}
    for k, (wanted_labels, wanted_scores) in wanted.items():
        labels, scores = model.top(array, k)
        assert (labels.dtype, scores.dtype) == (np.int16, np.float32)
        differ = (labels != wanted_labels) | (scores.view(np.int32) != wanted_scores.view(np.int32))
        assert [texts[row] for row in np.flatnonzero(differ.any(axis=1))] == []
    first_labels, first_scores = model.first(array)
    best_labels, best_scores = wanted.get(1) or library.top(array, 1)
    np.testing.assert_array_equal(first_labels, best_labels[:, 0])
    np.testing.assert_array_equal(first_scores, best_scores[:, 0])


@cache
def cut_texts() -> list[str]:
    return [text[:4_000] for text in generated_texts(300, seed=3)]


@pytest.mark.parametrize("model", BY_KERNELS.values(), ids=BY_KERNELS.keys())
def test_kernels_equal_the_library(model: RandomModel, tmp_path: Path) -> None:
    path = model.write(tmp_path / "model.bin")
    opened = open_model(path)
    assert isinstance(opened, KernelModel)
    labels = len(opened.labels)
    assert_equal_to_library(opened, path, cut_texts(), (1, 2, labels, labels + 3))


@pytest.mark.parametrize("model", BY_LIBRARY.values(), ids=BY_LIBRARY.keys())
def test_the_library_takes_other_models(model: RandomModel, tmp_path: Path) -> None:
    path = model.write(tmp_path / "model.bin")
    opened = open_model(path)
    assert isinstance(opened, LibraryModel)
    assert_equal_to_library(opened, path, cut_texts()[:40])


def test_values_that_are_no_numbers_go_to_the_library(tmp_path: Path) -> None:
    for name, spread in (("nan", float("nan")), ("inf", float("inf")), ("large", 1e30)):
        path = RandomModel(spread=spread).write(tmp_path / name)
        assert isinstance(open_model(path), LibraryModel), name


def test_default_model_equals_the_library() -> None:
    model = load_model(DEFAULT_MODEL)
    assert isinstance(model, KernelModel)
    assert model.nbytes < 5e6
    assert len(model.labels) == 176
    long = ["x" * 100_000, "дом " * 5_000, "a b\0" * 4_000, "</s>" * 4_000, "\n" * 20_000]
    drawn = [text[:20_000] for text in generated_texts(4000, seed=4)]
    assert_equal_to_library(model, path_of_model(DEFAULT_MODEL), [*drawn, *long])


def test_slices_and_empty_arrays(tmp_path: Path) -> None:
    model = open_model(RandomModel().write(tmp_path / "model.bin"))
    texts = pa.array(["the", "haus", "дом", "猫"])
    whole = model.top(texts, 2)
    for got, wanted in zip(model.top(texts[1:3], 2), whole, strict=True):
        np.testing.assert_array_equal(got, wanted[1:3])
    labels, scores = model.top(pa.array([], pa.string()), 2)
    assert labels.shape == scores.shape == (0, 2)


def test_nothing_known(tmp_path: Path) -> None:
    model = open_model(RandomModel(words=("the",), minn=0, maxn=0, bucket=0).write(tmp_path / "model.bin"))
    labels, scores = model.first(pa.array(["haus", "the", ""]))
    assert labels.tolist()[::2] == [-1, -1]
    assert scores.tolist()[::2] == [0, 0]
    assert labels[1] >= 0


def invalid_array(data: bytes, offsets: list[int]) -> pa.Array:
    return pa.Array.from_buffers(
        pa.string(), len(offsets) - 1, [None, pa.py_buffer(np.array(offsets, np.int32)), pa.py_buffer(data)]
    )


@pytest.mark.parametrize(
    ("data", "offsets"),
    [
        (b"ab\xffcd", [0, 5]),
        (b"\xed\xa0\x80", [0, 3]),
        ("дом".encode(), [0, 3, 6]),
        (b"abcd", [0, 3, 1]),
        (b"abcd", [0, 9]),
    ],
    ids=["stray byte", "surrogate", "cut character", "offsets fall", "offsets beyond the end"],
)
def test_invalid_buffers_are_refused(data: bytes, offsets: list[int]) -> None:
    with pytest.raises(pa.ArrowInvalid):
        load_model(DEFAULT_MODEL).first(invalid_array(data, offsets))


def test_nulls_are_refused() -> None:
    with pytest.raises(ValueError, match="1 nulls among 2"):
        load_model(DEFAULT_MODEL).first(pa.array(["a", None]))


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    whole = Path(RandomModel(**QUANTISED, bucket=1000).write(tmp_path / "whole")).read_bytes()
    for size in [*range(0, 400, 37), len(whole) // 2, len(whole) - 1]:
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(HeadtailError, match="is not a fastText model"):
            open_model(str(tmp_path / "cut"))
    for at in range(8, 100, 4):  # sizes and arguments: a model or an error, never a crash
        (tmp_path / "wrong").write_bytes(whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4 :])
        try:
            model = open_model(str(tmp_path / "wrong"))
        except HeadtailError:
            continue
        if isinstance(model, KernelModel):
            model.first(pa.array(["the haus"]))

"""fastText classifiers over Arrow strings: the labels and scores of the library fasttext, without an object a text."""

from typing import Protocol

import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.string_buffers import buffers_of
from curation.extraction import language_kernels
from curation.extraction.fasttext_file import HIERARCHICAL_SOFTMAX, SOFTMAX, SUPERVISED, FastTextFile, read_fasttext
from curation.extraction.language_kernels import FREE, LANES, Parts, Tree
from curation.extraction.library_model import LibraryModel

MAX_LABELS = (1 << 15) - 1
_TAME = 1e6
"""The kernels do not take larger numbers, whose sums and products may become infinite."""
_MAX_CHARS, _MAX_BUCKETS = 64, 1 << 28
"""Kernels step over this many characters behind each, and have a bit for each bucket."""
_END_MARK = b"</s>"


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
    """Read a model; the kernels evaluate it if they can, else the library does.

    Raises HeadtailError if the file is no fastText model.
    """
    file = read_fasttext(path)
    if len(file.labels) > MAX_LABELS:
        raise HeadtailError(f"{path} has {len(file.labels)} labels: expected at most {MAX_LABELS}")
    labels = [label.decode(errors="replace") for label in file.labels]
    return KernelModel(file, labels) if _suits_kernels(file) else LibraryModel(path, labels)


def _suits_kernels(file: FastTextFile) -> bool:
    arguments = file.arguments
    return (
        arguments.kind == SUPERVISED
        and arguments.word_ngrams <= 1
        and min(arguments.minn, arguments.maxn) >= 0
        and arguments.maxn <= _MAX_CHARS
        and (file.kept is None or arguments.bucket <= _MAX_BUCKETS)
        and (arguments.loss == SOFTMAX or (arguments.loss == HIERARCHICAL_SOFTMAX and len(file.labels) > 1))
        and file.input.is_below(_TAME)
        and file.output.is_below(_TAME)
    )


class KernelModel:
    """A model with a softmax or a hierarchical softmax over words and n-grams of characters, see `LanguageModel`."""

    def __init__(self, file: FastTextFile, labels: list[str]) -> None:
        self.labels = labels
        self._parts = _parts_of(file)
        self._tree = _tree_of(file)

    @property
    def nbytes(self) -> int:
        """The memory that the model takes."""
        return sum(values.nbytes for values in (*self._parts, *self._tree) if isinstance(values, np.ndarray))

    def first(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Return the first label of each text and its score, see `LanguageModel`."""
        labels, scores = self.top(texts, 1)
        return labels[:, 0], scores[:, 0]

    def top(self, texts: pa.Array, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first k labels of each text and their scores, see `LanguageModel`."""
        texts.validate(full=True)
        if texts.null_count:
            raise ValueError(f"expected texts, got {texts.null_count} nulls among {len(texts)}")
        offsets, data = buffers_of(texts)
        return language_kernels.classify(offsets, data.view(np.int8), self._parts, self._tree, k)


def _parts_of(file: FastTextFile) -> Parts:
    """Put the rows in the order of the parts' numbers: those of n-grams, then those of words."""
    arguments, words = file.arguments, len(file.words)
    buckets = arguments.bucket if arguments.maxn > 0 and (file.kept is None or file.kept) else 0
    max_chars = arguments.maxn if buckets else 0
    bits = ranks = np.empty(0, np.uint64)
    if file.kept and buckets:
        # Numbers beyond the buckets lead nowhere.
        numbers = np.array(sorted(number for number in file.kept if 0 <= number < buckets), np.int64)
        grams = words + np.array([file.kept[number] for number in numbers.tolist()], np.int64)
        numbers = np.concatenate([numbers, buckets + np.arange(words)])
        bits = np.zeros((buckets + words) // 64 + 1, np.uint64)
        np.bitwise_or.at(bits, numbers >> 6, np.uint64(1) << (numbers & 63).astype(np.uint64))
        ranks = np.searchsorted(numbers, np.arange(len(bits)) * 64).astype(np.uint32)
    else:
        grams = words + np.arange(buckets)
    order = np.concatenate([grams, np.arange(words)])
    width = file.input.rows.shape[1]
    rows = np.zeros((len(order), -(-width // LANES) * LANES), np.float32)
    rows[:, :width] = file.input.rows[order]
    if file.input.norms is not None:
        rows *= file.input.norms[order][:, None]
    names = [*file.words, *file.labels]
    name_starts = np.cumsum([0, *map(len, names)])
    blob = np.frombuffer(b"".join(names), np.int8)
    slots = 1 << (2 * len(names)).bit_length()
    slot_codes, slot_names = np.zeros(slots, np.uint32), np.full(slots, FREE, np.int32)
    language_kernels.fill_slots(slot_codes, slot_names, name_starts, blob)
    end = {word: place for place, word in enumerate(file.words)}.get(_END_MARK)
    return Parts(
        bits=bits,
        ranks=ranks.astype(np.uint32),
        buckets=buckets,
        min_chars=arguments.minn,
        max_chars=max_chars,
        slot_codes=slot_codes,
        slot_names=slot_names,
        name_starts=name_starts,
        names=blob,
        words=words,
        end_part=FREE if end is None else buckets + end,
        rows=rows,
    )


def _tree_of(file: FastTextFile) -> Tree:
    """Build the Huffman tree of the labels' counts as fastText does; a softmax has no inner nodes."""
    weights, norms = file.output.rows, file.output.norms
    left: list[int] = []
    right: list[int] = []
    paths: list[list[tuple[int, bool]]] = [[] for _ in file.labels]
    if file.arguments.loss == HIERARCHICAL_SOFTMAX:
        left, right = _huffman(file.label_counts)
        open_nodes: list[tuple[int, list[tuple[int, bool]]]] = [(len(left) - 1, [])]
        while open_nodes:
            node, path = open_nodes.pop()
            if node < 0:
                paths[~node] = path
            else:
                open_nodes += [(left[node], [*path, (node, False)]), (right[node], [*path, (node, True)])]
    steps = [step for path in paths for step in path]
    return Tree(
        weights=weights,
        norms=np.empty(0, np.float32) if norms is None else norms,
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        path_starts=np.cumsum([0, *map(len, paths)]),
        path_nodes=np.array([node for node, _ in steps], np.int32),
        path_right=np.array([is_right for _, is_right in steps], np.bool_),
        depth=max(map(len, paths)),
    )


def _huffman(counts: list[int]) -> tuple[list[int], list[int]]:
    """Return the children of each inner node: inner nodes, or ~label. `counts` fall, as in the file."""
    leaf, inner = len(counts) - 1, 0
    left: list[int] = []
    right: list[int] = []
    sums: list[int] = []
    for _ in range(len(counts) - 1):
        total = 0
        for side in (left, right):
            # fastText takes a node that does not exist yet for one of 1e15.
            if leaf >= 0 and counts[leaf] < (sums[inner] if inner < len(sums) else 10**15):
                side.append(~leaf)
                total += counts[leaf]
                leaf -= 1
            else:
                side.append(inner)
                total += sums[inner]
                inner += 1
        sums.append(total)
    return left, right

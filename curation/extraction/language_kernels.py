"""fastText's classifiers over Arrow's string buffers, bit for bit: the parts of a text, their mean, its labels.

All kernels are in one file: numba's cache checks the file of a function, not of its callees. float32, float64 and the
order of sums are fastText's.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from curation.core.kernel_types import signed

LANES = 8
"""The columns of the rows of parts come in blocks of this size, filled up with zeros."""
FREE = -1
"""A slot of the token table that holds none."""
MARGIN_OF_LEVEL = 1.3e-5
"""fastText adds 1e-5 to each probability, so a branch of a tree may score that much more than the node above it, and
pruning by fastText depends on its order. Labels closer to each other than this share for each level need that order."""
_BASIS, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_OPEN, _CLOSE = np.int8(60), np.int8(62)  # < and > around each token, for its n-grams
_CONTINUES = np.int8(-64)  # bytes below continue a character
_SHIFT = 1e-5
_FLOOR = np.float32(math.log(_SHIFT))  # fastText leaves out labels with a lower log probability
_ZERO, _ONE, _TWO, _FOUR, _SIX, _LAST = (np.uint64(number) for number in (0, 1, 2, 4, 6, 63))
_NOT_ROUNDED_UP = 1.0 + 2.0**-40


class Parts(NamedTuple):
    """How a text becomes rows of a matrix.

    A part of a text has a number: n-grams their bucket, words the number of buckets plus their place, the end of the
    text `end_part`. `bits` marks the numbers that have a row, `ranks` has for each 64 of them how many are marked
    before: a part's row is its rank. Without `bits` (empty) the number is the row.
    """

    bits: np.ndarray
    ranks: np.ndarray
    buckets: int
    min_chars: int
    max_chars: int
    slot_codes: np.ndarray
    slot_names: np.ndarray
    name_starts: np.ndarray
    names: np.ndarray
    words: int
    end_part: int
    rows: np.ndarray


class Tree(NamedTuple):
    """A hierarchical softmax: inner nodes with the root last; `left` and `right` are inner nodes, or ~label."""

    weights: np.ndarray
    norms: np.ndarray
    left: np.ndarray
    right: np.ndarray
    path_starts: np.ndarray
    path_nodes: np.ndarray
    path_right: np.ndarray
    depth: int


@numba.njit(cache=True, nogil=True)
def _hashed(code: np.uint32, byte: int) -> np.uint32:
    """Return the FNV-1a hash of what `code` is the hash of and a further byte, which fastText takes with its sign."""
    return np.uint32((code ^ np.uint32(byte)) * _PRIME)


@numba.njit(cache=True, nogil=True)
def find_slot(
    token: np.ndarray,
    start: np.uint64,
    size: np.uint64,
    code: np.uint32,
    slot_codes: np.ndarray,
    slot_names: np.ndarray,
    name_starts: np.ndarray,
    names: np.ndarray,
) -> np.uint64:
    """Return the slot of a token with hash `code` in the token table, or the free slot where it belongs."""
    mask = np.uint64(len(slot_codes) - 1)
    slot = np.uint64(code) & mask
    while slot_names[slot] != FREE:
        if slot_codes[slot] == code:
            name = np.uint64(slot_names[slot])
            name_start = np.uint64(name_starts[name])
            if np.uint64(name_starts[name + _ONE]) - name_start == size:
                step = _ZERO
                while step < size and names[name_start + step] == token[start + step]:
                    step += _ONE
                if step == size:
                    return slot
        slot = (slot + _ONE) & mask
    return slot


@numba.njit(cache=True, nogil=True)
def fill_slots(slot_codes: np.ndarray, slot_names: np.ndarray, name_starts: np.ndarray, names: np.ndarray) -> None:
    """Put the names into an empty token table; of equal names the last counts."""
    for name in range(len(name_starts) - 1):
        start, end = np.uint64(name_starts[name]), np.uint64(name_starts[name + 1])
        code = _BASIS
        for at in range(start, end):
            code = _hashed(code, names[at])
        slot = find_slot(names, start, end - start, code, slot_codes, slot_names, name_starts, names)
        slot_codes[slot] = code
        slot_names[slot] = name


@numba.njit(cache=True, nogil=True)
def _parts_of(data: np.ndarray, start: int, end: int, parts: Parts, token: np.ndarray, found: np.ndarray) -> np.uint64:
    """Write the numbers of the parts of a text that have rows to `found`; return how many they are."""
    bits, buckets, words = parts.bits, np.uint64(parts.buckets), parts.words
    min_chars, max_chars = parts.min_chars, parts.max_chars
    share = _NOT_ROUNDED_UP / max(parts.buckets, 1)
    pruned = len(bits) > 0
    count = _ZERO
    at, stop = np.uint64(start), np.uint64(end)
    while at < stop:
        byte = data[at]
        if byte == 32 or 9 <= byte <= 13 or byte == 0:
            at += _ONE
            continue
        code = _BASIS
        size = _ONE
        token[0] = _OPEN
        while True:
            token[size] = byte
            size += _ONE
            code = _hashed(code, byte)
            at += _ONE
            if at == stop:
                break
            byte = data[at]
            if byte == 32 or 9 <= byte <= 13 or byte == 0:
                break
        slot = find_slot(
            token, _ONE, size - _ONE, code, parts.slot_codes, parts.slot_names, parts.name_starts, parts.names
        )
        name = parts.slot_names[slot]
        if _is_end_mark(token, size):
            break
        if name == FREE:
            if _is_label(token, size):
                continue
        elif name < words:
            found[count] = buckets + np.uint64(name)
            count += _ONE
        else:  # a label of the model
            continue
        token[size] = _CLOSE
        size += _ONE
        for step in range(max_chars):
            token[size + np.uint64(step)] = 0
        for first in range(size):
            if token[first] < _CONTINUES:
                continue
            code = _BASIS
            behind = np.uint64(first)
            for chars in range(1, max_chars + 1):
                code = _hashed(code, token[behind])
                behind += _ONE
                while token[behind] < _CONTINUES:
                    code = _hashed(code, token[behind])
                    behind += _ONE
                if chars >= min_chars:
                    wanted = behind <= size if chars > 1 else first > 0 and behind < size
                    number = np.uint64(code) - np.uint64(signed(np.float64(code) * share)) * buckets
                    if pruned:
                        wanted &= ((bits[number >> _SIX] >> (number & _LAST)) & _ONE) != 0
                    found[count] = number
                    count += np.uint64(wanted)
    if parts.end_part >= 0:
        found[count] = parts.end_part
        count += _ONE
    return count


@numba.njit(cache=True, nogil=True)
def _is_end_mark(token: np.ndarray, size: np.uint64) -> bool:
    """Return whether a token, behind <, is fastText's mark of a line's end, </s>; what follows it is not read."""
    return size == 5 and token[1] == 60 and token[2] == 47 and token[3] == 115 and token[4] == 62


@numba.njit(cache=True, nogil=True)
def _is_label(token: np.ndarray, size: np.uint64) -> bool:
    """Return whether a token, behind <, begins with __label__: fastText does not take it for a word."""
    if size < 10 or token[1] != 95 or token[2] != 95:
        return False
    return (
        token[3] == 108 and token[4] == 97 and token[5] == 98 and token[6] == 101 and token[7] == 108
        and token[8] == 95 and token[9] == 95
    )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _rows_of(found: np.ndarray, count: np.uint64, bits: np.ndarray, ranks: np.ndarray) -> None:
    """Turn the numbers of parts into their rows."""
    for at in range(count):
        number = np.uint64(found[at])
        word = number >> _SIX
        before = bits[word] & ((_ONE << (number & _LAST)) - _ONE)
        before -= (before >> _ONE) & np.uint64(0x5555555555555555)
        before = (before & np.uint64(0x3333333333333333)) + ((before >> _TWO) & np.uint64(0x3333333333333333))
        before = (before + (before >> _FOUR)) & np.uint64(0x0F0F0F0F0F0F0F0F)
        found[at] = np.uint64(ranks[word]) + ((before * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(cache=True, nogil=True)
def _mean_of(found: np.ndarray, count: np.uint64, rows: np.ndarray, hidden: np.ndarray) -> None:
    """Write the mean of some rows to `hidden`; each column is added up in the order of the parts."""
    share = np.float32(1.0 / np.float64(count))
    for block in range(len(hidden) // LANES):
        column = np.uint64(block * LANES)
        a = b = c = d = e = f = g = h = np.float32(0)
        for at in range(count):
            row = rows[np.uint64(found[at])]
            a += row[column]
            b += row[column + np.uint64(1)]
            c += row[column + np.uint64(2)]
            d += row[column + np.uint64(3)]
            e += row[column + np.uint64(4)]
            f += row[column + np.uint64(5)]
            g += row[column + np.uint64(6)]
            h += row[column + np.uint64(7)]
        hidden[column] = a * share
        hidden[column + np.uint64(1)] = b * share
        hidden[column + np.uint64(2)] = c * share
        hidden[column + np.uint64(3)] = d * share
        hidden[column + np.uint64(4)] = e * share
        hidden[column + np.uint64(5)] = f * share
        hidden[column + np.uint64(6)] = g * share
        hidden[column + np.uint64(7)] = h * share


@numba.njit(cache=True, nogil=True)
def _log(chance: np.float32) -> np.float32:
    return np.float32(math.log(np.float64(chance) + _SHIFT))


@numba.njit(cache=True, nogil=True)
def _dot(weights: np.ndarray, row: np.uint64, norms: np.ndarray, hidden: np.ndarray) -> np.float32:
    total = np.float32(0)
    for column in range(np.uint64(weights.shape[1])):
        total += weights[row, column] * hidden[column]
    return total * norms[row] if len(norms) else total


@numba.njit(cache=True, nogil=True)
def _chance_of_right(tree: Tree, node: np.uint64, hidden: np.ndarray) -> np.float32:
    total = np.float32(1) + math.exp(-_dot(tree.weights, node, tree.norms, hidden))
    return np.float32(1.0 / np.float64(total))


@numba.njit(cache=True, nogil=True)
def _push(scores: np.ndarray, labels: np.ndarray, hole: int, score: np.float32, label: int) -> None:
    """Put a label into the heap at `hole` or above: the lowest score is on top."""
    while hole > 0:
        above = (hole - 1) // 2
        if not scores[above] > score:
            break
        scores[hole], labels[hole] = scores[above], labels[above]
        hole = above
    scores[hole], labels[hole] = score, label


@numba.njit(cache=True, nogil=True)
def _pop(scores: np.ndarray, labels: np.ndarray, size: int) -> None:
    """Move the top of a heap of `size` labels to its last place, as libstdc++ does."""
    last = size - 1
    score, label = scores[last], labels[last]
    scores[last], labels[last] = scores[0], labels[0]
    hole = child = 0
    while child < (last - 1) // 2:
        child = 2 * (child + 1)
        if scores[child] > scores[child - 1]:
            child -= 1
        scores[hole], labels[hole] = scores[child], labels[child]
        hole = child
    if last % 2 == 0 and last > 0 and child == (last - 2) // 2:
        child = 2 * (child + 1)
        scores[hole], labels[hole] = scores[child - 1], labels[child - 1]
        hole = child - 1
    _push(scores, labels, hole, score, label)


@numba.njit(cache=True, nogil=True)
def _add(scores: np.ndarray, labels: np.ndarray, size: int, k: int, score: np.float32, label: int) -> int:
    """Add a label to a heap that keeps the k best; return its new size."""
    _push(scores, labels, size, score, label)
    if size < k:
        return size + 1
    _pop(scores, labels, size + 1)
    return size


@numba.njit(cache=True, nogil=True)
def _sort(scores: np.ndarray, labels: np.ndarray, size: int) -> None:
    """Sort a heap, the best label first; the order of equal ones is that of libstdc++."""
    while size > 1:
        _pop(scores, labels, size)
        size -= 1


@numba.njit(cache=True, nogil=True)
def _in_order(
    tree: Tree, hidden: np.ndarray, k: int, nodes: np.ndarray, sums: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> int:
    """Find the k best leaves in fastText's order, left before right; return how many, the best first."""
    nodes[0], sums[0] = len(tree.left) - 1, 0.0
    open_nodes, size = 1, 0
    while open_nodes:
        open_nodes -= 1
        node, score = nodes[open_nodes], np.float32(sums[open_nodes])
        if score < _FLOOR or (size == k and score < scores[0]):
            continue
        if node < 0:
            size = _add(scores, labels, size, k, score, ~node)
            continue
        chance = _chance_of_right(tree, np.uint64(node), hidden)
        nodes[open_nodes], sums[open_nodes] = tree.right[node], score + _log(chance)
        open_nodes += 1
        nodes[open_nodes], sums[open_nodes] = tree.left[node], score + _log(np.float32(1.0 - np.float64(chance)))
        open_nodes += 1
    _sort(scores, labels, size)
    return size


@numba.njit(cache=True, nogil=True)
def _best_first(
    tree: Tree,
    hidden: np.ndarray,
    k: int,
    nodes: np.ndarray,
    products: np.ndarray,
    chances: np.ndarray,
    best: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
) -> int:
    """Find the k best leaves, the likeliest node first; return how many, or -1 if fastText's order would decide."""
    near = 1.0 - MARGIN_OF_LEVEL * (tree.depth + 1)
    lowest = _SHIFT * near
    nodes[0], products[0] = len(tree.left) - 1, 1.0
    open_nodes, size = 1, 0
    while open_nodes:
        likeliest = 0
        for place in range(1, open_nodes):
            if products[place] > products[likeliest]:
                likeliest = place
        node, product = nodes[likeliest], products[likeliest]
        if product < lowest:
            break
        open_nodes -= 1
        nodes[likeliest], products[likeliest] = nodes[open_nodes], products[open_nodes]
        if node >= 0:
            inner = np.uint64(node)
            chance = _chance_of_right(tree, inner, hidden)
            chances[inner] = chance
            left = product * (np.float64(np.float32(1.0 - np.float64(chance))) + _SHIFT)
            if left >= lowest:
                nodes[open_nodes], products[open_nodes] = tree.left[inner], left
                open_nodes += 1
            right = product * (np.float64(chance) + _SHIFT)
            if right >= lowest:
                nodes[open_nodes], products[open_nodes] = tree.right[inner], right
                open_nodes += 1
            continue
        if size > k and product <= best[k]:
            continue
        place = min(size, k)
        while place > 0 and best[place - 1] < product:
            best[place], labels[place] = best[place - 1], labels[place - 1]
            place -= 1
        best[place], labels[place] = product, ~node
        size = min(size + 1, k + 1)
        if size >= k:
            lowest = max(lowest, best[k - 1] * near)
    for place in range(size - 1):
        if best[place + 1] >= best[place] * near:
            return -1
    size = min(size, k)
    for place in range(size):
        score = np.float32(0)
        for step in range(tree.path_starts[labels[place]], tree.path_starts[labels[place] + 1]):
            chance = chances[tree.path_nodes[step]]
            score += _log(chance if tree.path_right[step] else np.float32(1.0 - np.float64(chance)))
        if score < _FLOOR + np.float32(1.0 - near):
            return -1  # at the floor or below it
        scores[place] = score
    return size


@numba.njit(cache=True, nogil=True)
def _most_likely(
    weights: np.ndarray, norms: np.ndarray, hidden: np.ndarray, k: int, chances: np.ndarray, scores: np.ndarray,
    labels: np.ndarray,
) -> int:  # fmt: skip
    """Find the k best labels of a softmax; return how many, the best first."""
    highest = np.float32(-np.inf)
    for label in range(len(weights)):
        chances[label] = _dot(weights, np.uint64(label), norms, hidden)
        highest = max(highest, chances[label])
    total = np.float32(0)
    for label in range(len(weights)):
        chances[label] = np.float32(math.exp(np.float64(chances[label] - highest)))
        total += chances[label]
    size = 0
    for label in range(len(weights)):
        score = _log(chances[label] / total)
        if size < k or score >= scores[0]:
            size = _add(scores, labels, size, k, score, label)
    _sort(scores, labels, size)
    return size


@numba.njit(cache=True, nogil=True)
def classify(offsets: np.ndarray, data: np.ndarray, parts: Parts, tree: Tree, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first k labels of texts, int16 [texts, k], and scores, float32; -1 and 0 where there is none.

    Texts come as (offsets, UTF-8 bytes as int8). A tree without inner nodes is a softmax over `weights`.
    """
    texts, count = len(offsets) - 1, len(tree.weights)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    token = np.empty(longest + 2 + max(parts.max_chars, 0) + 1, np.int8)
    grams = max(parts.max_chars - max(parts.min_chars, 1) + 1, 0)
    found = np.empty((2 * longest + 4) * grams + longest + 4, np.uint32)
    hidden = np.empty(parts.rows.shape[1], np.float32)
    nodes, products = np.empty(count + tree.depth + 2, np.int64), np.empty(count + tree.depth + 2, np.float64)
    chances, best = np.empty(count, np.float32), np.empty(k + 1, np.float64)
    scores, labels = np.empty(k + 1, np.float32), np.empty(k + 1, np.int64)
    all_labels, all_scores = np.full((texts, k), -1, np.int16), np.zeros((texts, k), np.float32)
    for text in range(texts):
        rows = _parts_of(data, offsets[text], offsets[text + 1], parts, token, found)
        if rows == 0:
            continue
        if len(parts.bits):
            _rows_of(found, rows, parts.bits, parts.ranks)
        _mean_of(found, rows, parts.rows, hidden)
        if len(tree.left):
            size = _best_first(tree, hidden, k, nodes, products, chances, best, scores, labels)
            if size < 0:
                size = _in_order(tree, hidden, k, nodes, products, scores, labels)
        else:
            size = _most_likely(tree.weights, tree.norms, hidden, k, chances, scores, labels)
        for place in range(size):
            all_labels[text, place] = labels[place]
            all_scores[text, place] = math.exp(scores[place])
    return all_labels, all_scores

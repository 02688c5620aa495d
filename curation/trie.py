"""The token trie: which of a million entries a text holds, exactly, at memory speed, in every script.

**Tokens.** The tokens of a spaced text are every blank, every character of the edge class, and every maximal run of
anything else. A padded entry begins and ends with a blank or a character of the edge class, so wherever it occurs in
a spaced text its tokens begin and end at tokens of the text: it is a substring iff its tokens occur in a row.

**Keys.** A run is cut into pieces of 8 bytes, counted from its start, and a piece is packed into 64 bits, zeros
behind it. No entry holds a NUL, and a NUL of a text becomes 0xFF, which UTF-8 never has: so the packing is one to one.
Two runs never stand next to each other, so a row of pieces says where its run ends. Keys are compared whole, and a
hash only tells where in a table to look: collisions cost a step, never a wrong id.

**Tables**, flat arrays in one file that workers map into memory (int32 `a | b << 32` pairs in uint64):

| array | per | holds |
|---|---|---|
| `slots` | piece, open addressing, two words | key; node after (blank, piece), node after (piece) as an entry's start |
| `nodes` | node | entry id or -1; mask of the children |
| `steps` | (node, slot) -> node, open addressing, two words | node << 32 | slot, child |

Bit 0 of a mask says that the child by a blank is the next node; the other 31 are a filter of the slots that may
follow. A piece is known by its slot's number from then on. Most steps of real texts are "blank, piece, blank", which
costs one look-up in `slots` and one in `nodes`; the mask answers most questions for longer entries without touching
`steps`.
"""

import json
import mmap
from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
import pyarrow as pa

from curation import storage
from curation.errors import HeadtailError
from curation.text import MARKS, Edges, edge_class, pad_entries

FORMAT = 1
"""Version of the file; another version's file is never opened, for its name differs."""
_MAGIC = b"headtail trie\n"
_ARRAYS = ("slots", "nodes", "steps")
_ALIGNMENT = 64

_BLANK_KEY = np.uint64(0x20)
_NONE = np.uint64(0xFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
# What a byte is to the tokenizer.
_RUN, _BLANK, _MARK, _EDGE, _LEAD3, _LEAD4 = range(6)


@dataclass(frozen=True)
class TokenTrie:
    """A compiled list of entries, mapped into memory."""

    edges: Edges
    slots: np.ndarray
    nodes: np.ndarray
    steps: np.ndarray

    @classmethod
    def open(cls, path: str) -> Self:
        """Map a compiled file; raises HeadtailError if it is none or is damaged in size."""
        header = read_header(path)
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        places = header["arrays"]
        if places[_ARRAYS[-1]]["offset"] + 8 * places[_ARRAYS[-1]]["size"] != len(mapped):
            raise HeadtailError(f"{path} is no compiled entry list, its size is wrong: delete it")
        arrays = {
            name: np.frombuffer(mapped, np.uint64, place["size"], place["offset"]) for name, place in places.items()
        }
        return cls(Edges(header["edges"]), **arrays)

    def match(self, texts: pa.StringArray) -> pa.ListArray:
        """Return the ids (int32, sorted, unique) of the entries of each text; none for a null."""
        if texts.null_count:
            texts = texts.fill_null("")
        offsets, data = _buffers(texts)
        ends, ids = _match(
            data, offsets, _byte_kinds(self.edges, True), edge_class(self.edges), self.slots, self.nodes, self.steps
        )
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))


def compile_entries(texts: pa.StringArray, edges: Edges, facts: dict[str, str], path: str) -> None:
    """Write the compiled form of entries (null is a hole) atomically; `facts` go into its header.

    The same entries give the same bytes.
    """
    ids = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False)).astype(np.int32)
    offsets, data = _buffers(pad_entries(texts.drop_null(), edges))
    keys, ends = _entry_keys(data, offsets, _byte_kinds(edges, False), edge_class(edges))
    distinct, counts = np.unique(keys, return_counts=True)
    # The frequent pieces first: they get the slots where they are looked for at once.
    distinct = distinct[np.argsort(-counts, kind="stable")]
    if _BLANK_KEY not in distinct:
        distinct = np.append(distinct, _BLANK_KEY)
    slots = _fill_slots(distinct, _capacity(len(distinct)))
    nodes, steps = _build(keys, ends, ids, slots)
    _write(path, {"slots": slots, "nodes": nodes, "steps": steps}, {"format": FORMAT, "edges": str(edges), **facts})


def read_header(path: str) -> dict:
    """Return the header of a compiled file; raises HeadtailError if it is none."""
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise HeadtailError(f"{path} is no compiled entry list: delete it")
        return json.loads(file.readline())


def _write(path: str, arrays: dict[str, np.ndarray], header: dict) -> None:
    """Magic, a line of JSON, the arrays each at a multiple of 64 bytes."""
    places: dict[str, dict[str, int]] = {}
    at = 4096  # the header's room
    for name, array in arrays.items():
        places[name] = {"offset": at, "size": len(array)}
        at = -(-(at + array.nbytes) // _ALIGNMENT) * _ALIGNMENT
    head = _MAGIC + json.dumps({**header, "arrays": places}).encode() + b"\n"
    with storage.AtomicFile(path) as file:
        file.write(head.ljust(4096, b" "))
        for name, array in arrays.items():
            file.seek(places[name]["offset"])
            file.write(array.data)


def _buffers(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int32 or int64, one more than texts) and bytes, not copied."""
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    if len(texts) == 0:
        return np.zeros(1, kind), np.zeros(0, np.uint8)
    _, offsets, data = texts.buffers()
    rows = np.frombuffer(offsets, kind)[texts.offset : texts.offset + len(texts) + 1]
    return rows, np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


def _byte_kinds(edges: Edges, spaced: bool) -> np.ndarray:
    """What each byte is: of a text that has to be spaced, or of a padded entry, which is taken as it stands."""
    kinds = np.full(256, _RUN, np.uint8)
    kinds[ord(" ")] = _BLANK
    if edges != Edges.blank:
        kinds[:128][edge_class(edges)[:128]] = _EDGE
        # No character of two bytes is in the edge class.
        kinds[0xE0:0xF0], kinds[0xF0:0xF8] = _LEAD3, _LEAD4
    if spaced:
        kinds[[ord(character) for character in "\t\n\r"]] = _BLANK
        kinds[[ord(mark) for mark in MARKS]] = _MARK
    return kinds


def _capacity(count: int) -> int:
    """Size of an open-addressing table: a power of two, at most half full."""
    return 1 << max(2 * count - 1, 1).bit_length()


@numba.njit(cache=True, nogil=True, inline="always")
def _mix(key: np.uint64) -> np.uint64:
    """Spread a key over 64 bits; the high ones are used."""
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return (key ^ (key >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


@numba.njit(cache=True, nogil=True, inline="always")
def _find(table: np.ndarray, shift: np.uint64, key: np.uint64) -> int:
    """The place of a key in an open-addressing table, or where it would go: then the key there is 0."""
    last = np.uint64((len(table) >> 1) - 1)
    place = _mix(key) >> shift
    while table[place << _ONE] != key and table[place << _ONE] != np.uint64(0):
        place = (place + _ONE) & last
    return place


@numba.njit(cache=True, nogil=True)
def _shift(table: np.ndarray) -> np.uint64:
    """How far a hash is shifted to give a place in the table."""
    bits = 0
    while (2 << bits) < len(table):
        bits += 1
    return np.uint64(64 - bits)


@numba.njit(cache=True, nogil=True, inline="always")
def _filter_bit(slot: np.uint64) -> np.uint64:
    """The bit of a node's mask that a slot sets: 1 to 31."""
    return _ONE << (_ONE + ((slot * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) % np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _tokenize(
    data: np.ndarray, start: int, end: int, kinds: np.ndarray, in_class: np.ndarray, keys: np.ndarray, count: int
) -> int:
    """Write the keys of the tokens of data[start:end] to keys[count:]; return the new count."""
    at = np.uint64(start)
    stop = np.uint64(end)
    key = np.uint64(0)
    width = np.uint64(0)
    while at < stop:
        byte = np.uint64(data[at])
        kind = kinds[byte]
        size = _ONE
        edge = kind == _EDGE
        if kind >= _LEAD3:
            size = np.uint64(3) if kind == _LEAD3 else np.uint64(4)
            if at + size <= stop:
                point = byte & (np.uint64(0x0F) if kind == _LEAD3 else np.uint64(0x07))
                for step in range(1, size):
                    point = (point << np.uint64(6)) | np.uint64(data[at + np.uint64(step)] & np.uint8(0x3F))
                edge = point < np.uint64(len(in_class)) and in_class[point]
            else:
                size = stop - at  # not UTF-8: nothing matches it
        if kind in (_BLANK, _MARK) or edge:
            if width:
                keys[count] = key
                count += 1
                key = np.uint64(0)
                width = np.uint64(0)
            if kind == _MARK:
                keys[count] = _BLANK_KEY
                keys[count + 1] = byte
                keys[count + 2] = _BLANK_KEY
                count += 3
            elif kind == _BLANK:
                keys[count] = _BLANK_KEY
                count += 1
            else:
                for step in range(size):
                    byte = np.uint64(data[at + np.uint64(step)])
                    key |= byte << np.uint64(8 * step)
                keys[count] = key
                count += 1
                key = np.uint64(0)
            at += size
            continue
        for _ in range(size):
            byte = np.uint64(data[at])
            if byte == np.uint64(0):
                byte = np.uint64(0xFF)
            key |= byte << width
            width += np.uint64(8)
            at += _ONE
            if width == np.uint64(64):
                keys[count] = key
                count += 1
                key = np.uint64(0)
                width = np.uint64(0)
    if width:
        keys[count] = key
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _room(data: np.ndarray, start: int, end: int, kinds: np.ndarray) -> int:
    """An upper bound of the tokens of a text, tighter than three a byte."""
    marks = 0
    for at in range(start, end):
        marks += kinds[data[at]] == _MARK
    return (end - start) + 2 * marks + 2


@numba.njit(cache=True, nogil=True)
def _entry_keys(
    data: np.ndarray, offsets: np.ndarray, kinds: np.ndarray, in_class: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The keys of all padded entries in a row, and where each entry's end."""
    rows = len(offsets) - 1
    keys = np.empty(np.int64(offsets[rows] - offsets[0]), np.uint64)
    ends = np.empty(rows, np.int64)
    count = 0
    for row in range(rows):
        count = _tokenize(data, offsets[row], offsets[row + 1], kinds, in_class, keys, count)
        ends[row] = count
    return keys[:count].copy(), ends


@numba.njit(cache=True, nogil=True)
def _fill_slots(keys: np.ndarray, capacity: int) -> np.ndarray:
    slots = np.zeros(2 * capacity, np.uint64)
    shift = _shift(slots)
    for key in keys:
        place = _find(slots, shift, key)
        slots[place << _ONE] = key
        slots[(place << _ONE) + _ONE] = _NONE | (_NONE << _HALF)
    return slots


@numba.njit(cache=True, nogil=True)
def _grow(steps: np.ndarray) -> np.ndarray:
    larger = np.zeros(2 * len(steps), np.uint64)
    shift = _shift(larger)
    for place in range(0, len(steps), 2):
        if steps[place]:
            there = _find(larger, shift, steps[place]) << _ONE
            larger[there] = steps[place]
            larger[there + _ONE] = steps[place + 1]
    return larger


@numba.njit(cache=True, nogil=True)
def _build(keys: np.ndarray, ends: np.ndarray, ids: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Insert the entries one after another; fills the nodes of `slots` and returns (nodes, steps).

    A node that a piece leads to has the next number kept free for its child by a blank.
    """
    nodes = np.empty(2 * len(keys) + 2, np.uint64)
    nodes[:] = _NONE
    used = np.uint64(1)  # 0 would make the key of a step 0, which says "free"
    steps = np.zeros(4, np.uint64)
    filled = 0
    shift = _shift(slots)
    step_shift = _shift(steps)
    blank = _find(slots, shift, _BLANK_KEY)
    begin = 0
    for row in range(len(ends)):
        end = ends[row]
        slot = _find(slots, shift, keys[begin])
        at = begin + 1
        half = _HALF
        if slot == blank:
            slot = _find(slots, shift, keys[at])
            at += 1
            half = np.uint64(0)
        value = slots[(slot << _ONE) + _ONE]
        node = (value >> half) & _LOW
        if node == _NONE:
            node = used
            used += _ONE if slot == blank else np.uint64(2)
            slots[(slot << _ONE) + _ONE] = (value & ~(_LOW << half)) | (node << half)
        by_blank = slot == blank
        while at < end:
            slot = _find(slots, shift, keys[at])
            at += 1
            if slot == blank and not by_blank:
                nodes[node] |= _ONE << _HALF
                node += _ONE
                by_blank = True
                continue
            nodes[node] |= _filter_bit(slot) << _HALF
            key = (node << _HALF) | slot
            place = _find(steps, step_shift, key) << _ONE
            if steps[place] == np.uint64(0):
                if 4 * (filled + 1) > len(steps):
                    steps = _grow(steps)
                    step_shift = _shift(steps)
                    place = _find(steps, step_shift, key) << _ONE
                steps[place] = key
                steps[place + _ONE] = used
                filled += 1
                used += _ONE if slot == blank else np.uint64(2)
            node = steps[place + _ONE]
            by_blank = slot == blank
        nodes[node] = (nodes[node] & ~_LOW) | np.uint64(ids[row])
        begin = end
    return nodes[:used].copy(), steps


@numba.njit(cache=True, nogil=True)
def _match(
    data: np.ndarray,
    offsets: np.ndarray,
    kinds: np.ndarray,
    in_class: np.ndarray,
    slots: np.ndarray,
    nodes: np.ndarray,
    steps: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The list array of ids: offsets and values, both int32."""
    rows = len(offsets) - 1
    ends = np.empty(rows + 1, np.int32)
    ends[0] = 0
    ids = np.empty(8 * rows + 64, np.int32)
    used = 0
    keys = np.empty(4096, np.uint64)
    tokens = np.empty(4096, np.uint64)
    shift = _shift(slots)
    step_shift = _shift(steps)
    blank = _find(slots, shift, _BLANK_KEY)
    for row in range(rows):
        start, end = offsets[row], offsets[row + 1]
        if 3 * np.int64(end - start) + 2 > len(keys):
            room = _room(data, start, end, kinds)
            if room > len(keys):
                keys = np.empty(room, np.uint64)
                tokens = np.empty(room, np.uint64)
        keys[0] = _BLANK_KEY
        count = _tokenize(data, start, end, kinds, in_class, keys, 1)
        keys[count] = _BLANK_KEY
        count += 1
        # All look-ups before all walks: they do not depend on each other, so their cache misses overlap.
        for index in range(count):
            place = _find(slots, shift, keys[index])
            tokens[index] = place if slots[place << _ONE] else _NONE
        first = used
        for begin in range(count - 1):
            token = tokens[begin]
            at = begin + 1
            if token == blank:
                token = tokens[at]
                at += 1
                if token == _NONE:
                    continue
                node = slots[(token << _ONE) + _ONE] & _LOW
            elif token == _NONE:
                continue
            else:
                node = slots[(token << _ONE) + _ONE] >> _HALF
            if node == _NONE:
                continue
            while True:
                record = nodes[node]
                if record & _LOW != _NONE:
                    if used == len(ids):
                        more = np.empty(2 * len(ids), np.int32)
                        more[:used] = ids
                        ids = more
                    ids[used] = np.int32(record & _LOW)
                    used += 1
                if at == count:
                    break
                token = tokens[at]
                at += 1
                if token == _NONE:
                    break
                mask = record >> _HALF
                if token == blank and mask & _ONE:
                    node += _ONE
                    continue
                if not mask & _filter_bit(token):
                    break
                place = _find(steps, step_shift, (node << _HALF) | token) << _ONE
                if steps[place] == np.uint64(0):
                    break
                node = steps[place + _ONE]
        used = _sort_unique(ids, first, used)
        ends[row + 1] = used
    return ends, ids[:used].copy()


@numba.njit(cache=True, nogil=True)
def _sort_unique(ids: np.ndarray, first: int, end: int) -> int:
    """Sort ids[first:end], drop what repeats, return the new end."""
    if end - first > 64:
        ids[first:end].sort()
    else:
        for at in range(first + 1, end):
            value = ids[at]
            back = at
            while back > first and ids[back - 1] > value:
                ids[back] = ids[back - 1]
                back -= 1
            ids[back] = value
    kept = first
    for at in range(first, end):
        if kept == first or ids[at] != ids[kept - 1]:
            ids[kept] = ids[at]
            kept += 1
    return kept

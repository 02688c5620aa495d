"""The kernels of the token trie, all in one file: numba's cache checks the file of a function, not of its callees."""

from enum import IntEnum

import numba
import numpy as np

BLANK_KEY = np.uint64(0x20)
_EDGE_MARK = np.uint64(1 << 56)
_NONE = np.uint64(0xFFFFFFFF)  # no node, no slot, no entry; a record without an entry and with an empty filter
_HALF = np.uint64(32)
_ZERO, _ONE, _TWO, _THREE, _FOUR, _EIGHT = (np.uint64(number) for number in (0, 1, 2, 3, 4, 8))
_PIECE_BITS = np.uint64(64)


class Kind(IntEnum):
    """The kind of a byte for the tokenizer; `LEAD3` and `LEAD4` begin characters that may be in the edge class."""

    RUN = 0
    BLANK = 1
    MARK = 2
    EDGE = 3
    LEAD3 = 4
    LEAD4 = 5


_RUN, _BLANK, _MARK, _EDGE, _LEAD3 = (int(kind) for kind in list(Kind)[:5])


@numba.njit(cache=True, nogil=True, inline="always")
def _load(data: np.ndarray, at: np.uint64, size: np.uint64) -> np.uint64:
    """Return up to 8 bytes, the first lowest. Where 8 bytes can be read, the compiler makes it one load."""
    value = _ZERO
    if at + _EIGHT <= np.uint64(len(data)):
        for step in range(8):
            value |= np.uint64(data[at + np.uint64(step)]) << np.uint64(8 * step)
        return value & (~_ZERO >> (_PIECE_BITS - (size << _THREE)))
    for step in range(size):
        value |= np.uint64(data[at + np.uint64(step)]) << (np.uint64(step) << _THREE)
    return value


@numba.njit(cache=True, nogil=True, inline="always")
def _without_nul(piece: np.uint64, size: np.uint64) -> np.uint64:
    """Return the piece with 0xFF for NUL, which would look like the zeros that fill a piece up."""
    low, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    filled = piece | ~(~_ZERO >> (_PIECE_BITS - (size << _THREE)))
    if (filled - low) & ~filled & high:
        for step in range(size):
            if (piece >> (np.uint64(step) << _THREE)) & np.uint64(0xFF) == _ZERO:
                piece |= np.uint64(0xFF) << (np.uint64(step) << _THREE)
    return piece


@numba.njit(cache=True, nogil=True, inline="always")
def _code_point(data: np.ndarray, at: np.uint64, size: np.uint64) -> np.uint64:
    """Return the code point of a character of 3 or 4 bytes."""
    point = np.uint64(data[at]) & (np.uint64(0x0F) if size == _THREE else np.uint64(0x07))
    for step in range(1, size):
        point = (point << np.uint64(6)) | np.uint64(data[at + np.uint64(step)] & np.uint8(0x3F))
    return point


@numba.njit(cache=True, nogil=True)
def _tokenize(
    data: np.ndarray, start: int, end: int, kinds: np.ndarray, in_class: np.ndarray, keys: np.ndarray, count: int
) -> int:
    """Write the keys of the tokens of data[start:end] to keys[count:]; return the new count."""
    at = np.uint64(start)
    stop = np.uint64(end)
    key = _ZERO
    width = _ZERO
    while at < stop:
        kind = kinds[data[at]]
        size = _ONE
        if kind == _RUN:
            limit = min(stop - at, (_PIECE_BITS - width) >> _THREE)
            while size < limit and kinds[data[at + size]] == _RUN:
                size += _ONE
        elif kind >= _LEAD3:
            size = _THREE if kind == _LEAD3 else _FOUR
            if at + size <= stop:
                point = _code_point(data, at, size)
                kind = _EDGE if point < np.uint64(len(in_class)) and in_class[point] else _RUN
            else:
                size = stop - at  # bytes that are not UTF-8 are a run
                kind = _RUN
            if kind == _RUN:
                size = min(size, (_PIECE_BITS - width) >> _THREE)
                # If this cuts a character, its other bytes begin no character and continue the run.
        if kind == _RUN:
            key |= _without_nul(_load(data, at, size), size) << width
            width += size << _THREE
            if width == _PIECE_BITS:
                keys[count] = key
                count += 1
                key = _ZERO
                width = _ZERO
        else:
            if width:
                keys[count] = key
                count += 1
                key = _ZERO
                width = _ZERO
            if kind == _BLANK:
                keys[count] = BLANK_KEY
                count += 1
            elif kind == _EDGE:
                keys[count] = _load(data, at, size) | _EDGE_MARK
                count += 1
            else:
                byte = np.uint64(data[at])
                keys[count] = BLANK_KEY
                keys[count + 1] = byte | _EDGE_MARK if in_class[byte] else byte
                keys[count + 2] = BLANK_KEY
                count += 3
        at += size
    if width:
        keys[count] = key
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _room(data: np.ndarray, start: int, end: int, kinds: np.ndarray) -> int:
    """Return an upper bound of the number of a text's tokens, tighter than three per byte."""
    marks = 0
    for at in range(start, end):
        marks += kinds[data[at]] == _MARK
    return (end - start) + 2 * marks + 2


@numba.njit(cache=True, nogil=True)
def entry_keys(
    data: np.ndarray, offsets: np.ndarray, kinds: np.ndarray, in_class: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of all padded entries in a row, and the end of each entry's keys."""
    rows = len(offsets) - 1
    keys = np.empty(np.int64(offsets[rows] - offsets[0]), np.uint64)
    ends = np.empty(rows, np.int64)
    count = 0
    for row in range(rows):
        count = _tokenize(data, offsets[row], offsets[row + 1], kinds, in_class, keys, count)
        ends[row] = count
    return keys[:count].copy(), ends


@numba.njit(cache=True, nogil=True, inline="always")
def _mix(key: np.uint64) -> np.uint64:
    """Return a hash of a key; its high bits are used."""
    key = (key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return (key ^ (key >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


@numba.njit(cache=True, nogil=True)
def _shift(table: np.ndarray) -> np.uint64:
    """Return the shift that makes a hash a row's number, in a table of 2^n rows of four words."""
    bits = 0
    while (4 << bits) < len(table):
        bits += 1
    return np.uint64(64 - bits)


@numba.njit(cache=True, nogil=True, inline="always")
def _find(table: np.ndarray, shift: np.uint64, key: np.uint64) -> np.uint64:
    """Return the number of a key's row, or of the free row for it, whose key is 0."""
    last = np.uint64((len(table) >> 2) - 1)
    row = _mix(key) >> shift
    while table[row << _TWO] != key and table[row << _TWO] != _ZERO:
        row = (row + _ONE) & last
    return row


@numba.njit(cache=True, nogil=True, inline="always")
def _filter_bit(slot: np.uint64) -> np.uint64:
    """Return the bit (32 to 63) of a slot in the filter of a node."""
    return _ONE << (_HALF + ((slot * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(59)))


@numba.njit(cache=True, nogil=True)
def fill_slots(keys: np.ndarray, rows: int) -> np.ndarray:
    """Return the table of pieces, without nodes."""
    slots = np.zeros(4 * rows, np.uint64)
    shift = _shift(slots)
    for key in keys:
        row = _find(slots, shift, key) << _TWO
        slots[row] = key
        slots[row + _ONE] = _NONE
    return slots


@numba.njit(cache=True, nogil=True)
def _grow(steps: np.ndarray) -> np.ndarray:
    larger = np.zeros(2 * len(steps), np.uint64)
    shift = _shift(larger)
    for row in range(0, len(steps), 4):
        if steps[row]:
            there = _find(larger, shift, steps[row]) << _TWO
            larger[there] = steps[row]
            larger[there + _ONE] = steps[row + 1]
    return larger


@numba.njit(cache=True, nogil=True)
def build(keys: np.ndarray, ends: np.ndarray, ids: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Insert all entries: write their nodes to `slots`, and return `steps`."""
    records = np.empty(2 * len(keys) + 4, np.uint64)
    records[:] = _NONE
    used = _ONE  # node 0 and slot 0 would give the key 0, which marks a free row
    steps = np.zeros(8, np.uint64)
    filled = 0
    shift = _shift(slots)
    step_shift = _shift(steps)
    blank = _find(slots, shift, BLANK_KEY)
    begin = 0
    for entry in range(len(ends)):
        end = ends[entry]
        at = begin
        # A run after a blank begins at the row of the run; any other blank is looked up, as characters of the class.
        if keys[at] == BLANK_KEY and keys[at + 1] != BLANK_KEY and keys[at + 1] >> np.uint64(48) != np.uint64(0x100):
            at += 1
        row = (_find(slots, shift, keys[at]) << _TWO) + _ONE
        at += 1
        if slots[row] == _NONE:
            slots[row] = used
            used += _TWO
        node = slots[row]
        by_blank = False
        while at < end:
            slot = _find(slots, shift, keys[at])
            at += 1
            if slot == blank and not by_blank:
                node += _ONE
                by_blank = True
                continue
            records[node] |= _filter_bit(slot)
            key = (node << _HALF) | slot
            row = _find(steps, step_shift, key) << _TWO
            if steps[row] == _ZERO:
                if 8 * (filled + 1) > len(steps):
                    steps = _grow(steps)
                    step_shift = _shift(steps)
                    row = _find(steps, step_shift, key) << _TWO
                steps[row] = key
                steps[row + _ONE] = used
                filled += 1
                used += _TWO
            node = steps[row + _ONE]
            by_blank = False
        records[node] = (records[node] & ~_NONE) | np.uint64(ids[entry])
        begin = end
    for table in (slots, steps):
        for word in range(0, len(table), 4):
            node = table[word + 1]
            in_use = table[word] != _ZERO and node != _NONE
            table[word + 2] = records[node] if in_use else _NONE
            table[word + 3] = records[node + _ONE] if in_use else _NONE
    return steps


@numba.njit(cache=True, nogil=True, inline="always")
def _find_tokens(
    keys: np.ndarray, count: int, slots: np.ndarray, shift: np.uint64, blank: np.uint64, tokens: np.ndarray
) -> None:
    """Set tokens[i] to the slot of keys[i], or to _NONE where no entry has that piece."""
    for index in range(count):
        key = keys[index]
        if key == BLANK_KEY:
            tokens[index] = blank
        else:
            slot = _find(slots, shift, key)
            tokens[index] = slot if slots[slot << _TWO] else _NONE


@numba.njit(cache=True, nogil=True, inline="always")
def _can_begin(keys: np.ndarray, at: int, token: np.uint64, blank: np.uint64, blank_begins: bool) -> bool:
    """Return whether a match may begin at a token: at a character of the edge class, or at a run after a blank."""
    if token == blank:
        return blank_begins
    return token != _NONE and (keys[at] >> np.uint64(48) == np.uint64(0x100) or keys[at - 1] == BLANK_KEY)


@numba.njit(cache=True, nogil=True)
def _doubled(ids: np.ndarray) -> np.ndarray:
    larger = np.empty(2 * len(ids), np.int32)
    larger[: len(ids)] = ids
    return larger


@numba.njit(cache=True, nogil=True)
def match(
    data: np.ndarray, offsets: np.ndarray, kinds: np.ndarray, in_class: np.ndarray, slots: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of each text, sorted and unique, as the offsets and values of a list array, both int32."""
    rows = len(offsets) - 1
    ends = np.empty(rows + 1, np.int32)
    ends[0] = 0
    ids = np.empty(8 * rows + 64, np.int32)
    used = 0
    keys = np.empty(4096, np.uint64)
    tokens = np.empty(4096, np.uint64)
    shift = _shift(slots)
    step_shift = _shift(steps)
    blank = _find(slots, shift, BLANK_KEY)
    # Whether any entry begins with two blanks, or a blank and a character of the edge class; in most lists none does.
    blank_begins = slots[(blank << _TWO) + _ONE] != _NONE
    for text in range(rows):
        start, end = offsets[text], offsets[text + 1]
        if 3 * np.int64(end - start) + 2 > len(keys):
            room = _room(data, start, end, kinds)
            if room > len(keys):
                keys = np.empty(room, np.uint64)
                tokens = np.empty(room, np.uint64)
        keys[0] = BLANK_KEY
        count = _tokenize(data, start, end, kinds, in_class, keys, 1)
        keys[count] = BLANK_KEY
        count += 1
        # All look-ups come before all walks: they do not depend on each other, so their cache misses overlap.
        _find_tokens(keys, count, slots, shift, blank, tokens)
        first = used
        for begin in range(count):
            token = tokens[begin]
            if not _can_begin(keys, begin, token, blank, blank_begins):
                continue
            row = token << _TWO
            node = slots[row + _ONE]
            record = slots[row + _TWO]
            after_blank = slots[row + _THREE]
            by_blank = False
            at = begin + 1
            while True:
                if record & _NONE != _NONE:
                    if used == len(ids):
                        ids = _doubled(ids)
                    ids[used] = np.int32(record & _NONE)
                    used += 1
                if at == count:
                    break
                token = tokens[at]
                at += 1
                if token == blank and not by_blank:
                    node += _ONE
                    record = after_blank
                    by_blank = True
                    continue
                if token == _NONE or not record & _filter_bit(token):
                    break
                row = _find(steps, step_shift, (node << _HALF) | token) << _TWO
                if steps[row] == _ZERO:
                    break
                node = steps[row + _ONE]
                record = steps[row + _TWO]
                after_blank = steps[row + _THREE]
                by_blank = False
        used = _sort_unique(ids, first, used)
        ends[text + 1] = used
    return ends, ids[:used].copy()


@numba.njit(cache=True, nogil=True)
def _sort_unique(ids: np.ndarray, first: int, end: int) -> int:
    """Sort ids[first:end], drop repeated ids, and return the new end."""
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

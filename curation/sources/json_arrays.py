"""The elements of a JSON array that fills a file, one by one: what programs write that do not write JSON lines."""

import re
from collections.abc import Iterable, Iterator

import numba
import numpy as np

from curation.sources.archives import ReadLog
from curation.sources.csv_rows import MAX_LINE_BYTES

_ARRAY = re.compile(rb"\s*\[\s*\{")
_INSIDE, _DEPTH, _STRING, _ESCAPED, _BEGUN, _SKIPPING = range(6)
"""The state between two pieces: within the array; open brackets, string and escape of the element; an element has
begun; all is passed over to the end of the line."""


def is_array(head: bytes) -> bool:
    """Return whether a file begins as an array of objects, and not as lines."""
    return _ARRAY.match(head) is not None


def array_elements(pieces: Iterable[bytes], log: ReadLog) -> Iterator[bytes]:
    """Yield the elements of the arrays in a file; objects outside of arrays count, too.

    The end of a line within a string ends the element: a quote is missing there. An element of more than
    MAX_LINE_BYTES is a fault, and so is an array that does not end; reading goes on at the next line.
    """
    state = np.zeros(6, np.int64)
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        spans = _find_elements(np.frombuffer(piece, np.uint8), state)
        for start, end in spans.tolist():
            part = piece[max(start, 0) : end if end >= 0 else None]
            held.append(part)
            size += len(part)
            if end >= 0:
                yield b"".join(held)
                held, size = [], 0
        if size > MAX_LINE_BYTES:
            log.fault(log.bytes_read, f"an element of more than {MAX_LINE_BYTES} bytes: passed over to the next line")
            held, size = [], 0
            state[_DEPTH:] = 0
            state[_SKIPPING] = 1
    if held:
        yield b"".join(held)
    if held or state[_INSIDE]:
        log.fault(log.bytes_read, "the file ends within its JSON array")


@numba.njit(cache=True, nogil=True)
def _find_elements(data: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return start and end of each element in a piece (int64, n x 2), -1 where it lies in another piece."""
    spans = np.empty((len(data) // 2 + 2, 2), np.int64)
    found = 0
    inside, depth, string, escaped, begun, skipping = state[0], state[1], state[2], state[3], state[4], state[5]
    start = -1
    for at in range(len(data)):
        byte = data[at]
        if skipping:
            skipping = 0 if byte == ord("\n") else 1
            continue
        end = -1
        if string:
            if escaped:
                escaped = 0
            elif byte == ord("\\"):
                escaped = 1
            elif byte == ord("\n"):
                string, depth, end = 0, 0, at
            elif byte == ord('"'):
                string = 0
                if depth == 0:
                    end = at + 1
        elif not begun:
            if byte <= ord(" ") or byte == ord(",") or byte == ord("}"):
                continue
            if byte == ord("[") and not inside:
                inside = 1
            elif byte == ord("]"):
                inside = 0
            else:
                begun, start = 1, at
                string = 1 if byte == ord('"') else 0
                depth = 1 if byte == ord("{") or byte == ord("[") else 0
        elif depth == 0:  # a number, or a word
            if byte <= ord(" ") or byte == ord(",") or byte == ord("]"):
                end = at
                if byte == ord("]"):
                    inside = 0
        elif byte == ord('"'):
            string = 1
        elif byte == ord("{") or byte == ord("["):
            depth += 1
        elif byte == ord("}") or byte == ord("]"):
            depth -= 1
            if depth == 0:
                end = at + 1
        if end >= 0:
            spans[found, 0], spans[found, 1] = start, end
            found += 1
            begun, escaped, start = 0, 0, -1
    if begun:
        spans[found, 0], spans[found, 1] = start, -1
        found += 1
    state[0], state[1], state[2], state[3], state[4], state[5] = inside, depth, string, escaped, begun, skipping
    return spans[:found]

"""The token trie: finds which of a million entries a text holds, exactly, at memory speed, in every script.

**Tokens.** The tokens of a spaced text are every blank, every character of the edge class, and every maximal run of
anything else. A padded entry begins and ends with a blank or a character of the edge class. So wherever it occurs in
a spaced text, its tokens are tokens of the text: it is a substring iff its tokens occur in a row.

**Keys.** A run is cut into pieces of 8 bytes, counted from its start; a piece is packed into 64 bits and filled up with
zeros. No entry holds a NUL, and a NUL of a text becomes 0xFF, which is never in UTF-8, so the packing is one to one.
Two runs are never next to each other, so the pieces in a row are one run. A character of the edge class has at most
four bytes; its key has a mark in the highest byte. Keys are compared whole, and the hash only gives the place in a
table: a collision costs a step, but never gives a wrong id.

**Tables**: two open-addressing tables in one file that workers map into memory, rows of four uint64:

| table | key | the node that the row leads to |
|---|---|---|
| `slots` | a piece | where a match begins: after (blank, piece), or after (piece) for a blank or the edge class |
| `steps` | node << 32 and the number of the next piece's slot | after that piece |

| word of a row | holds |
|---|---|
| 0 | key |
| 1 | number of the node; the node after a further blank has the next number |
| 2 | record of the node: the entry's id or -1 and, << 32, a filter of the slots that may follow |
| 3 | record of the node after a further blank |

Most matches are "blank, piece, blank", which costs one look-up, in `slots`. For longer ones, the filter rules out most
steps without a look into `steps`.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.choices import Edges
from curation.core.errors import HeadtailError
from curation.core.ownership import open_own_file, without_others
from curation.matching.spacing import MARKS, edge_class, pad_entries
from curation.matching.trie_kernels import BLANK_KEY, Kind, build, entry_keys, fill_slots, match

FORMAT = 3
"""Version of the file format. It is in the file's name, so a file of another version is never opened."""
_MAGIC = b"headtail trie\n"
_TABLES = ("slots", "steps")
_HEADER_BYTES = 4096
_opened: dict[tuple[Any, ...], "TokenTrie"] = {}
"""The lists that this process has checked, by file and facts: each task of a worker opens them again."""
_ROW = 4
"""Words of a row of a table."""


@dataclass(frozen=True)
class TokenTrie:
    """A compiled list of entries, mapped into memory."""

    edges: Edges
    slots: np.ndarray
    steps: np.ndarray

    @classmethod
    def open(cls, path: str, **facts: str) -> Self:
        """Map a compiled file of this user into memory.

        The whole file is checked when the process first opens it: owner, sizes, checksum, and `facts`, values that its
        header must hold. Raises HeadtailError if something differs.
        """
        file = open_own_file(path)
        if file is None:
            raise HeadtailError(
                f"{path} is no compiled entry list of this user that nobody else can write: delete it, or its folder"
            )
        with file:
            status = os.fstat(file.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, *sorted(facts.items()))
            if key in _opened:
                return cast(Self, _opened[key])
            header, sizes = _read_header(path, file.read(_HEADER_BYTES))
            places, end = _places(sizes)
            if status.st_size != end or header.get("arrays") != places:
                raise HeadtailError(f"{path} is no compiled entry list, its size is wrong: delete it")
            # Read, not mapped: pages that are only checked should not count as memory of this process.
            file.seek(_HEADER_BYTES)
            checksum = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a BufferedReader
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if header.get("sha256") != checksum or header.get("edges") not in list(Edges):
            raise HeadtailError(f"{path} is no compiled entry list, its checksum is wrong: delete it")
        for name, value in facts.items():
            if header.get(name) != value:
                raise HeadtailError(f"{path} is no compiled entry list of {name} {value}: delete it")
        arrays = {
            name: np.frombuffer(mapped, np.uint64, place["size"], place["offset"]) for name, place in places.items()
        }
        _opened[key] = opened = cls(Edges(header["edges"]), **arrays)
        return opened

    @classmethod
    def of(cls, texts: pa.StringArray, edges: Edges) -> Self:
        """Return the trie of entries (null is a hole), in the memory of this process."""
        return cls(edges, *_tables(texts, edges))

    def match(self, texts: pa.StringArray) -> pa.ListArray:
        """Return the ids (int32, sorted, unique) of the entries of each text; none for a null."""
        if texts.null_count:
            texts = texts.fill_null("")
        offsets, data = _buffers(texts)
        kinds = _byte_kinds(self.edges, True)
        ends, ids = match(data, offsets, kinds, edge_class(self.edges), self.slots, self.steps)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))


def compile_entries(texts: pa.StringArray, edges: Edges, facts: Mapping[str, Any], path: str) -> None:
    """Write the compiled form of entries (null is a hole) atomically; `facts` go into its header.

    The same entries give the same bytes.
    """
    slots, steps = _tables(texts, edges)
    _write(path, {"slots": slots, "steps": steps}, {"format": FORMAT, "edges": str(edges), **facts})


def _tables(texts: pa.StringArray, edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables `slots` and `steps` of entries (null is a hole)."""
    ids = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False)).astype(np.int32)
    offsets, data = _buffers(pad_entries(texts.drop_null(), edges))
    keys, ends = entry_keys(data, offsets, _byte_kinds(edges, False), edge_class(edges))
    distinct, counts = np.unique(keys, return_counts=True)
    # The frequent pieces come first, so they get the slots that are looked at first.
    distinct = distinct[np.argsort(-counts, kind="stable")]
    if BLANK_KEY not in distinct:
        distinct = np.append(distinct, BLANK_KEY)
    slots = fill_slots(distinct, _capacity(len(distinct)))
    return slots, build(keys, ends, ids, slots)


def _read_header(path: str, data: bytes) -> tuple[dict, dict[str, int]]:
    """Return the header of a compiled file and the words of each table; raises HeadtailError if it is none."""
    try:
        if not data.startswith(_MAGIC):
            raise ValueError("the magic is wrong")
        header = json.loads(data[len(_MAGIC) :])
        sizes = {name: header["arrays"][name]["size"] for name in _TABLES}
        if not all(type(size) is int and _is_capacity(size) for size in sizes.values()):
            raise ValueError("a size is wrong")
    except (ValueError, KeyError, TypeError) as error:
        raise HeadtailError(f"{path} is no compiled entry list ({error}): delete it") from error
    return header, sizes


def _is_capacity(size: int) -> bool:
    """Return whether a table of so many words has a power of two of rows: kernels find a row by masking a hash."""
    rows, rest = divmod(size, _ROW)
    return not rest and rows > 1 and not rows & (rows - 1)


def _places(sizes: Mapping[str, int]) -> tuple[dict[str, dict[str, int]], int]:
    """Return offset in bytes and size in words of each table, and the size of the file in bytes."""
    places: dict[str, dict[str, int]] = {}
    end = _HEADER_BYTES
    for name, size in sizes.items():
        places[name] = {"offset": end, "size": size}
        end += 8 * size
    return places, end


def _write(path: str, arrays: dict[str, np.ndarray], header: dict) -> None:
    """Write the magic, a line of JSON, and the arrays, each at a multiple of 64 bytes: they have two rows or more."""
    places, _ = _places({name: len(array) for name, array in arrays.items()})
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(array.data)
    facts = {**header, "sha256": digest.hexdigest(), "arrays": places}
    head = _MAGIC + json.dumps(facts).encode() + b"\n"
    with storage.AtomicFile(path) as file:
        os.fchmod(file.fileno(), without_others(os.fstat(file.fileno()).st_mode))
        file.write(head.ljust(_HEADER_BYTES, b" "))
        for array in arrays.values():
            file.write(array.data)


def _buffers(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets (int32 or int64, one more than texts) and the bytes of texts, without a copy."""
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    if len(texts) == 0:
        return np.zeros(1, kind), np.zeros(0, np.uint8)
    _, offsets, data = texts.buffers()
    rows = np.frombuffer(offsets, kind)[texts.offset : texts.offset + len(texts) + 1]
    return rows, np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


def _byte_kinds(edges: Edges, spaced: bool) -> np.ndarray:
    """Return the kind of each byte, in a text that has to be `spaced` or in a padded entry."""
    kinds = np.full(256, Kind.RUN, np.uint8)
    kinds[ord(" ")] = Kind.BLANK
    if edges != Edges.blank:
        kinds[:128][edge_class(edges)[:128]] = Kind.EDGE
        # No character of two bytes is in an edge class.
        kinds[0xE0:0xF0], kinds[0xF0:0xF8] = Kind.LEAD3, Kind.LEAD4
    if spaced:
        kinds[[ord(character) for character in "\t\n\r"]] = Kind.BLANK
        kinds[[ord(mark) for mark in MARKS]] = Kind.MARK
    return kinds


def _capacity(count: int) -> int:
    """Return the rows of an open-addressing table for `count` keys: a power of two, at most half full."""
    return 1 << max(2 * count - 1, 1).bit_length()

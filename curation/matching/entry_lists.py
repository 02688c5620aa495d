"""Entry lists: the ordered entries of one language, read from a file.

| file | content |
|---|---|
| `en.json` | a JSON list of texts, as MetaCLIP's `metadata.json` |
| `en.txt` | an entry per line; lines end in LF, CR LF, or where there is no LF in CR |
| `en.parquet` | our own: column `text`, and optionally `source` (string) and `score` (float64); an entry per row |

Text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. A compressed `.json` or `.txt` ends in `.gz`. An entry's id
is its position in the list, counted from 0. Unusable entries are dropped and counted, and leave a hole, so the ids of
the others do not change. Nothing else is altered.
"""

import gzip
import hashlib
import json
import posixpath
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.text_marks import encoding_of

MAX_CHARACTERS = 256
"""Longer entries are dropped, as in Meta CLIP 2."""
MAX_BYTES = 1 << 30
"""Maximum size of a Parquet list in memory."""
BATCH_ROWS = 65_536
LICENCE = "licence"
"""Key in the metadata of a Parquet list's schema: the licence of the list, where its source hands one on."""
ENDINGS = (".json", ".txt", ".parquet", ".json.gz", ".txt.gz")


@dataclass(frozen=True)
class EntryList:
    """The entries of one language by id.

    `texts` is null where an entry was dropped. `drops` counts the dropped entries by reason: `not_text` (not a string,
    or not valid Unicode), `blank`, `over_long`, `control_characters`, `duplicate` (the first one stays). `sources` and
    `scores` are null where the file has none.
    """

    texts: pa.StringArray
    sources: pa.StringArray
    scores: pa.DoubleArray
    drops: Counter[str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of the texts in their order, holes included: it decides the ids of matches."""
        filled = self.texts.fill_null("")
        _, offsets, data = filled.buffers()
        digest = hashlib.sha256(len(filled).to_bytes(8, "little"))
        if len(filled):
            digest.update(offsets)
            digest.update(data or b"")
        return digest.hexdigest()


def read_entries(path: str) -> EntryList:
    """Read one local list of any of the formats; raises HeadtailError on a file that is no such list."""
    try:
        raw, sources, scores = _read_parquet(path) if path.endswith(".parquet") else (_read_plain(path), None, None)
    except (*ERRORS, EOFError) as error:
        raise HeadtailError(f"{path} is no entry list: {error}") from error
    texts, drops = clean_entries(raw)
    size = len(texts)
    return EntryList(
        texts,
        pa.nulls(size, pa.string()) if sources is None else sources,
        pa.nulls(size, pa.float64()) if scores is None else scores,
        drops,
    )


def clean_entries(raw: list[Any] | pa.StringArray) -> tuple[pa.StringArray, Counter[str]]:
    """Return the entries by id, with null for unusable ones, and the number of these by reason.

    >>> clean_entries(["dog", " ", "cat", "dog", 7])[0].to_pylist()
    ['dog', None, 'cat', None, None]
    """
    texts = raw if isinstance(raw, pa.Array) else _to_strings(raw)
    drops: Counter[str] = Counter()
    tests = (
        ("not_text", texts.is_null()),
        ("blank", pc.equal(pc.utf8_trim_whitespace(texts), "")),
        ("over_long", pc.greater(pc.utf8_length(texts), MAX_CHARACTERS)),
        ("control_characters", pc.match_substring_regex(texts, r"\p{Cc}")),
        ("duplicate", _repeated(texts)),
    )
    for reason, test in tests:
        hit = pc.and_(test.fill_null(False), texts.is_valid()) if reason != "not_text" else test
        if count := pc.sum(hit).as_py():
            drops[reason] += count
            texts = pc.if_else(hit, pa.scalar(None, pa.string()), texts)
    return texts, drops


def _to_strings(raw: list[Any]) -> pa.StringArray:
    try:
        return pa.array(raw, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        return pa.array([text if _is_text(text) else None for text in raw], pa.string())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _repeated(texts: pa.StringArray) -> pa.BooleanArray:
    """Return whether an equal text comes before each text."""
    codes = texts.dictionary_encode().indices.fill_null(-1).to_numpy()
    repeated = np.ones(len(codes), np.bool_)
    repeated[np.unique(codes, return_index=True)[1]] = False
    return pa.array(repeated)


def _read_plain(path: str) -> list[Any]:
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        packed = file.read()
    data = packed.decode(encoding_of(packed))
    if ".json" in posixpath.basename(path)[-8:]:
        entries = json.loads(data)
        if not isinstance(entries, list):
            raise ValueError(f"expected a JSON list of texts, found {type(entries).__name__}")
        return entries
    if data.lstrip().startswith("[") and _is_json_list(data):
        raise ValueError("expected an entry per line, found a JSON list: name the file .json")
    lines = data.split("\n" if "\n" in data else "\r")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _is_json_list(data: str) -> bool:
    """Return whether a text is a JSON list that holds a text."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and any(isinstance(value, str) for value in found)


def _read_parquet(path: str) -> tuple[pa.StringArray, pa.StringArray | None, pa.DoubleArray | None]:
    # Not by a schema: users make these lists, and a column may have any type that can be cast.
    with open(path, "rb") as file:
        bounded = BoundedParquet(file)
        names = bounded.schema.names
        if "text" not in names:
            raise ValueError(f"expected a column text, found {', '.join(names)[:300]}")
        schema = pa.schema([each for each in _COLUMNS if each.name in names])
        if twice := [name for name in schema.names if names.count(name) > 1]:
            raise ValueError(f"it has several columns of the name {', '.join(twice)}")
        batches: list[pa.RecordBatch] = []
        size = 0
        for group in range(len(bounded.group_rows)):
            for batch in bounded.read_group(group, schema.names, BATCH_ROWS):
                columns = [batch[each.name].cast(each.type) for each in schema]
                batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
                size += batches[-1].nbytes
                if size > MAX_BYTES:
                    raise ValueError(f"its entries take more than {MAX_BYTES:,} bytes")
    table = pa.Table.from_batches(batches, schema)
    texts, sources, scores = (
        table[each.name].combine_chunks() if each.name in schema.names else None for each in _COLUMNS
    )
    return texts, sources, scores


_COLUMNS = pa.schema([("text", pa.string()), ("source", pa.string()), ("score", pa.float64())])

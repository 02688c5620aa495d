"""The entries of one language as the search of the page reads them: columns of JSON, made by Arrow.

The order is that of the search: entries with a count first, the most frequent first, then those without one, by id.
Words are joined to one text, which a browser searches faster than a list, and numbers are lists. Entries and texts
come from the web: their JSON is safe within a script, and holds no control characters.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountFiles
from curation.balancing.targets import EntryTargets

LETTERS = string.ascii_letters + string.digits
"""A letter stands for each source, the last one for all sources beyond."""
OTHER_SOURCES = "other sources"
SOURCE_CHARACTERS = 200
_SAFE = (("\\", "\\\\"), ('"', '\\"'), ("<", "\\u003c"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_CONTROLS = r"[\x00-\x1f\x7f-\x{9f}]"


@dataclass(frozen=True)
class SearchNumbers:
    """The counts of entries by language: in texts of `matches`, in kept texts, and in captions of samples if known.

    `targets` are those of entries, `t` the thresholds of languages with which they stand.
    """

    count: CountFiles
    kept: CountFiles
    in_shards: CountFiles | None
    targets: EntryTargets | None = None
    t: Mapping[str, float] = field(default_factory=dict)

    def chances(self, lang: str, ids: np.ndarray, counts: np.ndarray) -> np.ndarray | None:
        """Return the millionths of its texts that each entry keeps, int64; None if the language's t tells them."""
        if self.targets is None or lang not in self.targets.by_lang or lang not in self.t:
            return None
        ts = self.targets.thresholds(lang, self.t[lang], int(ids.max(initial=-1)) + 1)[ids]
        return np.rint(1e6 * ts / np.maximum(ts, counts)).astype(np.int64)


@dataclass(frozen=True)
class SearchRows:
    """The entries of a language in the order of the search.

    `words` and `letters` (of the sources) are bodies of JSON texts. `numbers` are int64 by name: `count`, `kept`, and
    `in_shards` where it is known, and `chance` (millionths) where entries have targets; the first `counted` entries
    have a count.
    """

    ids: np.ndarray
    words: pa.StringArray
    letters: pa.StringArray
    sources: list[str]
    numbers: dict[str, np.ndarray]
    counted: int

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch, lang: str, numbers: SearchNumbers) -> "SearchRows":
        """Return the rows of a batch of `entry_table.Words`, which holds all entries of a language."""
        ids = batch["entry_id"].to_numpy()
        count = _of_ids(numbers.count, lang, ids)
        order = np.lexsort((ids, -count))
        found = {"count": count[order]}
        for name in ("kept", "in_shards"):
            if files := getattr(numbers, name):
                found[name] = _of_ids(files, lang, ids[order])
        chances = numbers.chances(lang, ids[order], found["count"])
        if chances is not None:
            found["chance"] = chances
        letters, sources = _lettered(batch["source"].take(pa.array(order)))
        words = json_bodies(batch["entry"].take(pa.array(order)))
        return cls(ids[order], words, letters, sources, found, int(np.count_nonzero(count)))

    @cached_property
    def sizes(self) -> np.ndarray:
        """The bytes of each entry with a count, int64: its word, its numbers, its source, and what divides them."""
        total = pc.binary_length(self.words[: self.counted]).to_numpy().astype(np.int64) + len("\\n") + 1
        for values in self.numbers.values():
            total += pc.binary_length(pa.array(values[: self.counted]).cast(pa.string())).to_numpy() + 1
        return total

    def json(self, start: int, end: int) -> str:
        """Return the members of a JSON object that hold the entries from `start` to `end`, without its braces.

        Numbers are left out for entries without a count: all of theirs are 0.
        """
        counted = min(end, self.counted)
        lists = [f'"{name}":[{_joined(values[start:counted], ",")}]' for name, values in self.numbers.items()]
        words = f'"words":"{_joined(self.words[start:end], chr(92) + "n")}"'
        sources = ",".join(f'"{each}"' for each in self.sources)
        return ",".join([words, *lists, f'"source":"{_joined(self.letters[start:end], "")}"', f'"sources":[{sources}]'])


def json_bodies(texts: pa.Array) -> pa.StringArray:
    r"""Return texts as they stand between the quotes of JSON within a script; control characters become U+FFFD.

    >>> json_bodies(pa.array(['a "b" </script>', "x\x00y\u2028z"])).to_pylist()
    ['a \\"b\\" \\u003c/script>', 'x\ufffdy\\u2028z']
    """
    found = pc.replace_substring_regex(texts, _CONTROLS, "\ufffd")
    for raw, safe in _SAFE:
        found = pc.replace_substring(found, raw, safe)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _joined(values: pa.Array | np.ndarray, between: str) -> str:
    texts = values if isinstance(values, pa.Array) else pa.array(values).cast(pa.string())
    whole = pa.LargeListArray.from_arrays([0, len(texts)], texts)
    return pc.binary_join(whole, between)[0].as_py()


def _of_ids(files: CountFiles, lang: str, ids: np.ndarray) -> np.ndarray:
    """Return the number of each id, int64; 0 beyond the end of the array."""
    values = files.load(lang)
    found = np.zeros(len(ids), np.int64)
    known = ids < len(values)
    found[known] = values[ids[known]]
    return found


def _lettered(sources: pa.StringArray) -> tuple[pa.StringArray, list[str]]:
    """Return the letter of each source, and the names of the letters; an entry without a source has the name ""."""
    encoded = sources.fill_null("").dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    places = np.zeros(len(names), np.int64)
    places[order] = np.minimum(np.arange(len(order)), len(LETTERS) - 1)
    shown = [names[code][:SOURCE_CHARACTERS] for code in order]
    if len(shown) > len(LETTERS):
        shown = [*shown[: len(LETTERS) - 1], OTHER_SOURCES]
    letters = pa.array(list(LETTERS)).take(pa.array(places[encoded.indices.to_numpy()]))
    return letters, json_bodies(pa.array(shown, pa.string())).to_pylist()

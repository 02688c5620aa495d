"""The entry lists of a run as its table `entries` holds them: whoever has the run needs no lists to explain a text."""

from collections import Counter
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.entry_table import WORDS, Words
from curation.core.choices import Edges
from curation.core.schemas import ENTRIES
from curation.matching.engines import Matcher, TokenMatcher
from curation.matching.entry_lists import EntryList
from curation.matching.trie import TokenTrie


class RunLists:
    """The lists of a run, from the table at a path. A list is read at its use; the last one is kept."""

    def __init__(self, words: Words, edges: str) -> None:
        self._words, self._edges = words, Edges(edges)
        self._last: tuple[str, EntryList] | None = None

    @classmethod
    def open(cls, path: str, metadata: str, edges: str) -> Self | None:
        """Return the lists whose hash is `metadata`; None if the table is missing, or has the words of others."""
        words = Words.of_tables([path], metadata)
        return None if words is None else cls(words, edges)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a list, sorted."""
        return tuple(sorted(self._words.languages))

    def entry_list(self, lang: str) -> EntryList:
        """Return the list of a language; raises HeadtailError if the table is damaged."""
        if self._last is None or self._last[0] != lang:
            self._last = lang, self._read(lang)
        return self._last[1]

    def matcher(self, lang: str) -> Matcher:
        """Return the matcher of a language."""
        return TokenMatcher(TokenTrie.of(self.entry_list(lang).texts, self._edges))

    def _read(self, lang: str) -> EntryList:
        batches = [batch.filter(pc.equal(batch["lang"], lang)) for batch in self._words]
        rows = pa.Table.from_batches(batches, pa.schema([ENTRIES.field(name) for name in WORDS]))
        ids = rows["entry_id"].to_numpy()
        # An id is a place. The table has no rows for entries that are not used: their places stay empty.
        places = np.full(int(ids.max(initial=-1)) + 1, -1, np.int64)
        places[ids] = np.arange(len(ids))
        chosen = pa.array(places, mask=places < 0)
        texts, sources = (rows[name].combine_chunks().take(chosen) for name in ("entry", "source"))
        return EntryList(texts, sources, pa.nulls(len(texts), pa.float64()), Counter())

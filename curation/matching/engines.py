"""The matching engines: a token trie, and an Aho-Corasick automaton as the reference. Both give the same ids."""

from typing import Protocol

import ahocorasick_rs
import numpy as np
import pyarrow as pa

from curation.core.choices import Edges
from curation.matching.spacing import pad_entry, space_text
from curation.matching.trie import TokenTrie

ENTRY_IDS = pa.list_(pa.field("element", pa.int32(), nullable=False))


class Matcher(Protocol):
    """Finds the entries of one language in texts."""

    def match(self, texts: pa.StringArray) -> pa.ListArray:
        """Return the ids (int32, sorted, unique) of the entries of each text; none for a null."""
        ...


class AhoCorasickMatcher:
    """The reference: one automaton over padded entries finds all overlapping occurrences in the spaced text."""

    def __init__(self, entries: pa.StringArray, edges: Edges) -> None:
        self._ids = np.flatnonzero(entries.is_valid().to_numpy(zero_copy_only=False)).astype(np.int32)
        padded = [pad_entry(entry, edges) for entry in entries.drop_null().to_pylist()]
        # The DFA would take gigabytes.
        kind = ahocorasick_rs.Implementation.ContiguousNFA
        self._automaton = ahocorasick_rs.AhoCorasick(padded, implementation=kind) if padded else None

    def match(self, texts: pa.StringArray) -> pa.ListArray:
        """Return the ids of the entries of each text, as `Matcher.match`."""
        ids = [self._match(text or "") for text in texts.to_pylist()]
        return pa.array(ids, ENTRY_IDS)

    def _match(self, text: str) -> np.ndarray:
        if not self._automaton:
            return np.empty(0, np.int32)
        found = self._automaton.find_matches_as_indexes(space_text(text), overlapping=True)
        return np.sort(self._ids[list({index for index, _, _ in found})])


class TokenMatcher:
    """The fast engine: a token trie, mapped into memory and shared by all processes of the machine."""

    def __init__(self, trie: TokenTrie) -> None:
        self.match = trie.match

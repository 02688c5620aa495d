"""The entry list of one language: opened from a file, or made from strings."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Edges
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.languages import LANGUAGES, OTHER
from curation.matching import entry_lists
from curation.matching.cache_folders import user_cache
from curation.matching.engines import Matcher, TokenMatcher
from curation.matching.entry_store import EntryStore
from curation.matching.spacing import MARKS, can_match
from curation.matching.trie import TokenTrie
from headtail.columns import TEXT, columns_of, strings

REFERENCE = "en"
"""The language of a list whose file is not named by the code of a language."""


class EntryList:
    """The entries of one language. An entry's id is its position, counted from 0.

    `entries` are strings: a list, a Series or an array. An entry that cannot be used (blank, repeated, with control
    characters, longer than 256 characters) leaves a hole, so the ids of the others do not change; `drops` counts these
    by reason. `lang` is the code of the language. `edges` is the edge rule: `script` (Meta CLIP 2, arXiv 2507.22062:
    entries in scripts without blanks match inside a run of text), `blank` (Demystifying CLIP Data, arXiv 2309.16671)
    or `script_kana`. Raises HeadtailError where an entry is no string or the edge rule is unknown.

    >>> entries = EntryList(["dog", "a dog", " ", "cat"])
    >>> len(entries), entries[1], entries[2], dict(entries.drops)
    (4, 'a dog', None, {'blank': 1})
    >>> entries.match(["a dog and a cat", "Dog"]).to_pylist()
    [[0, 1, 3], []]
    """

    def __init__(self, entries: Any, lang: str = REFERENCE, edges: str = Edges.script) -> None:
        self.lang, self.edges = lang, _edges(edges)
        self._store: EntryStore | None = None
        self._made: entry_lists.EntryList | None = None
        if isinstance(entries, EntryStore):
            self._store = entries
            return
        texts, drops = entry_lists.clean_entries(strings(columns_of(entries), TEXT, nulls=True))
        size = len(texts)
        self._made = entry_lists.EntryList(texts, pa.nulls(size, pa.string()), pa.nulls(size, pa.float64()), drops)

    @classmethod
    @faults_as_lines()
    def open(cls, path: str | Path, lang: str = "", edges: str = Edges.script) -> Self:
        """Open a list: `.json` (MetaCLIP's metadata.json), `.txt` (an entry per line), `.parquet` (column `text`).

        A `.json` or `.txt` may end in `.gz`, and `path` may be a URL (`s3://`). Of a folder of lists (`en.json`, ...),
        or of a run that has made some, `lang` chooses one. Without `lang` the language of a file is told by its name,
        and is `en` if that is no code.
        The list is read at its first use. Its compiled form is kept in the user's cache, so a second process opens it
        at once. Raises HeadtailError where there is no list, or several and no `lang`.
        """
        path = str(path)
        rule = _edges(edges)
        if path.endswith(entry_lists.ENDINGS):
            (code,) = EntryStore.open(path, rule).languages
            code = lang or (code if code in (*LANGUAGES, OTHER) else REFERENCE)
            return cls(EntryStore.open(path, rule, str(user_cache()), code), code, rule)
        found = open_lists(path, rule)
        if lang not in found and (lang or len(found) > 1):
            told = f"has no list of {lang}" if lang else "has several lists, give lang"
            raise HeadtailError(f"{path} {told}: it has {', '.join(list(found)[:20])}")
        opened = found[lang or next(iter(found))]
        return cls(opened._store, opened.lang, rule)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, entry_id: int) -> str | None:
        return self.texts[entry_id].as_py()

    def __repr__(self) -> str:
        return f"EntryList({counted(len(self), 'entries')}, lang={self.lang!r}, edges={self.edges.value!r})"

    def __getstate__(self) -> dict[str, Any]:
        # Neither matcher nor texts that were read: workers open them again, and a hash of the pickle stays the same.
        return {name: self.__dict__[name] for name in ("lang", "edges", "_store", "_made")}

    @cached_property
    @faults_as_lines()
    def listed(self) -> entry_lists.EntryList:
        """The list with sources and scores, where its file has them."""
        if self._made is not None:
            return self._made
        assert self._store is not None
        return self._store.entry_list(self.lang)

    @property
    def texts(self) -> pa.StringArray:
        """The entries by id; null is a hole."""
        return self.listed.texts

    @property
    def drops(self) -> Counter[str]:
        """The number of entries that are not used, by reason."""
        return self.listed.drops

    @cached_property
    @faults_as_lines()
    def matcher(self) -> Matcher:
        """The token trie of the list (curation/matching/trie.py)."""
        if self._store is not None:
            return self._store.matcher(self.lang)
        return TokenMatcher(TokenTrie.of(self.texts, self.edges))

    def match(self, texts: Any) -> pa.ListArray:
        """Return the ids of the entries of each text: n lists of int32, sorted, unique; empty for a null.

        A match is a substring match of the padded entry in the spaced text, and case matters: docs/matching.md.
        """
        return self.matcher.match(strings(columns_of(texts), TEXT, nulls=True))

    def words(self, ids: pa.ListArray) -> pa.ListArray:
        """Return the entries of lists of ids, as lists of strings.

        >>> entries = EntryList(["dog", "red kite"])
        >>> entries.words(entries.match(["a dog and a red kite"])).to_pylist()
        [['dog', 'red kite']]
        """
        return words_of(ids, self.texts)

    def unmatchable(self) -> list[int]:
        """Return the ids of the entries that no text can match, such as "Mr. Smith" (docs/matching.md).

        >>> EntryList(["Mr. Smith", "dog"]).unmatchable()
        [0]
        """
        texts = self.texts.to_pylist()
        return [
            number
            for number, text in enumerate(texts)
            if text and any(mark in text for mark in MARKS) and not can_match(text, self.edges)
        ]


@faults_as_lines()
def open_lists(path: str | Path, edges: str = Edges.script) -> dict[str, EntryList]:
    """Open a folder of entry lists named by the codes of their languages (`en.json`, `de.txt`, ...): {lang: list}.

    The folder of a run that has made lists (`starter_lists`, `build_metadata`) stands for its folder `entry_lists`. A
    list is read at its first use. Raises HeadtailError where there is none, or a name is no code.
    """
    rule = _edges(edges)
    store = EntryStore.open(_within_run(str(path)), rule, str(user_cache()))
    store.check_languages()
    return {lang: EntryList(store, lang, rule) for lang in store.languages}


def _within_run(path: str) -> str:
    """Return the folder of lists of a run that has made some, any other path as it is."""
    inner = storage.join(path, "entry_lists")
    return inner if storage.list_folder(inner) else path


Lists = EntryList | Mapping[str, EntryList]
"""One list, or the list of each language."""


def words_of(ids: pa.ListArray, texts: pa.StringArray) -> pa.ListArray:
    """Return lists of ids as lists of the texts at these ids; an id beyond the end has none (null)."""
    flat = ids.flatten()
    known = np.where(flat.to_numpy() < len(texts), flat.to_numpy(), -1)
    words = texts.take(pa.array(known, mask=known < 0))
    offsets = ids.offsets.to_numpy()
    return pa.ListArray.from_arrays(pa.array(offsets - (offsets[0] if len(offsets) else 0), pa.int32()), words)


def words_by_language(ids: pa.ListArray, langs: pa.StringArray, lists: Mapping[str, EntryList]) -> pa.ListArray:
    """Return lists of ids as lists of words, each in the list of its language; null words where there is no list."""
    encoded = langs.dictionary_encode()
    codes = encoded.indices.to_numpy()
    found, order = [pa.array([], pa.list_(pa.string()))], [np.empty(0, np.int64)]
    for code, lang in enumerate(encoded.dictionary.to_pylist()):
        order.append(np.flatnonzero(codes == code))
        texts = lists[lang].texts if lang in lists else pa.array([], pa.string())
        found.append(words_of(ids.take(pa.array(order[-1])), texts).cast(found[0].type))
    return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))


def lists_by_language(entries: Lists) -> dict[str, EntryList]:
    """Return {lang: list}; raises HeadtailError for what is no entry list."""
    found = entries if isinstance(entries, Mapping) else {getattr(entries, "lang", ""): entries}
    if not found or not all(isinstance(each, EntryList) for each in found.values()):
        raise HeadtailError("expected an EntryList, or a mapping of language to EntryList: see EntryList.open")
    return dict(sorted(found.items()))


class StoreOfLists:
    """The lists of all languages in the form in which `explain_text` asks for them."""

    def __init__(self, lists: Mapping[str, EntryList]) -> None:
        self._lists = lists

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a list."""
        return tuple(self._lists)

    def entry_list(self, lang: str) -> entry_lists.EntryList:
        """Return the list of a language."""
        return self._lists[lang].listed

    def matcher(self, lang: str) -> Matcher:
        """Return the matcher of a language."""
        return self._lists[lang].matcher


def _edges(edges: str) -> Edges:
    try:
        return Edges(edges)
    except ValueError as error:
        raise HeadtailError(f"edges must be one of {', '.join(Edges)}, got {edges!r}") from error

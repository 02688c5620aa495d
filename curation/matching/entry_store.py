"""The entry store: the entry lists of all languages, and their compiled forms on disk.

A store is a folder with one list per language, named by the code of its language (`en.json`; entry_lists.py has the
formats), or a single list. `other` is the list of texts whose language is `other`.

The compiled form of a list is a flat file for the engine `tokens`, which all workers of a machine map into memory. It
is built at its first use, once for each content of the list, edge rule and format version. It is in `.compiled/` beside
the lists, or in the user's cache where that folder cannot be written, or others could have written it.
"""

import hashlib
import os
import posixpath
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.amounts import are, counted
from curation.core.beats import noted
from curation.core.choices import Edges, Engine
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.languages import LANGUAGES, OTHER
from curation.core.ownership import is_own_file, make_own_folder, without_others
from curation.core.remote import open_patiently
from curation.core.table_reader import foreign_schema
from curation.matching import trie
from curation.matching.cache_folders import compiled_folder, file_digest, lock, user_cache
from curation.matching.engines import AhoCorasickMatcher, Matcher, TokenMatcher
from curation.matching.entry_lists import ENDINGS, LICENCE, EntryList, read_entries
from curation.matching.spacing import MARKS, can_match

SHOWN_LISTS = 5


@dataclass(frozen=True)
class ListFacts:
    """Facts of a list that was read: its SHA-256, its usable entries, and its dropped entries by reason."""

    hash: str
    usable: int
    drops: Counter[str]


_facts: dict[tuple[str, int, int], ListFacts] = {}
"""Facts of the lists that this process has read, by path, size and time of change of their files."""


class EntryStore:
    """The entry lists of a folder or file, under one edge rule. A list is read at its first use, and never pickled."""

    def __init__(self, files: dict[str, FileInfo], edges: Edges, cache: str | None) -> None:
        self.edges, self.cache, self._files = edges, cache, files
        self._lists: dict[str, EntryList] = {}
        self._matchers: dict[tuple[str, Engine], Matcher] = {}

    @classmethod
    def open(cls, path: str, edges: str = Edges.script, cache: str | None = None, lang: str | None = None) -> Self:
        """Return the store of a folder, or of a single list; its language is `lang`, or the stem of the file's name.

        `edges` is a value of Edges. `cache` is a local folder for compiled forms; without it, they are beside the
        lists. Raises HeadtailError if there is no list, or a language has two.
        """
        files: dict[str, FileInfo] = {}
        for file in list_files([path], ENDINGS):
            name = posixpath.basename(file.path)
            ending = next((ending for ending in reversed(ENDINGS) if name.endswith(ending)), None)
            if ending is None:
                raise HeadtailError(f"{path} is no entry list: expected a file ending in {', '.join(ENDINGS)}")
            code = lang or name.removesuffix(ending)
            if code in files:
                raise HeadtailError(f"{path} has two entry lists of language {code}: remove one of them")
            files[code] = file
        return cls(dict(sorted(files.items())), Edges(edges), cache)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lists": {}, "_matchers": {}}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a list, sorted."""
        return tuple(self._files)

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex over all lists; independent of the edge rule and of the format of the files."""
        parts = [f"{lang}:{self.list_hash(lang)}" for lang in self.languages]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check_languages(self) -> None:
        """Raise HeadtailError where a list's name is not the code of a language: no text would match it."""
        unknown = [code for code in self.languages if code != OTHER and code not in LANGUAGES]
        if unknown:
            raise HeadtailError(
                f"{self._files[unknown[0]].path}: a list is named by the code of its language, as en.json, and "
                f"{unknown[0]!r} is none: rename the file, or move it to another folder if it is no list"
            )

    def list_hash(self, lang: str) -> str:
        """Return the SHA-256 in hex of one list. It is computed from the list, once for each version of its file."""
        return self._list_facts(lang).hash

    def check_entries(self, languages: Collection[str] = ()) -> None:
        """Read all lists; raise HeadtailError if one cannot be read, or those of `languages` hold no usable entry.

        No `languages` means all that have a list.
        """
        usable = {lang: self._list_facts(lang).usable for lang in self.languages}
        wanted = [lang for lang in self.languages if not languages or lang in languages]
        if wanted and not any(usable[lang] for lang in wanted):
            raise HeadtailError(f"{self._files[wanted[0]].path} holds no usable entry: no text can match it")

    def list_drops(self, lang: str) -> Counter[str]:
        """Return how many entries of a list are not used, by reason; a list that this process has read is not parsed.

        Like the hash, they are taken from the list, never from its compiled form.
        """
        return self._list_facts(lang).drops

    def describe_drops(self, languages: Collection[str]) -> str | None:
        """Return the line about entries that are not used, None if all are; no `languages` means all lists."""
        by_lang = {lang: self.list_drops(lang) for lang in self.languages if not languages or lang in languages}
        if not (total := sum(by_lang.values(), Counter[str]())):
            return None
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in total.most_common())
        lists = sorted((lang for lang, drops in by_lang.items() if drops), key=lambda lang: -by_lang[lang].total())
        named = ", ".join(f"{lang} {by_lang[lang].total():,}" for lang in lists[:SHOWN_LISTS])
        more = ", ..." if len(lists) > SHOWN_LISTS else ""
        return (
            f"{counted(total.total(), 'entries')} of the lists {are(total.total())} not used ({reasons}): {named}{more}"
        )

    def entry_list(self, lang: str) -> EntryList:
        """Return the list of a language; raises HeadtailError if there is none or it cannot be read."""
        if lang not in self._lists:
            # Only the last list is kept: the texts of 329 lists would take gigabytes.
            self._lists = {lang: read_entries(str(self._local(lang)))}
        return self._lists[lang]

    def entries(self, lang: str) -> pa.StringArray:
        """Return the texts of a language by entry id; null is a hole."""
        return self.entry_list(lang).texts

    def licence(self, lang: str) -> str:
        """Return the licence that a Parquet list names in the metadata of its schema; "" if it names none."""
        local = str(self._local(lang))
        facts = foreign_schema(local).metadata if local.endswith(".parquet") else None
        return (facts or {}).get(LICENCE.encode(), b"").decode(errors="replace")

    def list_sizes(self, languages: Collection[str]) -> dict[str, int]:
        """Return the number of usable entries by language; no `languages` means all that have a list."""
        return {
            lang: len(self.entries(lang).drop_null()) for lang in self.languages if not languages or lang in languages
        }

    def unmatchable(self, lang: str) -> np.ndarray:
        """Return the ids (int32, sorted) of entries that no text can match under this edge rule."""
        texts = self.entries(lang)
        # Only an entry with a spaced mark can be one of them, and few entries have one.
        suspects = np.flatnonzero(pc.match_substring_regex(texts, f"[{MARKS}]").fill_null(False))
        bad = [index for index in suspects.tolist() if not can_match(texts[index].as_py(), self.edges)]
        return np.array(bad, np.int32)

    def matcher(self, lang: str, engine: str = Engine.tokens) -> Matcher:
        """Return the matcher of a language. `engine` is a value of Engine; both give the same ids."""
        key = (lang, Engine(engine))
        if key not in self._matchers:
            if key[1] == Engine.ahocorasick:
                self._matchers[key] = AhoCorasickMatcher(self.entries(lang), self.edges)
            else:
                digest = file_digest(*self._version(lang))
                compiled = trie.TokenTrie.open(str(self.compile(lang)), edges=self.edges.value, lang=lang, file=digest)
                self._matchers[key] = TokenMatcher(compiled)
        return self._matchers[key]

    def compile(self, lang: str) -> Path:
        """Return the path of a language's compiled form, and build it if there is none that this user has written.

        If several processes of a machine need it, one builds it and the others wait.
        """
        path = self._compiled_path(lang)
        if not is_own_file(path):
            with noted(f"compiling the list of {lang}"), lock(path.with_suffix(".lock")):
                if not is_own_file(path):
                    entries = self.entry_list(lang)
                    facts = {
                        "lang": lang,
                        "file": file_digest(*self._version(lang)),
                        "list": self._list_facts(lang).hash,
                    }
                    trie.compile_entries(entries.texts, self.edges, facts, str(path))
        return path

    def _list_facts(self, lang: str) -> ListFacts:
        version = self._version(lang)
        if version not in _facts:
            entries = self.entry_list(lang)
            _facts[version] = ListFacts(entries.hash, len(entries.texts) - entries.texts.null_count, entries.drops)
        return _facts[version]

    def _compiled_path(self, lang: str) -> Path:
        """Return a path that contains a hash of the list's bytes: an edited list never uses its old compiled form."""
        version = self._version(lang)
        folder = Path(self.cache) if self.cache else compiled_folder(posixpath.dirname(version[0]))
        return folder / f"{lang}-{self.edges}-{file_digest(*version)[:24]}-v{trie.FORMAT}.trie"

    def _version(self, lang: str) -> tuple[str, int, int]:
        """Return path, size in bytes and time of change of a list's local file."""
        local = self._local(lang)
        status = local.stat()
        return str(local), status.st_size, status.st_mtime_ns

    def _local(self, lang: str) -> Path:
        """Return the path of the list as a local file: a remote list is copied into the cache."""
        if lang not in self._files:
            raise HeadtailError(f"there is no entry list of language {lang}: the lists are {', '.join(self.languages)}")
        file = self._files[lang]
        if storage.is_local(file.path):
            return Path(storage.filesystem(file.path)[1])
        name = hashlib.sha256(f"{file.path}\n{file.size}\n{file.version}".encode()).hexdigest()[:24]
        folder = (Path(self.cache) if self.cache else user_cache()) / name
        copy = folder / posixpath.basename(file.path)
        if not make_own_folder(folder):
            raise HeadtailError(f"{folder} does not belong to this user, or others can exchange it: delete it")
        if not is_own_file(copy):
            with open_patiently(file.path) as source, storage.AtomicFile(str(copy)) as target:
                os.fchmod(target.fileno(), without_others(os.fstat(target.fileno()).st_mode))
                target.write(source.read())
        return copy

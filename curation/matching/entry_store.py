"""The entry store: the ordered entry lists of all languages, and their compiled forms on disk.

A store is a folder with one list per language, named by the language's code, or a single list of one language:

| file | holds |
|---|---|
| `en.json` | a JSON list of texts, as MetaCLIP's `metadata.json` |
| `en.txt` | an entry a line, UTF-8 |
| `en.parquet` | our own: column `text`, and optionally `source` (string) and `score` (float64); a row an entry |

with `.gz` behind the first two if compressed. An entry's id is its position in the list, counted from 0. Entries that
cannot be used are dropped, counted, and leave a hole: no other entry's id changes. Nothing else is altered. `other`
is a list like any.

The compiled form of a list, for the engine `tokens`, is a flat file that all workers of a machine map into memory. It
is built when first asked for, once per content of the list, edge rule and format version, in `.compiled/` beside the
lists, or in a cache folder where that cannot be written.
"""

import fcntl
import gzip
import hashlib
import json
import os
import posixpath
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.choices import Edges, Engine
from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES, OTHER
from curation.matching import trie
from curation.matching.engines import AhoCorasickMatcher, Matcher, TokenMatcher
from curation.matching.spacing import MARKS, can_match

MAX_CHARACTERS = 256
"""Longer entries are dropped, as in Meta CLIP 2."""
_ENDINGS = (".json", ".txt", ".parquet", ".json.gz", ".txt.gz")


@dataclass(frozen=True)
class EntryList:
    """The entries of one language by id.

    `texts` are null where an entry was dropped; `drops` counts those by reason: `not_text` (no string, or not valid
    Unicode), `blank`, `over_long`, `control_characters`, `duplicate` (the first one stays). `sources` and `scores`
    are null where the list does not tell.
    """

    texts: pa.StringArray
    sources: pa.StringArray
    scores: pa.DoubleArray
    drops: Counter[str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of what decides the ids of matches: the texts in their order, holes included."""
        filled = self.texts.fill_null("")
        _, offsets, data = filled.buffers()
        digest = hashlib.sha256(len(filled).to_bytes(8, "little"))
        if len(filled):
            digest.update(offsets)
            digest.update(data or b"")
        return digest.hexdigest()


class EntryStore:
    """The entry lists of a folder or file, under one edge rule. Cheap to pickle; lists are read when first met."""

    def __init__(self, files: dict[str, storage.FileInfo], edges: Edges, cache: str | None) -> None:
        self.edges, self.cache, self._files = edges, cache, files
        self._lists: dict[str, EntryList] = {}
        self._matchers: dict[tuple[str, Engine], Matcher] = {}

    @classmethod
    def open(cls, path: str, edges: str = "script", cache: str | None = None, lang: str | None = None) -> Self:
        """Return the store of a folder, or of a single list, whose language is `lang` or else the file's stem.

        `edges` is one of `curation.text.Edges`; `cache` is a local folder for compiled forms instead of the one beside
        the lists. Raises HeadtailError if there is no list, or a language has two.
        """
        files: dict[str, storage.FileInfo] = {}
        for file in storage.list_files([path], _ENDINGS):
            name = posixpath.basename(file.path)
            ending = next((ending for ending in reversed(_ENDINGS) if name.endswith(ending)), None)
            if ending is None:
                raise HeadtailError(f"{path} is no entry list: expected a file ending in {', '.join(_ENDINGS)}")
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
        """Raise HeadtailError where a list is named by no language's code: no text would ever meet it."""
        unknown = [code for code in self.languages if code != OTHER and code not in LANGUAGES]
        if unknown:
            raise HeadtailError(
                f"{self._files[unknown[0]].path}: a list is named by the code of its language, as en.json, and "
                f"{unknown[0]!r} is none"
            )

    def list_hash(self, lang: str) -> str:
        """SHA-256 in hex of one list; taken from the compiled form if there is one, for that costs no parsing."""
        compiled = self._compiled_path(lang)
        if lang not in self._lists and compiled.exists():
            return trie.read_header(compiled)["list"]
        return self.entry_list(lang).hash

    def entry_list(self, lang: str) -> EntryList:
        """Return the list of a language; raises HeadtailError if there is none or it cannot be read."""
        if lang not in self._lists:
            # Only the last one is kept: 329 lists as texts would take gigabytes.
            self._lists = {lang: read_entries(str(self._local(lang)))}
        return self._lists[lang]

    def entries(self, lang: str) -> pa.StringArray:
        """Return the texts of a language by entry id; null is a hole."""
        return self.entry_list(lang).texts

    def unmatchable(self, lang: str) -> np.ndarray:
        """Return the ids (int32, sorted) of entries that no text can match under this edge rule."""
        texts = self.entries(lang)
        # Every such entry holds a spaced mark, which few do.
        suspects = np.flatnonzero(pc.match_substring_regex(texts, f"[{MARKS}]").fill_null(False))
        bad = [index for index in suspects.tolist() if not can_match(texts[index].as_py(), self.edges)]
        return np.array(bad, np.int32)

    def matcher(self, lang: str, engine: str = "tokens") -> Matcher:
        """Return the matcher of a language; engines (`ahocorasick`, `tokens`) give the same ids."""
        key = (lang, Engine(engine))
        if key not in self._matchers:
            if key[1] == Engine.ahocorasick:
                self._matchers[key] = AhoCorasickMatcher(self.entries(lang), self.edges)
            else:
                self._matchers[key] = TokenMatcher(trie.TokenTrie.open(self.compile(lang)))
        return self._matchers[key]

    def compile(self, lang: str) -> Path:
        """Build the compiled form of a language unless it is there, and return its path.

        Of several processes of a machine one builds and the others wait.
        """
        path = self._compiled_path(lang)
        if not path.exists():
            with _lock(path.with_suffix(".lock")):
                if not path.exists():
                    entries = self.entry_list(lang)
                    trie.compile_entries(entries.texts, self.edges, {"lang": lang, "list": entries.hash}, str(path))
        return path

    def _compiled_path(self, lang: str) -> Path:
        """Named by the bytes of the list, so that a list that was edited never meets its old compiled form."""
        local = self._local(lang)
        status = local.stat()
        digest = _file_digest(str(local), status.st_size, status.st_mtime_ns)
        folder = Path(self.cache) if self.cache else _compiled_folder(str(local.parent))
        return folder / f"{lang}-{self.edges}-{digest[:24]}-v{trie.FORMAT}.trie"

    def _local(self, lang: str) -> Path:
        """The list as a local file: itself, or a copy in the cache of one that lies elsewhere."""
        if lang not in self._files:
            raise HeadtailError(f"there is no entry list of language {lang}: the lists are {', '.join(self.languages)}")
        file = self._files[lang]
        if storage.is_local(file.path):
            return Path(storage.filesystem(file.path)[1])
        name = hashlib.sha256(f"{file.path}\n{file.size}\n{file.version}".encode()).hexdigest()[:24]
        folder = Path(self.cache) if self.cache else _user_cache()
        copy = folder / name / posixpath.basename(file.path)
        if not copy.exists():
            with storage.open_input(file.path) as source:
                storage.write_bytes(str(copy), source.read())
        return copy


def read_entries(path: str) -> EntryList:
    """Read one local list of any of the formats; raises HeadtailError on a file that is no such list."""
    try:
        raw, sources, scores = _read_parquet(path) if path.endswith(".parquet") else (_read_plain(path), None, None)
    except (ValueError, OSError, EOFError, KeyError, pa.ArrowException) as error:
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
    """Return the entries by id with null for those that cannot be used, and why not.

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
    """Whether an equal text stands before."""
    codes = texts.dictionary_encode().indices.fill_null(-1).to_numpy()
    repeated = np.ones(len(codes), np.bool_)
    repeated[np.unique(codes, return_index=True)[1]] = False
    return pa.array(repeated)


def _read_plain(path: str) -> list[Any]:
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        data = file.read().decode("utf-8-sig")
    if ".json" in posixpath.basename(path)[-8:]:
        entries = json.loads(data)
        if not isinstance(entries, list):
            raise ValueError(f"expected a JSON list of texts, found {type(entries).__name__}")
        return entries
    lines = data.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _read_parquet(path: str) -> tuple[pa.StringArray, pa.StringArray | None, pa.DoubleArray | None]:
    table = pq.read_table(path)

    def column(name: str, kind: pa.DataType) -> pa.Array | None:
        return table[name].cast(kind).combine_chunks() if name in table.column_names else None

    texts = column("text", pa.string())
    if texts is None:
        raise ValueError(f"expected a column text, found {', '.join(table.column_names)}")
    return texts, column("source", pa.string()), column("score", pa.float64())


@lru_cache(maxsize=4096)
def _file_digest(path: str, _size: int, _mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _compiled_folder(folder: str) -> Path:
    beside = Path(folder) / ".compiled"
    try:
        beside.mkdir(exist_ok=True)
        return beside if os.access(beside, os.W_OK) else _user_cache()
    except OSError:
        return _user_cache()


@lru_cache(maxsize=1)
def _user_cache() -> Path:
    """A folder that only this user writes: a file that others could have planted is not to be mapped."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "headtail"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="headtail-"))


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The rows of a user's table that are matched and drawn: text, uid and language."""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import HeadtailError
from curation.core.uids import UID_CHARS, uids_of
from curation.matching.engines import ENTRY_IDS
from curation.matching.match import match_distinct
from headtail.columns import Columns, strings
from headtail.entry_list import EntryList


@dataclass(frozen=True)
class Rows:
    """The rows of a table: n `texts` and `uids`, and `langs`, or None where all texts are of the only list's language.

    `uids` is None where nothing tells them.
    """

    texts: pa.StringArray
    uids: pa.StringArray | None
    langs: pa.StringArray | None


@dataclass(frozen=True)
class RowNames:
    """The names of columns; an empty one stands for what `headtail.match` says."""

    text: Any
    url: Any = ""
    uid: Any = ""
    lang: Any = ""

    def read(self, columns: Columns, by_language: bool) -> Rows:
        """Return the rows; raises HeadtailError where a column is missing, is not of strings, or lacks a value."""
        texts = strings(columns, self.text, nulls=True)
        lang = self._lang(by_language)
        langs = None if lang is None else strings(columns, lang)
        rows = Rows(texts, self._uids(columns), langs)
        if sizes := {len(each) for each in (rows.uids, rows.langs) if each is not None} - {len(texts)}:
            raise HeadtailError(f"the columns differ in length: {len(texts):,} and {sizes.pop():,}")
        return rows

    def columns(self, present: Container[Any], by_language: bool) -> list[Any]:
        """Return the names of the columns that `read` reads, where `present` are there."""
        names = [self.text, self._lang(by_language), self._uid(present)]
        names[2:] = [self._url(present)] if names[2] is None else names[2:]
        return [name for name in names if name is not None]

    def _lang(self, by_language: bool) -> Any:
        if self.lang != "":
            return self.lang
        return "lang" if by_language else None

    def _uid(self, present: Container[Any]) -> Any:
        if self.uid != "":
            return self.uid
        return "uid" if self.url == "" and "uid" in present else None

    def _url(self, present: Container[Any]) -> Any:
        if self.url != "":
            return self.url
        return "url" if "url" in present else None

    def _uids(self, columns: Columns) -> pa.StringArray | None:
        if (uid := self._uid(columns.names)) is not None:
            return strings(columns, uid)
        if (url := self._url(columns.names)) is None:
            return None
        urls = strings(columns, url)
        if pc.any(pc.equal(urls, "")).as_py():
            raise HeadtailError(f"column {url} holds empty URLs: drop these rows, or give uid")
        return uids_of(urls)


def numbered(rows: int) -> pa.StringArray:
    """Return the numbers of rows as uids, for tables without URLs.

    >>> numbered(2).to_pylist()
    ['000000000000000000000000', '000000000000000000000001']
    """
    return padded(np.arange(rows), UID_CHARS)


def padded(numbers: np.ndarray, digits: int) -> pa.StringArray:
    """Return numbers as strings of so many digits, which sort as the numbers do."""
    return pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), digits, "0")


def match_rows(rows: Rows, lists: Mapping[str, EntryList]) -> tuple[pa.ListArray, pa.StringArray, Counter[str]]:
    """Return the ids of each text in the list of its language, each text's language, and unmatched texts by reason.

    The reasons are `no_metadata`, the language has no list, and `unmatched`, the text holds no entry.
    """
    drops: Counter[str] = Counter()
    texts = rows.texts.fill_null("")
    if rows.langs is None:
        ((lang, only),) = lists.items()
        ids = match_distinct(texts, only.matcher)
        drops["unmatched"] += _empty(ids)
        return ids.cast(ENTRY_IDS), pc.fill_null(pa.nulls(len(texts), pa.string()), lang), +drops
    langs = rows.langs.dictionary_encode()
    codes = langs.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    found = []
    for code, lang in enumerate(langs.dictionary.to_pylist()):
        members = pa.array(np.flatnonzero(codes == code))
        if lang in lists:
            ids = match_distinct(texts.take(members), lists[lang].matcher)
            drops["unmatched"] += _empty(ids)
        else:
            ids = pa.ListArray.from_arrays(pa.array(np.zeros(len(members) + 1, np.int32)), pa.array([], pa.int32()))
            drops["no_metadata"] += len(members)
        found.append(ids.cast(ENTRY_IDS))
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays([pa.array([], ENTRY_IDS), *found]).take(pa.array(back)), rows.langs, +drops


def _empty(ids: pa.ListArray) -> int:
    return int((np.diff(ids.offsets.to_numpy()) == 0).sum())

"""The table `entries`: the word of each entry, and how often texts hold it before and after balancing.

Ids mean something without the entry lists then. The table is for people, and no input of anything. `match_pairs`
writes the words, `balance_pairs` adds the counts, `report_stats` adds the rest. A job that has no entry lists takes the
words from the table that is there, so the file of a finished table is replaced, not deleted first.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountFiles
from curation.core import storage
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.parquet_sink import ROW_GROUP_ROWS, ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import ENTRIES
from curation.core.table_reader import open_table_file, read_batches, read_schema
from curation.core.tables import Table
from curation.matching.entry_lists import LICENCE
from curation.matching.entry_store import EntryStore

STAGE = "entries"
LOGIC_VERSION = 1
FILE = "entries.parquet"
WORDS = ("lang", "entry_id", "entry", "source")
EXPECTED_UNIT = 2**24
"""Expectations are added as int64 multiples of 1 / EXPECTED_UNIT, so that no order of addition can show."""


class UnreadableWordsError(HeadtailError):
    """Raised when the table that tells the words is damaged."""


@dataclass(frozen=True)
class Words:
    """The words of entry lists. Each iteration gives batches of WORDS, sorted by (lang, entry_id).

    `metadata` is the hash of the lists, `licence` their licence, empty where they name none. Memory holds the words of
    one language. Words of a damaged table raise UnreadableWordsError.
    """

    metadata: str
    languages: tuple[str, ...]
    licence: str
    source: EntryStore | Part

    @classmethod
    def of_lists(cls, store: EntryStore, languages: Collection[str]) -> "Words":
        """Return the words of the lists of `languages`, all that have a list if there are none."""
        langs = tuple(lang for lang in store.languages if not languages or lang in languages)
        licences = sorted({licence for lang in langs if (licence := store.licence(lang))})
        return cls(store.hash, langs, "; ".join(licences), store)

    @classmethod
    def of_tables(cls, paths: Iterable[str], metadata: str) -> "Words | None":
        """Return the words of the first table whose lists have the hash `metadata`; None if there is no such table.

        A table whose file is lost, or ends too early, is passed over.
        """
        for path in paths:
            if not is_free(path):
                continue
            for part in Table(path, ENTRIES).parts():
                settings = part.manifest["settings"]
                if settings["metadata"] == metadata and part.files:
                    try:
                        found = (read_schema(part.files[0]).metadata or {}).get(LICENCE.encode(), b"")
                    except (HeadtailError, OSError) as error:
                        refuse_outage(error)
                        continue
                    return cls(metadata, tuple(settings["languages"]), found.decode(), part)
        return None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if isinstance(self.source, Part):
            for file in self.source.files:
                try:
                    yield from read_batches(file, ENTRIES, list(WORDS), ROW_GROUP_ROWS)
                except (HeadtailError, OSError, pa.ArrowException) as error:
                    refuse_outage(error)
                    raise UnreadableWordsError(f"{file} is damaged: {error}") from error
            return
        for lang in self.languages:
            listed = self.source.entry_list(lang)
            ids = pa.array(np.flatnonzero(listed.texts.is_valid()).astype(np.int32))
            langs = pc.fill_null(pa.nulls(len(ids), pa.string()), lang)
            columns = [langs, ids, listed.texts.take(ids), listed.sources.take(ids)]
            yield pa.record_batch(columns, schema=pa.schema([ENTRIES.field(name) for name in WORDS]))


@dataclass(frozen=True)
class EntryNumbers:
    """The numbers of entries by language; None: not known yet.

    `count` are texts of `matches`, `expected` texts that balancing keeps, in units of 1 / EXPECTED_UNIT, `in_shards`
    samples whose caption holds the entry.
    """

    count: CountFiles | None = None
    expected: CountFiles | None = None
    in_shards: CountFiles | None = None

    def columns(self, lang: str, ids: np.ndarray) -> list[pa.Array]:
        """Return the columns `count`, `expected` and `in_shards` of entries of a language."""
        expected = _numbers(self.expected, lang, ids)
        if self.expected:
            expected = pa.array(expected.to_numpy() / EXPECTED_UNIT)
        kinds = [ENTRIES.field(name).type for name in ("count", "expected", "in_shards")]
        found = [_numbers(self.count, lang, ids), expected, _numbers(self.in_shards, lang, ids)]
        return [column.cast(kind) for column, kind in zip(found, kinds, strict=True)]

    def names(self) -> list[str]:
        """Return the names of the columns that are known."""
        return [name for name, files in vars(self).items() if files]


def is_free(path: str) -> bool:
    """Return whether a folder may become the table, or is it: it is new, empty, or holds parts of this table only.

    Users may keep other things under this name, such as their entry lists.
    """
    names = [name for name in storage.list_folder(path) if not name.startswith(".")]
    if not all(name.startswith("part-") and name[5:].isdigit() for name in names):
        return False
    return all(part.manifest.get("stage") == STAGE for part in Table(path).parts())


def read_words(files: Iterable[str], wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Return the words of some entries, named by language and id: reads only the row groups that may hold them."""
    found: dict[tuple[str, int], str] = {}
    for path in files:
        with open_table_file(path, ENTRIES) as file:
            for index in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(index)
                lang, ids = (group.column(k).statistics for k in (0, 1))
                if not any(_may_hold(lang, one) and _may_hold(ids, number) for one, number in wanted):
                    continue
                rows = file.read_row_group(index, columns=["lang", "entry_id", "entry"])
                near = rows.filter(pc.is_in(rows["entry_id"], pa.array({number for _, number in wanted}, pa.int32())))
                columns = [column.to_pylist() for column in near.columns]
                found |= {(one, number): word for one, number, word in zip(*columns, strict=True)}
    return {key: word for key, word in found.items() if key in wanted}


def _may_hold(statistics: Any, value: Any) -> bool:
    return statistics is None or not statistics.has_min_max or statistics.min <= value <= statistics.max


def entries_recipe(words: Words, columns: Sequence[str], inputs: Sequence[dict[str, Any]] = ()) -> Recipe:
    """Return the recipe of the table: the names of its known numbers (`columns`), and the parts that they are from."""
    settings = {"metadata": words.metadata, "languages": words.languages, "columns": columns}
    return Recipe(STAGE, LOGIC_VERSION, settings, list(inputs))


def write_entries(path: str, words: Words, numbers: EntryNumbers, inputs: Sequence[dict[str, Any]] = ()) -> Part:
    """Write the table, unless the same words and inputs made it; a folder that is not free raises AssertionError.

    The rows are all usable entries of the lists, sorted by (lang, entry_id).
    """
    if not is_free(path):
        raise AssertionError(f"{path} holds other things")
    table, recipe = Table(path, ENTRIES), entries_recipe(words, numbers.names(), inputs)
    if done := table.done(recipe):
        return done
    start = time.monotonic()
    schema = ENTRIES.with_metadata({LICENCE: words.licence}) if words.licence else ENTRIES
    receipt = Receipt(STAGE)
    with ParquetSink(storage.join(table.part_path(0), FILE), schema) as sink:
        for batch in words:
            for lang, rows in by_language(batch):
                numbered = numbers.columns(lang, rows["entry_id"].to_numpy())
                sink.write(pa.record_batch([*rows.columns, *numbered], schema=schema))
    receipt.rows_in = receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
    licence = {LICENCE: words.licence} if words.licence else {}
    return table.commit(0, recipe, [receipt], time.monotonic() - start, **licence)


def by_language(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield (lang, rows) for each language of a batch that is sorted by language."""
    runs = pc.run_end_encode(batch["lang"])
    start = 0
    for lang, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield lang, batch.slice(start, end - start)
        start = end


def _numbers(files: CountFiles | None, lang: str, ids: np.ndarray) -> pa.Array:
    """Return the number of each id, 0 beyond the end of an array; null without files."""
    if files is None:
        return pa.nulls(len(ids), pa.int64())
    values = files.load(lang)
    found = np.zeros(len(ids), np.int64)
    known = ids < len(values)
    found[known] = values[ids[known]]
    return pa.array(found)

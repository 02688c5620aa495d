"""The tables of a run: read with their schemas, and with the words of the entries beside their ids."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.forecast_table import FORECASTS
from curation.balancing.targets import EntryTargets, targets_of
from curation.core import storage
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.parts import Part
from curation.core.schemas import (
    CURATED,
    DOWNLOAD_STATUS,
    ENTRY_COUNTS,
    HOSTS,
    LISTS,
    MATCHES,
    PAIRS,
    SAMPLES,
    THRESHOLDS,
)
from curation.core.table_reader import check_file, read_batches, read_schema
from curation.core.tables import Table
from curation.matching.cache_folders import user_cache
from curation.matching.entry_store import EntryStore
from curation.matching.match import languages_of
from curation.report.explain import Explanation
from headtail.balancer import Balancer, explain
from headtail.columns import TEXT
from headtail.counts import Counts
from headtail.entry_list import EntryList, words_by_language

SCHEMAS = {
    "pairs": PAIRS, "matches": MATCHES, "entry_counts": ENTRY_COUNTS, "thresholds": THRESHOLDS, "forecasts": FORECASTS,
    "curated": CURATED, "lists": LISTS, "hosts": HOSTS, "downloads": DOWNLOAD_STATUS,
}  # fmt: skip
"""The tables of a run; docs/tables.md explains their columns. `samples` are the side-cars of its shards."""
SAMPLES_NAME = "samples"
WORDS = pa.schema([("lang", pa.string()), ("entry_id", pa.int32()), ("entry", pa.string())])
"""The columns of the table `entries` that tell the words."""
OPEN = ("pairs", "lists")
"""Tables that may have further columns, which a source carries along."""


def open_run(path: str | Path, entry_lists: str | Path = "") -> "Run":
    """Open the folder, or URL, of a run.

    `entry_lists` are those that the run was made with; they tell the words of entries, and match further texts. Raises
    HeadtailError where the folder holds no table of a run.
    """
    run = Run(str(path), str(entry_lists))
    if not run.tables:
        raise HeadtailError(f"{path} holds no table of a run: expected the folder that was `output`")
    return run


class Run:
    """A run: its tables, counts and thresholds. It reads only, at first use; made by `headtail.open_run`."""

    def __init__(self, path: str, entry_lists: str = "") -> None:
        self.path, self._lists_path = path.rstrip("/") or path, entry_lists

    def __repr__(self) -> str:
        return f"Run({self.path!r}: {', '.join(self.tables) or 'no table'})"

    @cached_property
    @faults_as_lines()
    def tables(self) -> list[str]:
        """The names of the tables that are complete, in the order of the stages."""
        names = [name for name in SCHEMAS if self._parts(name)]
        return [*names, SAMPLES_NAME] if self._sidecars() else names

    @faults_as_lines()
    def files(self, name: str) -> list[str]:
        """Return the Parquet files of a table, for DuckDB, Spark or polars; raises HeadtailError if there is none."""
        if name not in self.tables:
            raise HeadtailError(f"{self.path} has no table {name}, it has {', '.join(self.tables)}")
        if name == SAMPLES_NAME:
            return self._sidecars()
        return [file for part in self._parts(name) for file in part.files]

    @faults_as_lines()
    def table(self, name: str, columns: Sequence[str] | None = None, limit: int | None = None) -> pa.Table:
        """Return a table, or its first `limit` rows, as Arrow; `columns` are names of it, all without them.

        Where the words are known, by `entry_lists` or by the table `entries` of the run, they stand beside the ids: the
        column `entry` of `entry_counts`, and `entries` in each of the `texts` of matches, curated and lists. The rows
        have to fit into memory: see `files`.
        Raises HeadtailError if there is no such table or column, or its files are damaged, cleaned, or of others.
        """
        schema = SAMPLES if name == SAMPLES_NAME else SCHEMAS.get(name, pa.schema([]))
        further = None if name in (*OPEN, SAMPLES_NAME) else ()  # side-cars may have scores
        found: list[pa.RecordBatch] = []
        rows = 0
        for file in self.files(name):
            check_file(file, schema, further)
            known = [*schema.names, *(columns or [] if name in OPEN else [])]
            if name == SAMPLES_NAME:
                known = read_schema(file).names
            if unknown := [column for column in columns or [] if column not in known]:
                raise HeadtailError(f"{name} has no column {', '.join(unknown)}, it has {', '.join(known)}")
            for batch in read_batches(file, schema, columns, further=further):
                found.append(batch if limit is None else batch.slice(0, limit - rows))
                rows += found[-1].num_rows
                if limit is not None and rows >= limit:
                    return self._with_words(name, _joined(found))
        return self._with_words(name, _joined(found))

    @cached_property
    def counts(self) -> Counts:
        """The entry counts of each language, in texts of `matches`."""
        rows = self.table("entry_counts", ENTRY_COUNTS.names)
        counts: dict[str, np.ndarray] = {}
        for lang in pc.unique(rows["lang"]).to_pylist():
            own = rows.filter(pc.equal(rows["lang"], lang))
            ids = own["entry_id"].to_numpy()
            counts[lang] = np.zeros(ids.max() + 1, np.int64)
            counts[lang][ids] = own["count"].to_numpy()
        return Counts(counts, self._words)

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The threshold t of each language, in counts of the first pass: {lang: t}."""
        rows = self.table("thresholds", ["lang", "t"])
        return dict(zip(rows["lang"].to_pylist(), rows["t"].to_pylist(), strict=True))

    @cached_property
    @faults_as_lines()
    def entry_lists(self) -> dict[str, EntryList]:
        """The entry lists: {lang: EntryList}; raises HeadtailError unless they are those of the run."""
        if not self._lists_path:
            raise HeadtailError(f"the entry lists of {self.path} are needed: headtail.open_run(path, entry_lists)")
        settings = self._settings("matches")
        store = EntryStore.open(self._lists_path, settings["edges"], str(user_cache()))
        if store.hash != settings["metadata"]:
            raise HeadtailError(
                f"matches in {self.path} were made with metadata {settings['metadata'][:8]}, {self._lists_path} is "
                f"{store.hash[:8]}: give the entry lists that match_pairs had"
            )
        return {lang: EntryList(store, lang, settings["edges"]) for lang in store.languages}

    def balancer(self, *, text: Any = TEXT, url: Any = "", uid: Any = "", lang: Any = "lang") -> Balancer:
        """Return a filter for streams with the lists, counts, thresholds, unit and seed of the run.

        It keeps the texts that `balance_pairs` has kept or would keep, but for `balance.max_per_domain`.
        """
        settings = self._settings("curated")
        names = {"text": text, "url": url, "uid": uid, "lang": lang}
        return Balancer(
            self.entry_lists, self.counts, self.thresholds, settings["seed"], unit=settings["unit"], **names,
            targets=self._targets,
        )  # fmt: skip

    def explain(self, text: str, lang: str = "") -> Explanation:
        """Return why the run keeps or drops a text of a language. `print` shows it line by line."""
        pairs = [part.manifest["settings"] for part in self._parts("pairs")]
        kept = self._settings("matches").get("languages") or languages_of(pairs)
        return explain(text, lang, self.entry_lists, self.counts, self.thresholds, kept, self._targets)

    @cached_property
    def _targets(self) -> EntryTargets | None:
        """The targets of entries, in the counts of the thresholds; None if the balance had none."""
        return next((targets_of(part) for part in self._parts("thresholds")), None)

    @cached_property
    def _words(self) -> dict[str, EntryList]:
        """The words of entries by language: those of the lists, else those that the run tells; empty if none does."""
        if self._lists_path:
            return self.entry_lists
        found: dict[str, list[str | None]] = {}
        for file in Table(storage.join(self.path, "entries")).files():
            for batch in read_batches(file, WORDS, WORDS.names, further=None):
                for lang, entry_id, entry in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    words = found.setdefault(lang, [])
                    words += [None] * (entry_id + 1 - len(words))
                    words[entry_id] = entry
        return {lang: EntryList(pa.array(words, pa.string()), lang) for lang, words in found.items()}

    def _parts(self, name: str) -> list[Part]:
        return Table(storage.join(self.path, name)).parts()

    def _sidecars(self) -> list[str]:
        folder = storage.join(self.path, "shards")
        names = [name for name in storage.list_folder(folder) if name.endswith(".parquet") and name[0] not in "._"]
        return [storage.join(folder, name) for name in sorted(names)]

    def _settings(self, name: str) -> dict[str, Any]:
        self.files(name)  # refuses a table that is not there
        return self._parts(name)[0].manifest["settings"]

    def _with_words(self, name: str, table: pa.Table) -> pa.Table:
        if not self._words:
            return table
        if name == "entry_counts" and {"lang", "entry_id"} <= set(table.column_names):
            ids = table["entry_id"].combine_chunks()
            lists = pa.ListArray.from_arrays(pa.array(np.arange(len(ids) + 1, dtype=np.int32)), ids)
            words = words_by_language(lists, table["lang"].combine_chunks(), self._words).flatten()
            return table.add_column(table.column_names.index("entry_id") + 1, "entry", words)
        if name in ("matches", "curated", "lists") and "texts" in table.column_names:
            at = table.column_names.index("texts")
            return table.set_column(at, "texts", self._texts_with_words(table["texts"].combine_chunks()))
        return table

    def _texts_with_words(self, texts: pa.ListArray) -> pa.ListArray:
        structs = texts.flatten()
        names = [field.name for field in structs.type]
        columns = {name: structs.field(name) for name in names}
        columns["entries"] = words_by_language(columns["entry_ids"], columns["lang"], self._words)
        offsets = texts.offsets.to_numpy()
        whole = pa.StructArray.from_arrays(list(columns.values()), list(columns))
        return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), whole)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return pa.concat_tables(tables, promote_options="default").combine_chunks() if tables else pa.table({})

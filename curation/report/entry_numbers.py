"""The numbers of the table `entries` that a report adds: texts expected to be kept, and samples in the shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountArrays, CountFiles, merge_partials, save_array, write_partial
from curation.balancing.entry_table import EntryNumbers, Words, entries_recipe, is_free, write_entries
from curation.balancing.matched_batch import MatchedBatch
from curation.core import storage
from curation.core.choices import Unit
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import LISTS, SAMPLES, STORED
from curation.core.table_reader import read_batches, read_rows
from curation.core.tables import Table
from curation.images.ranges import Ranges, list_name
from curation.report.run_tables import RunTables
from curation.report.stats import Balanced
from curation.shards.second_balance import CONCEPTS

LISTED = ["uid", *(f"texts.list.element.{name}" for name in ("text", "lang", "entry_ids"))]


@dataclass(frozen=True)
class CaptionsTask:
    """Side-cars of shards whose captions' entries are counted, the folder of their lists, and the file to write."""

    name: str
    sidecars: list[str]
    lists: str
    output: str


def count_captions(task: CaptionsTask, ranges: Ranges) -> Receipt:
    """Count the samples of some shards by the entries of their captions. Rows are samples; reasons: not_listed.

    The counts are written as `counts.write_partial` describes. The ids are those of the download lists. Side-cars and
    lists have the same order, so each list is read once or twice.
    """
    receipt, counts = Receipt(task.name), CountArrays()
    opened, listed = -1, pa.table({})
    for sidecar in task.sidecars:
        for batch in read_batches(sidecar, SAMPLES, ["uid", "text"], further=None):
            numbers = ranges.of(ranges.order(batch["uid"]))
            receipt.rows_in += batch.num_rows
            for number in np.unique(numbers).tolist():
                if number != opened:
                    opened = number
                    path = storage.join(task.lists, list_name(number))
                    listed = read_rows(path, LISTS, LISTED, STORED.names).combine_chunks()
                rows = batch.take(pa.array(np.flatnonzero(numbers == number)))
                receipt.rows_out += _count_captions(rows, listed, counts)
    receipt.drops["not_listed"] = receipt.rows_in - receipt.rows_out
    write_partial(task.output, counts)
    return receipt.check()


def _count_captions(samples: pa.RecordBatch, listed: pa.Table, counts: CountArrays) -> int:
    """Count the entries of the captions of samples; return the number of samples that are listed."""
    places = pc.index_in(samples["uid"], listed["uid"].combine_chunks())
    known = places.is_valid()
    rows = listed.take(places.filter(known)).combine_chunks().to_batches()
    if not rows:
        return 0
    matched = MatchedBatch(rows[0])
    captions = samples["text"].filter(known).take(pa.array(matched.images_of_texts))
    is_caption = pc.equal(matched.structs.field("text"), captions).to_numpy(zero_copy_only=False)
    counts.add_weighted(matched, is_caption.astype(np.int64))
    return matched.images


@dataclass(frozen=True)
class EntriesPlan:
    """How a report completes the table `entries` at `path`; `lists` are those of its shards, if they can be read."""

    path: str
    words: Words
    tables: RunTables
    counts: Part
    lists: Part | None

    @classmethod
    def make(cls, paths: dict[str, str], words: Words, tables: RunTables) -> Self | None:
        """Return the plan for the tables of a run; None where other things lie at the table's path."""
        if not is_free(paths["entries"]):
            return None
        made_from = {entry.get("id") for part in tables.parts["write_shards"] for entry in part.inputs()}
        lists = [part for part in Table(paths["lists"]).parts() if part.id in made_from and not part.cleaned]
        return cls(paths["entries"], words, tables, Table(paths["entry_counts"]).parts()[0], next(iter(lists), None))

    @cached_property
    def balanced(self) -> Balanced | None:
        """The balance whose kept texts are expected, None where its thresholds are gone, or concepts decided, too."""
        t = {lang: row["t"] for lang, row in self.tables.thresholds().items()}
        if not self.tables.parts["thresholds"] or set(self.tables.counts.langs()) - set(t):
            return None
        settings = self.tables.parts["balance_pairs"][-1].manifest["settings"]
        if CONCEPTS in settings:
            return None
        return Balanced(self.tables.counts.folder, t, Unit(settings["unit"]), settings["seed"], self.tables.targets())

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """The parts that the numbers come from."""
        found = [self.counts.input(), *(part.input() for part in self.tables.parts["thresholds"])]
        if self.lists:
            found += [self.lists.input(), *(part.outcome() for part in self.tables.parts["write_shards"])]
        return found

    @property
    def recipe(self) -> Recipe:
        """The recipe of the complete table."""
        columns = ["count", *(["expected"] if self.balanced else []), *(["in_shards"] if self.lists else [])]
        return entries_recipe(self.words, columns, self.inputs)

    def is_open(self) -> bool:
        """Return whether the run has the table, and it lacks numbers that are there; a run of before has no table."""
        wanted = self.recipe
        for part in Table(self.path).parts():
            before = part.manifest["settings"]
            same = all(before[name] == wanted.settings[name] for name in ("metadata", "languages"))
            columns = set(wanted.settings["columns"]) <= set(before["columns"])
            inputs = {entry["id"] for entry in wanted.inputs} <= {entry["id"] for entry in part.inputs()}
            return not (same and columns and inputs)
        return False

    @property
    def ranges(self) -> Ranges:
        """The ranges of the download lists."""
        return Ranges(**self.lists.manifest["settings"]) if self.lists else Ranges(1, 0)

    def captions(self, groups: Sequence[list[str]], work: str) -> list[CaptionsTask]:
        """Return the tasks that count the captions of groups of side-cars, none where their lists are gone."""
        if not self.lists:
            return []
        return [
            CaptionsTask(f"captions {k}", group, self.lists.path, storage.join(work, f"captions-{k:05d}.parquet"))
            for k, group in enumerate(groups)
        ]

    def write(self, expected: Sequence[str], captions: Sequence[str], work: str) -> EntryNumbers:
        """Write the table; `expected` and `captions` are the files that the tasks wrote, `work` a folder for sums.

        The numbers that it returns can be read as long as `work` is there.
        """
        numbers = EntryNumbers(
            self.tables.counts,
            _summed(expected, storage.join(work, "expected")) if self.balanced else None,
            _summed(captions, storage.join(work, "captions")) if self.lists else None,
        )
        write_entries(self.path, self.words, numbers, self.inputs)
        return numbers


def _summed(partials: Sequence[str], folder: str) -> CountFiles:
    """Add the counts of tasks, and return the sums as flat files."""
    for lang, total in merge_partials(partials):
        save_array(storage.join(folder, f"{lang}.npy"), total)
    return CountFiles(folder)

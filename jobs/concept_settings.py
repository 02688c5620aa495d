"""The concepts that a configuration names, as balance_pairs uses them, and their part of its recipe."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from typing import Any

from pyspark.sql import SparkSession

from conf.schema.jobs import BalancePairsConfig
from conf.schema.topics import DEFAULT_TAIL_SHARE
from curation.balancing.concept_counts import (
    ConceptGoal,
    counts_path,
    remove_others,
    rename_concepts,
    write_concept_counts,
)
from curation.balancing.concept_tables import (
    SHA256,
    ConceptTable,
    key_of_files,
    list_concepts,
    open_concepts,
    read_names,
)
from curation.balancing.targets import EntryTargets
from curation.core.amounts import counted
from curation.core.choices import Combine
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.core.parts import sum_receipts
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.schemas import CONCEPT_COUNTS
from curation.core.storage import join, remove
from curation.core.tables import Table, refuse_other_stage
from curation.matching.entry_lists import EntryList
from curation.matching.parts import MatchesTables
from curation.spark.concepts import JoinedConcepts, join_tables

NAME = "balance_pairs"
STAGE = "concept_counts"


def goals_of(config: BalancePairsConfig, names: Iterable[str]) -> dict[str, ConceptGoal]:
    """Return what each namespace is balanced to: its own t or tail share, or the tail share of the entries.

    A t is in counts of survivors.
    """
    asked = config.balance
    share = DEFAULT_TAIL_SHARE if asked.goal_tail_share is None else asked.goal_tail_share
    return {
        name: ConceptGoal(
            asked.concept_t.get(name),
            None if name in asked.concept_t else asked.concept_tail_share.get(name, share),
        )
        for name in names
    }


def names_of_concepts(config: BalancePairsConfig) -> dict[str, EntryList | None]:
    """Return the names of the concepts of each namespace, None without names."""
    names = read_names(config.concept_names)
    return {name: names.get(name) for name in config.concepts}


def files_before_download(config: BalancePairsConfig) -> dict[str, list[FileInfo]]:
    """Return the files of the namespaces that the balance before the download knows: all but those by sha256.

    Raises HeadtailError where a goal of `balance` is that of another namespace.
    """
    asked, found = config.balance, list_concepts(config.concepts)
    known = {name: files for name, files in found.items() if key_of_files(name, files) != SHA256}
    for setting in ("concept_t", "concept_tail_share"):
        for name in getattr(asked, setting):
            if name in found and name not in known:
                raise HeadtailError(
                    f"balance.{setting}.{name}: concepts.{name} names images by sha256, which is known after the "
                    f"download: give {setting}.{name}, of the second balance"
                )
    if config.concepts and not known and asked.combine != Combine.product:
        raise HeadtailError(
            f"balance.combine={asked.combine.value} needs concepts by uid or url: those by sha256 are known after the "
            "download"
        )
    return known


def concept_recipe(config: BalancePairsConfig) -> dict[str, Any]:
    """Return the settings of concepts that decide the balance, none without concepts."""
    if not (known := files_before_download(config)):
        return {}
    goals = goals_of(config, known)
    return {
        "concepts": {name: state_of(files) for name, files in known.items()},
        "concept_t": {name: goal.t for name, goal in goals.items() if goal.t is not None},
        "concept_tail_share": {name: goal.tail_share for name, goal in goals.items() if goal.t is None},
        "combine": config.balance.combine,
    }


def state_of(files: Sequence[FileInfo]) -> dict[str, Any]:
    """Return the number and the size of files, and a hash of their names without folders, sizes and versions.

    A manifest lists no files of concepts: a table may have 100,000 of them.
    """
    known = sorted((basename(file.path), file.size, file.version) for file in files)
    size = sum(max(file.size, 0) for file in files)
    return {"files": len(files), "bytes": size, "sha256": hashlib.sha256(json.dumps(known).encode()).hexdigest()}


@dataclass(frozen=True)
class Concepts:
    """The concepts of a balance: their tables, goals and names, and how namespaces are combined.

    A t of the goals is in counts of the first pass. `later` are namespaces by sha256, which have no part in it.
    """

    tables: Sequence[ConceptTable]
    goals: Mapping[str, ConceptGoal]
    names: Mapping[str, EntryList]
    combine: Combine
    table: Table
    later: Sequence[str] = ()

    @classmethod
    def of(cls, config: BalancePairsConfig) -> "Concepts":
        """Return the concepts of a configuration, none where it names none.

        Raises HeadtailError for wrong tables, and where `concept_counts` is the table of another job.
        """
        known = files_before_download(config)
        names = read_names(config.concept_names)
        opened = open_concepts(config.concepts, names)
        tables = [each for each in opened if each.name in known]
        table = Table(config.concept_counts, CONCEPT_COUNTS)
        if tables:
            refuse_other_stage(table.parts(), Recipe(STAGE, 1, {}, []))
        goals = {name: goal.of_first_pass(config.balance.headroom) for name, goal in goals_of(config, known).items()}
        names = {name: listed for name, listed in names.items() if name in known}
        later = [each.name for each in opened if each.name not in known]
        return cls(tables, goals, names, config.balance.combine, table, later)

    def recipe(self, balance: Recipe) -> Recipe:
        """Return the recipe of the table of counts: that of the balance, and the names."""
        names = {"names": {name: listed.hash for name, listed in self.names.items()}}
        return Recipe(STAGE, 1, {"balance": balance.id, **names}, balance.inputs)

    def is_done(self, balance: Recipe) -> bool:
        """Return whether the counts of a balance are there; gives them the names of now, if only these have changed."""
        if not self.tables:
            return True
        part = next((one for one in self.table.parts() if one.manifest["settings"].get("balance") == balance.id), None)
        if part and part.id != (recipe := self.recipe(balance)).id:
            receipt = rename_concepts(part.files[0], self.names, counts_path(part.path, recipe.id))
            part = self.table.commit(0, recipe, [receipt], 0.0, concepts=part.manifest["concepts"])
        if part:
            remove_others(part.path, part.files)
        return part is not None

    def join(
        self,
        spark: SparkSession,
        matches: MatchesTables,
        folder: str,
        allow_empty: bool,
        targets: EntryTargets | None = None,
    ) -> JoinedConcepts | None:
        """Join the tables with the images of `matches`, None without tables; writes to `folder`.

        `targets` are those of the first pass.
        """
        for name in self.later:
            say(NAME, f"concepts.{name} names images by sha256: it takes part in the second balance only")
        if not self.tables:
            return None
        remove(folder)
        images = sum_receipts(matches.parts).facts["images"]
        own = targets.of_concepts() if targets else None
        joined = join_tables(spark, self.tables, self.goals, self.combine, matches.buckets, images, folder, own)
        for name, t in joined.draw.t.items():
            with_concept = joined.images_with(name)
            if not with_concept and not allow_empty:
                raise HeadtailError(
                    f"concepts.{name}: no image of matches has a concept in it: its uids are of other images, or its "
                    "lists are empty; allow_empty=true balances without it"
                )
            without = counted(joined.receipt.rows_out - with_concept, "images")
            say(NAME, f"concepts.{name}: t={t:,.8g}, {counted(with_concept, 'images')}, {without} without a concept")
        return joined

    def commit(self, joined: JoinedConcepts | None, balance: Recipe, folder: str) -> None:
        """Write the table of counts, none without concepts; `folder` is where they were joined."""
        if joined is None:
            return
        kept, recipe = joined.kept(join(folder, "after")), self.recipe(balance)
        path = counts_path(self.table.begin(0), recipe.id)
        receipt = write_concept_counts(joined.counts, kept, list(joined.draw.t), self.names, path)
        self.table.commit(0, recipe, [receipt], 0.0, concepts=joined.describe(kept))
        say(NAME, "entry_probabilities hold entries alone: OnlineBalance thins no image by its concepts")

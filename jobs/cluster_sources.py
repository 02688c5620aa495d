"""What cluster_images reads: given embeddings, or the entries of texts; and how it finds and names the centres."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from conf.schema.jobs import ClusterImagesConfig
from curation.balancing.counts import open_counts
from curation.clusters.clusters_table import LOGIC_VERSION, MADE_BY, STAGE, ClusterSettings, ClustersTable
from curation.clusters.entry_vectors import EntryWeights, MatchedFile
from curation.clusters.fit import Fit
from curation.clusters.hierarchy import Hierarchy, make_hierarchy, read_hierarchy, write_hierarchy
from curation.clusters.names import LABELLED, NameTask, count_entries, names_of
from curation.clusters.sample import Draw, Sample, SampleTask, count_source, draw_sample, gather, share_of
from curation.clusters.sources import Source
from curation.clusters.vector_files import list_vectors, open_vector_files
from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import ClusteredTexts
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.receipts import merge_receipts
from curation.core.recipes import Recipe, recipe_settings
from curation.core.schemas import CURATED, MATCHES
from curation.core.seeds import run_seed
from curation.core.tables import Table
from curation.core.whole_vectors import nearest
from curation.matching.parts import MatchesTables
from curation.shards.entry_words import copy_words, read_words
from curation.shards.joined import Runner
from jobs.entries import find_words

METADATA, FROM = "metadata", "from"
"""Keys in hierarchy.json: the hash of the entry lists, and whether vectors are of embeddings or of entries."""
EMBEDDINGS, ENTRIES = "embeddings", "entries"
_BLOCK = 4096


@dataclass(frozen=True)
class Sources:
    """The recipe of the clusters, all sources of vectors, and the weights of entries, if vectors are made of these."""

    recipe: Recipe
    every: Sequence[Source]
    weights: EntryWeights | None
    texts: Part | None

    def of(self, recipe: Recipe) -> list[Source]:
        """Return the sources that are inputs of a part."""
        if self.weights:
            return list(self.every)
        paths = {entry["path"] for entry in recipe.inputs}
        return [source for source in self.every if source.path in paths]

    @property
    def described(self) -> str:
        """What the vectors are made of, in words."""
        return "entries of texts" if self.weights else "embeddings"

    def check(self) -> None:
        """Raise HeadtailError if the files of the texts were cleaned."""
        if self.texts and self.weights:
            Table(self.texts.path.rpartition("/")[0], _schema_of(self.texts)).require(self.texts.manifest["stage"])

    @cached_property
    def matched(self) -> list[MatchedFile]:
        """The buckets of the texts."""
        part = self.texts
        return [MatchedFile(path, _schema_of(part) is CURATED) for path in part.files] if part else []


def _schema_of(part: Part) -> pa.Schema:
    return CURATED if part.manifest["stage"] == "balance_pairs" else MATCHES


def sources_of(config: ClusterImagesConfig) -> Sources:
    """Return what a configuration clusters, and the recipe of it.

    Raises HeadtailError for embeddings that cannot be read, for tables that are missing, and for centres of other
    entry lists, or of embeddings where entries are clustered.
    """
    settings = ClusterSettings(
        config.fine, config.coarse, config.sample_images, config.rounds, config.balanced, 0, config.vectors
    )
    given = read_hierarchy(config.centers) if config.centers else None
    if given:
        settings = ClusterSettings(0, 0, 0, 0, False, 0, config.vectors, centres=given.id)
    else:
        settings = replace(settings, seed=run_seed(config.output, config.seed, [config.clusters]))
    if config.embeddings:
        files = list_vectors(config.embeddings)
        every = [Source(file=file) for file in open_vector_files(files, config.vectors)]
        recipe = Recipe(STAGE, LOGIC_VERSION, recipe_settings(settings), [vars(file) for file in files])
        _refuse_others(given, EMBEDDINGS, "", config.centers)
        return Sources(recipe, every, None, _texts_of(config, required=False))
    matches = MatchesTables([config.matches, *config.more_matches])
    counts = open_counts(config.entry_counts, matches)
    metadata = matches.parts[0].manifest["settings"].get("metadata", "")
    texts = _texts_of(config, required=True)
    settings = replace(settings, entries=(metadata, *matches.ids()))
    recipe = Recipe(STAGE, LOGIC_VERSION, recipe_settings(settings), [texts.input()] if texts else [])
    _refuse_others(given, ENTRIES, metadata, config.centers)
    sources = Sources(recipe, (), EntryWeights(counts.folder, metadata), texts)
    return replace(sources, every=[Source(matched=each) for each in sources.matched])


def _texts_of(config: ClusterImagesConfig, required: bool) -> Part | None:
    """Return the part of the table of texts; None where it is not there, and not required."""
    is_balanced = config.texts == ClusteredTexts.curated
    path, schema, stage = (
        (config.curated, CURATED, "balance_pairs") if is_balanced else (config.matches, MATCHES, "match_pairs")
    )
    parts = Table(path, schema).require(stage) if required else Table(path).parts()
    return parts[0] if parts and (required or not parts[0].cleaned) else None


def _refuse_others(given: Hierarchy | None, kind: str, metadata: str, path: str) -> None:
    """Raise HeadtailError if given centres are of another kind of vectors, or of other entry lists."""
    if given and given.facts.get(FROM) != kind:
        raise HeadtailError(f"centers={path} is of {given.facts.get(FROM)}, and this call clusters by {kind}")
    if given and given.facts.get(METADATA, "") != metadata:
        raise HeadtailError(
            f"centers={path} was made with the entry lists {given.facts.get(METADATA)}, the matches with {metadata}"
        )


def find_centres(
    config: ClusterImagesConfig, sources: Sources, table: ClustersTable, recipe: Recipe, run: Runner
) -> None:
    """Look for centres in a sample, name them by entries, and write them; given centres are copied.

    Raises HeadtailError where no image has a vector, and where given centres are of vectors of another length.
    """
    facts: dict[str, Any] = {MADE_BY: recipe.id, FROM: ENTRIES if sources.weights else EMBEDDINGS}
    if sources.weights:
        facts[METADATA] = sources.weights.metadata
    sample = _draw(config, sources, table, recipe, run)
    if config.centers:
        hierarchy = read_hierarchy(config.centers)
        if (width := sample.units.shape[1]) != (expected := hierarchy.centres.shape[1]):
            raise HeadtailError(
                f"embeddings: vectors of {width:,} numbers, and centers={config.centers} has {expected:,}: give those "
                "of one encoder"
            )
    else:
        fine = Fit(config.fine, config.rounds, config.balanced)
        hierarchy = make_hierarchy(sample.units, fine, replace(fine, count=config.coarse), recipe.settings["seed"])
    hierarchy = replace(hierarchy, facts=facts)
    sizes = np.array(hierarchy.sizes)
    say(
        STAGE,
        f"found {counted(len(sizes), 'fine clusters')} of {sizes.min():,} to {sizes.max():,} images, and "
        f"{counted(hierarchy.coarse_count, 'coarse clusters')}, in a sample of {counted(len(sample.uids), 'images')}",
    )
    fine_names, coarse_names = _names(config, sources, table, hierarchy, sample, run)
    named = {"coarse_names": coarse_names, "fine_names": fine_names}
    write_hierarchy(table.path, replace(hierarchy, facts={**facts, **named}), fine_names)
    storage.remove(table.work())


def _draw(config: ClusterImagesConfig, sources: Sources, table: ClustersTable, recipe: Recipe, run: Runner) -> Sample:
    tasks = [
        SampleTask(source, table.work("sample", f"{number:06d}.parquet"))
        for number, source in enumerate(sources.of(recipe))
    ]
    rows = merge_receipts(STAGE, run(count_source, tasks)).rows_in
    draw = Draw(recipe.settings["seed"], share_of(config.sample_images, rows))
    drawn = merge_receipts(STAGE, run(partial(draw_sample, draw=draw, weights=sources.weights), tasks))
    sample = gather([task.output for task in tasks], config.sample_images)
    if not len(sample.uids):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in drawn.drops.most_common() if count)
        raise HeadtailError(f"no image of {counted(rows, 'rows')} has a vector ({reasons or 'there is no row'})")
    return sample


def _names(
    config: ClusterImagesConfig,
    sources: Sources,
    table: ClustersTable,
    hierarchy: Hierarchy,
    sample: Sample,
    run: Runner,
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the names of the fine and of the coarse clusters; empty ones if there are no texts."""
    fine = list(range(len(hierarchy.coarse)))
    if not sources.texts:
        say(STAGE, f"names no cluster: no finished table of texts is at {config.curated} (texts=, curated=, matches=)")
        return [[] for _ in fine], [[] for _ in range(hierarchy.coarse_count)]
    labels = np.concatenate(
        [
            nearest(sample.units[start : start + _BLOCK], hierarchy.centres)[0]
            for start in range(0, len(sample.units), _BLOCK)
        ]
    )
    labelled = table.work("labels.parquet")
    write_rows(labelled, pa.Table.from_arrays([sample.uids, pa.array(labels)], schema=LABELLED))
    tasks = [
        NameTask(matched, table.work("names", f"{number:06d}.parquet"))
        for number, matched in enumerate(sources.matched)
    ]
    run(partial(count_entries, labelled=labelled), tasks)
    words_file = copy_words(find_words(STAGE, config.entries, _matches_of(config), None), table.work())
    words = partial(read_words, words_file) if words_file else lambda *_: pa.nulls(len(_[2]), pa.string())
    paths = [task.output for task in tasks]
    return names_of(paths, fine, words), names_of(paths, hierarchy.coarse, words)


def _matches_of(config: ClusterImagesConfig) -> list[Part]:
    return [part for path in (config.matches, *config.more_matches) for part in Table(path).parts()]

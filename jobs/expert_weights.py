"""Compute how much each data expert counts in a task, from its class names and the clusters."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from headtail.start import launch
from conf.schema.jobs import ExpertWeightsConfig
from curation.balancing.counts import open_counts
from curation.clusters.entry_vectors import EntryVectors, EntryWeights, ImageEntries
from curation.clusters.experts import class_units, encoded, expert_weights, prompts_of
from curation.clusters.hierarchy import Hierarchy, read_hierarchy
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.progress import say
from curation.matching.parts import MatchesTables
from curation.report.aligned_text import aligned
from curation.report.class_lists import ClassList, read_class_lists
from curation.report.run_lists import RunLists
from curation.shards.clustered import set_name
from jobs.cluster_sources import ENTRIES, FROM, METADATA

NAME = "expert_weights"
DIGITS = 4
WIDTH = 10_000
"""Places of a line: no column is cut."""
BEGINNING = b'{\n "job": "expert_weights",\n'
"""First bytes of the file of weights: a file with others is never replaced."""
PHOTO, NAME_ALONE = "a photo of a {}.", "{}"
Vectors = Callable[[ClassList, list[str]], np.ndarray]
"""Returns the vectors of the prompts of a task's classes."""


def run(config: ExpertWeightsConfig) -> None:
    """Print the weights of the experts in each task, and write them as JSON if a file is given."""
    check_file(config.weights)
    hierarchy = read_hierarchy(config.clusters)
    lists = [each for each in read_class_lists(config.classes) if not config.tasks or each.task in config.tasks]
    if missing := sorted(set(config.tasks) - {each.task for each in lists}):
        raise HeadtailError(f"tasks: {', '.join(missing)} is no task of classes={','.join(config.classes)}")
    of_entries = hierarchy.facts.get(FROM) == ENTRIES
    templates = config.templates or [NAME_ALONE if of_entries else PHOTO]
    vectors = _of_entries(config, hierarchy) if of_entries else _of_encoder(config, hierarchy)
    rows: list[list[str]] = []
    found: dict[str, dict[str, list[float]]] = {}
    for each in lists:
        units = class_units(vectors(each, prompts_of(each.names, templates)), len(templates))
        if not len(units):
            say(
                NAME, f"{each.task} in {each.lang} has no weights: none of its {len(each.names):,} classes has a vector"
            )
            continue
        weights = expert_weights(units, hierarchy, config.temperature).round(DIGITS).tolist()
        found.setdefault(each.task, {})[each.lang] = weights
        known = f"{len(units):,} of {len(each.names):,}"
        rows.append([each.task, each.lang, known, *(f"{weight:.{DIGITS}f}" for weight in weights)])
    if not found:
        raise HeadtailError("no task has weights: name other tasks, or give the encoder of the embeddings")
    heads = ["task", "lang", "classes", *(set_name(number) for number in range(hierarchy.coarse_count))]
    print(*aligned(heads, rows, WIDTH), sep="\n")  # noqa: T201 the output of the command
    if config.weights:
        data = json.dumps({"job": NAME, "clusters": hierarchy.id, "weights": found}, indent=1)
        storage.write_bytes(config.weights, data.encode() + b"\n")


def check_file(path: str) -> None:
    """Raise HeadtailError if the file to write is there, and another program has written it."""
    if path and storage.exists(path):
        with storage.open_input(path) as file:
            if file.read(len(BEGINNING)) != BEGINNING:
                raise HeadtailError(f"weights={path} is a file of other content: name a new file")


def _of_encoder(config: ExpertWeightsConfig, hierarchy: Hierarchy) -> Vectors:
    """Return the vectors of prompts by the user's encoder."""
    if not config.encoder:
        raise HeadtailError(
            f"{config.clusters} is of embeddings: encoder=package.module:function names the function that returned them"
        )
    width = hierarchy.centres.shape[1]
    return lambda _, prompts: encoded(config.encoder, prompts, width)


def _of_entries(config: ExpertWeightsConfig, hierarchy: Hierarchy) -> Vectors:
    """Return the vectors of prompts by the entries that they hold, matched with the lists of the run."""
    if config.encoder:
        raise HeadtailError(f"{config.clusters} is of entries, which need no encoder: leave it out")
    if not config.output:
        raise HeadtailError(f"{config.clusters} is of entries: output=/data/run names the run that counted them")
    matches = MatchesTables([config.matches, *config.more_matches])
    settings = matches.parts[0].manifest["settings"]
    metadata = settings.get("metadata", "")
    lists = RunLists.open(config.entries, metadata, settings["edges"])
    if lists is None or metadata != hierarchy.facts.get(METADATA, ""):
        raise HeadtailError(
            f"{config.entries} does not hold the entries of {config.clusters}: give the tables of its run"
        )
    made = EntryVectors(EntryWeights(open_counts(config.entry_counts, matches).folder, metadata))

    def vectors(each: ClassList, prompts: list[str]) -> np.ndarray:
        if each.lang not in lists.languages:
            raise HeadtailError(f"{each.task} is in {each.lang}, of which the run has no entry list")
        ids = lists.matcher(each.lang).match(pa.array(prompts))
        starts = np.concatenate([[0], np.cumsum([len(one) for one in ids])]).astype(np.int64)
        flat = ids.flatten().to_numpy()
        return made.units(ImageEntries([each.lang], starts, np.zeros(len(flat), np.int64), flat))[0]

    return vectors


if __name__ == "__main__":
    launch(run)

"""Compare captions with the alt-texts of their images: matched entries of head and tail, lengths, shared words."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from headtail.start import launch
from conf.schema.jobs import CaptionStatsConfig
from curation.balancing.targets import EntryTargets, targets_of
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.outputs import check_writable
from curation.core.progress import say
from curation.core.schemas import ENTRY_COUNTS, MATCHES, THRESHOLDS
from curation.core.storage import join, open_input, write_bytes
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.report.caption_stats import CaptionStats, stats_lines
from curation.report.explain import read_counts, read_threshold
from curation.shards.caption_pairs import CaptionPairs, pairs_of_tables, pairs_of_tars, read_sidecars
from curation.shards.join_text import join_text
from curation.shards.shard_set import ShardSet
from jobs.entry_lists import with_lists

NAME = "caption_stats"
BATCH = 10_000
BEGINNING = b'{\n "job": "caption_stats",\n'
"""First bytes of the file of numbers: a file with others is never replaced."""
SHOWN_LANGUAGES = 5
"""Languages whose numbers are printed: those with most images."""


def run(config: CaptionStatsConfig) -> None:
    """Print the numbers of each caption and language, and write them to `stats` if it is set."""
    check_stats(config.stats)
    config = with_lists(config)
    (part,) = ShardSet(config.shards).require("write_shards")
    settings = Table(config.matches, MATCHES).require("match_pairs")[0].manifest["settings"]
    counted = Table(config.entry_counts, ENTRY_COUNTS).require("count_entries")
    balanced = Table(config.thresholds, THRESHOLDS).require("balance_pairs")
    count_files, threshold_files = ([path for each in parts for path in each.files] for parts in (counted, balanced))
    store = EntryStore.open(config.entry_lists, settings["edges"])
    if settings["metadata"] != store.hash:
        raise HeadtailError(
            f"matches in {config.matches} were made with metadata {settings['metadata'][:8]}, {config.entry_lists} is "
            f"{store.hash[:8]}: give the entry lists that match_pairs had"
        )
    samples, read = read_sidecars(part.files, config.images)
    say(NAME, f"{samples.num_rows:,} images in {len(read):,} of {len(part.files):,} shards")
    if config.captions:
        tables = [file.path for file in list_files(config.captions, (".parquet",))]
        found = {"captions": pairs_of_tables(samples, tables)}
    else:
        tars = [join(config.shards, entry["tar"]) for entry in part.manifest["files"][: len(read)]]
        found = pairs_of_tars(samples, tars)
    if not any(pairs.facts["images_with"] for pairs in found.values()):
        raise HeadtailError(
            f"no caption is of one of the {samples.num_rows:,} images of {config.shards}: captions= takes a table with "
            "caption and uid, sha256 or url; without it the json of the samples must have caption_<name>"
        )
    told: dict[str, Any] = {}
    for name, pairs in found.items():
        told[name] = {"rows_and_images": dict(pairs.facts), "languages": {}}
        say(NAME, f"{name}: {join_text(pairs.facts, 'a caption')}")
        for lang, values in numbers(pairs, store, count_files, threshold_files, targets_of(balanced[0])):
            told[name]["languages"][lang] = values
        for lang, values in list(told[name]["languages"].items())[:SHOWN_LANGUAGES]:
            print(*stats_lines(name, lang, values), sep="\n")  # noqa: T201 the output of the command
        if (more := len(told[name]["languages"]) - SHOWN_LANGUAGES) > 0:
            print(f"and {more} more languages: stats=FILE writes the numbers of all")  # noqa: T201
    if config.stats:
        write_bytes(config.stats, BEGINNING + json.dumps({"compared": told}, indent=1).encode()[2:] + b"\n")


def check_stats(path: str) -> None:
    """Raise HeadtailError where the file of numbers cannot be written, or would replace a file of another kind."""
    if not path:
        return
    check_writable([os.path.dirname(path) or "."])
    with suppress(FileNotFoundError), open_input(path) as file:
        if file.read(len(BEGINNING)) != BEGINNING:
            raise HeadtailError(f"stats={path} is a file that {NAME} has not written: give another name")


def numbers(
    pairs: CaptionPairs,
    store: EntryStore,
    count_files: list[str],
    threshold_files: list[str],
    targets: EntryTargets | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the numbers of each language that has an entry list, the one with most images first."""
    for lang, alt_texts, captions in pairs.by_language():
        if lang not in store.languages:
            say(NAME, f"{lang} has no entry list: {len(captions):,} images are left out")
            continue
        stats = CaptionStats(len(store.entries(lang)))
        for start in range(0, len(captions), BATCH):
            stats.add(alt_texts[start : start + BATCH], captions[start : start + BATCH], store.matcher(lang))
        by_id = read_counts(count_files, lang)
        counts = np.zeros(stats.entries, np.int64)
        counts[list(by_id)] = list(by_id.values())
        t = read_threshold(threshold_files, lang)
        yield lang, stats.values(counts if targets is None or t is None else targets.relative(lang, counts, t), t)


if __name__ == "__main__":
    launch(run)

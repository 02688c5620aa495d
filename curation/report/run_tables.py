"""The tables of a run, as the report opens and checks them, plans the tasks that count them, and adds the counters."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import zip_longest
from typing import Any, Self, TypeVar

import numpy as np

from curation.balancing.counts import CountFiles, merge_partials, open_counts
from curation.balancing.distributions import Distributions
from curation.balancing.targets import EntryTargets, targets_of
from curation.core import storage
from curation.core.credentials import place
from curation.core.errors import HeadtailError
from curation.core.parts import Part, sum_receipts
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, flatten
from curation.core.schemas import CURATED, DOWNLOAD_STATUS, LISTS, MATCHES, PAIRS, SAMPLES, STORED, THRESHOLDS
from curation.core.seeds import publishable
from curation.core.table_reader import check_file, read_rows
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges, list_name
from curation.matching.parts import MatchesTables
from curation.report.belonging import sort_out
from curation.report.hosts import DomainsTask
from curation.report.stats import (
    CuratedTask,
    DownloadsTask,
    DownloadStats,
    MatchesTask,
    SampleDraw,
    ShardsTask,
    ShardStats,
    TextStats,
    choose_samples,
)
from curation.shards.readme import openclip_command
from curation.shards.sample_json import BLURRED
from curation.shards.scores import score_columns
from curation.shards.selection import ImageFilters
from curation.shards.shard_set import ShardSet

STAGE = "report_stats"
LOGIC_VERSION = 1
_SCHEMAS = {
    "match_pairs": MATCHES,
    "balance_pairs": CURATED,
    "thresholds": THRESHOLDS,
    "download_images": DOWNLOAD_STATUS,
    "write_shards": SAMPLES,
}
Item = TypeVar("Item")


@dataclass(frozen=True)
class StageTotals:
    """The receipt of one stage over all parts of its table, with the number of parts and input files.

    `seconds` is the wall-clock time of all parts, `task_seconds` that of their tasks, `bytes` the size of the files
    that were written; `settings`, by dotted key and without secrets, and `versions` are
    those of the last part.
    """

    name: str
    receipt: Receipt
    parts: int
    seconds: float
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    inputs: int = 0
    task_seconds: float = 0.0
    bytes: int = 0

    @classmethod
    def of_parts(cls, name: str, parts: Sequence[Part]) -> Self:
        """Return the totals of a stage from the manifests of its parts, of which there is at least one."""
        last = parts[-1].manifest
        seconds = sum(part.manifest["seconds"] for part in parts)
        # A file that was given up and read again is an input of two parts.
        count = len({(place(entry), entry.get("id")) for part in parts for entry in part.inputs()})
        settings = publishable(flatten(last["settings"]))
        task_seconds = sum(part.manifest.get("task_seconds", 0.0) for part in parts)
        sizes = [
            entry.get("bytes", 0) + entry.get("tar_bytes", 0) for part in parts for entry in part.manifest["files"]
        ]
        receipt = sum_receipts(parts)
        written = sum(sizes) + receipt.facts["image_bytes"]  # the tars of downloads are no files of the table
        return cls(name, receipt, len(parts), seconds, settings, last["versions"], count, task_seconds, written)


@dataclass(frozen=True)
class CountingTasks:
    """The tasks that count the tables of a run, by table."""

    matches: list[MatchesTask]
    curated: list[CuratedTask]
    downloads: list[DownloadsTask]
    shards: list[ShardsTask]


@dataclass(frozen=True)
class RunTables:
    """The tables of a run: complete up to balancing, while downloads and shards may be missing.

    `parts` are by stage; those of `thresholds`, which balance_pairs writes too, are under their own name. Tables that
    do not belong to the others are left out; `notes` says so, and `lists` are as in `Belonging`.
    """

    matches: MatchesTables
    counts: CountFiles
    parts: dict[str, list[Part]]
    downloads: Downloads
    shards: ShardSet
    notes: tuple[str, ...] = ()
    lists: Part | None = None

    @classmethod
    def open(cls, paths: dict[str, str], more_matches: Sequence[str]) -> Self:
        """Open the tables by name; raises HeadtailError that names the stage to run if one is missing."""
        matches = MatchesTables([paths["matches"], *more_matches])
        downloads, shards = Downloads(paths["downloads"]), ShardSet(paths["shards"])
        parts = {
            "extract_pairs": Table(paths["pairs"], PAIRS, None).parts(),
            "match_pairs": matches.parts,
            "balance_pairs": Table(paths["curated"], CURATED).require("balance_pairs"),
            "download_images": downloads.parts(),
            "write_shards": shards.parts(),
            "thresholds": Table(paths["thresholds"], THRESHOLDS).require("balance_pairs"),
        }
        counts = open_counts(paths["entry_counts"], matches)
        found = sort_out(parts, matches, Table(paths["lists"], LISTS, STORED.names).parts())
        return cls(matches, counts, found.parts, downloads, shards, found.notes, found.lists)

    def check_metadata(self, metadata: str) -> str:
        """Return `metadata`, the hash of the entry lists; raises HeadtailError if matches were made with another."""
        for part in self.matches.parts:
            used = part.manifest["settings"]["metadata"]
            if used != metadata:
                raise HeadtailError(
                    f"{part.path} was made with metadata {used[:12]}, got {metadata[:12]}: "
                    "give the entry_lists that match_pairs had"
                )
        return metadata

    @property
    def edges(self) -> str:
        """The edge rule that matches were made with."""
        return self.matches.parts[0].manifest["settings"]["edges"]

    def recipe(self, settings: dict[str, Any]) -> Recipe:
        """Return the recipe of the report, whose inputs are all parts of all tables.

        Downloads and shards are identified by the content of their manifests, because their rows can change under the
        same recipe: hosts fail, and remove_samples takes samples out.
        """
        changing = ("download_images", "write_shards")
        if self.lists:
            settings = settings | {"lists": self.lists.id}
        inputs = [part.input() for name, parts in self.parts.items() if name not in changing for part in parts]
        inputs += [part.outcome() for name in changing for part in self.parts[name]]
        return Recipe(STAGE, LOGIC_VERSION, settings, inputs)

    def stages(self) -> dict[str, StageTotals]:
        """Return the totals of each stage that was run, in the order of the funnel."""
        names = ("extract_pairs", "match_pairs", "balance_pairs", "download_images", "write_shards")
        return {name: StageTotals.of_parts(name, self.parts[name]) for name in names if self.parts[name]}

    def thresholds(self) -> dict[str, dict[str, Any]]:
        """Return the rows of `thresholds` by language."""
        files = [file for part in self.parts["thresholds"] for file in part.files]
        return {row["lang"]: row for file in files for row in read_rows(file, THRESHOLDS).to_pylist()}

    def targets(self) -> EntryTargets | None:
        """Return the targets of entries, in counts of the first pass; None if the balance had none."""
        return targets_of(self.parts["thresholds"][-1]) if self.parts["thresholds"] else None

    def distributions(self) -> Distributions:
        """Return the counts of each language with these targets."""
        return Distributions.of_files(self.counts, self.targets())

    def second_balance(self) -> dict[str, Any] | None:
        """Return the thresholds and the shortfall of the second balance, or None if shards were not balanced again."""
        return next((part.manifest.get("second_balance") for part in self.parts["write_shards"]), None)

    def image_filters(self) -> ImageFilters | None:
        """Return the bounds on sizes by which the shards were written; None without shards, or if they are unknown."""
        settings = next((flatten(part.manifest["settings"]) for part in self.parts["write_shards"]), {})
        names = [each.name for each in fields(ImageFilters)]
        found: dict[str, Any] = {name: settings[f"filters.{name}"] for name in names if f"filters.{name}" in settings}
        return ImageFilters(**found) if len(found) == len(names) else None

    def written(self, folder: str) -> dict[str, Any] | None:
        """Return the path, number and bytes of the shards and the command that trains on them; None without shards.

        `folder` is the path of the shards as the report shows it.
        """
        files = [file for part in self.parts["write_shards"] for file in part.manifest["files"]]
        if not files:
            return None
        sizes = {file["tar"]: file["rows"] for file in files}
        manifest = self.parts["write_shards"][0].manifest
        facts = manifest["facts"]
        blurred = {name: facts[name] for name in ("blurred_images", BLURRED) if name in facts}
        sought = {"benchmark_images": manifest["benchmarks"]} if "benchmarks" in manifest else {}
        return {
            "path": folder,
            "count": len(files),
            "bytes": sum(file["tar_bytes"] for file in files),
            "command": openclip_command(folder, sizes),
            **blurred,
            **sought,
        }

    def _ranges(self) -> list[tuple[list[str], str | None]]:
        """Return the status files of each range, and the list whose images count; None: all images count."""
        if not self.parts["download_images"]:
            return []
        if not self.lists:
            return [(files, None) for files in self.downloads.status_files().values()]
        found = self.downloads.status_files(Ranges(**self.lists.manifest["settings"]))
        return [(files, storage.join(self.lists.path, list_name(int(number)))) for number, files in found.items()]

    def plan(self, max_tasks: int, work: str) -> CountingTasks:
        """Return the tasks that count the tables, at most `max_tasks` for each; they write to the folder `work`."""
        curated = [file for part in self.parts["balance_pairs"] for file in part.files]
        ranges = self._ranges()
        sidecars = [file for part in self.parts["write_shards"] for file in part.files]
        scores = tuple(name for part in self.parts["write_shards"] for name in score_columns(part.manifest))
        return CountingTasks(
            [
                MatchesTask(f"matches {k}", group, storage.join(work, f"expected-{k:05d}.parquet"))
                for k, group in _groups(self.matches.buckets, max_tasks)
            ],
            [
                CuratedTask(f"curated {k}", group, storage.join(work, f"{k:05d}.parquet"))
                for k, group in _groups(curated, max_tasks)
            ],
            [
                DownloadsTask(f"downloads {k}", [files for files, _ in group], [path for _, path in group])
                for k, group in _groups(ranges, max_tasks)
            ],
            [ShardsTask(f"shards {k}", group, scores) for k, group in _groups(sidecars, max_tasks)],
        )

    def plan_domains(self) -> list[DomainsTask]:
        """Return a task for each bucket that counts its domains."""
        curated = [[file] for part in self.parts["balance_pairs"] for file in part.files]
        nothing: list[str] = []
        both = zip_longest(self.matches.buckets, curated, fillvalue=nothing)  # an old draw may have other buckets
        same = len(curated) == len(self.matches.buckets)
        return [DomainsTask(f"bucket {k}", list(matches), kept, same) for k, (matches, kept) in enumerate(both)]

    @property
    def matched(self) -> Counter[str]:
        """The numbers of matched images and texts, as the manifests have them; those of several tables may overlap."""
        facts = sum((part.receipt.facts for part in self.matches.parts), Counter[str]())
        texts = sum(part.receipt.rows_out for part in self.matches.parts)
        return Counter(images=facts["images"], texts=texts)


@dataclass(frozen=True)
class RunTotals:
    """The statistics of all tasks together.

    `samples` are those that the report shows, `partials` the files with the entry counts of kept texts. `not_listed`
    images were downloaded for other lists only, and are not counted.
    """

    matches: TextStats
    curated: TextStats
    downloads: DownloadStats
    shards: ShardStats
    samples: list[SampleDraw]
    partials: list[str]
    not_listed: int = 0

    @classmethod
    def of_receipts(
        cls,
        matches: Sequence[Receipt],
        curated: Sequence[Receipt],
        downloads: Sequence[Receipt],
        shards: Sequence[Receipt],
        partials: list[str],
    ) -> Self:
        """Return the sums of the receipts of the tasks of each table."""
        fetched = merge_receipts("downloads", downloads)
        return cls(
            TextStats.from_facts(merge_receipts("matches", matches).facts),
            TextStats.from_facts(merge_receipts("curated", curated).facts),
            DownloadStats.from_facts(fetched.facts),
            ShardStats.from_facts(merge_receipts("shards", shards).facts),
            choose_samples(SampleDraw(**output) for receipt in shards for output in receipt.outputs),
            partials,
            fetched.drops["not_listed"],
        )

    def counts_kept(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (lang, entry counts of kept texts) in the order of languages."""
        return merge_partials(self.partials)


def check_files(parts: Mapping[str, Sequence[Part]]) -> None:
    """Raise HeadtailError if the first file of a part does not have the columns of its table.

    `parts` are those of a `RunTables`. The pairs are not checked: the report reads their manifests only.
    """
    for name, schema in _SCHEMAS.items():
        for part in parts[name]:
            for file in part.files[:1]:
                check_file(file, schema, score_columns(part.manifest))


def _groups(items: Sequence[Item], count: int) -> Iterator[tuple[int, list[Item]]]:
    """Yield (number, items): consecutive items in at most `count` groups of equal size."""
    size = max(1, -(-len(items) // count))
    return enumerate([list(items[start : start + size]) for start in range(0, len(items), size)])

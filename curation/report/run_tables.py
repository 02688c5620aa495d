"""The tables of a run as the report reads them: what there is, and the tasks that count it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from curation.balancing.counts import CountFiles, merge_partials, open_counts
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, flatten
from curation.core.tables import Part, Table, sum_receipts
from curation.images.downloads import Downloads
from curation.matching.parts import MatchesTables
from curation.report.stats import (
    DownloadStats,
    ShardStats,
    TextStats,
    choose_samples,
    curated_stats,
    download_stats,
    match_stats,
    shard_stats,
)
from curation.shards.readme import openclip_command
from curation.shards.shard_set import ShardSet

STAGE = "report_stats"
LOGIC_VERSION = 1
_KINDS = {"matches": TextStats, "curated": TextStats, "downloads": DownloadStats, "shards": ShardStats}


@dataclass(frozen=True)
class Stage:
    """What one stage did: its account over all parts, how many parts, its wall-clock seconds and its settings."""

    name: str
    receipt: Receipt
    parts: int
    seconds: float
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    inputs: int = 0

    @classmethod
    def of_parts(cls, name: str, parts: Sequence[Part]) -> "Stage":
        """Return the stage whose manifests these are; at least one."""
        last = parts[-1].manifest
        seconds = sum(part.manifest["seconds"] for part in parts)
        inputs = [part.manifest["inputs"] for part in parts]
        count = sum(len(one) if isinstance(one, list) else one["count"] for one in inputs)
        return cls(name, sum_receipts(parts), len(parts), seconds, flatten(last["settings"]), last["versions"], count)


@dataclass(frozen=True)
class RunTables:
    """A run up to balancing, and downloads and shards where there are any."""

    matches: MatchesTables
    counts: CountFiles
    parts: dict[str, list[Part]]
    downloads: Downloads
    shards: ShardSet

    @classmethod
    def open(cls, paths: dict[str, str], more_matches: Sequence[str]) -> "RunTables":
        """Open the tables by name; raises HeadtailError that names the stage to run where one is missing."""
        matches = MatchesTables([paths["matches"], *more_matches])
        downloads, shards = Downloads(paths["downloads"]), ShardSet(paths["shards"])
        parts = {
            "extract_pairs": Table(paths["pairs"]).parts(),
            "match_pairs": matches.parts,
            "balance_pairs": Table(paths["curated"]).require("balance_pairs"),
            "download_images": downloads.parts(),
            "write_shards": shards.parts(),
            "thresholds": Table(paths["thresholds"]).require("balance_pairs"),
        }
        return cls(matches, open_counts(paths["entry_counts"], matches), parts, downloads, shards)

    def metadata(self, found: str) -> str:
        """Return the hash of the metadata that matches were made with; HeadtailError if that is not `found`."""
        for part in self.matches.parts:
            used = part.manifest["settings"]["metadata"]
            if used != found:
                raise HeadtailError(
                    f"{part.path} was made with metadata {used[:12]}, got {found[:12]}: "
                    "give the entry_lists that match_pairs had"
                )
        return found

    @property
    def edges(self) -> str:
        """The edge rule that matches were made with."""
        return self.matches.parts[0].manifest["settings"]["edges"]

    def recipe(self, settings: dict[str, Any]) -> Recipe:
        """What decides the report: all parts of all tables; downloads and shards by what came, or is left, of them."""
        changing = ("download_images", "write_shards")
        inputs = [part.input() for name, parts in self.parts.items() if name not in changing for part in parts]
        return Recipe(
            STAGE, LOGIC_VERSION, settings, inputs + [p.outcome() for name in changing for p in self.parts[name]]
        )

    def stages(self) -> dict[str, Stage]:
        """Return the stages of the funnel that were run."""
        names = ("extract_pairs", "match_pairs", "balance_pairs", "download_images", "write_shards")
        return {name: Stage.of_parts(name, self.parts[name]) for name in names if self.parts[name]}

    def thresholds(self) -> dict[str, dict[str, Any]]:
        """Return the rows of `thresholds` by language."""
        rows = [row for part in self.parts["thresholds"] for path in part.files for row in _read(path)]
        return {row["lang"]: row for row in rows}

    def second_balance(self) -> dict[str, Any] | None:
        """Return what the second balance told: t by language and the shortfall; None where there was none."""
        return next((part.manifest.get("second_balance") for part in self.parts["write_shards"]), None)

    def written(self) -> dict[str, Any] | None:
        """Return where the shards are and how to train on them; None where there are none."""
        files = [file for part in self.parts["write_shards"] for file in part.manifest["files"]]
        if not files:
            return None
        sizes = {file["tar"]: file["rows"] for file in files}
        return {
            "path": self.shards.path,
            "count": len(files),
            "bytes": sum(file["tar_bytes"] for file in files),
            "command": openclip_command(self.shards.path, sizes),
        }

    def plan(self, tasks: int, work: str) -> list[dict]:
        """Return tasks for `count_part`, at most about `tasks` of each kind; `work` is a folder for their files."""
        curated = [file for part in self.parts["balance_pairs"] for file in part.files]
        ranges = list(self.downloads.status_files().values())
        shards = [
            {"sidecar": file, "tar": file.removesuffix(".parquet") + ".tar"}
            for part in self.shards.parts()
            for file in part.files
        ]
        planned = [{"kind": "matches", "buckets": some} for some in _groups(self.matches.buckets, tasks)]
        planned += [{"kind": "curated", "files": some} for some in _groups(curated, tasks)]
        planned += [{"kind": "downloads", "ranges": some} for some in _groups(ranges, tasks)]
        planned += [{"kind": "shards", "shards": some} for some in _groups(shards, tasks)]
        return [
            {"task": f"{task['kind']} {number}", "output": storage.join(work, f"{number:05d}.parquet"), **task}
            for number, task in enumerate(planned)
        ]


def count_part(task: dict, seed: int, max_texts: int) -> Receipt:
    """Count what a task of `RunTables.plan` names."""
    match task["kind"]:
        case "matches":
            return match_stats(task, max_texts)
        case "curated":
            return curated_stats(task)
        case "downloads":
            return download_stats(task)
        case _:
            return shard_stats(task, seed)


@dataclass(frozen=True)
class Sums:
    """The statistics of all tasks together, the chosen samples, and the files of the counts after balancing."""

    matches: TextStats
    curated: TextStats
    downloads: DownloadStats
    shards: ShardStats
    samples: list[dict[str, Any]]
    partials: list[str]

    @classmethod
    def of(cls, tasks: Sequence[dict], receipts: Sequence[Receipt]) -> "Sums":
        """Add the receipts of tasks, which are in the tasks' order."""
        by_kind = {
            kind: merge_receipts(
                kind, [receipt for task, receipt in zip(tasks, receipts, strict=True) if task["kind"] == kind]
            )
            for kind in _KINDS
        }
        states: dict[str, Any] = {kind: state.from_facts(by_kind[kind].facts) for kind, state in _KINDS.items()}
        partials = [task["output"] for task in tasks if task["kind"] == "curated"]
        return cls(**states, samples=choose_samples(by_kind["shards"].outputs), partials=partials)

    def counts_kept(self) -> Any:
        """Yield (lang, counts of entries in kept texts) in the order of languages."""
        return merge_partials(self.partials)


def _read(path: str) -> list[dict[str, Any]]:
    with storage.open_input(path) as file:
        return pq.read_table(file).to_pylist()


def _groups(items: Sequence[Any], count: int) -> list[Sequence[Any]]:
    size = max(1, -(-len(items) // count))
    return [items[start : start + size] for start in range(0, len(items), size)]

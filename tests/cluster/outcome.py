"""What a run leaves behind, without the moments at which it did: two runs with equal outcomes made the same bytes."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.parts import Part
from curation.core.tables import Table
from curation.shards.shard_set import ShardSet

TABLES = ("pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "entries")
TOLD = ("stage", "logic_version", "settings", "rows_in", "rows_out", "drops", "failures", "files")
HOW = ["seconds", "attempts", "offset", "redirects"]
"""Columns of download_status that tell how it went: a run that was stopped has its images in several tars."""


def outcome(run: Path) -> dict[str, Any]:
    """Return the SHA-256 of every file of a run's tables and shards, what its manifests tell, and all downloads."""
    found: dict[str, Any] = {}
    for name in TABLES:
        for index, part in enumerate(Table(str(run / name)).parts()):
            found |= _part(f"{name} {index}", part, Path(part.path).rglob("[!._]*.*"))
    (shards,) = ShardSet(str(run / "shards")).parts()
    found |= _part("shards", shards, [*(run / "shards").glob("*.tar"), *(run / "shards").glob("*.parquet")])
    found["sizes.json"] = (run / "shards" / "sizes.json").read_text()
    status = [pq.read_table(file) for file in Table(str(run / "downloads")).files()]
    found["downloads"] = pa.concat_tables(status).drop_columns(HOW).sort_by("uid").to_pylist()
    return found


def leftovers(run: Path) -> list[str]:
    """Return the paths of what tasks write on their way, and should not leave."""
    marks = (".tmp", ".work", ".spool", ".writer", ".lease", "_slices", "_waiting", "_pass")
    return sorted(
        str(path.relative_to(run))
        for path in run.rglob("*")
        if any(mark in path.name for mark in marks) and not (path.is_dir() and not any(path.iterdir()))
    )


def _part(name: str, part: Part, files: Any) -> dict[str, Any]:
    told = {key: part.manifest[key] for key in TOLD}
    return {f"{name} {file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files} | {name: told}

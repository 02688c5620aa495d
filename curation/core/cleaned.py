"""Cleaned parts: their files are deleted, while their manifests stay and tell it.

A part that later tables were made from is needed no more, as long as nothing is to be made from it again. With its
manifest it still counts as finished; a job that needs its files ends with one line.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST

CLEANED = "cleaned"
"""Key of a manifest: {date, by, recipe, columns}. `recipe` is that of the shards that consume downloads, or empty."""


def mark_cleaned(folder: str, by: str, recipe: str = "", columns: Sequence[str] = ()) -> None:
    """Note in the manifest of a part that its files are deleted, before the first one is. The first note stays."""
    path = storage.join(folder, MANIFEST)
    manifest = storage.read_json(path)
    note = {"date": datetime.now(UTC).date().isoformat(), "by": by, "recipe": recipe, "columns": list(columns)}
    if CLEANED not in manifest:
        storage.write_json(path, {**manifest, CLEANED: note})


def refusal(folder: str, manifest: Mapping[str, Any]) -> str:
    """Return the line for a job that needs the files of a cleaned part."""
    note, table = manifest[CLEANED], folder.rpartition("/")[0]
    unfinished = "give write_shards the settings that it had, or, " if note["recipe"] else ""
    return (
        f"{folder} was cleaned on {note['date']} by {note['by']}, and its files are needed: {unfinished}to make them "
        f"again, delete {table} and run {manifest['stage']}"
    )


def refuse_cleaned(file: str) -> None:
    """Raise HeadtailError if a missing file belongs to a cleaned part."""
    folder = file.rpartition("/")[0]
    path = storage.join(folder, MANIFEST)
    manifest = storage.read_json_if_there(path)
    if isinstance(manifest, dict) and CLEANED in manifest:
        raise HeadtailError(refusal(folder, manifest))

"""Tables of scores as other programs lay them out: the metadata of DataComp, and the folders of clip-retrieval.

DataComp: Parquet with its own `uid` (32 hex digits, of an address with a text), `sha256`, `url`, scores and
`face_bboxes`; an `.npz` of the same name has the features of its rows. clip-retrieval: `metadata/metadata_0.parquet`
with `image_path`, and `img_emb/img_emb_0.npy` with the vectors of its rows. Both have columns of side-cars, too.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.core import storage
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.shards.row_keys import key_of
from curation.shards.vector_rows import npz_members

IMAGE_PATH = "image_path"
"""Key of clip-retrieval: a path whose name is our uid where shards of ours were read."""
METADATA, EMBEDDINGS = "metadata", "img_emb"
EMBEDDING = "embedding"
ARRAYS = (".npy", ".npz")
_OTHER_UID = re.compile("[0-9a-fA-F]{32}")
_NUMBER = re.compile(r"_(\d+)\.(?:parquet|npy)$")
_LOOKED_AT = 100
"""Rows whose keys are looked at."""


@dataclass(frozen=True)
class Vectors:
    """A column of vectors of one Parquet file: the array's file, and its name in there ("": an `.npy`)."""

    column: str
    path: str
    member: str


def layout_files(path: str) -> list[str]:
    """Return the paths that hold a table of scores: the two folders of clip-retrieval, else the path itself."""
    parts = [storage.join(path, name) for name in (METADATA, EMBEDDINGS)]
    return parts if all(storage.exists(part) for part in parts) else [path]


def divide(files: Sequence[FileInfo], setting: str = "scores") -> tuple[list[FileInfo], dict[str, list[Vectors]]]:
    """Return the Parquet files of a table, and the vectors of each by its path; `setting` names it, for messages.

    Raises HeadtailError for an array without a table, and for one that cannot be read.
    """
    tables = [file for file in files if not file.path.endswith(ARRAYS)]
    by_name = {_name_of(file.path): file.path for file in tables}
    found: dict[str, list[Vectors]] = {}
    for file in files:
        if not file.path.endswith(ARRAYS):
            continue
        table = by_name.get(_name_of(file.path))
        if table is None:
            raise HeadtailError(
                f"{setting}: {file.path} has no Parquet file of its name, which would say whose its rows are"
            )
        try:
            members = npz_members(file.path) if file.path.endswith(".npz") else [""]
        except ValueError as error:
            raise HeadtailError(f"{setting}: {file.path} cannot be read: {error}") from error
        found[table] = [Vectors(member or EMBEDDING, file.path, member) for member in members]
    return tables, found


def _name_of(path: str) -> str:
    """Return what a table and its array have in common: the number in clip-retrieval, else all but the ending."""
    folder, name = posixpath.split(path)
    numbered = _NUMBER.search(name)
    if numbered and posixpath.basename(folder) in (METADATA, EMBEDDINGS):
        return storage.join(posixpath.dirname(folder), numbered[1])
    return posixpath.splitext(path)[0]


def other_key(path: str, names: Sequence[str], setting: str = "scores") -> str | None:
    """Return the key of a table of DataComp or clip-retrieval, by its first rows; None for any other table."""
    if "uid" in names and any(_OTHER_UID.fullmatch(value) for value in _first(path, "uid", setting)):
        return next((name for name in ("sha256", "url") if name in names), "uid")
    if IMAGE_PATH in names and not {"uid", "sha256"} & set(names):
        ours = any(score_key(IMAGE_PATH, value) for value in _first(path, IMAGE_PATH, setting))
        return IMAGE_PATH if ours or "url" not in names else "url"
    return None


def _first(path: str, column: str, setting: str) -> list[str]:
    try:
        with storage.open_input(path) as file:
            bounded = BoundedParquet(file)
            if not bounded.group_rows:
                return []
            batch = next(iter(bounded.read_group(0, [column], _LOOKED_AT)), None)
    except ERRORS as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise HeadtailError(f"{setting}: {path} cannot be read: {error}") from error
    return [value for value in batch[column].to_pylist() if isinstance(value, str)] if batch else []


def score_key(kind: str, value: object) -> str | None:
    """Return the key of a row of scores.

    >>> score_key("image_path", "/data/" + "ab" * 12 + ".jpg"), score_key("image_path", "000001")
    ('uabababababababababababab', None)
    """
    if kind == IMAGE_PATH:
        return key_of("uid", posixpath.basename(str(value)).split(".")[0])
    return key_of(kind, value)

"""Tables of captions that users have: their columns, checked before a run, and their rows, dealt to the join."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from curation.core import storage
from curation.core.amounts import join_or
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.receipts import Receipt
from curation.core.table_reader import foreign_schema, open_foreign_file
from curation.shards.attachments import Attached, check_caption_columns, read_captions
from curation.shards.companion_set import NAME
from curation.shards.companions import deal
from curation.shards.datacomp_keys import DATACOMP
from curation.shards.keyed_join import done_once
from curation.shards.scores import LOOKED_AT

KEYS = ("uid", "sha256", "url", DATACOMP)
"""Columns that name the image of a caption: of several the first is taken."""
SPLIT_BYTES = 1 << 30
"""A task reads so much of a file, in whole row groups."""
MAX_NOTES, MAX_NOTE_CHARS = 20, 300
OTHERS = "others"


@dataclass(frozen=True)
class CaptionTable:
    """The captions of one name: the column of their keys, and their files."""

    name: str
    key: str
    files: tuple[FileInfo, ...]


@dataclass(frozen=True)
class DealCaptionsTask:
    """A file of captions or some of its row groups, the number of its table, and the prefix of the slices to write."""

    path: str
    key: str
    groups: tuple[int, ...]
    table: int
    prefix: str
    receipt: str
    buckets: int


def list_captions(captions: Mapping[str, str]) -> dict[str, list[FileInfo]]:
    """Return the files of each name, sorted; raises HeadtailError for an invalid name or a path without a file."""
    for name in captions:
        if not NAME.fullmatch(name):
            raise HeadtailError(
                f"captions.{name[:100]}: a name is 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit"
            )
    return {name: list_files([captions[name]], (".parquet",)) for name in sorted(captions)}


def by_datacomp(tables: Sequence[CaptionTable]) -> bool:
    """Return whether a table names images by DataComp's uids."""
    return any(table.key == DATACOMP for table in tables)


def open_captions(captions: Mapping[str, str]) -> list[CaptionTable]:
    """Return the caption tables by name; raises HeadtailError for columns that cannot be joined. Opens some files."""
    tables = []
    for name, files in list_captions(captions).items():
        key = ""
        for file in files[:LOOKED_AT]:
            schema = foreign_schema(file.path)
            key = key or next((each for each in KEYS if each in schema.names), "")
            expected = {key: f"{key}, the key of files before it" if key else f"{join_or(KEYS)}, the key"}
            if missing := [column for column in (key, "caption") if column not in schema.names]:
                raise HeadtailError(
                    f"captions.{name}: {file.path} has the columns {', '.join(schema.names)[:300]}, "
                    f"expected {expected.get(missing[0], 'caption')}"
                )
            try:
                check_caption_columns(schema, key)
            except ValueError as error:
                raise HeadtailError(f"captions.{name}: {file.path}: {error}") from error
        tables.append(CaptionTable(name, key, tuple(files)))
    return tables


def plan_rows(tables: Sequence[CaptionTable], folder: str, buckets: int) -> list[DealCaptionsTask]:
    """Return the tasks of `deal_captions`: one for each file, several for a file above SPLIT_BYTES."""
    tasks = []
    for number, table in enumerate(tables):
        for place, file in enumerate(table.files):
            for part, groups in enumerate(_split(file)):
                name = f"{number:03d}-{place:06d}-{part:04d}"
                paths = (storage.join(folder, name), storage.join(folder, "receipts", f"{name}.json"))
                tasks.append(DealCaptionsTask(file.path, table.key, groups, number, *paths, buckets))
    return tasks


def _split(file: FileInfo) -> list[tuple[int, ...]]:
    parts = -(-file.size // SPLIT_BYTES)
    if parts <= 1:
        return [()]
    with open_foreign_file(file.path) as opened:
        groups = len(opened.group_rows)
    borders = np.linspace(0, groups, min(parts, groups) + 1).astype(int).tolist()
    return list(itertools.pairwise(borders))


@done_once
def deal_captions(task: DealCaptionsTask) -> Receipt:
    """Write the captions of a file, or of some of its row groups, as slices for the buckets."""
    receipt, facts = Receipt(task.prefix), Counter[str]()
    notes: dict[str, Counter[str]] = {"model": Counter(), "prompt": Counter()}
    groups = range(*task.groups) if task.groups else None
    rows = read_captions(task.path, task.key, groups, facts)
    deal(_with_notes(rows, notes), task.prefix, task.buckets, task.table)
    receipt.rows_in = facts["rows"]
    receipt.drops["faulty_row"] = facts["faulty_rows"]
    receipt.rows_out = facts["rows"] - facts["faulty_rows"]
    receipt.facts.update({f"{name} {task.table}": count for name, count in facts.items()})
    receipt.outputs.append({"table": task.table, **notes})
    return receipt


def _with_notes(rows: Iterable[Attached], notes: Mapping[str, Counter[str]]) -> Iterator[Attached]:
    """Yield the rows, and count their models and prompts: the first MAX_NOTES of each."""
    for row in rows:
        values = msgspec.json.decode(row.value)
        for kind, found in notes.items():
            if text := values.get(kind, "")[:MAX_NOTE_CHARS]:
                found[text if text in found or len(found) < MAX_NOTES else OTHERS] += 1
        yield row

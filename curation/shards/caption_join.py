"""Captions of tables that users have, joined to the samples of a set before it is written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CANDIDATES
from curation.core.table_reader import read_rows
from curation.shards.caption_tables import MAX_NOTES, OTHERS, CaptionTable, by_datacomp, deal_captions, plan_rows
from curation.shards.datacomp_keys import deal_datacomp_keys
from curation.shards.joined import Runner, run_join
from curation.shards.keyed_join import count_buckets, digest_of, write_keys
from curation.shards.sample_captions import CaptionFiles
from curation.shards.sample_json import CAPTION
from curation.shards.selection import CHOSEN
from curation.shards.write import PieceFiles, ShardTask

STRICT = "captions_strict"
KEYS_PER_TASK = 250_000


@dataclass(frozen=True)
class DealKeysTask:
    """Neighbouring shards by number with their pieces, the columns of keys, and the prefix of the slices to write."""

    shards: tuple[tuple[int, tuple[PieceFiles, ...]], ...]
    columns: tuple[str, ...]
    prefix: str
    buckets: int


def join_captions(
    run: Runner,
    shards: Sequence[ShardTask],
    tables: Sequence[CaptionTable],
    pairs: Sequence[str],
    work: str,
    syn_json: bool,
    strict: bool,
) -> tuple[list[ShardTask], dict[str, dict[str, Any]]]:
    """Join the captions with the samples of shards that are to be written.

    `pairs` are the files of pairs where a table has DataComp's uids. Returns the tasks of the shards with the places of
    their captions, and counts by name. Of two rows of one key the first by hash is taken, unless `strict` makes them an
    error. What finished tasks wrote stays after a stop.
    """
    images = sum(piece.end - piece.start for task in shards for piece in task.pieces)
    columns = tuple({"sha256" if table.key == "sha256" else "uid": None for table in tables})
    datacomp = by_datacomp(tables)
    buckets = count_buckets(images * (len(columns) + datacomp), len(tables))
    folder = storage.join(work, "captions")
    keys, rows = storage.join(folder, "keys"), storage.join(folder, f"rows-{buckets}")
    storage.remove(keys)
    dealt_keys = run(deal_keys, plan_keys(shards, columns, images, keys, buckets))
    if datacomp:
        given_pairs = storage.join(folder, f"pairs-{buckets}")
        made = storage.join(folder, f"datacomp-{digest_of(dealt_keys)}")
        dealt_keys += deal_datacomp_keys(run, pairs, keys, given_pairs, made, buckets, len(shards))
    made = storage.join(folder, f"of-{digest_of(dealt_keys)}")
    given = run(deal_captions, plan_rows(tables, rows, buckets))
    fitted, joined = run_join(run, keys, rows, made, buckets, len(shards), strict=STRICT if strict else "")
    names = tuple(table.name for table in tables)
    tasks = [
        replace(task, captions=CaptionFiles(joined.of(number), names, syn_json)) for number, task in enumerate(shards)
    ]
    counts = {table.name: {"key": table.key} | _counts(number, given, fitted) for number, table in enumerate(tables)}
    if strict:  # an earlier run may have joined what this one refuses
        refuse_same_keys(counts)
    return tasks, counts


def with_samples(counts: dict[str, dict[str, Any]], written: Sequence[Receipt]) -> dict[str, dict[str, Any]]:
    """Return the counts by name with those of the samples: with a caption, without, and with another by another key."""
    total = merge_receipts("captions", written)
    found = {}
    for name, mine in counts.items():
        having = total.facts[f"with_{CAPTION}{name}"]
        further = total.facts[f"further_{CAPTION}{name}"]
        samples = {"samples_with": having, "samples_without": total.rows_out - having, "further_keys": further}
        found[name] = mine | samples
    return found


def refuse_same_keys(counts: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise HeadtailError if one of several captions of one key was taken, which captions_strict forbids."""
    if names := [name for name, mine in counts.items() if mine["same_key"]]:
        raise HeadtailError(
            f"{STRICT}=true: {counts[names[0]]['same_key']:,} rows of captions.{names[0]} have the key of another row, "
            "and the first of each by hash was taken: give each key once, or set it to false"
        )


def _counts(table: int, given: Sequence[Receipt], fitted: Receipt) -> dict[str, Any]:
    """Return the counts of a table; rows are faulty, fit no image, have the key of another row, or are joined."""
    dealt = merge_receipts("captions", given)
    counts = {name: dealt.facts[f"{name} {table}"] for name in ("rows", "faulty_rows")}
    counts |= {name: fitted.facts[f"{name} {table}"] for name in ("fits_no_image", "same_key")}
    counts["joined"] = counts["rows"] - counts["faulty_rows"] - counts["fits_no_image"] - counts["same_key"]
    notes = {}
    for kind in ("model", "prompt"):
        merged: Counter[str] = Counter()
        for output in dealt.outputs:
            if output["table"] == table:
                merged.update(output[kind])
        others = merged.pop(OTHERS, 0)
        ranked = sorted(merged.items(), key=lambda item: (-item[1], item[0]))
        others += sum(count for _, count in ranked[MAX_NOTES:])
        notes[f"{kind}s"] = dict(ranked[:MAX_NOTES]) | ({OTHERS: others} if others else {})
    return counts | {name: found for name, found in notes.items() if found}


def plan_keys(
    shards: Sequence[ShardTask], columns: tuple[str, ...], images: int, folder: str, buckets: int
) -> list[DealKeysTask]:
    """Return the tasks of `deal_keys`: each is for so many shards that they have about KEYS_PER_TASK keys."""
    each = max(1, len(shards) * KEYS_PER_TASK // max(1, images * len(columns)))
    starts = range(0, len(shards), each)
    pieces = [(number, task.pieces) for number, task in enumerate(shards)]
    return [
        DealKeysTask(tuple(pieces[start : start + each]), columns, storage.join(folder, f"{start:06d}"), buckets)
        for start in starts
    ]


def deal_keys(task: DealKeysTask) -> Receipt:
    """Write the keys of the samples of some shards as slices for the buckets."""
    receipt = Receipt(task.prefix)

    def keys() -> Iterator[tuple[list[str], int, np.ndarray]]:
        for number, pieces in task.shards:
            first = 0
            for piece in pieces:
                chosen = read_rows(piece.survivors, CHOSEN, ["place"]).slice(piece.start, piece.end - piece.start)
                rows = read_rows(piece.candidates, CANDIDATES, list(task.columns)).take(chosen["place"])
                for column in task.columns:
                    mine = [f"{column[0]}{value}" for value in rows[column].to_pylist()]
                    yield mine, number, np.arange(first, first + rows.num_rows)
                first += rows.num_rows
            receipt.rows_in += first

    receipt.outputs.append({"digest": write_keys(task.prefix, keys(), task.buckets)})
    receipt.rows_out = receipt.rows_in
    return receipt

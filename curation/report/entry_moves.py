"""The entries whose numbers differ most between runs, from their tables `entries`, a language at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.targets import EntryTargets, targets_of
from curation.core.schemas import ENTRIES
from curation.core.table_reader import open_table_file
from curation.report.compared_runs import ComparedRun

SHOWN_MOVES = 20
MEASURES = ("in_shards", "expected", "balanced")
"""What is compared: the first that all runs have. `balanced` is min(count, t), with the t of the entry."""
_NAMES = ["lang", "entry"]


@dataclass(frozen=True)
class Moves:
    """The entries that moved most: the measure, and for each run but the first those that gained and lost most.

    A move has the keys lang, entry, before (of the first run) and after.
    """

    measure: str
    gained: list[list[dict[str, Any]]]
    lost: list[list[dict[str, Any]]]


def entry_moves(runs: Sequence[ComparedRun]) -> Moves | None:
    """Return the moves; None where a run has no such table, or no measure is known in all of them.

    Entries are compared by their words, so lists may differ. Memory holds a language of two runs.
    """
    files = [[file for part in run.parts("entries") for file in part.files] for run in runs]
    if not all(files):
        return None
    thresholds = [{row["lang"]: row["t"] for row in run.values["languages"] if row.get("t")} for run in runs]
    targets = [next((targets_of(part) for part in run.parts("thresholds")), None) for run in runs]
    measures = [{name for name in MEASURES if _has(*each, name)} for each in zip(files, thresholds, strict=True)]
    measure = next((name for name in MEASURES if all(name in known for known in measures)), None)
    if measure is None:
        return None
    langs = sorted({lang for each in files for lang in _langs(each)})
    gained: list[pa.Table | None] = [None] * (len(runs) - 1)
    lost: list[pa.Table | None] = [None] * (len(runs) - 1)
    for lang in langs:
        first = _numbers(files[0], lang, measure, thresholds[0].get(lang), targets[0])
        for k in range(len(runs) - 1):
            other = _numbers(files[k + 1], lang, measure, thresholds[k + 1].get(lang), targets[k + 1])
            moved = _moved(lang, first, other)
            gained[k], lost[k] = _top(gained[k], moved, "descending"), _top(lost[k], moved, "ascending")
    return Moves(measure, [_rows(each, 1) for each in gained], [_rows(each, -1) for each in lost])


def _has(files: Sequence[str], thresholds: dict[str, float], measure: str) -> bool:
    """Return whether a table has a measure: whole columns are null where it is not known."""
    if measure == "balanced":
        return bool(thresholds) and _has(files, {}, "count")
    for path in files:
        with open_table_file(path, ENTRIES) as file:
            place = file.schema_arrow.names.index(measure)
            groups = [file.metadata.row_group(k).column(place).statistics for k in range(file.metadata.num_row_groups)]
            if any(each is not None and each.has_null_count and each.null_count for each in groups):
                return False
    return True


def _langs(files: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for path in files:
        with open_table_file(path, ENTRIES) as file:
            for batch in file.iter_batches(columns=["lang"]):
                found |= set(pc.unique(batch["lang"]).to_pylist())
    return found


def _numbers(files: Sequence[str], lang: str, measure: str, t: float | None, targets: EntryTargets | None) -> pa.Table:
    """Return columns `entry`, `value` (float64) and `whole` of a language; `whole` is the value before a cap at t.

    `t` and `targets` are those of the run.
    """
    column = "count" if measure == "balanced" else measure
    number = pa.array([], pa.float64())
    tables = [pa.table({"entry": pa.array([], pa.string()), "value": number, "whole": number})]
    for batch in _batches(files, lang, column):
        whole = values = batch[column].cast(pa.float64())
        if measure == "balanced" and t is not None:
            ids = batch["entry_id"].to_numpy()
            has_targets = targets and lang in targets.by_lang and len(ids)
            ts = targets.thresholds(lang, t, int(ids.max()) + 1)[ids] if targets and has_targets else t
            values = pc.min_element_wise(whole, ts)
        tables.append(pa.table({"entry": batch["entry"], "value": values, "whole": whole}))
    return pa.concat_tables(tables)


def _batches(files: Sequence[str], lang: str, column: str) -> Iterator[pa.RecordBatch]:
    for path in files:
        with open_table_file(path, ENTRIES) as file:
            for k in range(file.metadata.num_row_groups):
                found = file.metadata.row_group(k).column(0).statistics
                if found is None or not found.has_min_max or found.min <= lang <= found.max:
                    for batch in file.iter_batches(row_groups=[k], columns=["lang", "entry_id", "entry", column]):
                        yield batch.filter(pc.equal(batch["lang"], lang))


def _moved(lang: str, first: pa.Table, other: pa.Table) -> pa.Table:
    """Return the entries of a language with other numbers: lang, entry, before, after, change, and `whole` of both."""
    joined = first.join(other, "entry", join_type="full outer", left_suffix="", right_suffix=" after")
    before, after, one, two = (
        pc.fill_null(joined[name], 0.0) for name in ("value", "value after", "whole", "whole after")
    )
    langs = pa.array([lang]).take(pa.nulls(joined.num_rows, pa.int32()).fill_null(0))
    change = pc.subtract(after, before)
    numbers = {"before": before, "after": after, "change": change, "whole": pc.add(one, two)}
    table = pa.table({"lang": langs, "entry": joined["entry"], **numbers})
    return table.filter(pc.not_equal(change, 0.0))


def _top(best: pa.Table | None, more: pa.Table, order: str) -> pa.Table:
    """Return the SHOWN_MOVES rows of two tables with the largest or smallest change.

    Another t moves each entry above it by the same number, so ties have the largest `whole` first, then words in order.
    """
    rows = more if best is None else pa.concat_tables([best, more])
    keys = [("change", order), ("whole", "descending"), *((name, "ascending") for name in _NAMES)]
    return rows.take(pc.sort_indices(rows, sort_keys=keys)[:SHOWN_MOVES])


def _rows(table: pa.Table | None, sign: int) -> list[dict[str, Any]]:
    rows = [] if table is None else table.drop_columns(["change", "whole"]).to_pylist()
    return [row for row in rows if (row["after"] - row["before"]) * sign > 0]

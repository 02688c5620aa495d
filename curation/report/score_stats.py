"""The distributions of the scores in side-cars: counted in fine bins on a logarithmic scale, which add up.

A bin holds the numbers whose single-precision form begins with the same 17 bits (sign, exponent, eight of the
mantissa), so a number is known but for 0.4% of itself; integers up to 512 are exact.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_SCORES = 40
"""Columns that are counted."""
MISSING = "missing"
_SHIFT = 15


def numeric_scores(schema: pa.Schema, names: Sequence[str]) -> list[str]:
    """Return the first MAX_SCORES of some columns that are numbers, or yes and no; the file may lack some."""
    found = [name for name in names if name in schema.names and _is_number(schema.field(name).type)]
    return found[:MAX_SCORES]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def count_scores(counter: Counter[str], batch: pa.RecordBatch, names: Sequence[str]) -> None:
    """Count the scores of a batch by `bin:name`; nulls and numbers that are none by `missing:name`."""
    for name in names:
        values = pc.fill_null(batch[name].cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
        known = values[~np.isnan(values)]
        counter[f"{MISSING}:{name}"] += len(values) - len(known)
        bins, counts = np.unique(_bins(known), return_counts=True)
        counter.update({f"{bin_}:{name}": n for bin_, n in zip(bins.tolist(), counts.tolist(), strict=True)})


def _bins(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    size = (bits & 0x7FFFFFFF) >> _SHIFT
    return np.where(bits < 0, -size, size)


def _value(number: int) -> float | None:
    """Return the end of a bin that is nearer to 0; None for an infinite one, which JSON does not have."""
    size = float(np.array(abs(number) << _SHIFT, np.int32).view(np.float32))
    return (-size if number < 0 else size) if np.isfinite(size) else None


def score_values(counter: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return rows {name, values, missing, deciles}: numbers at 0%, 10%, ... 100%, by name.

    >>> score_values({"missing:clip": 1, "32512:clip": 1, "32256:clip": 3})
    [{'name': 'clip', 'values': 4, 'missing': 1, 'deciles': [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0]}]
    """
    by_name: dict[str, dict[int, int]] = {}
    missing: Counter[str] = Counter()
    for key, count in counter.items():
        number, _, name = key.partition(":")
        bins = by_name.setdefault(name, {})
        if number == MISSING:
            missing[name] += count
        else:
            bins[int(number)] = count
    rows = []
    for name in sorted(by_name):
        numbers = sorted(by_name[name])
        sums = np.cumsum([by_name[name][number] for number in numbers])
        total = int(sums[-1]) if len(sums) else 0
        ranks = [max(0, -(-total * k // 10) - 1) for k in range(11)] if total else []
        at = np.searchsorted(sums, ranks, side="right").tolist() if total else []
        deciles = [_value(numbers[index]) for index in at]
        rows.append({"name": name, "values": total, "missing": missing[name], "deciles": deciles})
    return rows

"""An estimate as values for JSON, for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from curation.report.estimate import (
    Assumptions,
    StageEstimate,
    by_peer,
    dollars,
    dollars_a_month,
    dollars_kept,
    estimate,
    good_buckets,
    list_bytes,
    until_curated,
)
from curation.report.figures import sitting

_SUMMED = ("read_bytes", "shuffle_bytes", "table_bytes", "out_bytes")


def estimate_values(assumed: Assumptions) -> dict[str, Any]:
    """Return the estimate: assumptions, the stages with their sums, and the notes of the text (docs/scale.md)."""
    stages = estimate(assumed)
    return {
        "assumptions": asdict(assumed),
        "measured": asdict(sitting()),
        "stages": [_stage_values(stage, assumed) for stage in stages],
        "until_curated": _sums(until_curated(stages), assumed),
        "all": _sums(stages, assumed),
        "dollars_kept": dollars_kept(stages, assumed),
        "entry_list_bytes": list_bytes(assumed),
        "buckets": good_buckets(stages),
    }


def _stage_values(stage: StageEstimate, assumed: Assumptions) -> dict[str, Any]:
    other = by_peer(stage, assumed)
    return {
        "stage": stage.stage,
        "unit": stage.unit,
        "rows_in": stage.rows_in,
        "rows_out": stage.rows_out,
        "worker_gib": stage.memory,
        **_sums([stage], assumed),
        "other": {"name": other[0].name, "core_hours": other[1], "source": other[0].source} if other else None,
    }


def _sums(stages: Sequence[StageEstimate], assumed: Assumptions) -> dict[str, float]:
    seconds = sum(stage.core_seconds for stage in stages)
    return {
        "core_hours": seconds / 3600,
        "seconds": seconds / assumed.cores,
        **{name: sum(getattr(stage, name) for stage in stages) for name in _SUMMED},
        "dollars": sum(dollars(stage, assumed.prices) for stage in stages),
        "dollars_a_month": sum(dollars_a_month(stage, assumed.prices) for stage in stages),
    }

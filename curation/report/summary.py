"""What a reader asks first: badges (yes, no, not checked), and alerts of what may be wrong with a data set.

All is computed from the values of report.json, so that it says no more than they do.
"""

import re
from collections.abc import Mapping
from typing import Any

from curation.core.amounts import counted

Values = dict[str, Any]
YES, NO, NOT_CHECKED = "yes", "no", "not checked"
LOW_SUCCESS = 0.5
LARGE_HOST = 0.05
FEW_SAMPLES = 1_000
_UNSAFE = re.compile(r"nsfw|unsafe|safety|porn|sexual|nud(?:e|ity)", re.IGNORECASE)
_TEST_SETS = re.compile(r"decontam|benchmark|eval|test.?set|held.?out", re.IGNORECASE)


def badges(stages: Mapping[str, Values]) -> list[Values]:
    """Return rows {name, state, detail} from the settings of the stages by name, as `stage_values` returns them."""
    names = ("extract_pairs", "download_images", "write_shards")
    extract, download, shards = (stages[name]["settings"] if name in stages else None for name in names)
    return [
        _language(extract),
        _opt_outs(extract, download, shards),
        _near(shards),
        _unsafe(shards),
        _test_sets(extract, shards),
    ]


def _badge(name: str, state: str, detail: str) -> Values:
    return {"name": name, "state": state, "detail": detail}


def _language(extract: Values | None) -> Values:
    name = "Language"
    if extract is None:
        return _badge(name, NOT_CHECKED, "the pairs are not of this run")
    if extract.get("language.rule") == "careful":
        return _badge(name, YES, "decided by the careful rule: script, page and classifier")
    if extract.get("language.model") in (None, "", "none"):
        return _badge(name, NOT_CHECKED, "all texts count as one language that was given")
    return _badge(name, YES, "decided by a classifier")


def _opt_outs(extract: Values | None, download: Values | None, shards: Values | None) -> Values:
    name = "Opt-outs"
    lists = [*((extract or {}).get("urls.removals") or []), *((shards or {}).get("removals") or [])]
    listed = "; images on removal lists left out" if lists else ""
    if download is None:
        return _badge(name, YES, listed[2:]) if lists else _badge(name, NOT_CHECKED, "no image was asked for")
    asked = [f"X-Robots-Tag ({', '.join(map(str, tags))})"] if (tags := download.get("opt_out")) else []
    if asked := [*asked, *(str(way) for way in download.get("obey") or ())]:
        return _badge(name, YES, f"honoured: {', '.join(asked)}{listed}")
    return (
        _badge(name, YES, listed[2:]) if lists else _badge(name, NO, "X-Robots-Tag was ignored, and no list was given")
    )


def _near(shards: Values | None) -> Values:
    name = "Near duplicates"
    if shards is None:
        return _badge(name, NOT_CHECKED, "no shards were written")
    if way := shards.get("filters.near_duplicates"):
        how = f"embedding (cosine {shards.get('filters.near_cosine')})" if way == "embedding" else "perceptual hash"
        return _badge(name, YES, f"removed by {how}, like images with the same bytes")
    return _badge(name, NO, "kept; only images with the same bytes were removed")


def _unsafe(shards: Values | None) -> Values:
    name = "NSFW"
    if shards and _UNSAFE.search(str(shards.get("filter") or "")):
        return _badge(name, YES, "a filter over score columns decided")
    return _badge(name, NOT_CHECKED, "no filter reads a safety score")


def _test_sets(extract: Values | None, shards: Values | None) -> Values:
    name = "Decontamination"
    lists = [*((extract or {}).get("urls.removals") or []), *((shards or {}).get("removals") or [])]
    named = [str(each) for each in [*lists, (shards or {}).get("filter") or ""] if _TEST_SETS.search(str(each))]
    if shards and (tables := shards.get("benchmark_images")):
        bits = shards.get("benchmark_distance", 0)
        cosine = f", embeddings with a cosine of {least}" if (least := shards.get("benchmark_cosine")) else ""
        near = f"perceptual hashes up to {bits} bits apart{cosine}"
        named += [f"images of benchmarks ({counted(len(tables), 'files')}, {near})"]
    if named:
        return _badge(name, YES, f"left out: {', '.join(named)}")
    return _badge(name, NOT_CHECKED, "no list or filter names test sets")


def alerts(report: Values) -> list[str]:
    """Return a sentence on each thing that a reader should know before using the data."""
    found = []
    downloads = report["downloads"]
    arrived = sum(row["count"] for row in downloads["statuses"] if row["status"] == "success")
    if downloads["attempted"] and arrived < LOW_SUCCESS * downloads["attempted"]:
        found.append(f"Only {arrived / downloads['attempted']:.0%} of the images could be downloaded.")
    kept = report["domains"]["images_kept"]
    found += [
        f"{row['domain'][:80]} has {row['images_kept'] / kept:.0%} of the kept images."
        for row in report["domains"]["rows"]
        if row["images_kept"] > LARGE_HOST * kept
    ]
    unit = "samples" if report["shards"] else "kept images"
    key = "samples" if report["shards"] else "images_kept"
    few = [row for row in report["languages"] if row["matches"] and row[key] < FEW_SAMPLES]
    if few:
        named = ", ".join(f"{row['name']} ({row[key]:,})" for row in few[:8])
        more = f" and {len(few) - 8} more" if len(few) > 8 else ""
        found.append(f"Fewer than {FEW_SAMPLES:,} {unit}: {named}{more}.")
    if even := [f"{row['name']} (t = {row['t']:.2g})" for row in report["languages"] if (row["t"] or 1) < 1]:
        more = f" and {len(even) - 8} more" if len(even) > 8 else ""
        found.append(f"With a t below 1, rare entries are thinned like frequent ones: {', '.join(even[:8])}{more}.")
    if poor := [row["task"] for row in report["benchmarks"] if row["alert"]]:
        named = ", ".join(poor[:3]) + (f" and {len(poor) - 3} more" if len(poor) > 3 else "")
        found.append(f"A tenth or more of the classes of benchmarks have no text or sample: {named}.")
    if report["failures"]["total"]:
        found.append(f"Reading failed at {report['failures']['total']:,} places of the inputs.")
    return found


def cost_values(stages: Mapping[str, Any], price_core_hour: float) -> Values:
    """Return core-hours, hours, bytes read and written, and the price of the computing, by stage and in all.

    `stages` are `StageTotals` by name. Core-hours are those that tasks were at work; a stage that ran in several parts
    has the sum of them.
    """
    rows = [
        {
            "stage": name,
            "core_hours": stage.task_seconds / 3600,
            "hours": stage.seconds / 3600,
            "read_bytes": stage.receipt.facts["bytes_read"] + stage.receipt.facts["source_bytes"],
            "written_bytes": stage.bytes,
        }
        for name, stage in stages.items()
    ]
    total = {key: sum(row[key] for row in rows) for key in ("core_hours", "hours", "read_bytes", "written_bytes")}
    return {"stages": rows, **total, "price_core_hour": price_core_hour, "price": total["core_hours"] * price_core_hour}

"""The values of report.json, put together from manifests, thresholds and the sums of statistics."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from curation.balancing.counts import NO_COUNTS, CountFiles
from curation.core.receipts import Receipt
from curation.report.page import FORMAT
from curation.report.reasons import STAGES, meaning
from curation.report.run_tables import Stage, Sums
from curation.report.stats import (
    ASPECT_STEP,
    BYTE_STEP,
    ENTRIES_PER_TEXT,
    PIXEL_STEP,
    TEXTS_PER_IMAGE,
    DownloadStats,
    ShardStats,
    TextStats,
)
from curation.report.summaries import coarse_bins, compare_counts, named_bins

LANGUAGES_IN_FULL = 12
"""Languages with a curve and their most frequent entries, those with the most matches."""
FAILURES = 200

Values = dict[str, Any]


def stage_values(stage: Stage) -> Values:
    """Return a stage of the funnel; its receipt balances, or AssertionError is raised."""
    receipt, text = stage.receipt.check(), STAGES[stage.name]
    drops = [{"reason": r, "meaning": meaning(r, stage.name), "count": n} for r, n in receipt.drops.most_common() if n]
    return {
        "stage": stage.name,
        "label": text.label,
        "does": text.does,
        "unit": text.unit,
        "rows_in": receipt.rows_in,
        "rows_out": receipt.rows_out,
        "drops": drops,
        "facts": dict(sorted(receipt.facts.items())),
        "parts": stage.parts,
        "seconds": round(stage.seconds, 3),
        "settings": stage.settings,
    }


def download_stage(stage: Stage, stats: DownloadStats) -> Stage:
    """Return the stage with each image counted once, by its last status, however often it was tried."""
    drops = Counter(stats.statuses)
    arrived = drops.pop("success", 0)
    receipt = Receipt(stage.name, drops.total() + arrived, arrived, drops, stage.receipt.facts)
    return replace(stage, receipt=receipt)


def overview_values(stages: Mapping[str, Stage], matched: TextStats) -> list[Values]:
    """Return the steps from records to samples, as far as the run went."""
    steps: list[tuple[str, str, int, bool]] = []
    if extract := stages.get("extract_pairs"):
        facts = extract.receipt.facts
        steps += [("Records read", "records", facts["records_read"], False)] if facts["records_read"] else []
        steps += [("Image links", "image links", facts["image_links"], False)]
        steps += [("Image-text pairs", "pairs", extract.receipt.rows_out, False)]
    steps += [("Images with a match", "images", matched.texts_per_image.total(), False)]
    labels = {
        "balance_pairs": ("Images kept", "balanced images"),
        "download_images": ("Images downloaded", "images"),
        "write_shards": ("Samples written", "training samples"),
    }
    for name, (label, unit) in labels.items():
        if name in stages:
            steps.append((label, unit, stages[name].receipt.rows_out, True))
    headline = next((unit for _, unit, _, _ in steps if unit == "image links"), steps[0][1])
    return [
        {"label": label, "unit": unit, "count": count, "balanced": balanced, "headline": unit == headline}
        for label, unit, count, balanced in steps
    ]


def language_values(
    lists: Mapping[str, Values],
    thresholds: Mapping[str, Values],
    matched: TextStats,
    curated: TextStats,
    shards: ShardStats,
    counts: Mapping[str, Values],
) -> list[Values]:
    """Return a row per entry list, the language with the most matches first.

    `lists` are the outputs of `read_entries` with a `name`, `thresholds` the rows of the table, `counts` what
    `compare_counts` gives, each by language.
    """
    rows = []
    for lang, found_list in lists.items():
        found, threshold = counts.get(lang, {}), thresholds.get(lang, {})
        rows.append(
            {
                "lang": lang,
                "name": found_list["name"],
                "t": threshold.get("t"),
                "tail_share": threshold.get("tail_share"),
                "entries": found_list["entries"],
                "entries_matched": found.get("entries_matched", 0),
                "matches": found.get("matches_before", 0),
                "matches_kept": found.get("matches_after", 0),
                "texts": matched.texts[lang],
                "texts_kept": curated.texts[lang],
                "images_kept": curated.images[lang],
                "samples": shards.langs[lang],
            }
        )
    return sorted(rows, key=lambda row: (-row["matches"], -row["entries"], row["lang"]))


def biggest_languages(counts: Mapping[str, Values]) -> list[str]:
    """Return the languages that are shown in full."""
    return sorted(counts, key=lambda lang: (-counts[lang]["matches_before"], lang))[:LANGUAGES_IN_FULL]


def needed_entries(counts: Mapping[str, Values], samples: Iterable[Values]) -> list[tuple[str, int]]:
    """Return (lang, entry_id) of all entries that the report names."""
    tops = (
        (lang, one["entry_id"])
        for lang in biggest_languages(counts)
        for key in ("top_before", "top_after")
        for one in counts[lang][key]
    )
    texts = ((text["lang"], i) for sample in samples for text in sample["texts"] for i in text["entry_ids"])
    return [*tops, *texts]


def entry_values(rows: Sequence[Values], counts: Mapping[str, Values], lists: Mapping[str, Values]) -> list[Values]:
    """Return curves and most frequent entries of the biggest languages, in their order; `rows` are those of all."""
    by_lang = {row["lang"]: row for row in rows}
    values = []
    for lang in biggest_languages(counts):
        names = lists[lang]["texts"]
        found = dict(counts[lang])
        for key in ("top_before", "top_after"):
            found[key] = [one | {"entry": names[str(one["entry_id"])]} for one in found[key]]
        values.append({key: by_lang[lang][key] for key in ("lang", "name", "t", "entries")} | found)
    return values


def sample_values(samples: Iterable[Values], lists: Mapping[str, Values]) -> list[Values]:
    """Return the samples with the entries of their texts in words."""

    def text(values: Values) -> Values:
        names = lists[values["lang"]]["texts"]
        return values | {"entries": [names[str(i)] for i in values["entry_ids"]]}

    return [sample | {"texts": [text(one) for one in sample["texts"]]} for sample in samples]


def compare_languages(
    before: CountFiles, after: Iterable[tuple[str, np.ndarray]], thresholds: Mapping[str, Values]
) -> dict[str, Values]:
    """Return `compare_counts` of every language of `before`; `after` comes in the order of languages."""
    found: dict[str, Values] = {}
    kept = iter(after)
    lang_kept, counts_kept = next(kept, ("", NO_COUNTS))
    for lang in before.langs():
        same = lang == lang_kept
        t = thresholds[lang]["t"] if lang in thresholds else None
        found[lang] = compare_counts(before.load(lang), counts_kept if same else NO_COUNTS, t)
        if same:
            lang_kept, counts_kept = next(kept, ("", NO_COUNTS))
    return found


def download_values(stats: DownloadStats) -> Values:
    """Return what came of the downloads."""
    return {
        "attempted": stats.statuses.total(),
        "bytes": stats.bytes["source"],
        "statuses": [
            {"status": status, "meaning": meaning(status), "count": count, "http": _codes(stats, status)}
            for status, count in stats.statuses.most_common()
        ],
    }


def _codes(stats: DownloadStats, status: str) -> dict[str, int]:
    """The HTTP status codes of the images with a status, the most frequent first."""
    found = ((key.rpartition(" "), count) for key, count in stats.http.most_common())
    return {code: count for (name, _, code), count in found if name == status}


def image_values(stats: ShardStats) -> Values:
    """Return the sizes of the samples' images as histograms."""
    steps = {"width": PIXEL_STEP, "height": PIXEL_STEP, "aspect": ASPECT_STEP, "bytes": BYTE_STEP}
    sizes = {name: coarse_bins(getattr(stats, name), step) for name, step in steps.items()}
    return {"types": dict(stats.types.most_common()), **sizes}


def failure_values(stages: Iterable[Stage]) -> Values:
    """Return the faults of inputs, the first of them in full."""
    rows = [
        {key: failure.get(key) for key in ("file", "offset", "error", "records_read")}
        for stage in stages
        for failure in stage.receipt.failures
    ]
    return {"total": len(rows), "rows": rows[:FAILURES]}


def never_matching_values(lists: Mapping[str, Values]) -> Values:
    """Return the entries that can never match, and some of them."""
    languages = [
        {"lang": lang, "name": one["name"], "count": one["never"], "examples": one["examples"]}
        for lang, one in lists.items()
        if one["never"]
    ]
    languages.sort(key=lambda row: (-row["count"], row["lang"]))
    return {"total": sum(row["count"] for row in languages), "languages": languages}


@dataclass(frozen=True)
class Found:
    """All that a report is made of.

    By language: `counts` as of `compare_counts`, `thresholds` rows, `lists` as of `named_lists`. `samples` are as of
    `read_previews`, `second_balance` and `shards` (`written`) as of `RunTables`.
    """

    stages: Mapping[str, Stage]
    sums: Sums
    counts: Mapping[str, Values]
    thresholds: Mapping[str, Values]
    lists: Mapping[str, Values]
    samples: Sequence[Values]
    second_balance: Values | None
    shards: Values | None


def report_values(found: Found, run: Values, metadata: Values) -> Values:
    """Return the whole of report.json; `run` and `metadata` hold what no table tells."""
    sums, stages = found.sums, dict(found.stages)
    if "download_images" in stages:
        stages["download_images"] = download_stage(stages["download_images"], sums.downloads)
    first = next(iter(stages.values()))
    versions = {name: version for stage in stages.values() for name, version in stage.versions.items()}
    entries = sum(one["entries"] for one in found.lists.values())
    languages = language_values(found.lists, found.thresholds, sums.matches, sums.curated, sums.shards, found.counts)
    return {
        "format": FORMAT,
        "run": {
            **run,
            "versions": versions,
            "inputs": {"files": first.inputs, "bytes": first.receipt.facts["bytes_read"]},
            "metadata": {**metadata, "languages": len(found.lists), "entries": entries},
        },
        "overview": overview_values(stages, sums.matches),
        "stages": [stage_values(stage) for stage in stages.values()],
        "languages": languages,
        "entries": entry_values(languages, found.counts, found.lists),
        "entries_per_text": named_bins(ENTRIES_PER_TEXT, sums.matches.entries_per_text, sums.curated.entries_per_text),
        "texts_per_image": named_bins(TEXTS_PER_IMAGE, sums.matches.texts_per_image, sums.curated.texts_per_image),
        "downloads": download_values(sums.downloads),
        "images": image_values(sums.shards),
        "shards": found.shards,
        "samples": sample_values(found.samples, found.lists),
        "failures": failure_values(stages.values()),
        "second_balance": found.second_balance,
        "never_matching": never_matching_values(found.lists),
    }


def named_lists(outputs: Iterable[Values], names: Mapping[str, Any]) -> dict[str, Values]:
    """Return the outputs of `read_entries` by language, each with its `name`; `names` are languages by code."""

    def name(lang: str) -> str:
        return names[lang].name if lang in names else "Other languages" if lang == "other" else lang

    return {one["lang"]: one | {"name": name(one["lang"])} for one in outputs}


def in_order(samples: Iterable[Values], chosen: Sequence[Values]) -> list[Values]:
    """Return samples in the order in which they were chosen."""
    place = {one["uid"]: index for index, one in enumerate(chosen)}
    return sorted(samples, key=lambda sample: place[sample["uid"]])

"""The values of report.json, computed from the run's manifests, thresholds and counters (`run_tables`, `stats`)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from curation.core.amounts import are, counted
from curation.core.languages import LANGUAGES, OTHER
from curation.core.receipts import Receipt
from curation.report.examples import Example
from curation.report.page import FORMAT
from curation.report.previews import ListSummary
from curation.report.reasons import STAGES, meaning
from curation.report.run_tables import RunTotals, StageTotals
from curation.report.score_stats import score_values
from curation.report.shown_entries import NAMED, largest_languages
from curation.report.stats import (
    ASPECT_STEP,
    BYTE_STEP,
    CHARACTERS,
    ENTRIES_PER_TEXT,
    PIXEL_STEP,
    TEXTS_PER_IMAGE,
    WORDS,
    DownloadStats,
    SampleDraw,
    ShardStats,
    TextStats,
)
from curation.report.summaries import coarse_bins, named_bins
from curation.report.summary import alerts, badges, cost_values

MAX_FAILURES = 200
MAX_KEYS = 20
MARKS = ("characters", "words", "over_least", "over_most", "email", "phone")

Values = dict[str, Any]


def stage_values(stage: StageTotals) -> Values:
    """Return a stage of the funnel; raises AssertionError if its receipt does not balance."""
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


def download_stage(stage: StageTotals, stats: DownloadStats) -> StageTotals:
    """Return the totals of download_images with each image counted once, by its last status.

    The manifests count an image in each generation that tried it.
    """
    drops = Counter(stats.statuses)
    arrived = drops.pop("success", 0)
    receipt = Receipt(stage.name, drops.total() + arrived, arrived, drops, stage.receipt.facts)
    return replace(stage, receipt=receipt)


def overview_values(stages: Mapping[str, StageTotals], matched: TextStats) -> list[Values]:
    """Return the steps from records to samples that the run completed."""
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


def language_name(lang: str) -> str:
    """Return the English name of a language.

    >>> language_name("de"), language_name("other"), language_name("xx")
    ('German', 'Other languages', 'xx')
    """
    if lang in LANGUAGES:
        return LANGUAGES[lang].name
    return "Other languages" if lang == OTHER else lang


def language_values(
    lists: Iterable[ListSummary],
    thresholds: Mapping[str, Values],
    totals: RunTotals,
    counts: Mapping[str, Values],
) -> list[Values]:
    """Return a row for each entry list, the language with the most matches first.

    `thresholds` are the rows of the table by language, `counts` the results of `compare_counts` by language.
    """
    rows = []
    for entry_list in lists:
        lang = entry_list.lang
        compared, threshold = counts.get(lang, {}), thresholds.get(lang, {})
        rows.append(
            {
                "lang": lang,
                "name": language_name(lang),
                "t": threshold.get("t"),
                "tail_share": threshold.get("tail_share"),
                "entries": entry_list.entries,
                "entries_matched": compared.get("entries_matched", 0),
                "matches": compared.get("matches_before", 0),
                "matches_kept": compared.get("matches_after", 0),
                "texts": totals.matches.texts[lang],
                "texts_kept": totals.curated.texts[lang],
                "images_kept": totals.curated.images[lang],
                "samples": totals.shards.langs[lang],
            }
        )
    return sorted(rows, key=lambda row: (-row["matches"], -row["entries"], row["lang"]))


def entry_values(rows: Sequence[Values], inputs: "ReportInputs") -> list[Values]:
    """Return the curves, the named entries and the head and tail of the largest languages.

    `rows` are those of `language_values`.
    """
    by_lang = {row["lang"]: row for row in rows}
    values = []
    for lang in largest_languages(inputs.counts):
        listed = inputs.lists[lang]
        compared = {**inputs.counts[lang], **inputs.head_tails[lang], "sources": listed.sources}
        for key in ("top_before", "top_after", *NAMED):
            compared[key] = [entry | {"entry": listed.texts[str(entry["entry_id"])]} for entry in compared[key]]
        for entry in compared["tail_entries"]:
            entry["text"] = inputs.tail_texts.get((lang, entry["entry_id"]))
        compared["zero"] = by_lang[lang]["entries"] - compared["entries_matched"]
        values.append({key: by_lang[lang][key] for key in ("lang", "name", "t", "entries")} | compared)
    return values


def sample_values(samples: Iterable[Values], lists: Mapping[str, ListSummary]) -> list[Values]:
    """Return the samples with the texts of the entries that each of their texts matched."""

    def with_entries(text: Values) -> Values:
        texts = lists[text["lang"]].texts
        return text | {"entries": [texts[str(i)] for i in text["entry_ids"]]}

    return [sample | {"texts": [with_entries(text) for text in sample["texts"]]} for sample in samples]


def kept_text_values(texts: Iterable[Values], lists: Mapping[str, ListSummary]) -> list[Values]:
    """Return the texts that are shown without their images, with the texts of their entries."""
    return [text | {"entries": [lists[text["lang"]].texts[str(i)] for i in text["entry_ids"]]} for text in texts]


def text_values(before: TextStats, after: TextStats, repeats: Mapping[str, Values | None]) -> Values:
    """Return the lengths of matched texts, where they stood, how often they repeat, and what they hold."""
    keys = sorted(before.keys, key=lambda key: (-before.keys[key], key))[:MAX_KEYS]
    return {
        "texts": {"before": before.texts.total(), "after": after.texts.total()},
        "characters": named_bins(CHARACTERS, before.characters, after.characters),
        "words": named_bins(WORDS, before.words, after.words),
        "keys": [{"key": key, "before": before.keys[key], "after": after.keys[key]} for key in keys],
        "marks": {name: {"before": before.marks[name], "after": after.marks[name]} for name in MARKS},
        "repeats": {"before": repeats["texts"], "after": repeats["kept"]},
    }


def download_values(stats: DownloadStats) -> Values:
    """Return the images of each download status, the most frequent status first."""
    return {
        "attempted": stats.statuses.total(),
        "bytes": stats.bytes["source"],
        "statuses": [
            {"status": status, "meaning": meaning(status), "count": count, "http": _codes(stats, status)}
            for status, count in stats.statuses.most_common()
        ],
    }


def _codes(stats: DownloadStats, status: str) -> dict[str, int]:
    """The counts of images with a download status by HTTP status code, the most frequent code first."""
    counts = ((key.rpartition(" "), count) for key, count in stats.http.most_common())
    return {code: count for (name, _, code), count in counts if name == status}


def not_listed_note(totals: RunTotals) -> list[str]:
    """Return the note on images that were downloaded for another balance only."""
    count = totals.not_listed
    return [f"{counted(count, 'images')} downloaded for other balances {are(count)} not shown"] if count else []


def image_values(stats: ShardStats, repeats: Values | None) -> Values:
    """Return the sizes of the samples' images as histograms; `repeats` compare the bytes of all images that arrived."""
    steps = {"width": PIXEL_STEP, "height": PIXEL_STEP, "aspect": ASPECT_STEP, "bytes": BYTE_STEP}
    sizes = {name: coarse_bins(getattr(stats, name), step) for name, step in steps.items()}
    scores = score_values(stats.scores)
    return {"types": dict(stats.types.most_common()), **sizes, "scores": scores, "repeats": repeats}


def failure_values(stages: Iterable[StageTotals]) -> Values:
    """Return the number of input files that could not be read to their end, and the first MAX_FAILURES of them."""
    rows = [
        {key: failure.get(key) for key in ("file", "offset", "error", "records_read")}
        for stage in stages
        for failure in stage.receipt.failures
    ]
    return {"total": len(rows), "rows": rows[:MAX_FAILURES]}


def never_matching_values(lists: Iterable[ListSummary]) -> Values:
    """Return the number of entries that can never match, with examples, by language."""
    languages: list[Values] = [
        {
            "lang": entry_list.lang,
            "name": language_name(entry_list.lang),
            "count": entry_list.never,
            "examples": entry_list.examples,
        }
        for entry_list in lists
        if entry_list.never
    ]
    languages.sort(key=lambda row: (-row["count"], row["lang"]))
    return {"total": sum(row["count"] for row in languages), "languages": languages}


@dataclass(frozen=True)
class ReportInputs:
    """Everything that report.json is computed from.

    `counts` (results of `compare_counts`), `thresholds` (rows of the table) and `lists` are by language. `samples` are
    the outputs of `read_previews`; `second_balance` and `shards` are what the methods `second_balance` and `written` of
    `RunTables` return, `domains` what `host_values` returns, `repeats` (of `texts`, `kept` texts and `images`) what
    `repeat_values` returns, `crawls` what `crawl_values` returns, `concepts` what `concept_values`
    returns, `targets` what `target_values` returns. `notes` name tables that are not shown.
    """

    stages: Mapping[str, StageTotals]
    totals: RunTotals
    counts: Mapping[str, Values]
    thresholds: Mapping[str, Values]
    lists: Mapping[str, ListSummary]
    samples: Sequence[Values]
    second_balance: Values | None
    shards: Values | None
    domains: Values
    notes: Sequence[str] = ()
    head_tails: Mapping[str, Values] = field(default_factory=dict)
    tail_texts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    kept_texts: Sequence[Values] = ()
    repeats: Mapping[str, Values | None] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    price_core_hour: float = 0.0
    benchmarks: Sequence[Values] = ()
    crawls: Values | None = None
    forecast: Values | None = None
    concepts: Values | None = None
    targets: Sequence[Values] = ()


def report_values(inputs: ReportInputs, run: Values, metadata: Values) -> Values:
    """Return all values of report.json; `run` and `metadata` are added to the sections of these names."""
    totals, lists, stages = inputs.totals, inputs.lists, dict(inputs.stages)
    if "download_images" in stages:
        stages["download_images"] = download_stage(stages["download_images"], totals.downloads)
    first = next(iter(stages.values()))
    versions = {name: version for stage in stages.values() for name, version in stage.versions.items()}
    entries = sum(entry_list.entries for entry_list in lists.values())
    languages = language_values(lists.values(), inputs.thresholds, totals, inputs.counts)
    before, after = totals.matches, totals.curated
    rows = {name: stage_values(stage) for name, stage in stages.items()}
    for example in inputs.examples:
        _add_example(rows[example.stage], example)
    report = {
        "format": FORMAT,
        "run": {
            **run,
            "versions": versions,
            "inputs": {"files": first.inputs, "bytes": first.receipt.facts["bytes_read"]},
            "metadata": {**metadata, "languages": len(lists), "entries": entries},
        },
        "notes": [*inputs.notes, *not_listed_note(totals)],
        "overview": overview_values(stages, totals.matches),
        "stages": list(rows.values()),
        "languages": languages,
        "benchmarks": list(inputs.benchmarks),
        "domains": inputs.domains,
        "crawls": inputs.crawls,
        "entries": entry_values(languages, inputs),
        "entries_per_text": named_bins(ENTRIES_PER_TEXT, before.entries_per_text, after.entries_per_text),
        "texts_per_image": named_bins(TEXTS_PER_IMAGE, before.texts_per_image, after.texts_per_image),
        "downloads": download_values(totals.downloads),
        "texts": text_values(before, after, inputs.repeats),
        "images": image_values(totals.shards, inputs.repeats["images"]),
        "shards": inputs.shards,
        "samples": sample_values(inputs.samples, lists),
        "kept_texts": kept_text_values(inputs.kept_texts, lists),
        "failures": failure_values(stages.values()),
        "second_balance": inputs.second_balance,
        "forecast": inputs.forecast,
        **({"concepts": inputs.concepts} if inputs.concepts else {}),
        **({"targets": list(inputs.targets)} if inputs.targets else {}),
        "never_matching": never_matching_values(lists.values()),
        "cost": cost_values(stages, inputs.price_core_hour),
    }
    return {**report, "summary": {"badges": badges(rows), "alerts": alerts(report)}}


def _add_example(stage: Values, example: Example) -> None:
    """Add an example to its drop; images that a limit of domains dropped cannot be told from those not drawn."""
    reasons = {drop["reason"]: drop for drop in stage["drops"]}
    if example.reason in reasons and not (example.reason == "not_drawn" and "domain_cap" in reasons):
        reasons[example.reason].setdefault("examples", []).append(example.value())


def sort_as_drawn(samples: Iterable[Values], drawn: Sequence[SampleDraw]) -> list[Values]:
    """Return the samples in the order of their draws."""
    place = {sample.uid: index for index, sample in enumerate(drawn)}
    return sorted(samples, key=lambda sample: place[sample["uid"]])

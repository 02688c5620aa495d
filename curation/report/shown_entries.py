"""The entries that a report shows: of which languages and which, and their counts before and after balancing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from curation.balancing.counts import NO_COUNTS, CountFiles, save_array
from curation.balancing.targets import EntryTargets
from curation.core import storage
from curation.report.head_tail import head_tail
from curation.report.kept_texts import Wanted, tail_entries
from curation.report.summaries import compare_counts

LANGUAGES_IN_FULL = 12
"""Languages that are shown with a curve and their most frequent entries: those with the most matches."""
NAMED = ("gained", "fallen", "around_t", "tail_entries")
"""The lists of entries in the result of `head_tails`."""

Values = dict[str, Any]


def wanted_entries(
    before: CountFiles,
    thresholds: Mapping[str, Values],
    seed: int,
    removals: Sequence[str] = (),
    targets: EntryTargets | None = None,
) -> Wanted:
    """Return the entries of the tail that get a text each: some of each language that is shown in full.

    `removals` are the removal lists of the run, `targets` those of entries.
    """
    largest = sorted(thresholds, key=lambda lang: (-thresholds[lang]["matches"], lang))[:LANGUAGES_IN_FULL]
    chosen = {}
    for lang in largest:
        counts, t = before.load(lang), thresholds[lang]["t"]
        is_tail = counts < t if targets is None else targets.tail(lang, counts, t)
        chosen[lang] = tail_entries(counts, is_tail, lang, seed)
    return Wanted({lang: ids for lang, ids in chosen.items() if ids}, seed, tuple(removals))


def head_tails(
    counts: Mapping[str, Values],
    before: CountFiles,
    after: CountFiles,
    expected: CountFiles | None,
    wanted: Wanted,
    targets: EntryTargets | None = None,
) -> dict[str, Values]:
    """Return the result of `head_tail` for each of the largest languages, with the counts of the `wanted` entries."""
    found = {}
    for lang in largest_languages(counts):
        first, then, t = before.load(lang), after.load(lang), counts[lang]["t"]
        chosen = wanted.entries.get(lang, [])
        tail = [{"entry_id": i, "before": int(first[i]), "after": int(then[i]) if i < len(then) else 0} for i in chosen]
        below = targets.tail(lang, first, t) if targets and t is not None else None
        found[lang] = head_tail(first, then, t, expected.load(lang) if expected else None, below) | {
            "tail_entries": tail
        }
    return found


def largest_languages(counts: Mapping[str, Values]) -> list[str]:
    """Return the LANGUAGES_IN_FULL languages with the most matches, the largest first."""
    return sorted(counts, key=lambda lang: (-counts[lang]["matches_before"], lang))[:LANGUAGES_IN_FULL]


def needed_entries(
    counts: Mapping[str, Values], samples: Iterable[Values], tails: Mapping[str, Values], kept: Iterable[Values]
) -> list[tuple[str, int]]:
    """Return (lang, entry_id) of each entry whose text the report shows; an entry may occur several times.

    `tails` are the results of `head_tails`, `kept` the texts that are shown without their images.
    """
    top = (
        (lang, entry["entry_id"])
        for lang in largest_languages(counts)
        for key in ("top_before", "top_after")
        for entry in counts[lang][key]
    )
    texts = ((text["lang"], i) for sample in samples for text in sample["texts"] for i in text["entry_ids"])
    named = ((lang, entry["entry_id"]) for lang in tails for key in NAMED for entry in tails[lang][key])
    return [*top, *texts, *named, *((text["lang"], i) for text in kept for i in text["entry_ids"])]


def saved(counts: Iterable[tuple[str, np.ndarray]], folder: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (lang, counts), each after it is written to a folder of `CountFiles`."""
    for lang, array in counts:
        save_array(storage.join(folder, f"{lang}.npy"), array)
        yield lang, array


def compare_languages(
    before: CountFiles, after: Iterable[tuple[str, np.ndarray]], thresholds: Mapping[str, Values]
) -> dict[str, Values]:
    """Return the result of `compare_counts` for each language of `before`; `after` is sorted by language."""
    compared: dict[str, Values] = {}
    kept = iter(after)
    lang_kept, counts_kept = next(kept, ("", NO_COUNTS))
    for lang in before.langs():
        has_kept = lang == lang_kept
        t = thresholds[lang]["t"] if lang in thresholds else None
        compared[lang] = compare_counts(before.load(lang), counts_kept if has_kept else NO_COUNTS, t) | {"t": t}
        if has_kept:
            lang_kept, counts_kept = next(kept, ("", NO_COUNTS))
    return compared

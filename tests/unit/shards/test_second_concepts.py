"""With concepts, the second balance keeps what a draw keeps that knows entries and concepts of the survivors."""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.balance import DrawnBatch, curated_batch, text_probabilities
from curation.balancing.combined_draw import draw_combined, draw_concepts
from curation.balancing.concept_join import joined_path
from curation.balancing.concepts import ConceptDraw, concept_probabilities
from curation.balancing.counts import CountArrays, save_array
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Combine, Unit
from curation.core.draws import draw
from curation.core.exchange import write_batches
from curation.shards.second_balance import (
    MissingTexts,
    SecondDraw,
    draw_survivors,
    estimated_counts,
    image_weights,
    weigh_survivors,
)
from curation.shards.second_concepts import first_of_kept
from tests.matches_data import make_images, to_batch

HEADROOM, TAGS = 0.3, 60
Counts = dict[str, np.ndarray]


def _thresholds(combine: Combine) -> tuple[float, float]:
    """Return the t of entries and that of tags: low enough that frequent ones are thinned with any, too."""
    return (15.0, 20.0) if combine == Combine.any else (60.0, 90.0)


@functools.cache
def _pool() -> tuple[pa.RecordBatch, pa.ListArray]:
    """Images and their tags: none of a quarter of them, else one or two, of which tag 0 is the most frequent."""
    batch = to_batch(make_images(8000, seed=43, langs=("en",), max_ids=2))
    rng = np.random.default_rng(44)
    weights = 1 / np.arange(1, TAGS + 1)
    tags = rng.choice(TAGS, (batch.num_rows, 2), p=weights / weights.sum())
    rows = [sorted(set(mine[:size])) for mine, size in zip(tags.tolist(), rng.integers(0, 4, len(tags)), strict=True)]
    return batch, pa.array(rows, pa.list_(pa.int32()))


@functools.cache
def _alive() -> np.ndarray:
    """What download and filters will let through, decided apart from every draw."""
    return draw(99, "sample", _pool()[0]["uid"]) < 0.4


@functools.cache
def _matched(alive: bool) -> tuple[MatchedBatch, pa.ListArray]:
    """Return the pool, or what survives of it, and its tags."""
    batch, tags = _pool()
    if alive:
        batch, tags = batch.filter(pa.array(_alive())), tags.filter(pa.array(_alive()))
    return MatchedBatch(batch), tags


@functools.cache
def _counts(alive: bool) -> tuple[Counts, np.ndarray]:
    """Return the counts of entries and of tags, of the pool or of what survives."""
    matched, tags = _matched(alive)
    counts = CountArrays()
    counts.add(matched)
    return dict(counts.items()), np.bincount(tags.flatten().to_numpy(), minlength=TAGS)


@functools.cache
def _probabilities(alive: bool, combine: Combine, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return those of texts by entries, and of images by tags, with thresholds that are larger by 1 / scale."""
    (matched, tags), counts, (t, tags_t) = _matched(alive), _counts(alive), _thresholds(combine)
    lists = (tags.offsets.to_numpy() - tags.offsets[0].as_py(), tags.flatten().to_numpy())
    p = text_probabilities(matched, counts[0], {"en": t / scale})
    return p, concept_probabilities(*lists, counts[1], tags_t / scale)


def _once(alive: bool, scale: float, how: tuple, seed: int) -> tuple[MatchedBatch, DrawnBatch]:
    """Draw once by entries and tags."""
    matched, (unit, combine) = _matched(alive)[0], how
    p, q = _probabilities(alive, combine, scale)
    images = draw_concepts(combine, seed, matched.batch["uid"], {"tags": q})
    return matched, draw_combined(matched, p, images, unit, seed)


def _direct(how: tuple, seed: int) -> tuple[MatchedBatch, DrawnBatch]:
    """Return what a draw over the survivors keeps that knows their counts."""
    return _once(True, 1.0, how, seed)


def _first(how: tuple, seed: int) -> tuple[pa.RecordBatch, pa.ListArray]:
    """Return the survivors of a first pass, rows of `curated`, and their tags."""
    matched, drawn = _once(False, HEADROOM, how, seed)
    left = replace(drawn, chosen=np.where(_alive(), drawn.chosen, -1))
    return curated_batch(matched, left), _pool()[1].filter(pa.array(left.chosen >= 0))


def _again(
    folder: Path,
    survivors: tuple[pa.RecordBatch, pa.ListArray],
    counts: tuple[Counts, np.ndarray],
    how: tuple,
    seed: int,
    missing: MissingTexts,
) -> list[tuple[MatchedBatch, DrawnBatch]]:
    """Return what the second balance keeps of survivors with these counts, in two batches."""
    (unit, combine), (rows, tags) = how, survivors
    t, tags_t = _thresholds(combine)
    save_array(f"{folder}/counts/tags.npy", counts[1])
    concepts = ConceptDraw({"tags": tags_t}, combine, f"{folder}/counts", str(folder), "")
    write_batches(joined_path(str(folder), "a"), pa.schema([("tags", tags.type)]), [pa.record_batch([tags], ["tags"])])
    second = SecondDraw(unit, seed, counts[0], {"en": t}, concepts=concepts)
    with concepts.read("a") as found:
        return list(draw_survivors([rows.slice(0, 700), rows.slice(700)], second, missing, found))


def _curated(drawn: list[tuple[MatchedBatch, DrawnBatch]]) -> pa.RecordBatch:
    return pa.Table.from_batches([curated_batch(*each) for each in drawn]).combine_chunks().to_batches()[0]


@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("unit", list(Unit))
def test_with_true_counts_it_is_a_direct_draw_bit_for_bit(
    unit: Unit, combine: Combine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HEADROOM", 0.2)  # of each tag and entry more than this survives
    how, missing = (unit, combine), MissingTexts()
    survivors = _first(how, 3)
    again = _curated(_again(tmp_path, survivors, _counts(True), how, 3, missing))
    assert missing.missing == 0  # no probability is larger than before
    assert 100 < again.num_rows < survivors[0].num_rows
    assert again.equals(curated_batch(*_direct(how, 3)))


def test_nothing_comes_back_that_the_first_pass_dropped(tmp_path: Path) -> None:
    """Counts that are far too small let both draws keep nearly all: what is left is what the first pass kept."""
    how = (Unit.pair, Combine.any)
    survivors = _first(how, 3)
    small = {lang: counts / 1000 for lang, counts in _counts(True)[0].items()}
    missing = MissingTexts()
    again = _curated(_again(tmp_path, survivors, (small, _counts(True)[1] / 1000), how, 3, missing))
    assert missing.missing > 0
    assert again.equals(survivors[0])


def _estimate(survivors: tuple[pa.RecordBatch, pa.ListArray], unit: Unit) -> tuple[Counts, np.ndarray]:
    rows, tags = survivors
    entries = {lang: estimated_counts(values) for lang, values in weigh_survivors([rows], unit).items()}
    weights = np.repeat(image_weights(MatchedBatch(rows), unit), tags.value_lengths().to_numpy())
    found = CountArrays()
    found.add_with_weights("tags", tags.flatten().to_numpy(), weights)
    return entries, estimated_counts(dict(found.items())["tags"])


def _plain(survivors: tuple[pa.RecordBatch, pa.ListArray], unit: Unit) -> tuple[Counts, np.ndarray]:
    """The wrong way for concepts: what is left is counted as it is."""
    return _estimate(survivors, unit)[0], np.bincount(survivors[1].flatten().to_numpy(), minlength=TAGS)


def _ratios(folder: Path, how: tuple, count: Callable, seeds: int) -> list[float]:
    """Kept matches of frequent and rare entries, and of frequent and rare tags, over those of a direct draw."""
    sums = np.zeros((2, 4))
    for seed in range(seeds):
        survivors = _first(how, seed)
        ours = _again(folder, survivors, count(survivors, how[0]), how, seed, MissingTexts())
        for row, (drawn, lists) in enumerate(((ours, survivors[1]), ([_direct(how, seed)], _matched(True)[1]))):
            counts = CountArrays()
            for matched, each in drawn:
                counts.add_weighted(matched, each.kept.astype(np.int64))
            entries = np.pad(dict(counts.items())["en"], (0, 300))[:300]
            images = pa.array(np.concatenate([each.chosen >= 0 for _, each in drawn]))
            tags = np.bincount(lists.filter(images).flatten().to_numpy(), minlength=TAGS)
            sums[row] += [entries[:3].sum(), entries[100:].sum(), tags[:2].sum(), tags[30:].sum()]
    return (sums[0] / sums[1]).tolist()


TOLERANCE = 0.01
"""Measured: 0.4% at most. An estimate of a frequent tag rests on some 100 kept images a seed."""


@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("unit", list(Unit))
def test_with_estimated_counts_it_agrees_in_entries_and_concepts(unit: Unit, combine: Combine, tmp_path: Path) -> None:
    assert _ratios(tmp_path, (unit, combine), _estimate, 24) == pytest.approx([1.0] * 4, abs=TOLERANCE)


@pytest.mark.parametrize(("unit", "combine"), [(Unit.pair, Combine.product), (Unit.image, Combine.any)])
def test_plain_counts_of_concepts_fail_the_same_test(unit: Unit, combine: Combine, tmp_path: Path) -> None:
    """Measured: frequent tags are 1.10 and 1.02 times what they should be."""
    found = _ratios(tmp_path, (unit, combine), _plain, 6)
    assert found[2] > 1 + 1.5 * TOLERANCE


def test_the_first_kept_text_is_that_of_the_smallest_key() -> None:
    matched = MatchedBatch(_pool()[0].slice(0, 300))
    kept = np.random.default_rng(1).random(matched.texts) < 0.5
    keys = matched.hash_texts(5, "choose_text", np.arange(matched.texts))
    texts = [range(*pair) for pair in zip(matched.starts[:-1], matched.starts[1:], strict=True)]
    wanted = [min((k for k in mine if kept[k]), key=lambda k: keys[k], default=-1) for mine in texts]
    assert first_of_kept(matched, kept, 5).tolist() == wanted
    assert -1 in wanted
    nothing = MatchedBatch(_pool()[0].slice(0, 0))
    assert first_of_kept(nothing, np.zeros(0, bool), 5).tolist() == []

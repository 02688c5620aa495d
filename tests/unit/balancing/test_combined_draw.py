"""Combined draws against their definition, text by text; their laws over seeds; nestedness."""

from collections.abc import Mapping

import numpy as np
import pytest

from curation.balancing.balance import DrawnBatch, draw_batch, expected_of_texts
from curation.balancing.combined_draw import draw_combined, draw_concepts, expected_combined
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Combine, Unit
from tests.matches_data import Image, make_images, to_batch
from tests.wyhash import keyed

COMBINATIONS = [(combine, unit) for combine in Combine for unit in Unit]
SEEDS, COPIES = 200, 10
"""Seeds, and images that are alike but for their uids: 2,000 draws of each."""
DRAWS = SEEDS * COPIES
EXPECTED = 20
"""Seeds whose expected numbers are looked at: with unit=image they depend on the texts that are taken."""
SIGMAS = 5.0
"""A binomial number of 2,000 draws is this far from its mean once in about a million times. The tests below look at
some 40 numbers for each combination: a right law fails one time in 4,000, were the seeds drawn anew."""


def _u(seed: int, purpose: str, *keys: str) -> float:
    return (keyed(seed, purpose, *keys) >> 11) / 2**53


def _inputs(images: int, seed: int) -> tuple[list[Image], np.ndarray, dict[str, np.ndarray]]:
    """Return images, probabilities of their texts, and of the images by two namespaces: NaN without a concept."""
    rows, rng = make_images(images, seed), np.random.default_rng(seed)
    texts = sum(len(row["texts"]) for row in rows)
    by_name = {name: rng.choice([0.0, 0.2, 0.7, 1.0, np.nan], images) for name in ("colours", "tags")}
    return rows, rng.choice([0.05, 0.4, 0.9, 1.0], texts), by_name


def _defined(
    rows: list[Image], p: np.ndarray, by_name: Mapping[str, np.ndarray], combine: Combine, unit: Unit, seed: int
) -> tuple[list[bool], list[int], list[float], list[float]]:
    """The definition: the kept texts, the chosen text of each image or -1, probabilities of texts and of images."""
    kept, chosen, of_texts, of_images, first = [], [], [], [], 0
    for image, row in enumerate(rows):
        asked = {name: float(q[image]) for name, q in by_name.items() if q[image] == q[image]}
        draws = [_u(seed, f"keep by {name}", row["uid"]) < q for name, q in asked.items()]
        order = sorted(
            range(len(row["texts"])), key=lambda k: keyed(seed, "choose_text", row["uid"], row["texts"][k]["text"])
        )
        mine = []
        combined = []
        for k, text in enumerate(row["texts"]):
            own = p[first + k]
            u = _u(seed, "keep", row["uid"], text["text"]) if unit == Unit.pair else _u(seed, "keep", row["uid"])
            if combine == Combine.product:
                mine.append(u < own and all(draws))
                combined.append(own * np.prod(list(asked.values())))
            elif combine == Combine.min:
                mine.append(u < min([own, *asked.values()]))
                combined.append(min([own, *asked.values()]))
            else:
                mine.append(u < own or any(draws))
                combined.append(1.0 - (1.0 - own) * np.prod([1.0 - q for q in asked.values()]))
            if unit == Unit.image and k != order[0]:
                mine[k] = False
        missed = 1.0
        for k in range(len(mine)):
            own = combined[k] if combine == Combine.min else p[first + k]
            missed *= 1.0 - own if unit == Unit.pair or k == order[0] else 1.0
        whole = 1.0 - missed
        if combine == Combine.product:
            whole *= np.prod(list(asked.values()))
        elif combine == Combine.any:
            whole = 1.0 - (1.0 - whole) * np.prod([1.0 - q for q in asked.values()])
        chosen.append(next((first + k for k in order if mine[k]), -1))
        kept, of_texts = kept + mine, of_texts + combined
        of_images.append(float(whole))
        first += len(mine)
    return kept, chosen, of_texts, of_images


def _draw(
    matched: MatchedBatch, p: np.ndarray, by_name: Mapping[str, np.ndarray], combine: Combine, unit: Unit, seed: int
) -> DrawnBatch:
    images = draw_concepts(combine, seed, matched.batch["uid"], by_name)
    return draw_combined(matched, p, images, unit, seed)


@pytest.mark.parametrize(("combine", "unit"), COMBINATIONS)
def test_draws_are_those_of_the_definition(combine: Combine, unit: Unit) -> None:
    rows, p, by_name = _inputs(400, 5)
    drawn = _draw(MatchedBatch(to_batch(rows)), p, by_name, combine, unit, 77)
    kept, chosen, of_texts, of_images = _defined(rows, p, by_name, combine, unit, 77)
    assert drawn.kept.tolist() == kept
    assert drawn.chosen.tolist() == chosen
    assert drawn.probabilities == pytest.approx(of_texts, abs=1e-12)
    assert drawn.image_probabilities == pytest.approx(of_images, abs=1e-12)
    assert 50 < sum(place >= 0 for place in chosen) < 390


@pytest.mark.parametrize(("combine", "unit"), COMBINATIONS)
def test_law_over_seeds(combine: Combine, unit: Unit) -> None:
    """Images are kept, texts kept, and texts chosen, as often as the probabilities say."""
    rows, p, by_name = _inputs(12, 8)
    rows = [row | {"uid": f"{copy:02x}{row['uid'][2:]}"} for copy in range(COPIES) for row in rows]
    p, by_name = np.tile(p, COPIES), {name: np.tile(q, COPIES) for name, q in by_name.items()}
    matched = MatchedBatch(to_batch(rows))
    images, texts = np.zeros(len(rows)), np.zeros(matched.texts)
    means = np.zeros(2)
    for seed in range(SEEDS):
        drawn = _draw(matched, p, by_name, combine, unit, seed)
        images += drawn.chosen >= 0
        texts += drawn.kept
        if seed < EXPECTED:
            of_concepts = draw_concepts(combine, seed, matched.batch["uid"], by_name)
            means += [each.sum() / EXPECTED for each in expected_combined(matched, p, of_concepts, unit, seed)]
    expected = drawn.image_probabilities
    if unit == Unit.image:  # one of the texts is taken, another one with another seed
        starts = matched.starts
        expected = np.add.reduceat(drawn.probabilities, starts[:-1]) / np.diff(starts)
        chance = drawn.probabilities / np.repeat(np.diff(starts), np.diff(starts))
    else:
        chance = drawn.probabilities
    for found, probabilities in ((images, expected), (texts, chance)):
        probability, *others = probabilities.reshape(COPIES, -1)
        assert all(np.array_equal(each, probability) for each in others)
        deviation = np.sqrt(DRAWS * probability * (1 - probability))
        drawn_times = found.reshape(COPIES, -1).sum(axis=0)
        assert (np.abs(drawn_times - DRAWS * probability) <= SIGMAS * deviation + 1e-6).all()
    assert means[1] == pytest.approx(expected.sum(), rel=0.05)
    assert means[0] == pytest.approx(chance.sum(), rel=0.05)


@pytest.mark.parametrize(("combine", "unit"), COMBINATIONS)
def test_larger_probabilities_keep_all_that_smaller_ones_keep(combine: Combine, unit: Unit) -> None:
    rows, p, by_name = _inputs(300, 3)
    matched = MatchedBatch(to_batch(rows))
    before = _draw(matched, p, by_name, combine, unit, 4)
    more = {name: np.minimum(1.0, q * 1.5) for name, q in by_name.items()}
    for probabilities, concepts in ((np.minimum(1.0, p * 1.5), by_name), (p, more)):
        after = _draw(matched, probabilities, concepts, combine, unit, 4)
        assert not (before.kept & ~after.kept).any()
        assert after.kept.sum() > before.kept.sum()


@pytest.mark.parametrize(("combine", "unit"), COMBINATIONS)
def test_images_without_concepts_are_drawn_as_by_entries_alone(combine: Combine, unit: Unit) -> None:
    rows, p, _ = _inputs(200, 6)
    matched = MatchedBatch(to_batch(rows))
    nothing = {"colours": np.full(200, np.nan)}
    found, plain = _draw(matched, p, nothing, combine, unit, 4), draw_batch(matched, p, unit, 4)
    for name, values in vars(plain).items():
        assert np.array_equal(getattr(found, name), values), name
    images = draw_concepts(combine, 4, matched.batch["uid"], nothing)
    for one, other in zip(
        expected_combined(matched, p, images, unit, 4), expected_of_texts(matched, p, unit, 4), strict=True
    ):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("combine", "unit"), COMBINATIONS)
def test_expectations_of_texts_add_up_to_those_of_images(combine: Combine, unit: Unit) -> None:
    rows, p, by_name = _inputs(300, 9)
    matched = MatchedBatch(to_batch(rows))
    drawn = _draw(matched, p, by_name, combine, unit, 2)
    images = draw_concepts(combine, 2, matched.batch["uid"], by_name)
    pairs, each = expected_combined(matched, p, images, unit, 2)
    assert np.add.reduceat(each, matched.starts[:-1]) == pytest.approx(drawn.image_probabilities, abs=1e-12)
    assert np.array_equal(pairs, drawn.probabilities if unit == Unit.pair else each)

"""Combined draws: whether an image is kept, by the entries of its texts and by concepts of its own.

A concept is an id of a namespace, such as a tag of a tagger, and belongs to the image. The keep probability q of an
image in a namespace comes from the counts of its concepts by the rule of entries: 1 - prod(1 - t / max(count, t)). p is
the keep probability of a text by its entries. `balance.combine` says what is kept:

| combine | a text is kept if | with probability |
|---|---|---|
| product | its own draw keeps it, and that of each namespace | p q1 q2 ... |
| min | its own draw is below p and each q: one draw for all | min(p, q1, q2, ...) |
| any | its own draw keeps it, or that of a namespace | 1 - (1 - p)(1 - q1)(1 - q2) ... |

The draw of the entries is that of a balance without concepts: u(seed, "keep", uid, text), or with unit=image
u(seed, "keep", uid). Each namespace has a draw of its own, u(seed, "keep by NAME", uid), which the texts of an image
share. So an image is kept with P Q (product) or 1 - (1 - P)(1 - q1)(1 - q2) ... (any), where P is its probability by
entries alone. All draws are compared with probabilities that rise with t: a larger t, of the entries or of a namespace,
keeps all that a smaller one keeps.

A namespace that has no concept of an image takes no part in its draw: the row of the table above leaves its q out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.balancing.balance import DrawnBatch, choice_order, draw_batch, expected_of_texts
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Combine, Unit
from curation.core.draws import draw


@dataclass(frozen=True)
class ImageDraws:
    """What the concepts of a batch of n images say together.

    `probabilities`, float64[n], are the product of the namespaces' q, the smallest q, or 1 - prod(1 - q), by `combine`.
    `kept`, bool[n], are the draws of all namespaces (product), or of any of them (any); min has no draw of its own.
    """

    combine: Combine
    probabilities: np.ndarray
    kept: np.ndarray


def draw_concepts(
    combine: Combine, seed: int, uids: pa.StringArray, probabilities: Mapping[str, np.ndarray]
) -> ImageDraws:
    """Draw images by their concepts. `probabilities`, by namespace, are float64[n], NaN where it has no concept."""
    every = combine != Combine.any
    kept = np.full(len(uids), every)
    for name, values in probabilities.items():
        if combine != Combine.min:
            there = ~np.isnan(values)
            drawn = draw(seed, f"keep by {name}", uids) < values
            kept = kept & (drawn | ~there) if every else kept | (drawn & there)
    return ImageDraws(combine, together(combine, len(uids), probabilities), kept)


def together(combine: Combine, images: int, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the `probabilities` of ImageDraws from those by namespace.

    >>> colours, tags = np.array([0.5, np.nan, np.nan]), np.array([0.2, 0.2, np.nan])
    >>> [together(combine, 3, {"colours": colours, "tags": tags}).round(9).tolist() for combine in Combine]
    [[0.1, 0.2, 1.0], [0.2, 0.2, 1.0], [0.6, 0.2, 0.0]]
    """
    total = np.ones(images)
    for values in probabilities.values():
        if combine == Combine.min:
            np.fmin(total, values, out=total)
        else:
            total *= np.where(np.isnan(values), 1.0, values if combine == Combine.product else 1.0 - values)
    return 1.0 - total if combine == Combine.any else total


def draw_combined(
    matched: MatchedBatch, probabilities: np.ndarray, images: ImageDraws, unit: Unit, seed: int
) -> DrawnBatch:
    """Draw a batch by entries, with the texts' keep probabilities, and by the concepts of its images.

    Where a concept alone keeps an image (any), all its texts are kept with unit=pair; its text is the one with the
    smallest choose_text key.
    """
    combined = combined_probabilities(matched, probabilities, images)
    if images.combine == Combine.min:
        return draw_batch(matched, combined, unit, seed)
    drawn = draw_batch(matched, probabilities, unit, seed)
    kept, chosen = drawn.kept.copy(), drawn.chosen.copy()
    parents = matched.images_of_texts
    if images.combine == Combine.product:
        kept &= images.kept[parents]
        chosen[~images.kept] = -1
        return DrawnBatch(combined, kept, chosen, drawn.image_probabilities * images.probabilities)
    chosen[images.kept] = _first_texts(matched, seed, images.kept)[images.kept]
    if unit == Unit.pair:
        kept |= images.kept[parents]
    else:
        kept[chosen[images.kept]] = True
    return DrawnBatch(combined, kept, chosen, _either(drawn.image_probabilities, images.probabilities))


def combined_probabilities(matched: MatchedBatch, probabilities: np.ndarray, images: ImageDraws) -> np.ndarray:
    """Return the probability of each text to be kept, float64[k]; `probabilities` are those by entries."""
    mine = images.probabilities[matched.images_of_texts]
    if images.combine == Combine.product:
        return probabilities * mine
    if images.combine == Combine.min:
        return np.minimum(probabilities, mine)
    return _either(probabilities, mine)


def _either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the probability of one of two independent draws at least; that of the first where the second has 0."""
    return first + second * (1.0 - first)


def expected_combined(
    matched: MatchedBatch, probabilities: np.ndarray, images: ImageDraws, unit: Unit, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each text's expected pairs and expected images, as `expected_of_texts` does, of a combined draw."""
    combined = combined_probabilities(matched, probabilities, images)
    if images.combine == Combine.min:
        return expected_of_texts(matched, combined, unit, seed)
    _, by_entries = expected_of_texts(matched, probabilities, unit, seed)
    mine = images.probabilities[matched.images_of_texts]
    if images.combine == Combine.product:
        expected = by_entries * mine
    else:
        expected = by_entries * (1.0 - mine)
        several = images.probabilities > 0.0
        expected[_first_texts(matched, seed, several)[several]] += images.probabilities[several]
    return combined if unit == Unit.pair else expected, expected


def _first_texts(matched: MatchedBatch, seed: int, images: np.ndarray) -> np.ndarray:
    """Return the row of each image's text with the smallest choose_text key, int64[n]; right for these `images`."""
    wanted = images & (np.diff(matched.starts) > 1)
    return choice_order(matched, seed, wanted)[matched.starts[:-1]]

"""Concepts in the second balance: an image, or a text, stays if both draws keep it.

Both passes have the same draws, of entries and of each namespace; the second one compares them with probabilities that
come from the counts of the survivors. So nothing comes back that the first pass has dropped, and where no probability
of the second pass is larger than that of the first, the result is that of a single draw over the survivors. A namespace
that only the second pass knows, by the hashes of image files for example, had no part in the first draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from curation.balancing.balance import DrawnBatch, choice_order
from curation.balancing.combined_draw import draw_combined, draw_concepts
from curation.balancing.concept_counts import ConceptGoal
from curation.balancing.concept_tables import ConceptTable
from curation.balancing.concepts import BucketConcepts
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Combine, Unit


@dataclass(frozen=True)
class SecondConcepts:
    """The tables of the second balance, what each namespace is balanced to in counts of survivors, and `combine`.

    With `allow_empty` a namespace may be one that no survivor has a concept of.
    """

    tables: tuple[ConceptTable, ...]
    goals: Mapping[str, ConceptGoal]
    combine: Combine
    allow_empty: bool = False


def draw_with_concepts(
    matched: MatchedBatch, by_entries: np.ndarray, concepts: BucketConcepts, unit: Unit, seed: int
) -> tuple[np.ndarray, DrawnBatch]:
    """Draw a batch of survivors again by entries and by the concepts of its images, which are the next ones.

    `by_entries` are the texts' probabilities by the entries of survivors. Returns P2, each text's probability by all
    namespaces, float64[k], and what both passes keep. Its probabilities are min(P1, P2): that of a text to be kept by
    both passes, unless one namespace keeps more than before and another one less; then it is a bound.
    """
    by_name = concepts.probabilities(concepts.take(matched.images))
    images = draw_concepts(concepts.draw.combine, seed, matched.batch["uid"], by_name)
    drawn = draw_combined(matched, by_entries, images, unit, seed)
    first, kept = (
        pc.struct_field(matched.structs, name).to_numpy(zero_copy_only=False) for name in ("keep_probability", "kept")
    )
    both = kept & drawn.kept
    return drawn.probabilities, DrawnBatch(
        np.minimum(first, drawn.probabilities),
        both,
        first_of_kept(matched, both, seed),
        np.minimum(matched.batch["keep_probability"].to_numpy(), drawn.image_probabilities),
    )


def first_of_kept(matched: MatchedBatch, kept: np.ndarray, seed: int) -> np.ndarray:
    """Return the row of each image's kept text with the smallest choose_text key, int64[n]; -1 without a kept text."""
    starts = matched.starts[:-1]
    if not len(starts):
        return np.zeros(0, np.int64)
    order = choice_order(matched, seed, np.add.reduceat(kept, starts, dtype=np.int64) > 1)
    places = np.where(kept[order], np.arange(len(order)), len(order))
    first = np.minimum.reduceat(places, starts)
    return np.where(first < len(order), order[np.minimum(first, len(order) - 1)], -1)

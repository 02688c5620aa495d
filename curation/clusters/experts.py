"""How much each data expert counts in a task: by the distances of its class prompts to the fine centres, after MoDE.

MoDE (arXiv 2404.16030) weighs experts by the clusters near a task's class names, so a task of birds asks the experts
whose clusters hold captions of birds. Here a class spreads its weight of 1 over the fine centres, by
exp(-squared distance / temperature); an expert's weight is the mean over the classes of what falls on its centres.
"""

import importlib
from collections.abc import Callable, Sequence

import numpy as np

from curation.clusters.hierarchy import Hierarchy
from curation.core.errors import HeadtailError
from curation.core.whole_vectors import SCALE, products, whole_units

Encoder = Callable[[list[str]], np.ndarray]
"""Returns a vector for each text, of shape (texts, numbers)."""
_BATCH = 256
_MAX_SHOWN = 200


def expert_weights(classes: np.ndarray, hierarchy: Hierarchy, temperature: float) -> np.ndarray:
    """Return the weight of each coarse cluster, float64, whose sum is 1; `classes` are vectors in whole numbers.

    >>> units, _ = whole_units(np.eye(3))
    >>> expert_weights(units[:2], Hierarchy(units, (0, 1, 1), (1, 1, 1)), 0.01).tolist()
    [0.5, 0.5]
    """
    total = np.zeros(hierarchy.coarse_count)
    for start in range(0, len(classes), _BATCH):
        cosines = products(classes[start : start + _BATCH], hierarchy.centres).astype(np.float64) / SCALE**2
        # The squared distance of unit vectors is 2 - 2 cosine; the nearest centre gets exp(0).
        shares = np.exp(-2 * (cosines.max(axis=1, keepdims=True) - cosines) / temperature)
        shares /= shares.sum(axis=1, keepdims=True)
        total += np.bincount(hierarchy.coarse, shares.sum(axis=0), hierarchy.coarse_count)
    return total / len(classes)


def prompts_of(names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Return the prompts of classes, those of one class together.

    >>> prompts_of(["cat", "dog"], ["a {}", "{}s"])
    ['a cat', 'cats', 'a dog', 'dogs']
    """
    return [template.replace("{}", name) for name in names for template in templates]


def class_units(vectors: np.ndarray, templates: int) -> np.ndarray:
    """Return a vector in whole numbers for each class that has one: the mean direction of its prompts.

    `vectors` are those of all prompts, of shape (classes * templates, numbers).
    """
    units, _ = whole_units(vectors)
    means, good = whole_units(units.reshape(-1, templates, units.shape[1]).sum(axis=1, dtype=np.int64))
    return means[good]


def encoded(place: str, texts: list[str], width: int) -> np.ndarray:
    """Return the vectors of texts by a user's function, `package.module:function`, which takes a list of texts.

    Raises HeadtailError where it cannot be called, and for vectors that are not those of `width` numbers.
    """
    module, _, function = place.partition(":")
    try:
        rows = np.asarray(getattr(importlib.import_module(module), function)(texts), np.float64)
    except Exception as error:  # it is code of others, which raises anything
        told = " ".join(str(error).split())[:_MAX_SHOWN]
        raise HeadtailError(
            f"encoder={place} cannot be called, it is package.module:function of a list of texts: "
            f"{type(error).__name__}: {told}"
        ) from error
    if rows.shape != (len(texts), width):
        raise HeadtailError(
            f"encoder={place} gave an array of shape {rows.shape} for {len(texts):,} texts, expected {width:,} numbers "
            "for each: give the encoder of the embeddings that were clustered"
        )
    return rows

"""The centres of clusters, and the coarse cluster of each fine one: `centers.npy` and `hierarchy.json` of a table."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from curation.clusters.fit import Fit, fit_centres
from curation.clusters.sample import PURPOSE
from curation.core import storage
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.whole_vectors import MAX_WIDTH, loaded, nearest, stored
from curation.shards.vector_rows import VectorRows

CENTRES, HIERARCHY, NAMES = "centers.npy", "hierarchy.json", "names.txt"
MAX_FINE, MAX_COARSE = 65_536, 32
COARSE_STARTS = 10
"""Coarse centres are looked for from so many starts; the best are taken."""
_BLOCK = 4096


@dataclass(frozen=True)
class Hierarchy:
    """Fine centres in whole numbers (int16, shape (fine, numbers)), and the coarse cluster of each.

    `sizes` are the rows of the sample in each fine cluster. `facts` are further keys of hierarchy.json.
    """

    centres: np.ndarray
    coarse: tuple[int, ...]
    sizes: tuple[int, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The SHA-256 of the centres and of the coarse clusters, 32 hex digits."""
        digest = hashlib.sha256(_npy(self.centres))
        digest.update(json.dumps(self.coarse).encode())
        return digest.hexdigest()[:32]

    @property
    def coarse_count(self) -> int:
        """The number of coarse clusters."""
        return max(self.coarse) + 1


def make_hierarchy(units: np.ndarray, fine: Fit, coarse: Fit, seed: int) -> Hierarchy:
    """Return the clusters of vectors in whole numbers, whose order is random: the first are the first centres.

    Coarse clusters are those of the fine centres, weighted by their sizes; they are numbered by size, the largest
    first.
    """
    centres = fit_centres(units, np.ones(len(units), np.int64), fine, range(len(units))).units
    sizes = np.zeros(len(centres), np.int64)
    for start in range(0, len(units), _BLOCK):
        sizes += np.bincount(nearest(units[start : start + _BLOCK], centres)[0], minlength=len(centres))
    numbers = pa.array(range(len(centres))).cast(pa.string())
    tries = []
    for start in range(COARSE_STARTS):
        keys = pa.array([f"start {start}"] * len(centres), pa.string())
        order = np.argsort(hash64(seed, PURPOSE, keys, numbers), kind="stable")
        tries.append(fit_centres(centres, sizes, coarse, order.tolist()))
    best = max(tries, key=lambda found: found.total)
    of_coarse = np.bincount(best.labels, sizes, len(best.units))
    ranks = np.argsort(np.argsort(-of_coarse, kind="stable"))
    used = np.unique(ranks[best.labels])
    labels = np.searchsorted(used, ranks[best.labels])
    return Hierarchy(centres, tuple(labels.tolist()), tuple(sizes.tolist()))


def write_hierarchy(folder: str, hierarchy: Hierarchy, names: Sequence[Sequence[str]]) -> None:
    """Write the files of a table of clusters; `names` are the entries that name each fine cluster, the best first."""
    storage.write_bytes(storage.join(folder, CENTRES), _npy(hierarchy.centres))
    lines = [" ".join([f"{number}:", ", ".join(words)]).strip() for number, words in enumerate(names)]
    storage.write_bytes(storage.join(folder, NAMES), "".join(f"{line}\n" for line in lines).encode())
    described = {
        "id": hierarchy.id,
        "fine": len(hierarchy.coarse),
        "coarse": hierarchy.coarse_count,
        **hierarchy.facts,
        "coarse_of_fine": hierarchy.coarse,
        "sample_sizes": hierarchy.sizes,
    }
    storage.write_json(storage.join(folder, HIERARCHY), described)


def read_hierarchy(folder: str) -> Hierarchy:
    """Return the hierarchy of a table of clusters.

    Raises HeadtailError where a file is missing, is damaged, or is of other clusters than the other file.
    """
    path = storage.join(folder, HIERARCHY)
    try:
        described = storage.read_json(path)
        coarse, sizes = (tuple(described.pop(key)) for key in ("coarse_of_fine", "sample_sizes"))
        expected = described.pop("id")
        if not (0 < len(coarse) == len(sizes) <= MAX_FINE and all(_is_coarse(number) for number in coarse)):
            raise ValueError("its clusters are none")
        with storage.open_input(storage.join(folder, CENTRES)) as file:
            values = VectorRows(file, len(coarse)).read(len(coarse)).flatten().to_numpy()
        if len(values) > len(coarse) * MAX_WIDTH:
            raise ValueError("its centres are too wide")
    except FileNotFoundError as error:
        raise HeadtailError(
            f"{folder} holds no clusters: run cluster_images, or name the folder of its table"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadtailError(
            f"{path} or {CENTRES} beside it is damaged ({error}): make the clusters again with overwrite=true"
        ) from error
    found = Hierarchy(loaded(values.reshape(len(coarse), -1)), coarse, sizes, described)
    if found.id != expected:
        raise HeadtailError(f"{path} is not of the {CENTRES} beside it: make the clusters again with overwrite=true")
    return found


@lru_cache(maxsize=2)
def kept_hierarchy(folder: str, expected: str) -> Hierarchy:
    """Return the hierarchy of a folder, read once in a process; raises HeadtailError if its id is another."""
    found = read_hierarchy(folder)
    if found.id != expected:
        raise HeadtailError(f"{folder} holds other clusters ({found.id}) than at the start ({expected})")
    return found


def _is_coarse(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < MAX_COARSE


def _npy(centres: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, stored(centres), version=(1, 0), allow_pickle=False)
    return file.getvalue()

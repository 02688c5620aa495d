"""The protocol of a model: columns of the table of signals, computed from a decoded image."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from PIL import Image


@dataclass(frozen=True)
class Identity:
    """The name and version of a model, and the SHA-256 of its weights; part of the recipe of a table."""

    name: str
    version: str
    sha256: str


class Model(Protocol):
    """A model that gives some columns of an image.

    `side` is the shorter side, in pixels, with which the model can do: a large JPEG is decoded at a smaller scale.
    """

    identity: Identity
    side: int
    columns: list[pa.Field]

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the value of each column for an image in RGB, rounded."""
        ...


def sha256_of(weights: bytes) -> str:
    """Return the SHA-256 of weights in hex."""
    return hashlib.sha256(weights).hexdigest()

"""Models that users write in Python: a function of a package of theirs, `package.module:function`, returns one."""

import importlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from PIL import Image

from curation.core.errors import HeadtailError
from curation.signals.model import Identity, Model

SETTING = "signal_models"
_GREY = (128, 128, 128)


class PythonModel:
    """A user's model, which is checked when it is opened: its fields, and what it gives for a grey image.

    Raises HeadtailError for a function that cannot be imported or called, and for a model of another form.
    """

    def __init__(self, name: str, place: str) -> None:
        self._where = f"{SETTING}.{name}={place}"
        self._model = self._open(place)
        identity, side, columns = (getattr(self._model, field, None) for field in ("identity", "side", "columns"))
        texts = tuple(getattr(identity, field, None) for field in ("name", "version", "sha256"))
        if not all(isinstance(text, str) for text in texts):
            raise HeadtailError(f"{self._where}: identity must have name, version and sha256, got {identity!r:.200}")
        if not isinstance(side, int) or side < 1:
            raise HeadtailError(f"{self._where}: side must be a number of pixels, got {side!r:.200}")
        if not isinstance(columns, list) or not columns or not all(isinstance(each, pa.Field) for each in columns):
            raise HeadtailError(f"{self._where}: columns must be a list of pyarrow fields, got {columns!r:.200}")
        self.identity, self.side, self.columns = Identity(*map(str, texts)), side, columns
        self.score(Image.new("RGB", (side, side), _GREY))

    def _open(self, place: str) -> Model:
        module, _, function = place.partition(":")
        try:
            return getattr(importlib.import_module(module), function)()
        except Exception as error:  # it is code of others, which raises anything
            raise HeadtailError(
                f"{self._where} cannot be called, it is package.module:function without arguments: "
                f"{type(error).__name__}: {_line(error)}"
            ) from error

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the values of an image as the columns hold them. Raises HeadtailError where they do not fit."""
        try:
            values = self._model.score(image)
            names = [field.name for field in self.columns]
            if sorted(values) != sorted(names):
                raise ValueError(f"score gave {', '.join(map(str, values))}, columns are {', '.join(names)}")
            pa.RecordBatch.from_pylist([dict(values)], pa.schema(self.columns)).validate(full=True)
        except Exception as error:  # it is code of others, which raises anything
            raise HeadtailError(
                f"{self._where} fails at an image of {image.width} x {image.height} pixels: {type(error).__name__}: "
                f"{_line(error)}"
            ) from error
        return values


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

"""Models that users write in Python: what is asked of them, and what is said where they do not give it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.images.downloads import Downloads
from curation.signals.model import Identity
from curation.signals.python_model import PythonModel
from curation.signals.score import SignalSettings, open_models, signals_schema
from curation.signals.signals_table import signals_recipe

PLACE = f"{__name__}:"


class Brightness:
    """A model as a user writes it."""

    def __init__(self, **changes: Any) -> None:
        self.identity = changes.get("identity", Identity("brightness", "1", "0" * 64))
        self.side = changes.get("side", 32)
        self.columns = changes.get("columns", [pa.field("brightness", pa.float32())])
        self._values = changes.get("values", lambda image: {"brightness": float(image.getpixel((0, 0))[0])})

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        return self._values(image)


def brightness() -> Brightness:
    return Brightness()


def fails() -> Brightness:
    raise RuntimeError("no\nweights")


def settings(**models: str) -> SignalSettings:
    return SignalSettings((Signal.faces, Signal.python), 1, None, tuple(models.items()))


def test_a_model_of_a_package_gives_its_columns(tmp_path: Path) -> None:
    faces, mine = open_models(settings(light=f"{PLACE}brightness"))
    assert signals_schema([faces, mine]).names == ["uid", "face_count", "face_boxes", "brightness"]
    assert mine.score(Image.new("RGB", (40, 40), (7, 8, 9))) == {"brightness": 7.0}
    recipe = signals_recipe(settings(light="a:b"), [mine.identity], Downloads(f"{tmp_path}/downloads"))
    assert recipe.settings["python"] == [["light", "a:b"]]
    assert recipe.settings["models"][0]["name"] == "brightness"
    assert "provider" not in recipe.settings


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"identity": "me"}, "identity must have name, version and sha256, got 'me'", id="identity"),
        pytest.param({"side": 0}, "side must be a number of pixels, got 0", id="side"),
        pytest.param({"columns": ["a"]}, "columns must be a list of pyarrow fields", id="columns"),
        pytest.param({"values": lambda _: {"dark": 1.0}}, "score gave dark, columns are brightness", id="names"),
        pytest.param({"values": lambda _: {"brightness": "high"}}, "fails at an image of 32 x 32 pixels", id="type"),
        pytest.param({"values": lambda _: 1 / 0}, "ZeroDivisionError", id="error"),
        pytest.param({"columns": [pa.field("nsfw", pa.float32())], "values": lambda _: {"nsfw": 1.0}},
                     "signal_models.light: the column nsfw is there already", id="taken"),
    ],
)  # fmt: skip
def test_a_model_of_another_form_is_one_line(
    changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.brightness", lambda: Brightness(**changes))
    with pytest.raises(HeadtailError, match=told) as caught:
        open_models(settings(light=f"{PLACE}brightness"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "told"),
    [("none.such:model", "ModuleNotFoundError"), (f"{PLACE}none", "AttributeError"), (f"{PLACE}fails", "no weights"),
     ("json", "package.module:function")],
    ids=["module", "function", "error", "form"],
)  # fmt: skip
def test_a_function_that_cannot_be_called_is_one_line(place: str, told: str) -> None:
    with pytest.raises(HeadtailError, match=rf"signal_models.light={place} cannot be called.*{told}") as caught:
        PythonModel("light", place)
    assert "\n" not in str(caught.value)


def test_two_models_with_one_column_are_refused() -> None:
    with pytest.raises(HeadtailError, match="several models give the column brightness"):
        open_models(settings(a=f"{PLACE}brightness", b=f"{PLACE}brightness"))

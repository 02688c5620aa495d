"""The table of signals grows by generations of downloads, and goes on where a run was stopped."""

from pathlib import Path

import pyarrow as pa
import pytest

from curation.core import storage
from curation.core.choices import Channels, Layout, Signal
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.signals.model import Identity
from curation.signals.onnx import OnnxSettings
from curation.signals.score import SignalSettings
from curation.signals.signals_table import SignalsTable, plan_scoring, signals_recipe

FACES = SignalSettings((Signal.faces,), 1, None)
MODELS = [Identity("blazeface_full_range", "1", "9" * 64)]


def generation(folder: Path, number: int, image: str = "a") -> Part:
    """A generation of downloads with two lists."""
    table = Table(f"{folder}/downloads")
    path = table.begin(number)
    files = [f"{path}/range-00000{k}.parquet" for k in range(2)]
    outputs = [write_rows(file, pa.table({"uid": [f"{image}{number}"]})) for file in files]
    receipts = [Receipt(file, 1, 1, outputs=[output]) for file, output in zip(files, outputs, strict=True)]
    return table.commit(number, Recipe("download_images", 1, {"image": image}), receipts, number, ranges=2)


def recipe_of(folder: Path, settings: SignalSettings = FACES) -> Recipe:
    return signals_recipe(settings, MODELS, Downloads(f"{folder}/downloads"))


def finish(table: SignalsTable, number: int, recipe: Recipe) -> None:
    table.begin_or_resume(number, recipe)
    table.commit(number, recipe, [], 0)


def test_each_generation_gets_a_part_and_finished_ones_stay(tmp_path: Path) -> None:
    table = SignalsTable(f"{tmp_path}/signals")
    generation(tmp_path, 0)
    for number in range(3):
        plans = table.plan(recipe_of(tmp_path), False)
        assert [(index, len(recipe.inputs)) for index, recipe in plans] == [(number, 1)]
        finish(table, *plans[0])
        assert table.plan(recipe_of(tmp_path), False) == []
        generation(tmp_path, number + 1)


def test_other_settings_or_other_images_need_overwrite(tmp_path: Path) -> None:
    table = SignalsTable(f"{tmp_path}/signals")
    generation(tmp_path, 0)
    finish(table, *table.plan(recipe_of(tmp_path), False)[0])
    tiled = SignalSettings((Signal.faces,), 2, None)
    with pytest.raises(HeadtailError, match=r"face_tiles was 1, is 2.*overwrite=true"):
        table.plan(recipe_of(tmp_path, tiled), False)
    assert len(table.parts()) == 1
    generation(tmp_path / "elsewhere", 0, "b")
    with pytest.raises(HeadtailError, match=r"signals of other images than those in .*elsewhere/d.*overwrite=true"):
        table.plan(recipe_of(tmp_path / "elsewhere"), False)
    generation(tmp_path, 0, "b")
    with pytest.raises(HeadtailError, match=r"has changed since .*overwrite=true"):
        table.plan(recipe_of(tmp_path), False)
    assert len(table.plan(recipe_of(tmp_path), True)) == 1
    assert table.parts() == []


def test_a_begun_part_is_kept_for_its_recipe_alone(tmp_path: Path) -> None:
    table = SignalsTable(f"{tmp_path}/signals")
    part = generation(tmp_path, 0)
    recipe = recipe_of(tmp_path)
    folder = table.begin_or_resume(0, recipe)
    tasks = plan_scoring(part, folder)
    names = [task.output.rpartition("/")[2] for task in tasks]
    assert [task.status for task in tasks] == part.files
    assert names == ["range-000000.parquet", "range-000001.parquet"]
    assert all(task.receipt.rpartition("/")[2].startswith("_") for task in tasks), "hidden from Spark and list_files"
    storage.write_bytes(tasks[0].receipt, b"{}")
    table.begin_or_resume(0, recipe)
    assert storage.exists(tasks[0].receipt)
    table.begin_or_resume(0, recipe_of(tmp_path, SignalSettings((Signal.faces,), 3, None)))
    assert not storage.exists(tasks[0].receipt)


def test_a_model_may_move_but_not_change(tmp_path: Path) -> None:
    generation(tmp_path, 0)
    form = (8, Layout.nchw, Channels.rgb, True, (0.0,), (1.0,), ())

    def recipe(path: str, digest: str) -> Recipe:
        settings = SignalSettings((Signal.onnx,), 1, OnnxSettings(path, *form))
        return signals_recipe(settings, [Identity("onnx", "1", digest)], Downloads(f"{tmp_path}/downloads"))

    assert recipe("/a", "1" * 64).id == recipe("/b", "1" * 64).id != recipe("/a", "2" * 64).id

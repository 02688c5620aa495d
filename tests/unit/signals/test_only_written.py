"""What decides which images are scored with only_written."""

from pathlib import Path

import pyarrow as pa
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ScoreImagesConfig
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.signals.score import SignalSettings
from curation.signals.signals_table import SignalsTable, signals_recipe
from jobs.score_images import only_recipe


def test_grown_lists_are_another_selection(tmp_path: Path) -> None:
    """Else images of the newer lists would never get a row, and a stopped run would mix two selections."""
    config = compose_config("score_images", ScoreImagesConfig, [f"output={tmp_path}/run", "only_written=true"])
    downloads, lists = Table(config.downloads), Table(config.lists)
    downloads.begin(0)
    downloads.commit(0, Recipe("download_images", 1, {}), [], 0)
    table = SignalsTable(config.image_signals, pa.schema([]))

    def recipe_of(curated: str) -> Recipe:
        lists.begin(0)
        lists.commit(0, Recipe("download_images", 1, {}, [{"path": "curated", "id": curated}]), [], 0)
        return signals_recipe(SignalSettings((), 1, None), [], Downloads(config.downloads), only_recipe(config))

    ((number, recipe),) = table.plan(recipe_of("1" * 32), False)
    table.begin_or_resume(number, recipe)
    table.commit(number, recipe, [], 0)
    assert table.plan(recipe_of("1" * 32), False) == []
    with pytest.raises(HeadtailError, match=r"the lists of only_written.*overwrite=true"):
        table.plan(recipe_of("2" * 32), False)

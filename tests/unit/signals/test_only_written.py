"""What decides which images are scored with only_written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig, ScoreImagesConfig
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.signals.score import SignalSettings
from curation.signals.signals_table import SignalsTable, signals_recipe
from jobs.written_images import only_written


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
        only = only_written(config, ["uid"])
        assert only
        return signals_recipe(SignalSettings((), 1, None), [], Downloads(config.downloads), only.recipe)

    ((number, recipe),) = table.plan(recipe_of("1" * 32), False)
    table.begin_or_resume(number, recipe)
    table.commit(number, recipe, [], 0)
    assert table.plan(recipe_of("1" * 32), False) == []
    with pytest.raises(HeadtailError, match=r"the lists of only_written.*overwrite=true"):
        table.plan(recipe_of("2" * 32), False)


def test_the_part_of_the_filter_that_knows_no_signal_decides_which_images_are_scored(tmp_path: Path) -> None:
    """Else a threshold of a signal could not be changed without scoring again."""
    pq.write_table(pa.table({"uid": ["a"], "clip": [0.5]}), tmp_path / "clip.parquet")

    def recipe_of(*settings: str) -> dict:
        given = [f"output={tmp_path}/run", "only_written=true", f"scores=[{tmp_path}/clip.parquet]", *settings]
        config = compose_config("score_images", ScoreImagesConfig, given)
        lists = Table(config.lists)
        if not lists.parts():
            lists.begin(0)
            lists.commit(0, Recipe("download_images", 1, {}), [], 0)
        only = only_written(config, ["uid", "nsfw"])
        assert only
        return {name: value for name, value in only.recipe.items() if name not in ("filters", "removals", "lists")}

    assert recipe_of() == recipe_of("filter=nsfw < 0.5") == recipe_of("filter=nsfw < 0.9") == {}
    assert recipe_of("filter=nsfw < 0.5 and width > 8") == {"filter": "width > 8"}
    assert recipe_of("filter=nsfw < 0.5 or width > 8") == {"equal_files": True}
    assert recipe_of("filter=coarse = 3 and width > 8") == {"filter": "width > 8", "equal_files": True}
    (clip,) = recipe_of("filter=nsfw < 0.5 and clip > 0.2")["scores"]
    assert clip["path"].endswith("clip.parquet")
    chain = ["source=table", "source.paths=a.parquet", f"output={tmp_path}/run", "only_written=true"]
    chain += [f"entry_lists={tmp_path}", "signals=[embedding]", "benchmark_cosine=0.95"]
    only = only_written(compose_config("curate", CurateConfig, chain), ["uid", "embedding"])
    assert only
    assert only.equal_files
    with pytest.raises(HeadtailError, match="filter and scores need only_written=true"):
        compose_config("score_images", ScoreImagesConfig, [f"output={tmp_path}/run", "filter=width > 8"])

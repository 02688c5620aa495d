"""What decides which images are scored with only_written."""

from pathlib import Path
from typing import Any

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
from jobs.written_images import only_written, refuse_deciding
from tests.unit.shards.test_second_balance_settings import lists_in


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


SIGNALS = ["uid", "nsfw", "face_count", "face_boxes", "embedding"]


def chain(folder: Path, *settings: str) -> CurateConfig:
    given = ["source=table", "source.paths=a.parquet", f"output={folder}", f"entry_lists={folder}", "signals=[faces]"]
    return compose_config("curate", CurateConfig, [*given, "only_written=exact", *settings])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param(["filter=nsfw < 0.8"], "filter=nsfw < 0.8", id="signal"),
        pytest.param(["filter=width > 8 and (clip > 1 or nsfw < 1)"], "filter=width > 8 and", id="signal and score"),
        pytest.param(["filter=rand() < 0.5"], r"filter=rand\(\) < 0.5", id="random"),
        pytest.param(["filter=hash(*) % 2 = 0"], r"filter=hash", id="all columns"),
        pytest.param(["filter=coarse = 3"], "filter=coarse = 3", id="clusters"),
        pytest.param(["signal_filters=[no_faces]"], "filter=face_count = 0", id="named threshold"),
        pytest.param(["faces=drop"], "faces=drop", id="faces"),
        pytest.param(["faces=blur", "face_boxes=face_boxes"], "faces=blur", id="blurred"),
        pytest.param(["filters.near_duplicates=embedding"], "comparing embedding", id="near duplicates"),
        pytest.param(["benchmark_cosine=0.9"], "comparing embedding", id="benchmarks"),
    ],
)
def test_what_signals_decide_is_not_known_exactly(tmp_path: Path, settings: list[str], told: str) -> None:
    config = chain(tmp_path, *settings)
    with pytest.raises(
        HeadtailError, match=rf"only_written=exact: {told}.* before images are scored.*only_written=true"
    ):
        refuse_deciding(config, SIGNALS)
    with pytest.raises(HeadtailError, match=told):
        only_written(config, SIGNALS)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param([], id="nothing"),
        pytest.param(["filter=width > 8 and (lang = 'nsfw' or clip > 1)"], id="filter"),
        pytest.param(["faces=blur", "face_boxes=face_bboxes"], id="boxes of others"),
        pytest.param(["filters.near_duplicates=embedding", "embedding_column=mine"], id="embeddings of others"),
        pytest.param(["only_written=true", "filter=nsfw < 0.8"], id="not exact"),
    ],
)
def test_what_other_columns_decide_is_known(tmp_path: Path, settings: list[str]) -> None:
    refuse_deciding(chain(tmp_path, *settings), SIGNALS)


def test_all_that_decides_which_images_are_written_is_in_the_recipe(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uid": ["a"], "clip": [0.5]}), tmp_path / "clip.parquet")
    pq.write_table(pa.table({"uid": ["a"], "concept_ids": [[1]]}), tmp_path / "concepts.parquet")
    lists_in(tmp_path)

    def recipe_of(*settings: str) -> dict[str, Any]:
        only = only_written(chain(tmp_path, f"scores=[{tmp_path}/clip.parquet]", *settings), SIGNALS)
        assert only
        assert only.exact
        assert (only.exact.second is None) == (not only.recipe["second_balance"])
        return only.recipe

    plain = recipe_of()
    assert plain["second_balance"]
    assert plain["scores"] == []
    assert plain == recipe_of("samples_per_shard=9", "score_columns=false", f"captions.a={tmp_path}/clip.parquet")
    concepts = f"concepts.a={tmp_path}/concepts.parquet"
    others = [
        ["second_balance=false"], ["filters.near_duplicates=hash"], ["filters.min_side=9"], ["filter=clip > 0"],
        [concepts], [concepts, "concept_t.a=9"], ["removals=[https://h.org/a]"],
    ]  # fmt: skip
    recipes = [plain, *(recipe_of(*settings) for settings in others)]
    assert not any(one == other for number, one in enumerate(recipes) for other in recipes[:number])
    assert recipes[4]["scores"]
    table = SignalsTable(f"{tmp_path}/signals", pa.schema([]))
    recipe = Recipe("score_images", 1, {"only_written": plain}, [])
    table.begin(0)
    table.commit(0, recipe, [], 0)
    with pytest.raises(HeadtailError, match=r"\(second_balance was true, is false\).*overwrite=true"):
        table.plan_parts(Recipe("score_images", 1, {"only_written": recipes[1]}, []), 1, False)
    lists_in(tmp_path, concepts={"a": "0" * 64})
    given = [f"output={tmp_path}", "signals=[faces]", "only_written=exact"]
    with pytest.raises(HeadtailError, match=r"balanced with concepts, .* run curate, or set only_written=true"):
        only_written(compose_config("score_images", ScoreImagesConfig, given), SIGNALS)

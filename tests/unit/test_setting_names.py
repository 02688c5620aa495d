"""Differences of recipes name settings as a user writes them."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig, CurateConfig
from conf.settings import settings_of
from curation.core.recipes import OLD_ROWS, Recipe, difference, flatten, recipe_settings
from curation.core.setting_names import NAMES, OLD_VALUES, setting_name
from curation.images.downloads import download_recipe
from jobs import balance_settings, download_settings, extract_pairs, shard_settings
from metadata.sources.articles import DumpSettings

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz", "entry_lists=/lists"]


def recipes() -> Iterator[tuple[str, dict]]:
    config = compose_config("curate", CurateConfig, GIVEN)
    yield "extract_pairs", recipe_settings(extract_pairs.settings_of(config))
    yield "balance_pairs", {"seed": 0, "unit": "pair", **recipe_settings(balance_settings.goal_of(config))}
    yield "download_images", download_recipe(download_settings.download_settings(config)).settings
    yield "write_shards", shard_settings.shard_settings(config)


def test_each_setting_of_a_recipe_is_called_as_users_call_it() -> None:
    known = {*settings_of(CurateConfig), *settings_of(BuildMetadataConfig)}
    told = {setting_name(stage, name) for stage, settings in recipes() for name in flatten(settings)}
    assert len(told) > 40
    assert {name for name in told if name not in known and " " not in name} == set()


def test_the_names_that_are_given_are_those_of_settings() -> None:
    known = {*settings_of(CurateConfig), *settings_of(BuildMetadataConfig)}
    given = {name for names in NAMES.values() for name in names.values() if " " not in name}
    assert {name for name in given if name not in known and not any(one.startswith(name) for one in known)} == set()


def old_values(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if is_dataclass(value):
            yield from old_values(value, f"{prefix}{each.name}.")
        elif OLD_ROWS in each.metadata:
            yield prefix + each.name, recipe_settings(each.metadata[OLD_ROWS])


def test_settings_that_recipes_leave_out_are_known_by_their_values() -> None:
    config = compose_config("curate", CurateConfig, GIVEN)
    download = download_settings.download_settings(config)
    told = {
        "extract_pairs": dict(old_values(extract_pairs.settings_of(config))),
        "download_images": dict(old_values(download)),
        "count_articles": dict(old_values(DumpSettings(1))),
    }
    assert {stage: OLD_VALUES[stage] for stage in told} == told


@pytest.mark.parametrize(
    ("stage", "before", "now", "told"),
    [
        ("download_images", {"image": {"size": 512}}, {"image": {"size": 256}}, "download.size was 512, is 256"),
        ("extract_pairs", {"texts": {"min_chars": 1}}, {"texts": {"min_chars": 5}}, "text.min_chars was 1, is 5"),
        (
            "extract_pairs",
            {"language": {}},
            {"language": {"rule": "careful"}},
            "language.rule was published, is careful",
        ),
        ("extract_pairs", {"image_addresses": "one"}, {}, "source.image_addresses was one, is all"),
        ("extract_pairs", {}, {"page_metadata": True}, "source.page_metadata was false, is true"),
        ("extract_pairs", {"columns": {"lang": "code"}}, {}, "source.lang_column was code, is ''"),
        ("match_pairs", {"edges": "blank"}, {"edges": "script"}, "matching.edges was blank, is script"),
    ],
)
def test_a_difference_names_the_setting(stage: str, before: dict, now: dict, told: str) -> None:
    assert difference({"logic_version": 1, "settings": before}, Recipe(stage, 1, now)) == told

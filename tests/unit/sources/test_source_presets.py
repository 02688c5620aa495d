"""The presets of `source=`: each names columns that extraction understands."""

from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from curation.core.errors import HeadtailError
from curation.extraction.inputs import SUFFIXES
from jobs.extraction_settings import settings_of
from tests.unit.extraction.settings import table_columns

PRESETS = {
    "wat": ("wat", table_columns()),
    "warc": ("warc", table_columns()),
    "table": ("table", table_columns()),
    "laion": ("table", table_columns(url="URL", texts=(("alt", "TEXT"),))),
    "datacomp": ("table", table_columns(carry=(("datacomp_uid", "uid"),))),
    "coyo": ("table", table_columns()),
    "cc3m": ("table", table_columns(texts=(("caption", "caption"),), names=("caption", "url"))),
    "webdataset": (
        "webdataset",
        table_columns(texts=(("caption", "caption"), ("txt", "txt")), carry=(("datacomp_uid", "uid"),)),
    ),
    "cc12m": ("table", table_columns(texts=(("caption", "caption"),), names=("url", "caption"))),
}


def compose(*overrides: str) -> ExtractPairsConfig:
    return compose_config("extract_pairs", ExtractPairsConfig, ["source.paths=x", "output=y", *overrides])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    settings = settings_of(compose(f"source={preset}"))
    assert (settings.source, settings.columns) == PRESETS[preset]
    assert settings.source in SUFFIXES


def test_every_preset_is_tested() -> None:
    folder = Path(__file__).parents[3] / "conf" / "source"
    assert {path.stem for path in folder.glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize(
    ("source", "given", "kinds"),
    [
        ("wat", "image_addresses=all", "warc"),
        ("laion", "page_metadata=true", "warc"),
        ("warc", "entities=never", "wat"),
        ("wat", "url_column=link", "table and webdataset"),
        ("warc", "text_columns.alt=text", "table and webdataset"),
        ("warc", "lang_column=lang", "table and webdataset"),
        ("warc", "carry.nsfw=nsfw", "table and webdataset"),
        ("webdataset", "names=[url,text]", "table"),
        ("warc", "csv_escape=quote", "table"),
    ],
)
def test_a_setting_of_another_source_is_refused(source: str, given: str, kinds: str) -> None:
    name = given.partition("=")[0].partition(".")[0]
    told = f"^source.{name} means nothing to source.kind=[a-z]+, only to {kinds}: leave it out"
    with pytest.raises(HeadtailError, match=told):
        compose(f"source={source}", f"source.{given}")


def test_a_setting_of_another_source_may_have_its_default() -> None:
    compose("source=wat", "source.image_addresses=one", "source.page_metadata=false", "source.csv_escape=auto")


@pytest.mark.parametrize("name", ["text", "url", "lang", "lang_by", "image_file", "source_file"])
def test_a_carried_column_has_a_name_of_its_own(name: str) -> None:
    with pytest.raises(HeadtailError, match=rf"^source\.carry\.{name}: pairs have a column {name} of their own"):
        settings_of(compose("source=webdataset", f"source.carry.{name}=title"))


def test_languages_that_share_a_list_may_have_blanks_between_them() -> None:
    assert settings_of(compose("language.merge=[no + nn]")).language.merge == (("no", "nn"),)


def test_rules_reach_extraction() -> None:
    settings = settings_of(
        compose(
            "urls.block_hosts=[a.org,lists/b.txt]", "text.emails=mask", "text.word_lists=w_{lang}", "text.min_chars=3"
        )
    )
    assert settings.urls.block_hosts == ("a.org", "lists/b.txt")
    assert (settings.texts.emails, settings.texts.word_lists, settings.texts.min_chars) == ("mask", "w_{lang}", 3)

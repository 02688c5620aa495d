"""The presets of `source=`: each names columns that extraction understands."""

from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from curation.sources.caption_tables import TableColumns
from jobs.extract_pairs import SUFFIXES, settings_of

PRESETS = {
    "wat": ("wat", TableColumns()),
    "warc": ("warc", TableColumns()),
    "table": ("table", TableColumns()),
    "laion": ("table", TableColumns("URL", (("alt", "TEXT"),))),
    "datacomp": ("table", TableColumns("url", (("alt", "text"),), (("datacomp_uid", "uid"),))),
    "coyo": ("table", TableColumns("url", (("alt", "text"),))),
    "cc3m": ("table", TableColumns("url", (("caption", "caption"),), (), ("caption", "url"))),
    "webdataset": (
        "webdataset",
        TableColumns("url", (("caption", "caption"), ("txt", "txt")), (("datacomp_uid", "uid"),)),
    ),
    "cc12m": ("table", TableColumns("url", (("caption", "caption"),), (), ("url", "caption"))),
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


def test_rules_reach_extraction() -> None:
    settings = settings_of(
        compose(
            "urls.block_hosts=[a.org,lists/b.txt]", "text.emails=mask", "text.word_lists=w_{lang}", "text.min_chars=3"
        )
    )
    assert settings.urls.block_hosts == ("a.org", "lists/b.txt")
    assert (settings.texts.emails, settings.texts.word_lists, settings.texts.min_chars) == ("mask", "w_{lang}", 3)

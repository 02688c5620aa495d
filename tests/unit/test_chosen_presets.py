"""Hydra composes each choice of presets once; values are set on a copy, as Hydra sets them."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from conf import chosen_presets
from conf.compose import as_hydra_reads, compose_config, compose_settings
from conf.schema.jobs import CurateConfig
from conf.settings import settings_of
from curation.core.errors import HeadtailError
from jobs.answers import plan_sweep

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz,/b", "entry_lists=/lists"]

OVERRIDES = {
    "nothing": [],
    "values": [*GIVEN, "balance.t=5", "languages=[en,de]", "balance.unit=image", "seed=null"],
    "presets and values": ["balance.t=5", "balance=metaclip_400m", "source=table", *GIVEN, "source.carry.a=b"],
    "a preset that follows another": ["balance=metaclip_2_5b", "matching.edges=script"],
    "names of dicts": ["spark.conf.spark.a.b=1", "+spark.conf.spark.c=x y", "spark.conf={spark.d: 2}", "spark=yarn"],
    "further values": ["++seed=5", "+balance.t_by_language={de: 3}", "balance.t_by_language.en=4"],
    "interpolations": ["output=${oc.env:HOME}/x", "pairs=${output}/other", "matches=${pairs}"],
    "Hydra's own": ["hydra.job.name=x", "balance=tail_share", "output=/x"],
}


@pytest.fixture(scope="module")
def stored() -> Iterator[ConfigStore]:
    """Hydra's store with the schema and the default presets of curate; each composition would copy it."""
    store = ConfigStore.instance()
    as_it_is = mock.patch.object(ConfigStore, "__deepcopy__", lambda store, _: store, create=True)
    with mock.patch.dict(store.repo), as_it_is:
        store.store("schema", CurateConfig)
        unused = [{f"override hydra/{topic}": None} for topic in chosen_presets.HYDRAS_TOPICS]
        presets = [*chosen_presets.default_presets(CurateConfig), "_self_", *unused]
        store.store("at_once", {"defaults": ["schema", *presets]})
        yield store


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", OVERRIDES)
def test_settings_are_those_that_hydra_composes_at_once(name: str) -> None:
    given = OVERRIDES[name]
    composed = compose_settings("curate", CurateConfig, given)
    with initialize_config_module("conf", version_base="1.3"):
        wanted = compose("at_once", [as_hydra_reads(each, settings_of(CurateConfig)) for each in given])
    assert OmegaConf.to_yaml(composed) == OmegaConf.to_yaml(wanted)
    assert composed == wanted
    assert OmegaConf.is_struct(composed)


def test_what_is_set_does_not_stay() -> None:
    assert compose_settings("curate", CurateConfig, ["balance.t=5", "spark.conf.a=b"]).balance.t == 5
    again = compose_settings("curate", CurateConfig, [])
    assert (again.balance.t, again.spark.conf) == (None, {})


def test_a_sweep_composes_its_presets_once() -> None:
    chosen_presets._pickled.cache_clear()
    chosen_presets._composed_once.cache_clear()
    with mock.patch.object(chosen_presets, "compose", side_effect=chosen_presets.compose) as composed:
        swept = plan_sweep("curate", CurateConfig, [*GIVEN, "balance=tail_share", "balance.t=5,6,7"], "")
    assert [variant.balance.t for variant in swept.variants.values()] == [5, 6, 7]
    assert composed.call_count == 1


@pytest.mark.parametrize(
    ("preset", "line"),
    [
        ("nothing: 3", r"^balance\.nothing: Key 'nothing' not in"),
        ("t: many", r"^balance\.t must be a number, got 'many'"),
    ],
    ids=["unknown", "wrong"],
)
def test_a_line_names_what_is_wrong_in_a_preset_of_ones_own(tmp_path: Path, preset: str, line: str) -> None:
    (tmp_path / "balance").mkdir()
    (tmp_path / "balance/mine.yaml").write_text(preset)
    with pytest.raises(HeadtailError, match=line):
        compose_config("curate", CurateConfig, [*GIVEN, "balance=mine"], str(tmp_path))

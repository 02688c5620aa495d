"""The settings of a job with the presets that the user chooses, before any value is set.

Hydra composes the presets, which are then merged into the schema's defaults. That is nearly all of the time of a
composition, so that a process composes each choice of presets once: a sweep has many values and one choice.
"""

import os
import pickle
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from typing import Any, cast, get_type_hints

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from conf.settings_file import quoted

HYDRAS_TOPICS = ("help", "hydra_help", "hydra_logging", "job_logging", "launcher", "output", "sweeper")
"""Topics of Hydra's own that no job uses. To read them takes a third of the time of a composition: they are read only
where an override names a setting of Hydra's."""


def with_presets(kind: type, choices: list[str], folder: str = "") -> DictConfig:
    """Return a job's settings with the chosen presets; the caller may change them.

    `choices` are overrides of presets (`balance=metaclip_400m`), or of Hydra's own settings; `folder` holds presets of
    the user's own. Raises errors of Hydra and OmegaConf.
    """
    if folder:  # its files may change
        search = f"hydra.searchpath=[{quoted(f'file://{os.path.abspath(folder)}')}]"
        return _merged(kind, _composed(_defaults(kind), (*choices, search)))
    return pickle.loads(_pickled(kind, tuple(choices)))


@lru_cache(maxsize=256)
def _pickled(kind: type, choices: tuple[str, ...]) -> bytes:
    """Return settings as bytes, of which a copy is made in a sixth of the time of a deep copy."""
    return pickle.dumps(_merged(kind, _composed_once(_defaults(kind), choices)))


def _merged(kind: type, presets: DictConfig) -> DictConfig:
    return cast(DictConfig, OmegaConf.merge(_schema(kind), presets))


@cache
def _schema(kind: type) -> DictConfig:
    return OmegaConf.structured(kind)


def _defaults(kind: type) -> tuple[tuple[str, str], ...]:
    return tuple(pair for entry in default_presets(kind) for pair in entry.items())


def _composed(defaults: tuple[tuple[str, str], ...], choices: tuple[str, ...]) -> DictConfig:
    """Return the values of default presets, as `choices` override them, without a schema."""
    is_hydras = any(each.lstrip("+").startswith("hydra.") for each in choices)
    unused = () if is_hydras else tuple((f"override hydra/{topic}", None) for topic in HYDRAS_TOPICS)
    ConfigStore.instance().store("presets", {"defaults": [{key: name} for key, name in (*defaults, *unused)]})
    GlobalHydra.instance().clear()
    with initialize_config_module("conf", version_base="1.3"):
        return compose("presets", list(choices))


_composed_once = lru_cache(maxsize=256)(_composed)


def default_presets(kind: Any) -> list[dict[str, str]]:
    """Return the default presets of a job as entries of Hydra's defaults list."""
    hints = get_type_hints(kind)
    topics = [hints[declared.name] for declared in fields(kind) if is_dataclass(hints[declared.name])]
    chosen = {topic.topic: topic.preset for topic in topics if topic.preset} | kind.presets
    # A preset that follows another topic is optional: not every preset of `balance` has a namesake in `matching`.
    return [{f"optional {topic}" if "${" in name else topic: name} for topic, name in chosen.items()]

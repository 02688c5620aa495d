"""The settings of a job with the presets that the user chooses, before any value is set.

Hydra composes them: the schema's defaults, then presets. That is nearly all of the time of a composition, so that a
process composes each choice of presets once: a sweep has many values and one choice.
"""

import os
import pickle
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, get_type_hints

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from conf.settings_file import quoted

HYDRAS_TOPICS = ("help", "hydra_help", "hydra_logging", "job_logging", "launcher", "output", "sweeper")
"""Topics of Hydra's own that no job uses. To read them takes a third of the time of a composition: they are read only
where an override names a setting of Hydra's."""
_stored: dict[str, type] = {}
"""The class of settings of each job that Hydra's store holds."""


def with_presets(job: str, kind: type, choices: list[str], folder: str = "") -> DictConfig:
    """Return a job's settings with the chosen presets; the caller may change them.

    `choices` are overrides of presets (`balance=metaclip_400m`), or of Hydra's own settings; `folder` holds presets of
    the user's own. Raises errors of Hydra and OmegaConf.
    """
    if folder:  # its files may change
        return _composed(job, kind, choices, [f"hydra.searchpath=[{quoted(f'file://{os.path.abspath(folder)}')}]"])
    return pickle.loads(_pickled(job, kind, tuple(choices)))


@lru_cache(maxsize=256)
def _pickled(job: str, kind: type, choices: tuple[str, ...]) -> bytes:
    """Return composed settings as bytes, of which a copy is made in a sixth of the time of a deep copy."""
    return pickle.dumps(_composed(job, kind, list(choices), []))


def _composed(job: str, kind: type, choices: list[str], search: list[str]) -> DictConfig:
    name = f"{job}_with_hydras" if any(each.lstrip("+").startswith("hydra") for each in choices) else job
    _store_schema(job, kind)
    GlobalHydra.instance().clear()
    with initialize_config_module("conf", version_base="1.3"):
        return compose(name, [*choices, *search])


def _store_schema(job: str, kind: type) -> None:
    """Store the class of a job's settings where Hydra looks for it, unless it lies there."""
    if _stored.get(job) is not kind:
        store = ConfigStore.instance()
        store.store(name=f"{job}_schema", node=kind)
        defaults = [f"{job}_schema", *default_presets(kind), "_self_"]
        unused = [{f"override hydra/{topic}": None} for topic in HYDRAS_TOPICS]
        store.store(name=f"{job}_with_hydras", node={"defaults": defaults})
        store.store(name=job, node={"defaults": [*defaults, *unused]})
        _stored[job] = kind


def default_presets(kind: Any) -> list[dict[str, str]]:
    """Return the default presets of a job as entries of Hydra's defaults list."""
    hints = get_type_hints(kind)
    topics = [hints[declared.name] for declared in fields(kind) if is_dataclass(hints[declared.name])]
    chosen = {topic.topic: topic.preset for topic in topics if topic.preset} | kind.presets
    # A preset that follows another topic is optional: not every preset of `balance` has a namesake in `matching`.
    return [{f"optional {topic}" if "${" in name else topic: name} for topic, name in chosen.items()]

"""The settings of a run as YAML that `config=` reads again: without its seed, and without passwords and keys."""

import json
import os
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import yaml

from curation.core.credentials import SECRET_NAME, cut_text, cut_values, without_secrets
from jobs.answers import DECISIONS


def settings_yaml(config: Any) -> str:
    """Return all settings of a job; paths of tables in the folder of the run stay relative to `output`.

    A comment names the working folder: other relative paths are relative to it. Of a sweep they are the settings of its
    first variant, with the tables where a run without a sweep has them.
    """
    is_sweep = hasattr(config, "variants")
    config = next(iter(config.variants.values())) if is_sweep else config
    values = _plain(config, getattr(config, "output", None))
    if is_sweep:
        values |= {each.name: each.default for each in fields(config) if each.name in DECISIONS}
    folder = without_secrets(os.getcwd()).replace("\n", " ")
    head = f"# Relative paths are relative to the folder in which the job was started, {folder}\n"
    return head + yaml.safe_dump(cut_values(values), sort_keys=False, allow_unicode=True, width=120)


def _plain(config: Any, output: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for declared in fields(config):
        value, default = getattr(config, declared.name), declared.default
        if declared.name == "seed":
            continue
        if is_dataclass(value):
            found[declared.name] = _plain(value, output)
        elif output and isinstance(default, str) and value == default.replace("${output}", output):
            found[declared.name] = default
        else:
            found[declared.name] = _simple(value)
    return found


def _simple(value: Any) -> Any:
    """Return a value as YAML holds it."""
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if not _is_secret(key, one)}
    return json.loads(json.dumps(value, default=lambda one: one.name if isinstance(one, Enum) else str(one)))


def _is_secret(key: str, value: Any) -> bool:
    """Whether a value is a secret, or options of Java or Python that hold one."""
    within = isinstance(value, str) and without_secrets(value) != cut_text(value)
    return within or re.search(SECRET_NAME, key, re.IGNORECASE) is not None

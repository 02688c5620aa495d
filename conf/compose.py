"""Builds a job's configuration with Hydra; a user's mistake becomes one line."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.resources import files
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from conf.wrong_values import KINDS, unreadable, wrong_value
from curation.core.errors import HeadtailError

Config = TypeVar("Config")


def compose_config(job: str, kind: type[Config], overrides: list[str]) -> Config:
    """Return the job's configuration: the schema's defaults, then presets, then overrides, with ranges checked.

    Raises HeadtailError for an unknown key or preset, a missing value, or a value of the wrong type or out of range.
    """
    known = _settings(kind)
    for override in overrides:
        _check_override(job, override, known)
    store = ConfigStore.instance()
    store.store(name=f"{job}_schema", node=kind)
    store.store(name=job, node={"defaults": [f"{job}_schema", *_default_presets(kind), "_self_"]})
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("conf", version_base="1.3"):
            composed = compose(job, [_quoted(override, known) for override in overrides])
        _check_missing(composed, known)
        return cast(Config, OmegaConf.to_object(composed))
    except HeadtailError:
        raise
    except (HydraException, ConfigCompositionException, OmegaConfBaseException) as error:
        raise HeadtailError(_unreadable(overrides, known) or _message(error, overrides)) from error


def settings_help(kind: type) -> str:
    """Return the --help text of a job: type, unit, default and help text of each setting, and the presets."""
    hints = {name: _type_name(hint) for name, (hint, _) in _settings(kind).items()}
    width = max(map(len, hints)) + 2
    lines = []
    for name, (_, declared) in _settings(kind).items():
        default = _default(declared)
        unit = f" {declared.metadata['unit']}" if declared.metadata.get("unit") else ""
        lines.append(f"  {name:{width}}{hints[name]}{unit}, {default}\n  {'':{width}}{declared.metadata['help']}")
    presets = [f"  {group}={'|'.join(_options(group))}" for group in _groups(hints)]
    return "\n".join(["Settings:", *lines, "", "Presets (conf/):", *presets])


def _settings(kind: type, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return (type, dataclass field) of each setting by its dotted key."""
    found: dict[str, tuple[Any, Any]] = {}
    hints = get_type_hints(kind)
    for declared in fields(kind):
        hint = hints[declared.name]
        if is_dataclass(hint):
            found |= _settings(hint, f"{prefix}{declared.name}.")  # type: ignore[arg-type]  # a class, not an instance
        else:
            found[f"{prefix}{declared.name}"] = (hint, declared)
    return found


def _default_presets(kind: Any) -> list[dict[str, str]]:
    """Return the default presets of a job as entries of Hydra's defaults list."""
    hints = get_type_hints(kind)
    topics = [hints[declared.name] for declared in fields(kind) if is_dataclass(hints[declared.name])]
    chosen = {topic.topic: topic.preset for topic in topics if topic.preset} | kind.presets
    # A preset that follows another topic is optional: not every preset of `balance` has a namesake in `matching`.
    return [{f"optional {topic}" if "${" in name else topic: name} for topic, name in chosen.items()]


def _check_override(job: str, override: str, known: dict[str, Any]) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise HeadtailError(f"{override!r} is not of the form key=value")
    key = key.lstrip("+~").split("@")[0]
    if key in known or any(key.startswith(f"{name}.") for name, (hint, _) in known.items() if get_origin(hint) is dict):
        return
    if key in _groups(known):
        if value not in _options(key):
            raise HeadtailError(f"{key}={value}: unknown preset; the presets are {', '.join(_options(key))}")
        return
    if key.split(".")[0] == "hydra":
        return
    near = difflib.get_close_matches(key, [*known, *_groups(known)], 3, 0.5) or [
        name for name in known if name.split(".")[-1] == key.split(".")[-1]
    ]
    hint = f"did you mean {' or '.join(near)}?" if near else f"headtail {job} --help lists the settings"
    raise HeadtailError(f"unknown setting {key!r}: {hint}")


def _quoted(override: str, known: dict[str, Any]) -> str:
    """Return an override with the quotes and brackets that Hydra's grammar requires around texts and lists."""
    key, _, value = override.partition("=")
    name = key.lstrip("+~")
    if name not in known:
        inside = any(name.startswith(f"{parent}.") for parent, (hint, _) in known.items() if get_origin(hint) is dict)
        return f"++{override.lstrip('+')}" if inside else override
    hint = known[name][0]
    if get_origin(hint) is dict:
        return f"++{override.lstrip('+')}"
    if not value or value[0] in "'\"[{" or "${" in value or value == "null":
        return override
    if get_origin(hint) is list:
        return f"{key}=[{','.join(_quote(item) for item in value.split(','))}]"
    if hint is str or (isinstance(hint, UnionType) and str in get_args(hint)):
        return f"{key}={_quote(value)}"
    return override


def _quote(value: str) -> str:
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"


def _check_missing(composed: DictConfig, known: dict[str, Any]) -> None:
    missing = set()
    for name in known:
        try:
            value = OmegaConf.select(composed, name, throw_on_missing=True)
        except MissingMandatoryValue:
            missing.add(name)
        except InterpolationToMissingValueError:
            missing.add("output")
        else:
            # An unset variable of the shell gives an empty path, and tables in the root folder.
            if value == "" and known[name][1].default == MISSING:
                missing.add(name)
    if missing:
        names = sorted(missing, key=lambda name: (name != "output", name))
        raise HeadtailError(f"{', '.join(names)} must be given: add {' '.join(f'{name}=...' for name in names)}")


def _message(error: Exception, overrides: list[str]) -> str:
    """Return one line for an error of Hydra or OmegaConf, with the key of the setting."""
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) and error.__cause__ else error
    line = str(cause).strip().split("\n")[0]
    key = getattr(cause, "full_key", None)
    given = {key: value for key, _, value in (override.partition("=") for override in overrides)}
    return wrong_value(line, key, given) or (f"{key}: {line}" if key and key not in line else line)


def _unreadable(overrides: list[str], known: dict[str, Any]) -> str | None:
    quoted = {key: value for key, _, value in (_quoted(override, known).partition("=") for override in overrides)}
    names = {int: KINDS["Integer"], float: KINDS["Float"]}
    numbers = {
        key: kind
        for key in quoted
        for number, kind in names.items()
        if key in known and number in (known[key][0], *get_args(known[key][0]))
    }
    return unreadable(quoted, numbers)


def _type_name(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "|".join(option.name for option in hint)
    if isinstance(hint, UnionType):
        return " or ".join(_type_name(part) for part in get_args(hint) if part is not type(None))
    if get_origin(hint) in (list, dict):
        return f"{get_origin(hint).__name__} of {_type_name(get_args(hint)[-1])}"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true|false"}.get(hint.__name__, hint.__name__)


def _default(declared: Any) -> str:
    value = declared.default_factory() if callable(declared.default_factory) else declared.default
    if value == MISSING:
        return "required"
    if value is None:
        return "default null"
    if value in ("", [], {}):
        return "default empty"
    if isinstance(value, bool):
        value = str(value).lower()
    return f"default {value.name if isinstance(value, Enum) else value}"


def _groups(known: Iterable[str]) -> list[str]:
    """Return the topics of a job that have a folder of presets."""
    topics = {name.split(".")[0] for name in known if "." in name}
    return sorted(entry.name for entry in files("conf").iterdir() if entry.is_dir() and entry.name in topics)


def _options(group: str) -> list[str]:
    return sorted(
        os.path.splitext(entry.name)[0] for entry in (files("conf") / group).iterdir() if entry.name.endswith(".yaml")
    )

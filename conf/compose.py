"""Builds a job's configuration with Hydra; a user's mistake becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import reduce
from itertools import chain
from operator import attrgetter
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from conf.chosen_presets import with_presets
from conf.near_names import bare_place, unknown_preset, unknown_setting
from conf.presets import option_names, preset_topics
from conf.repeated import refuse_repeated
from conf.settings import settings_of
from conf.settings_file import KEY, quoted, read_file
from conf.wrong_values import KINDS, grouped_number, unreadable, wrong_value
from curation.core.errors import HeadtailError

Config = TypeVar("Config")


def compose_config(job: str, kind: type[Config], overrides: list[str], presets: str = "") -> Config:
    """Return the job's configuration: the schema's defaults, then presets, then overrides, with ranges checked.

    `config=FILE` among the overrides stands for the settings in the file; of two files the later one wins, and the
    other overrides win over all files. `presets` is a folder with presets of the user's own. Raises HeadtailError for
    an unknown key or preset, a missing value, or a value of the wrong type or out of range.
    """
    composed = compose_settings(job, kind, overrides, presets)
    known = settings_of(kind)
    with _as_lines(overrides, known):
        try:
            config = OmegaConf.to_object(composed)
        except (HeadtailError, OmegaConfBaseException):
            _check_missing(composed, known)
            raise
        if any(attrgetter(name)(config) == "" for name, (_, declared) in known.items() if declared.default == MISSING):
            _check_missing(composed, known)
        return cast(Config, config)


def compose_settings(job: str, kind: type, overrides: list[str], presets: str = "") -> DictConfig:
    """Return the job's settings as OmegaConf holds them: values may be missing, ranges are not checked."""
    paths = [override.removeprefix(f"{KEY}=") for override in overrides if override.startswith(f"{KEY}=")]
    held = [_read_settings(path, kind) for path in paths]
    given = [each for each in overrides if not each.startswith(f"{KEY}=")]
    try:
        return _compose(job, kind, [*chain.from_iterable(held), *given], presets)
    except HeadtailError:
        for path, settings in zip(paths, held, strict=True):
            _refuse_file(job, kind, path, settings, presets)
        raise


def _read_settings(path: str, kind: type) -> list[str]:
    settings = read_file(path, kind)
    try:
        refuse_repeated(settings, settings_of(kind))
    except HeadtailError as error:
        raise HeadtailError(f"{path}: {error}") from error
    return settings


def _refuse_file(job: str, kind: type, path: str, settings: list[str], presets: str) -> None:
    """Raise HeadtailError, with the path, if the settings of a file are wrong by themselves."""
    try:
        _compose(job, kind, settings, presets)
    except HeadtailError as error:
        raise HeadtailError(f"{path}: {error}") from error


def _compose(job: str, kind: type, overrides: list[str], presets: str) -> DictConfig:
    known = settings_of(kind)
    values: list[str] = []
    choices: list[str] = []
    for override in overrides:
        _check_override(job, override, known, presets)
        is_value = _declared(override.partition("=")[0].lstrip("+"), known)
        (values if is_value else choices).append(override)
    with _as_lines(overrides, known):
        given = OverridesParser.create().parse_overrides([as_hydra_reads(override, known) for override in values])
        composed = with_presets(kind, choices, presets)
        for each in given:
            _set_value(composed, each)
    return composed


def _set_value(composed: DictConfig, override: Override) -> None:
    """Set the value that an override gives, as Hydra does after it has composed the presets."""
    key = override.key_or_group
    if override.is_sweep_override():
        raise HydraException(f"{key} has several values")
    value = override.value()
    is_one = not isinstance(value, list | dict)
    if override.is_add() and is_one and OmegaConf.select(composed, key) is not None:
        raise HeadtailError(f"+{key}: the setting exists, write {key}= without the +")
    OmegaConf.update(composed, key, value, merge=True, force_add=override.is_add() or override.is_force_add())


@contextmanager
def _as_lines(overrides: list[str], known: dict[str, Any]) -> Iterator[None]:
    """Turn an error of Hydra or OmegaConf into a HeadtailError of one line."""
    try:
        yield
    except HeadtailError:
        raise
    except (HydraException, ConfigCompositionException, OmegaConfBaseException) as error:
        raise HeadtailError(_unreadable(overrides, known) or _message(error, overrides, known)) from error


def _check_override(job: str, override: str, known: dict[str, Any], presets: str) -> None:
    key, equals, value = override.partition("=")
    if not equals and key[:1] != "~":
        cut = "]" in override or "}" in override
        hint = ": write a list without blanks, or put the whole setting in quotes: 'languages=[en, de]'" if cut else ""
        if not hint and (meant := bare_place(override, known)):
            hint = f": did you mean {meant}={override}?"
        raise HeadtailError(f"{override!r} is not of the form key=value{hint}")
    if key[:1] == "~":
        raise HeadtailError(f"{override}: a setting cannot be deleted; leave it out, or give it another value")
    key, at, _ = key.lstrip("+").partition("@")
    if at:
        raise HeadtailError(f"{override}: settings stay where they are, write {key}={value}")
    if _declared(key, known):
        check_number(override, known)
        return
    if key in preset_topics(known):
        if value not in option_names(key, presets):
            raise HeadtailError(unknown_preset(key, value, known, presets))
        return
    if key.split(".")[0] == "hydra":
        return
    raise HeadtailError(unknown_setting(key, job, known))


def check_number(override: str, known: dict[str, Any]) -> None:
    """Raise HeadtailError if an override gives a number with signs between its digits that may mean another one."""
    key, _, value = override.partition("=")
    if not (name := _declared(key.lstrip("+"), known)):
        return
    kinds = _kinds(known[name][0])
    if {int, float} & set(kinds):
        line = grouped_number(key, value, float not in kinds, known[name][1].metadata.get("maximum"))
        if line:
            raise HeadtailError(line)


def _declared(key: str, known: dict[str, Any]) -> str:
    """Return the setting that a key gives, or gives a name in (spark.conf.spark.app.name); empty if there is none."""
    outer = (name for name, (hint, _) in known.items() if get_origin(hint) is dict and key.startswith(f"{name}."))
    return key if key in known else next(outer, "")


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the types of a setting's values: of `list[float]`, `dict[str, float]` and `float | None` it has float."""
    return (hint, *get_args(hint)[-1 if get_origin(hint) is dict else 0 :])


_TRUTHS = dict.fromkeys(("1", "yes", "y", "on"), "true") | dict.fromkeys(("0", "no", "n", "off"), "false")
"""Further words for true and false, which settings take that are nothing but true or false."""


def as_hydra_reads(override: str, known: dict[str, Any]) -> str:
    """Return an override with the quotes and brackets that Hydra's grammar requires around texts and lists."""
    key, _, value = override.partition("=")
    name = key.lstrip("+~")
    if name not in known:
        outer = [
            (parent, hint)
            for parent, (hint, _) in known.items()
            if name.startswith(f"{parent}.") and get_origin(hint) is dict
        ]
        if not outer:
            return override
        parent, hint = outer[0]
        is_plain = value and value[0] not in "'\"[{" and "${" not in value and value != "null"
        value = quoted(value) if is_plain and get_args(hint)[-1] is str else value
        inner = name.removeprefix(f"{parent}.")
        # Hydra would take each dot for a level of settings.
        return f"++{parent}={{{inner}:{value}}}" if "." in inner else f"++{name}={value}"
    hint = known[name][0]
    if get_origin(hint) is dict:
        return f"++{override.lstrip('+')}"
    if not value or value[0] in "'\"[{" or "${" in value or value == "null":
        return override
    if get_origin(hint) is list:
        return f"{key}=[{','.join(quoted(item) for item in value.split(','))}]"
    if isinstance(hint, type) and issubclass(hint, Enum):
        word = value.lower()
        word = _TRUTHS.get(word, word) if "true" in hint.__members__ else word
        if word in ("true", "false"):
            return f"{key}={quoted(word)}"
    if hint is str or (isinstance(hint, UnionType) and str in get_args(hint)):
        return f"{key}={quoted(value)}"
    return override


def _check_missing(composed: DictConfig, known: dict[str, Any]) -> None:
    """Raise HeadtailError for settings that must be given. It takes as long as to make the configuration."""
    missing = set()
    raw: Any = OmegaConf.to_container(composed)
    for name in known:
        held = reduce(lambda topic, key: topic[key], name.split("."), raw)
        if not isinstance(held, str) or not (held in ("", MISSING) or "${" in held):
            continue
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


def _message(error: Exception, overrides: list[str], known: dict[str, Any]) -> str:
    """Return one line for an error of Hydra or OmegaConf, with the key of the setting."""
    cause = error.__cause__ if isinstance(error, ConfigCompositionException) and error.__cause__ else error
    line = str(cause).strip().split("\n")[0]
    key = getattr(cause, "full_key", None)
    given = {key: value for key, _, value in (override.partition("=") for override in overrides)}
    help_text = known[key][1].metadata["help"] if key in known else ""
    return wrong_value(line, key, given, help_text) or (f"{key}: {line}" if key and key not in line else line)


def _unreadable(overrides: list[str], known: dict[str, Any]) -> str | None:
    quoted = {
        key: value for key, _, value in (as_hydra_reads(override, known).partition("=") for override in overrides)
    }
    names = {int: KINDS["Integer"], float: KINDS["Float"]}
    numbers = {
        key: kind
        for key in quoted
        for number, kind in names.items()
        if key in known and number in (known[key][0], *get_args(known[key][0]))
    }
    return unreadable(quoted, numbers)

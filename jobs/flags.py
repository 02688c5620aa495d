"""The flags of the command line, as Hydra's programs have them, and the mistakes that look like flags or settings."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from conf.near_names import near_settings
from conf.settings import settings_of
from curation.core.errors import HeadtailError

WITH_VALUE = {
    "--cfg": "cfg", "-c": "cfg", "--package": "package", "-p": "package", "--config-dir": "config_dir",
    "-cd": "config_dir", "--config-name": "config_name", "-cn": "config_name",
}  # fmt: skip
"""Flag -> the name of what its value is."""
ALONE = {
    "-h": "help", "--help": "help", "--version": "version", "-V": "version", "--resolve": "resolve",
    "--info": "info", "-i": "info", "--multirun": "multirun", "-m": "multirun", "--run": "run", "-r": "run",
}  # fmt: skip
REFUSED = {
    "--config-path": "name your settings file with config=my.yaml, and folders of presets with --config-dir",
    "-cp": "name your settings file with config=my.yaml, and folders of presets with --config-dir",
    "--hydra-help": "--help lists the settings, --info tells where they come from",
    "--experimental-rerun": "the settings of a run are in its folder: give them with config=",
    "-er": "the settings of a run are in its folder: give them with config=",
    "--shell-completion": "there is no shell completion: --help lists the settings",
    "-sc": "there is no shell completion: --help lists the settings",
}
_KEY = re.compile(r"[+~]*[A-Za-z_][\w.@]*=")
"""How a setting begins. A path may hold a `=`, too: /data/run/sweep/t=5000,unit=pair."""
VIEWS = ("job", "hydra", "all")


@dataclass
class Flags:
    """The flags that were given, and the settings beside them."""

    help: bool = False
    topic: str = ""
    version: bool = False
    cfg: str = ""
    package: str = ""
    resolve: bool = False
    info: bool = False
    multirun: bool = False
    run: bool = False
    config_dir: str = ""
    config_name: str = ""
    overrides: list[str] = field(default_factory=list)


def read_flags(arguments: list[str], kind: Any) -> Flags:
    """Return the flags and settings of a command line; `kind` is the class of the job's configuration.

    Raises HeadtailError for a flag that does not exist and for a setting that is written otherwise than key=value.
    """
    flags, rest = Flags(), iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in WITH_VALUE:
            setattr(flags, WITH_VALUE[name], value if equals else _next(rest, name))
        elif argument in ALONE:
            setattr(flags, ALONE[argument], True)
        elif name in REFUSED:
            raise HeadtailError(f"{name}: {REFUSED[name]}")
        elif argument.startswith("-") and len(argument) > 1 and not argument[1].isdigit():
            raise HeadtailError(_undashed(argument, next(rest, ""), kind))
        else:
            flags.overrides.append(argument)
    if flags.cfg and flags.cfg not in VIEWS:
        raise HeadtailError(f"--cfg takes {', '.join(VIEWS)}, got {flags.cfg!r}")
    if flags.help and len(flags.overrides) == 1 and "=" not in flags.overrides[0]:
        flags.topic = flags.overrides.pop()
    bare = getattr(kind, "bare_argument", "")
    _check_blanks([] if bare else flags.overrides, _names(kind))
    return flags


def with_keys(overrides: list[str], kind: Any) -> list[str]:
    """Return settings with the keys of those that may come without one (`bare_argument` of `kind`), in their order.

    Raises HeadtailError if there are more of them than keys.
    """
    declared = getattr(kind, "bare_argument", ())
    several = [declared] if isinstance(declared, str) else list(declared)
    if not several:
        return overrides
    bare = [not _KEY.match(each) for each in overrides]
    keys = {each.partition("=")[0] for each, is_bare in zip(overrides, bare, strict=True) if not is_bare}
    names = [name for name in several if name not in keys] or several[-1:]
    given = [each for each, is_bare in zip(overrides, bare, strict=True) if is_bare]
    if len(given) > len(names):
        last, further = given[len(names) - 1 : len(names) + 1]
        run = "" if "output" in several or "output" not in _names(kind) else "; a run is named by output=..."
        raise HeadtailError(
            f"{names[-1]} is given twice, as {last!r} and {further!r}: put quotes around a value with blanks{run}"
        )
    free = iter(names)
    return [f"{next(free)}={each}" if is_bare else each for each, is_bare in zip(overrides, bare, strict=True)]


def _next(rest: Iterator[str], name: str) -> str:
    value = next(rest, "")
    if not value or value.startswith("-") or "=" in value:
        raise HeadtailError(f"{name} needs a value after it")
    return value


def _names(kind: Any, prefix: str = "") -> list[str]:
    """Return the dotted keys of all settings."""
    hints = get_type_hints(kind)
    names = []
    for declared in fields(kind):
        inner = hints[declared.name]
        names += _names(inner, f"{declared.name}.") if is_dataclass(inner) else [f"{prefix}{declared.name}"]
    return names


def _undashed(argument: str, following: str, kind: Any) -> str:
    """Return the line for an argument with a dash that is no flag: the setting it stands for, if there is one."""
    key, equals, value = argument.lstrip("-").partition("=")
    key = key.replace("-", "_")
    value = value if equals else following
    if "=" in value or value.startswith("-"):
        value = ""
    names = _names(kind)
    meant = [name for name in names if key in (name, name.rpartition(".")[2])]
    if not meant and len(key) <= 2:
        meant = [name for name in names if name.startswith(key)][:1]
    if meant:
        return f"{argument} is no flag: settings have no dashes, write {meant[0]}={value or '...'}"
    if near := near_settings(key, settings_of(kind)):
        return f"{argument} is no flag: settings have no dashes; did you mean {' or '.join(near)}?"
    known = ", ".join(sorted(flag for flag in {*WITH_VALUE, *ALONE, "--debug"} if flag.startswith("--")))
    return f"{argument} is no flag: the flags are {known}; settings are written key=value"


def _check_blanks(arguments: list[str], names: Iterable[str]) -> None:
    """Raise HeadtailError for `output = x`, `output =x`, `output= x`, `output: x`, `output x` and `name=x y`."""
    known = set(names)
    for place, argument in enumerate(arguments):
        key, equals, value = argument.partition("=")
        bare = key.rstrip(":")
        if not equals and ":" in key and key.partition(":")[0] in known:
            bare, _, value = key.partition(":")
        before = arguments[place - 1] if place else ""
        cut = all(before.partition("=")) and before.partition("=")[0] in known and not set("=:[]{}~") & set(argument)
        if cut and bare not in known:
            raise HeadtailError(
                f"{argument!r} has no key: put quotes around a value with blanks, '{before} {argument}'"
            )
        if bare not in known or (equals and value):
            continue
        after = [word for word in (value, *arguments[place + 1 : place + 3]) if word and word != "="]
        following = after[0].removeprefix("=") if after else ""
        plain = following and "=" not in following and following.rstrip(":") not in known
        if equals and not plain:
            continue  # an empty value
        raise HeadtailError(
            f"{argument!r} is not of the form key=value: write {bare}={following if plain else '...'}, without blanks "
            "around the ="
            + (f"; or, if it belongs to the value before, '{before} {argument}' in quotes" if cut else "")
        )

"""Settings in a YAML file of the user's: `config=my.yaml`. They are read as settings of the command line.

A file holds settings as --cfg job prints them, nested or with dotted keys, and presets: `balance: metaclip_400m`.
A preset and settings of one topic stand together as `defaults: [balance: metaclip_400m]` and `balance: {t: 35000}`.
A setting that is a text gets what the file says, letter by letter: YAML would read `no` as false, `2024_11` as 202411.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from conf.presets import preset_topics
from conf.settings import settings_of
from conf.wrong_values import grouped_number
from curation.core.errors import HeadtailError

KEY = "config"
"""The key of the command line that names a file."""
MAX_VALUES = 100_000
"""Values in a file; a list of hosts or uids is a file of its own."""
PLAIN = (int, float, bool)
"""The types of settings whose values are read as YAML reads them."""


class _Texts(yaml.SafeLoader):
    """Reads each value as its text; what is empty or null stays None. A key that comes twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    first = seen[key.value].start_mark.line + 1
                    problem = f"{key.value} is given twice, first in line {first}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen[key.value] = key
        return super().construct_mapping(node, deep)


_Texts.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [each for each in resolvers if each[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")])
}


def read_file(path: str, kind: type) -> list[str]:
    """Return the settings of a file as overrides of the command line, presets first.

    Raises HeadtailError if the file cannot be read, or is no mapping of settings.
    """
    try:
        found = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _Texts)
        _check_size(found)
    except RecursionError as error:  # a value that holds itself, by an anchor and its alias
        raise HeadtailError(f"{KEY}={path} refers to itself, or is nested without end: write its values out") from error
    except OSError as error:
        raise HeadtailError(f"{KEY}={path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place else ""
        raise HeadtailError(f"{KEY}={path} is no YAML{where}: {getattr(error, 'problem', None) or error}") from error
    if found is None:
        return []
    if not isinstance(found, dict):
        raise HeadtailError(f"{KEY}={path} must hold settings as key: value, found {_kind(found)}")
    known = settings_of(kind)
    if KEY in found:
        raise HeadtailError(f"{path}: a file of settings names no other one: give several, {KEY}=a.yaml {KEY}=b.yaml")
    topics = preset_topics(known)
    values = list(_flat(path, found, known))
    presets = [
        *_defaults(path, found.get("defaults", [])),
        *(f"{key}={value}" for key, value in values if key in topics),
    ]
    return [*presets, *(f"{key}={literal(value)}" for key, value in values if key not in topics)]


def _check_size(found: Any) -> None:
    """Raise RecursionError for values without end, which aliases can make of a few lines."""
    waiting, seen = [found], 0
    while waiting:
        value = waiting.pop()
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        seen += 1
        if seen > MAX_VALUES:
            raise RecursionError


def _defaults(path: str, listed: Any) -> Iterator[str]:
    """Yield the presets of Hydra's defaults list."""
    if not isinstance(listed, list):
        raise HeadtailError(f"{path}: defaults must be a list such as [balance: metaclip_400m], found {_kind(listed)}")
    for entry in listed:
        if entry == "_self_":
            continue
        if not isinstance(entry, dict) or len(entry) != 1 or not isinstance(next(iter(entry.values())), str):
            raise HeadtailError(f"{path}: an entry of defaults names a topic and a preset, as balance: metaclip_400m")
        ((topic, name),) = entry.items()
        yield f"{str(topic).removeprefix('override ')}={name}"


def _flat(path: str, found: Mapping[Any, Any], known: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if not isinstance(name, str):
            raise HeadtailError(f"{path}: {prefix}{name} is no key: write a text")
        key = f"{prefix}{name}"
        if key == "defaults":
            continue
        hint = known[key][0] if key in known else None
        if isinstance(value, dict) and get_origin(hint) is not dict:
            yield from _flat(path, value, known, f"{key}.")
        elif value is None and any(each.startswith(f"{key}.") for each in known):
            continue  # a topic without settings
        elif isinstance(value, str) and get_origin(hint) is list:
            yield key, value.split(",")
        else:
            yield key, _typed(value, hint)


def _typed(value: Any, hint: Any) -> Any:
    """Return a value, or the values of a list or dict, as a setting of this type takes them."""
    if get_origin(hint) in (list, dict):
        inner = get_args(hint)[-1]
        if isinstance(value, dict):
            return {name: _typed(one, inner) for name, one in value.items()}
        return [_typed(one, inner) for one in value] if isinstance(value, list) else value
    if not isinstance(value, str) or not any(each in PLAIN for each in (hint, *get_args(hint))):
        return value
    if grouped_number("", value, is_integer=False):  # 20.000, which YAML reads as 20: composing tells
        return value
    try:
        read = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):  # the latter: a date that does not exist
        return value
    return read if isinstance(read, PLAIN) else value


def literal(value: Any) -> str:
    """Return a value as Hydra's grammar of overrides writes it.

    >>> literal(["a", 1, None, True, {"b.c": "d"}])
    "['a',1,null,true,{b.c:'d'}]"
    >>> literal({"x:y z": "a\\\\"})
    "{x\\\\:y\\\\ z:'a\\\\\\\\'}"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_name(key)}:{literal(one)}' for key, one in value.items())}}}"
    return quoted(str(value))


def quoted(value: str) -> str:
    """Return a text in single quotes, as Hydra reads it: backslashes count only before a quote, and are then doubled.

    >>> print(quoted("it's"), quoted("a" + chr(92)), quoted("a" + chr(92) + "b"))
    'it\\'s' 'a\\\\' 'a\\b'
    """
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"


def _name(key: Any) -> str:
    """Return a key of a dict as Hydra's grammar writes it."""
    return re.sub(r"[\\()\[\]{}:=, \t]", r"\\\g<0>", str(key))


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else f"a {type(value).__name__}"

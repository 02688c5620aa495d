"""The name of a setting or preset for one that is nearly right: singular or plural, another topic, a value."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from conf.help_text import EXAMPLES
from conf.other_words import VALUES, other_names
from conf.presets import option_names, preset_topics
from conf.settings import settings_of

SHOWN = 3
PLACES = {"source": "source.paths", "spark": "spark.master", "language": "language.model"}
"""The setting of a topic that takes a path or an address; the topic itself takes the name of a preset."""
TABLE_FORMATS = ("parquet", "csv", "tsv", "json", "jsonl", "ndjson", "pandas")
"""Formats of files that are read with the preset `source=table`."""
_LANGUAGE = re.compile("[a-z]{2,3}")
_INPUT = re.compile(r"\.\w+$|[*]|^CC-MAIN")
_PLACE = re.compile(r"[/.*\[:]|^CC-MAIN")


def near_settings(key: str, known: Mapping[str, Any]) -> list[str]:
    """Return the settings and topics with presets that a wrong key may stand for, the likeliest first.

    A name that differs by its topic, by signs, case or a plural is the only answer; else those that look alike are.

    >>> known = {"languages": (list[str], None), "balance.t": (float, None), "source.paths": (list[str], None)}
    >>> near_settings("balance.T", known), near_settings("t", known), near_settings("path", known)
    (['balance.t'], ['balance.t'], ['source.paths'])
    """
    if sure := _sure(key, known):
        return sure[:SHOWN]
    if other := other_names(key, known):
        return other
    alike = difflib.get_close_matches(key, _names(known), SHOWN, 0.6)
    return list(dict.fromkeys([*_longer(key, known), *alike]))[:SHOWN]


def unknown_setting(key: str, job: str, known: Mapping[str, Any]) -> str:
    """Return the line for a key that is no setting of a job, with the names that it may stand for."""
    near, told = near_settings(key, known), f"unknown setting {key!r}"
    if own := [name for name in known if name.startswith(f"{key}.")]:
        told += f": {key} is a topic with the settings {', '.join(own[:SHOWN])}{', ...' if own[SHOWN:] else ''}"
        near = [*_sure(key, known), *_longer(key, known)]
    elif not (_sure(key, known) or other_names(key, known)) and (
        jobs := [name for name in _jobs_with(key) if name != job]
    ):
        told += f": {job} has none of this name, {', '.join(jobs[:SHOWN])} {'has' if len(jobs) == 1 else 'have'}"
    if near:
        return f"{told}{';' if ':' in told else ':'} did you mean {' or '.join(near[:SHOWN])}?"
    return told if ":" in told else f"{told}: headtail {job} --help lists the settings"


def bare_place(value: str, known: Mapping[str, Any]) -> str:
    """Return the setting that a path or name without a key may be meant for; "" if the job has none.

    >>> known = {"output": (str, None), "source.paths": (list[str], None)}
    >>> [bare_place(value, known) for value in ("captions.parquet", "CC-MAIN-2024-51", "/data/run", "run")]
    ['source.paths', 'source.paths', 'output', 'output']
    """
    if "source.paths" in known and _INPUT.search(value):
        return "source.paths"
    return "output" if "output" in known else ""


def _names(known: Mapping[str, Any]) -> list[str]:
    return [*known, *preset_topics(known)]


def _sure(key: str, known: Mapping[str, Any]) -> list[str]:
    """Return the names that differ from a key by their topic, by signs, case or plurals alone."""
    outer, _, last = key.rpartition(".")
    return (
        [name for name in _names(known) if _same(name, key)]
        or [f"{name}.{last}" for name, (hint, _) in known.items() if get_origin(hint) is dict and _same(name, outer)]
        or [name for name in known if name.rpartition(".")[2] == last]
        or [name for name in known if _same(name.rpartition(".")[2], last)]
    )


def _longer(key: str, known: Mapping[str, Any]) -> list[str]:
    """Return the names whose last part begins with that of a key, in the key's topic if it names one."""
    outer, _, last = key.lower().rpartition(".")
    begin = re.sub(r"s?_?$", "_", last)
    parts = [(name, *name.rpartition(".")[::2]) for name in known]
    return [name for name, topic, end in parts if len(last) > 2 and end.startswith(begin) and outer in ("", topic)]


def unknown_preset(topic: str, value: str, known: Mapping[str, Any], presets: str = "") -> str:
    """Return the line for a value that is no preset of a topic, with the setting or preset that it may stand for.

    `presets` is a folder with presets of the user's own.
    """
    options = option_names(topic, presets)
    line = f"{topic}={value}: unknown preset; the presets are {', '.join(options)}"
    meant = list(_meant(topic, value, known, options, presets))[:SHOWN]
    return f"{line}; did you mean {' or '.join(meant)}?" if meant else line


def _meant(topic: str, value: str, known: Mapping[str, Any], options: list[str], presets: str) -> Iterable[str]:
    """Return the settings, as key=value, that a user may mean who writes a value as a preset of a topic."""
    if same := [name for name in options if _same(name, value)]:
        return [f"{topic}={same[0]}"]
    if f"{topic}.{value}" in known:
        return [f"{topic}.{value}=..."]
    if meant := VALUES.get((topic, value.lower())):
        return meant
    if topic == "source" and value.lower().lstrip(".") in TABLE_FORMATS:
        return ["source=table"]
    if value.replace(".", "", 1).isdigit():
        number = float(value)
        return [f"{name}={value}" for name in known if name.startswith(f"{topic}.") and _takes(known[name], number)]
    if _PLACE.search(value) and PLACES.get(topic) in known:
        return [f"{PLACES[topic]}={value}"]
    if near := difflib.get_close_matches(value.lower(), options, 1):
        return [f"{topic}={near[0]}"]
    if other := [each for each in preset_topics(known) if value in option_names(each, presets)]:
        return [f"{each}={value}" for each in other]
    if topic in ("matching", "balance") and _LANGUAGE.fullmatch(value) and "languages" in known:
        return [f"languages={value}"]
    return [f"{name}={value}" for name in known if _same(name, topic)]


def _takes(setting: tuple[Any, Any], value: float) -> bool:
    """Whether a setting is a number, and takes this one."""
    hint, declared = setting
    limits = declared.metadata
    least, most = limits.get("minimum"), limits.get("maximum")
    above = limits.get("above")
    return (
        bool({int, float} & {hint, *(get_args(hint) if get_origin(hint) not in (list, dict) else ())})
        and (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
    )


def _same(one: str, other: str) -> bool:
    """Whether two names differ at most by case, by `_`, `-` and `.`, and by the plurals of their words.

    >>> _same("entry_lists", "Entry-List"), _same("languages", "language"), _same("seed", "seek")
    (True, True, False)
    """
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    words = re.split(r"[._\-]", name.lower())
    return "".join(re.sub(r"ies$", "y", word).removesuffix("s") for word in words)


def _jobs_with(key: str) -> list[str]:
    """Return the jobs that have a setting: `curate`, which has those of its jobs, as the last one."""
    from conf.schema.jobs import config_class  # all of them: only a mistake needs it

    return [job for job in sorted(EXAMPLES, key="curate".__eq__) if key in settings_of(config_class(job))]

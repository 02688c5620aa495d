"""The --help text of a job: its settings by topic, as wide as the terminal."""

import shlex
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from conf.help_lines import named_lines, text_width, wrapped
from conf.presets import option_names, preset_topics
from conf.settings import settings_of
from curation.core.errors import HeadtailError

OWN = "job"
"""The topic of the settings without a dot in their keys."""
DOCUMENTATION = "https://github.com/headtail/headtail/tree/main/docs"
EXAMPLES = {
    "curate": "output=/data/run source.paths=CC-MAIN-2024-51 source.limit=10 entry_lists=/data/entries languages=en",
    "extract_pairs": "output=/data/run 'source.paths=/crawl/*.wat.gz'",
    "match_pairs": "output=/data/run entry_lists=/data/entries languages=en,de",
    "count_entries": "output=/data/run",
    "balance_pairs": "output=/data/run balance.t=20000",
    "download_images": "output=/data/run download.size=256 download.contact=me@example.org",
    "score_images": "output=/data/run signals=faces",
    "cluster_images": "output=/data/run embeddings=/data/clip/embeddings fine=1024 coarse=4",
    "hash_images": "output=/data/benchmarks images.imagenet=/data/imagenet/val images.food101=/data/food101",
    "write_shards": "output=/data/run samples_per_shard=5000",
    "expert_weights": "clusters=/data/run/clusters tasks=imagenet1k encoder=my_package.clip:encode_texts",
    "report_stats": "output=/data/run entry_lists=/data/entries",
    "check_shards": "/data/run/shards",
    "remove_samples": "shards=/data/run/shards uids=optouts.txt",
    "attach": "shards=/data/run/shards name=altogether data=captions.parquet",
    "caption_stats": "output=/data/run captions=captions.parquet entry_lists=/data/entries",
    "clean": "output=/data/run what=downloads,pairs",
    "export": "output=/data/run format=datacomp",
    "show": "/data/run curated rows=5",
    "explore": "/data/run",
    "card": "output=/data/run 'name=My image-text pairs' license=cc-by-4.0 creator=me",
    "compare": "/data/run1 /data/run2 page=/data/compare.html",
    "explain": "'a photo of a dog' output=/data/run entry_lists=/data/entries",
    "estimate": "archives=100000 prices=us_east_1_spot",
    "starter_lists": "languages=en,de output=/data/starter",
    "build_metadata": "sources=/data/sources languages=en,de output=/data/metadata",
    "fetch_sources": "sources=/data/sources languages=en,de random_days=10 contact=me@example.org",
}
"""A command line of each job, without its name."""
FLAGS = {
    "--help [TOPIC]": "this text, or one topic of it",
    "config=FILE": "take settings from a YAML file; those of the command line win",
    "--config-dir DIR": "take presets from DIR/<topic>/<name>.yaml, too",
    "--config-name NAME": "take settings from DIR/NAME.yaml",
    "--cfg job": "print the settings, and run nothing; --resolve, --package TOPIC",
    "--info": "print where the settings come from",
    "-m, --multirun": "run once for each value of a setting: balance.t=5000,20000 (curate, balance_pairs)",
    "--version, --debug": "print the version; show the stack trace of an error",
}


def settings_help(kind: type, job: str = "", topic: str = "", width: int = 0) -> str:
    """Return the help text of a job, or of one topic: type, unit, default and meaning of each setting, and the presets.

    `width` is that of the terminal in characters; 0: measured. Raises HeadtailError for a topic that the job lacks.
    """
    width = text_width(width)
    known = settings_of(kind)
    topics = _by_topic(known)
    if topic and topic not in topics:
        raise HeadtailError(f"--help {topic}: headtail {job} has no such topic; its topics are {', '.join(topics)}")
    parts = (
        [f"Example:\n{_example(job, width)}", f"Flags:\n{named_lines(FLAGS, 26, width)}"] if job and not topic else []
    )
    titles = _titles(kind)
    for name in [topic] if topic else topics:
        title = f"Settings of {name}" if name != OWN else "Settings"
        about = f": {titles[name]}" if titles.get(name) else ""
        lines = [wrapped(f"{title}{about}", width, hanging=4)]
        presets = option_names(name) if name in preset_topics(known) else []
        if presets:
            options = f"  presets: {name}={'|'.join(presets)}"
            lines.append(options if len(options) <= width else wrapped(options.replace("|", "| "), width, 2, 4))
        lines += [_entry(key, *known[key], width) for key in topics[name]]
        parts.append("\n".join(lines))
    parts.append(wrapped(f"Documentation: {DOCUMENTATION}", width, hanging=2))
    return "\n\n".join(parts)


def _by_topic(known: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the keys of settings by topic: first those of the job itself."""
    topics: dict[str, list[str]] = {OWN: []}
    for key in known:
        topics.setdefault(key.partition(".")[0] if "." in key else OWN, []).append(key)
    return {name: keys for name, keys in topics.items() if keys}


def _titles(kind: Any) -> dict[str, str]:
    """Return the help text of each topic, as the job declares it."""
    hints = get_type_hints(kind)
    return {
        name: declared.metadata["help"]
        for name, declared in kind.__dataclass_fields__.items()
        if is_dataclass(hints[name])
    }


def _entry(key: str, hint: Any, declared: Any, width: int) -> str:
    unit = f" {declared.metadata['unit']}" if declared.metadata.get("unit") else ""
    head = wrapped(f"{key}  {type_name(hint)}{unit}, {default_text(declared)}", width, 2, 4)
    return f"{head}\n{wrapped(declared.metadata['help'], width, 6)}"


def _example(job: str, width: int) -> str:
    """Return the command line of a job; where it is wider than the terminal, in lines that a shell takes as one."""
    line = f"  headtail {job} {EXAMPLES[job]}"
    if len(line) <= width:
        return line
    words = (word.replace(" ", "\xa0") for word in shlex.split(line, posix=False))  # a value in quotes stays whole
    lines = wrapped(" ".join(words), width - 2, 2, 4).replace("\xa0", " ").split("\n")
    return " \\\n".join(lines)


def type_name(hint: Any) -> str:
    """Return the type of a setting in words."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "|".join(option.name for option in hint)
    if isinstance(hint, UnionType):
        return " or ".join(type_name(part) for part in get_args(hint) if part is not type(None))
    if get_origin(hint) in (list, dict):
        return f"{get_origin(hint).__name__} of {type_name(get_args(hint)[-1])}"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true|false"}.get(hint.__name__, hint.__name__)


def default_text(declared: Any) -> str:
    """Return the default of a setting in words."""
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

"""The presets: files conf/<topic>/<name>.yaml, and those of a folder of the user's own (--config-dir)."""

import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path


def preset_topics(known: Iterable[str]) -> list[str]:
    """Return the topics of a job that have a folder of presets; `known` are the keys of its settings."""
    topics = {name.split(".")[0] for name in known if "." in name}
    return sorted(entry.name for entry in files("conf").iterdir() if entry.is_dir() and entry.name in topics)


def option_names(topic: str, folder: str = "") -> list[str]:
    """Return the names of a topic's presets, also of those in a folder of the user's."""
    names = [entry.name for entry in (files("conf") / topic).iterdir()]
    own = Path(folder, topic) if folder else None
    if own and own.is_dir():
        names += [entry.name for entry in own.iterdir()]
    return sorted({os.path.splitext(name)[0] for name in names if name.endswith(".yaml")})

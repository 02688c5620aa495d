"""The folders that a job writes, as its settings declare them."""

from dataclasses import fields, is_dataclass
from typing import Any

from curation.core.output_folders import check_outputs


def written_folders(config: Any) -> list[str]:
    """Return the paths of the settings that the job, or a job that it runs, declares as written."""
    kinds = [kind for kind in type(config).__mro__ if is_dataclass(kind)]
    names = {each.name: None for kind in kinds for each in fields(kind) if each.metadata.get("writes")}
    return [path for name in names if (path := getattr(config, name))]


def check_folders(config: Any) -> None:
    """Raise HeadtailError if a folder that the job writes is not empty and holds nothing of ours."""
    check_outputs(written_folders(config), getattr(config, "output", None))

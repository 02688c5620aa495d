"""Settings of shards for tests: the defaults of the configuration, with changes."""

from typing import Any

from conf.schema.topics import FiltersConfig
from curation.shards.duplicates import UniqueRules
from curation.shards.selection import ImageFilters


def image_filters(**changes: Any) -> ImageFilters:
    """Bounds on images."""
    defaults = vars(FiltersConfig())
    return ImageFilters(**{name: changes.get(name, defaults[name]) for name in ImageFilters.__dataclass_fields__})


def unique_rules(near: bool = FiltersConfig().near_duplicates, removals: tuple[str, ...] = ()) -> UniqueRules:
    """Rules of duplicates and removals."""
    return UniqueRules(near, removals)

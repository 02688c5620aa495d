"""Settings of shards for tests: the defaults of the configuration, with changes."""

from typing import Any

from conf.schema.topics import FiltersConfig
from curation.core.choices import NearDuplicates
from curation.shards.benchmark_images import BenchmarkRules
from curation.shards.duplicates import UniqueRules
from curation.shards.selection import ImageFilters

NO_BENCHMARKS = BenchmarkRules()


def image_filters(**changes: Any) -> ImageFilters:
    """Bounds on images."""
    defaults = vars(FiltersConfig())
    return ImageFilters(**{name: changes.get(name, defaults[name]) for name in ImageFilters.__dataclass_fields__})


def unique_rules(
    near: bool | str = False,
    removals: tuple[str, ...] = (),
    benchmarks: BenchmarkRules = NO_BENCHMARKS,
) -> UniqueRules:
    """Rules of duplicates, removals and images of benchmarks."""
    return UniqueRules(NearDuplicates(str(near).lower()), removals, benchmarks, bool(removals))

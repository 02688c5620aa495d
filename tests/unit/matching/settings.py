"""Settings of matching for tests, with the defaults of the configuration."""

from dataclasses import replace
from typing import Any

from conf.schema.topics import MatchingConfig
from curation.matching.match import MatchSettings


def match_settings(**changes: Any) -> MatchSettings:
    """Return the default settings with some fields changed; all languages are matched."""
    defaults = MatchingConfig()
    return replace(MatchSettings(defaults.matcher, (), defaults.max_texts), **changes)

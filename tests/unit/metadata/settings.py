"""Settings of the metadata builder for tests: the defaults of the configuration, with changes."""

from dataclasses import fields
from typing import Any

from conf.schema.jobs import BuildMetadataConfig
from conf.schema.topics import MetadataConfig
from metadata.lists.rules import Rules
from metadata.sources.articles import DumpSettings


def list_rules(**changes: Any) -> Rules:
    """Return the rules that are the defaults, with changes."""
    config = MetadataConfig(**changes)
    return Rules(**{each.name: getattr(config, each.name) for each in fields(Rules)})


def dump_settings(**changes: Any) -> DumpSettings:
    """Return the settings of reading dumps that are the defaults, with changes."""
    defaults = {each.name: each.default for each in fields(BuildMetadataConfig)}
    return DumpSettings(**{"max_page_bytes": defaults["max_page_bytes"], **changes})

"""Settings of extraction for tests: the defaults of the configuration, with changes."""

from dataclasses import replace
from typing import Any

from conf.schema.jobs import ExtractPairsConfig
from curation.extraction.language import NO_MODEL, LanguageRules
from curation.extraction.settings import ExtractionSettings
from curation.extraction.text_rules import TextRules
from curation.extraction.urls import UrlRules
from curation.sources.caption_tables import TableColumns
from jobs.extraction_settings import settings_of

DEFAULTS = settings_of(ExtractPairsConfig())
ENGLISH = replace(DEFAULTS.language, model=NO_MODEL, languages=("en",))
"""All texts are English: no model is loaded."""


def extraction_settings(**changes: Any) -> ExtractionSettings:
    return replace(DEFAULTS, **changes)


def text_rules(**changes: Any) -> TextRules:
    return replace(DEFAULTS.texts, **changes)


def url_rules(**changes: Any) -> UrlRules:
    return replace(DEFAULTS.urls, **changes)


def language_rules(**changes: Any) -> LanguageRules:
    return replace(DEFAULTS.language, **changes)


def table_columns(**changes: Any) -> TableColumns:
    return replace(DEFAULTS.columns, **changes)

"""The settings of extraction that a configuration asks for."""

from collections.abc import Sequence
from dataclasses import replace

from conf.schema.jobs import ExtractPairsConfig
from curation.core.choices import LanguageRule
from curation.core.parts import Part
from curation.extraction.begun import with_begun_rules
from curation.extraction.language import UNKNOWN_BY_DEFAULT, LanguageRules
from curation.extraction.settings import RULES, ExtractionSettings
from curation.extraction.text_rules import TextRules
from curation.extraction.urls import UrlRules
from curation.sources.caption_tables import DEFAULT_TEXTS, TableColumns


def settings_of(config: ExtractPairsConfig) -> ExtractionSettings:
    """Return the settings of extraction as plain values, with the newest rules."""
    source = config.source
    language = LanguageRules(
        config.language.model,
        tuple(config.languages),
        config.language.min_score,
        config.language.rule or LanguageRule.careful,
        config.language.unknown,
        tuple(tuple(code.strip() for code in group.split("+")) for group in config.language.merge),
    )
    if not language.is_careful:
        language = replace(language, rule=LanguageRule.published, unknown=UNKNOWN_BY_DEFAULT)
    texts, carry = tuple(sorted(source.text_columns.items())), tuple(sorted(source.carry.items()))
    return ExtractionSettings(
        source=source.kind,
        entities=source.entities,
        crawl=source.crawl,
        max_file_bytes=source.max_file_bytes,
        record_seconds=source.record_seconds,
        rules=RULES[source.kind],
        image_addresses=source.image_addresses,
        page_metadata=source.page_metadata,
        urls=UrlRules(**{name: tuple(values) for name, values in vars(config.urls).items()}),
        texts=TextRules(**vars(config.text)),
        language=language,
        columns=TableColumns(
            source.url_column,
            texts or DEFAULT_TEXTS,
            carry,
            tuple(source.names),
            source.csv_escape.value,
            source.lang_column,
        ),
    )


def as_begun(settings: ExtractionSettings, config: ExtractPairsConfig, parts: Sequence[Part]) -> ExtractionSettings:
    """Return the settings with the rules by which the run was begun, where the configuration leaves them open.

    Raises HeadtailError if the configuration has settings of a language rule that the run does not have.
    """
    begun = with_begun_rules(settings, [part.manifest for part in parts], config.language.rule is None)
    if begun.language != settings.language:
        config.language.refuse_unknown()
    return begun

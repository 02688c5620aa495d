"""The rules by which a run was begun: it keeps them when headtail gets newer ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curation.core.choices import LanguageRule
from curation.core.recipes import kept
from curation.extraction.language import UNKNOWN_BY_DEFAULT
from curation.extraction.settings import ExtractionSettings


def with_begun_rules(
    settings: ExtractionSettings, manifests: Sequence[Mapping[str, Any]], open_language: bool
) -> ExtractionSettings:
    """Return settings with the rules that are in the manifests of `pairs`; without manifests they are the newest.

    The rule of languages is taken from there only with `open_language`. A run that was begun before there was the
    careful rule has the published one, unless a column tells languages, which is evidence for the careful rule alone.
    """
    settings = kept(settings, "rules", manifests)
    if not open_language or not manifests:
        return settings
    begun = [{"settings": manifest["settings"].get("language", {})} for manifest in manifests]
    rule = LanguageRule(kept(settings.language, "rule", begun).rule)
    if rule is not LanguageRule.published or settings.columns.lang:
        return settings
    return replace(settings, language=replace(settings.language, rule=rule, unknown=UNKNOWN_BY_DEFAULT))

"""Settings of entries: which terms become entries, how texts match them, how their counts are balanced."""

import math
from dataclasses import dataclass
from typing import ClassVar

from conf.schema.base import Settings, setting
from curation.core.choices import (
    BigramScore,
    Combine,
    Edges,
    Engine,
    Others,
    Unit,
)
from curation.core.errors import HeadtailError

DEFAULT_TAIL_SHARE = 0.06
"""Tail share of the English pool of 2.5 billion pairs at t = 170,000 (Demystifying CLIP Data, arXiv 2309.16671)."""
MAX_ENTRY_CHARACTERS = 256
"""The matching stage ignores longer entries."""


@dataclass
class MetadataConfig(Settings):
    """Which terms of each source become entries. A maximum of 0 means no limit."""

    topic: ClassVar[str] = "metadata"
    preset: ClassVar[str] = "metaclip2"
    numbers: int = setting(100, 'first entries: this many numbers, from "0" on', minimum=0)
    wordnet_first_only: bool = setting(
        True, "true: first lemma of each Princeton synset, in lower case; false: all lemmas as written"
    )
    unigram_min_count: int = setting(1, "minimum count of a word", minimum=1)
    unigram_top_share: float = setting(1.0, "share of the words to use, most frequent first", minimum=0, maximum=1)
    max_unigrams: int = setting(0, "maximum of new words; 0: no limit", minimum=0)
    bigram_score: BigramScore = setting(
        BigramScore.pmi, "pmi, or count_pmi: (count+1)^0.7 * (PMI - percentile of PMI), where above 0"
    )
    bigram_min_count: int = setting(1, "minimum count of a bigram", minimum=1)
    bigram_min_pmi: float | None = setting(None, "minimum PMI of a bigram; 30 needs at least 2^30 words", unit="bits")
    bigram_pmi_percentile: float = setting(
        0.3, "percentile of PMI that count_pmi subtracts, as a share", minimum=0, maximum=1
    )
    max_bigrams: int = setting(0, "maximum of new bigrams; 0: no limit", minimum=0)
    title_min_row_views: int = setting(0, "hourly rows with fewer views are ignored", unit="views", minimum=0)
    title_any_colon: bool = setting(False, "leave out all titles with a colon, not only those of other namespaces")
    title_min_views: int = setting(1, "minimum views of a title, summed over all files", unit="views", minimum=1)
    title_top_share: float = setting(1.0, "share of the titles to use, most viewed first", minimum=0, maximum=1)
    max_titles: int = setting(0, "maximum of new titles; 0: no limit", minimum=0)
    max_characters: int = setting(
        MAX_ENTRY_CHARACTERS,
        "maximum length; longer terms are left out",
        unit="characters",
        minimum=1,
        maximum=MAX_ENTRY_CHARACTERS,
    )


@dataclass
class MatchingConfig(Settings):
    """How texts are matched against entries."""

    topic: ClassVar[str] = "matching"
    preset: ClassVar[str] = "script"
    edges: Edges = setting(Edges.script, "edge rule: blank (MetaCLIP), script (Meta CLIP 2), script_kana")
    matcher: Engine = setting(
        Engine.tokens, "matching engine; ahocorasick is the slower reference; both find the same entries"
    )
    max_texts: int = setting(
        64, "maximum texts per image; those with the smallest hashes stay", unit="texts", minimum=1
    )


@dataclass
class BalanceConfig(Settings):
    """How the head is thinned. At most one of t, tail_share and target_images is given."""

    topic: ClassVar[str] = "balance"
    preset: ClassVar[str] = "tail_share"
    t: float | None = setting(
        None, "threshold of the reference language; entries with more matches are thinned", unit="matches", above=0
    )
    tail_share: float | None = setting(
        None,
        f"share of matches with tail entries, in each language; {DEFAULT_TAIL_SHARE} if t and target_images are null",
        minimum=0,
        maximum=1,
    )
    target_images: float | None = setting(
        None, "expected number of samples, if headroom is right; t is computed from it", unit="images", minimum=1
    )
    reference: str = setting("en", "language to which t applies")
    others: Others = setting(
        Others.tail_share,
        "thresholds of other languages: same tail share as the reference, or same t; shares: images by balance.shares",
    )
    shares: dict[str, float] = setting(
        {}, "for others=shares: shares of languages, relative to each other, e.g. balance.shares.de=0.5; others have 1"
    )
    t_by_language: dict[str, float] = setting({}, "thresholds by language, e.g. balance.t_by_language.de=5000")
    targets: str = setting(
        "",
        "Parquet or CSV file with thresholds of entries: lang, entry or entry_id, and t or weight; of concepts: "
        "namespace in place of lang; empty: none",
    )
    unit: Unit = setting(Unit.pair, "pair: draw each text; image: choose one text per image, then draw the image")
    headroom: float = setting(
        1.0,
        "expected share of images that survive download and filters; t applies to the survivors' counts",
        above=0,
        maximum=1,
    )
    max_repeats: float | None = setting(
        None,
        "for online balancing: texts of entries below their t are used up to so many times an epoch, t / count; null: "
        "once",
        minimum=1,
        maximum=1000,
    )
    max_per_domain: int | None = setting(
        None,
        "maximum of kept images per registrable domain, drawn at random; null: no limit",
        unit="images",
        minimum=1,
    )
    concept_t: dict[str, float] = setting(
        {}, "thresholds of concepts by namespace, in images, e.g. balance.concept_t.colours=500"
    )
    concept_tail_share: dict[str, float] = setting(
        {},
        "or tail shares of concepts by namespace, e.g. balance.concept_tail_share.colours=0.1; without either: that of "
        f"the entries, or {DEFAULT_TAIL_SHARE}",
    )
    combine: Combine = setting(
        Combine.product,
        "draws of entries and concepts: product (kept by all of them), min (one draw, the smallest probability), any",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_concepts()
        given = [name for name in ("t", "tail_share", "target_images") if getattr(self, name) is not None]
        if len(given) > 1:
            raise HeadtailError(f"{' and '.join(f'balance.{name}' for name in given)} are given: give only one of them")
        if self.reference in self.t_by_language:
            raise HeadtailError(
                f"balance.t_by_language contains the reference language {self.reference}: set balance.t instead"
            )
        if self.shares and self.others is not Others.shares:
            raise HeadtailError("balance.shares needs balance.others=shares: add it, or leave the shares out")
        for lang, share in self.shares.items():
            if not 1e-6 <= share <= 1e6:
                raise HeadtailError(f"balance.shares.{lang} must be from 1e-6 to 1e6, got {share}")
        for name, t in {"t": self.t or 1.0, **{f"t_by_language.{k}": t for k, t in self.t_by_language.items()}}.items():
            if not 0 < t / self.headroom < math.inf:
                raise HeadtailError(f"balance.{name} must be above 0 matches, and finite, got {t}")

    def _check_concepts(self) -> None:
        """Raise HeadtailError for thresholds of concepts that are out of range or given twice."""
        check_concept_goals("balance.", self.concept_t, self.concept_tail_share, self.headroom)

    @property
    def goal_tail_share(self) -> float | None:
        """`tail_share`, or its default if no setting decides the thresholds."""
        undecided = self.t is None and self.tail_share is None and self.target_images is None
        return DEFAULT_TAIL_SHARE if undecided else self.tail_share


def check_concept_goals(prefix: str, ts: dict[str, float], shares: dict[str, float], headroom: float = 1.0) -> None:
    """Raise HeadtailError for goals of concepts that are out of range or given twice; names begin with `prefix`."""
    for name, t in ts.items():
        if not 0 < t / headroom < math.inf:
            raise HeadtailError(f"{prefix}concept_t.{name} must be above 0 images, and finite, got {t}")
        if name in shares:
            raise HeadtailError(
                f"{prefix}concept_t.{name} and {prefix}concept_tail_share.{name} are given: give only one of them"
            )
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise HeadtailError(f"{prefix}concept_tail_share.{name} must be from 0 to 1, got {share}")

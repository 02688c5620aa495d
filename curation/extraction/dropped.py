"""The candidates that extraction drops, as examples for the report: of most reasons some, of others none.

None are kept of images on removal lists or private networks, nor of texts that are dropped for their words.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.draws import draw
from curation.core.dropped import MAX_CHARS, MAX_URL_CHARS, DroppedExamples, DroppedRow
from curation.core.uids import uids_of
from curation.extraction import urls
from curation.extraction.drop_reasons import (
    EMAIL,
    EMPTY,
    KEPT,
    LISTED_WORD,
    PRIVATE,
    REMOVED,
    SAME_TEXT,
    TEXT_REASONS,
    URL_REASONS,
)
from curation.extraction.language import NO_MODEL, detect_languages
from curation.extraction.settings import ExtractionSettings
from curation.extraction.text_rules import are_free_of_listed_words
from curation.extraction.user_lists import removals_of
from curation.sources.links import Links

UNSHOWN = frozenset({TEXT_REASONS[EMAIL], URL_REASONS[PRIVATE], URL_REASONS[REMOVED], LISTED_WORD})
"""Reasons without examples."""


class DroppedCandidates:
    """Chooses the examples of one input file by the draws of a seed."""

    def __init__(self, settings: ExtractionSettings, seed: int) -> None:
        self._settings = settings
        self.examples = DroppedExamples(seed)

    def add_links(
        self, links: Links, link: np.ndarray, names: tuple[str, ...], reasons: np.ndarray, texts: pa.Array | None = None
    ) -> None:
        """Offer candidates: link[i] is the link of candidate i, reasons[i] the number of its reason in `names`.

        `texts` are those of the candidates, None for links without any.
        """
        for number in np.unique(reasons).tolist():
            if number == KEPT or names[number] in UNSHOWN:
                continue
            rows = np.flatnonzero(reasons == number)
            at = [link[rows], links.page[link[rows]]]
            draws = draw(self.examples.seed, "examples", links.urls, links.page_urls, at=at)

            def describe(
                places: np.ndarray, rows: np.ndarray = rows, draws: np.ndarray = draws
            ) -> Iterator[DroppedRow]:
                found = None if texts is None else texts.take(pa.array(rows[places]))
                return self._of_links(links, link[rows[places]], found, draws[places])

            self.examples.offer(names[number], draws, describe)

    def add_repeats(self, batch: pa.RecordBatch, rows: np.ndarray) -> None:
        """Offer rows that repeat others of the file."""
        self._add_rows(SAME_TEXT, batch, rows, None, None)

    def add_of_language(
        self, reason: str, batch: pa.RecordBatch, dropped: np.ndarray, langs: pa.Array, scores: np.ndarray | None = None
    ) -> None:
        """Offer the rows of a batch that are `dropped` (bool) for their language; `scores` are shown where given."""
        self._add_rows(reason, batch, np.flatnonzero(dropped), langs, scores)

    def _add_rows(
        self, reason: str, batch: pa.RecordBatch, rows: np.ndarray, langs: pa.Array | None, scores: np.ndarray | None
    ) -> None:
        if not len(rows):
            return
        draws = draw(self.examples.seed, "examples", batch["uid"], batch["text"], at=[rows, rows])

        def describe(places: np.ndarray) -> Iterator[DroppedRow]:
            chosen = pa.array(rows[places])
            uids, addresses, texts = (batch[name].take(chosen) for name in ("uid", "url", "text"))
            known = langs.take(chosen).to_pylist() if langs is not None else [""] * len(places)
            notes = (
                [f"{score:.2f}" for score in scores[rows[places]].tolist()]
                if scores is not None
                else [""] * len(places)
            )
            yield from _rows(draws[places], uids, addresses, texts, self._may_be_shown(texts), known, notes)

        self.examples.offer(reason, draws, describe)

    def _of_links(
        self, links: Links, link: np.ndarray, texts: pa.Array | None, draws: np.ndarray
    ) -> Iterator[DroppedRow]:
        rules, version = self._settings.urls, self._settings.rules
        pages, page = np.unique(links.page[link], return_inverse=True)
        given, of_pages = links.urls.take(pa.array(link)), pa.array(pages)
        bases = urls.join_bases(links.page_urls.take(of_pages), links.bases.take(of_pages), version)
        absolute, reasons = urls.resolve_urls(given, bases, page.astype(np.int32), rules, version)
        resolved = pa.array(reasons == KEPT)
        uids = pc.if_else(resolved, uids_of(absolute), "")
        if links.image_uids is not None:
            uids = pc.if_else(pa.array(reasons == EMPTY), links.image_uids.take(pa.array(link)), uids)
        shown = (reasons != PRIVATE) & ~removals_of(rules.removals).mask({"uid": uids})
        if texts is None:
            texts = pa.array([""] * len(link))
        else:
            shown &= self._may_be_shown(texts)
        addresses = pc.if_else(resolved, absolute, given)
        nothing = [""] * len(link)
        yield from _rows(draws, uids, addresses, texts, shown, nothing, nothing)

    def _may_be_shown(self, texts: pa.Array) -> np.ndarray:
        """Return whether each text holds no listed word of its language, as far as the classifier tells it: bool."""
        rules, word_lists = self._settings.language, self._settings.texts.word_lists
        if not word_lists:
            return np.ones(len(texts), bool)
        one_language = rules.model == NO_MODEL
        langs = pa.repeat(rules.languages[0], len(texts)) if one_language else detect_languages(texts, rules.model)[0]
        return np.asarray(are_free_of_listed_words(texts, rules.merged(langs), word_lists))


def _rows(
    draws: np.ndarray,
    uids: pa.Array,
    addresses: pa.Array,
    texts: pa.Array,
    shown: np.ndarray,
    langs: list[str],
    notes: list[str],
) -> Iterator[DroppedRow]:
    """Yield the rows that are shown, with their texts cut."""
    columns = (
        draws.tolist(),
        uids.to_pylist(),
        pc.utf8_slice_codeunits(addresses, 0, MAX_URL_CHARS).to_pylist(),
        pc.utf8_slice_codeunits(texts, 0, MAX_CHARS).to_pylist(),
        langs,
        notes,
    )
    for is_shown, row in zip(shown.tolist(), zip(*columns, strict=True), strict=True):
        dropped = DroppedRow(*row)
        if is_shown and (dropped.url or dropped.text.strip()):
            yield dropped

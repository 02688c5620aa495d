"""The candidates that extraction drops, as examples for the report: of most reasons some, of others none.

None are kept of images on removal lists or private networks, nor with words or addresses that must stay unseen
(discretion.py), whichever rule dropped them.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.draws import draw
from curation.core.dropped import MAX_CHARS, DroppedExamples, DroppedRow
from curation.core.uids import uids_of
from curation.extraction import urls
from curation.extraction.discretion import kept_address, may_keep_text, scheme_of
from curation.extraction.drop_reasons import (
    BLOCKED,
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
from curation.extraction.settings import ExtractionSettings
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
            yield from self._rows(draws[places], uids, self._kept_addresses(addresses), texts, known, notes)

        self.examples.offer(reason, draws, describe)

    def _of_links(
        self, links: Links, link: np.ndarray, texts: pa.Array | None, draws: np.ndarray
    ) -> Iterator[DroppedRow]:
        rules, version = self._settings.urls, self._settings.rules
        pages, page = np.unique(links.page[link], return_inverse=True)
        given, of_pages = links.urls.take(pa.array(link)), pa.array(pages)
        bases = urls.join_bases(links.page_urls.take(of_pages), links.bases.take(of_pages), version)
        absolute, reasons = urls.resolve_urls(given, bases, page.astype(np.int32), rules, version)
        resolved = (reasons == KEPT) | (reasons == BLOCKED)
        uids = pc.if_else(pa.array(resolved), uids_of(absolute), "")
        gone = self._are_removed(uids_of(absolute)) | self._are_removed(uids_of(given))
        if links.image_uids is not None:
            images = links.image_uids.take(pa.array(link))
            gone |= self._are_removed(images)
            uids = pc.if_else(pa.array(reasons == EMPTY), images, uids)
        shown = resolved & ~gone
        kept = self._kept_addresses(pc.if_else(pa.array(shown), absolute, ""))
        for row in np.flatnonzero(~shown).tolist():
            # Of what cannot be resolved nothing but the scheme is known to be harmless.
            kept[row] = None if gone[row] or reasons[row] == PRIVATE else scheme_of(given[row].as_py())
        if texts is None:
            texts = pa.array([""] * len(link))
        nothing = [""] * len(link)
        yield from self._rows(draws, uids, kept, texts, nothing, nothing)

    def _are_removed(self, uids: pa.Array) -> np.ndarray:
        return removals_of(self._settings.urls.removals).mask({"uid": uids})

    def _kept_addresses(self, addresses: pa.Array) -> list[str | None]:
        """Return what is kept of absolute URLs, None for those that must stay unseen; "" stays as it is."""
        word_lists, version = self._settings.texts.word_lists, self._settings.rules
        cut = [kept_address(url, word_lists, version) if url else "" for url in addresses.to_pylist()]
        gone = self._are_removed(uids_of(pa.array([url or "" for url in cut], pa.string())))  # also without its query
        return [None if is_gone else url for url, is_gone in zip(cut, gone.tolist(), strict=True)]

    def _rows(
        self,
        draws: np.ndarray,
        uids: pa.Array,
        addresses: list[str | None],
        texts: pa.Array,
        langs: list[str],
        notes: list[str],
    ) -> Iterator[DroppedRow]:
        """Yield the rows that may be kept, with their texts cut; those without an address (None) may not."""
        word_lists = self._settings.texts.word_lists
        columns = (draws.tolist(), uids.to_pylist(), addresses, texts.to_pylist(), langs, notes)
        for drawn, uid, url, text, lang, note in zip(*columns, strict=True):
            if url is not None and (url or text.strip()) and may_keep_text(text, word_lists):
                yield DroppedRow(drawn, uid, url[:MAX_CHARS], text[:MAX_CHARS], lang, note)

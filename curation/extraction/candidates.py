"""Candidates: the texts of image links that the rules of texts and URLs keep, with the drops counted."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.receipts import Receipt
from curation.core.uids import uids_of
from curation.extraction import drop_reasons, urls
from curation.extraction.drop_reasons import EMPTY, KEPT, NO_TEXT, REMOVED
from curation.extraction.dropped import DroppedCandidates
from curation.extraction.settings import ExtractionSettings
from curation.extraction.text_rules import TextRules, clean_texts
from curation.extraction.user_lists import removals_of
from curation.sources.links import Links

BACKSLASHES = "backslash_urls"
"""A fact of the receipt: image links with a URL that is another one because backslashes are read as slashes."""


def candidates(
    links: Links, settings: ExtractionSettings, receipt: Receipt, dropped: DroppedCandidates | None = None
) -> pa.RecordBatch:
    """Return the candidates that the text and URL rules keep: uid, url, text, text_key, page_url, and `links.carry`.

    The order is that of links, within a link that of text keys. Every candidate is counted into `receipt`. Those that
    are dropped are offered to `dropped`.
    """
    keys, link, rank, texts = _keep_texts(links, settings.texts, receipt, dropped)
    # Several candidates share a link: each link is resolved once, at `place_of_link` among the resolved ones.
    resolved_links, place_of_link = np.unique(link, return_inverse=True)
    uids, absolute, reasons = _resolve_links(links, resolved_links, settings, receipt)
    count_reasons(receipt.drops, drop_reasons.URL_REASONS, reasons[place_of_link])
    if dropped:
        dropped.add_links(links, link, drop_reasons.URL_REASONS, reasons[place_of_link], texts)
    kept = np.flatnonzero(reasons[place_of_link] == KEPT)
    place, link, rank = pa.array(place_of_link[kept]), link[kept], rank[kept]
    columns = {
        "uid": uids.take(place),
        "url": absolute.take(place),
        "text": texts.take(pa.array(kept)),
        "text_key": pa.DictionaryArray.from_arrays(pa.array(rank.astype(np.int8)), pa.array(keys)),
        "page_url": pa.DictionaryArray.from_arrays(pa.array(links.page[link]), links.page_urls),
    }
    return pa.record_batch(columns | {name: values.take(pa.array(link)) for name, values in links.carry.items()})


def _keep_texts(
    links: Links, rules: TextRules, receipt: Receipt, dropped: DroppedCandidates | None
) -> tuple[list[str], np.ndarray, np.ndarray, pa.Array]:
    """Return the sorted text keys, and of each candidate with a kept text its link, its key's rank, and the text."""
    keys = sorted(links.texts)
    present = np.array([links.texts[key].is_valid().to_numpy(zero_copy_only=False) for key in keys])  # (key, link)
    receipt.facts["image_links"] += len(links)
    receipt.rows_in += int(np.maximum(present.sum(axis=0), 1).sum())
    without = np.flatnonzero(~present.any(axis=0))
    count(receipt.drops, NO_TEXT, len(without))
    link, rank = np.nonzero(present.T)
    texts_by_key = pa.concat_arrays([links.texts[key] for key in keys])
    given = texts_by_key.take(pa.array(rank * len(links) + link))
    texts, reasons = clean_texts(given, rules)
    count_reasons(receipt.drops, drop_reasons.TEXT_REASONS, reasons)
    if dropped:
        dropped.add_links(links, without, ("", NO_TEXT), np.ones(len(without), np.uint8))
        dropped.add_links(links, link, drop_reasons.TEXT_REASONS, reasons, given)
    kept = np.flatnonzero(reasons == KEPT)
    return keys, link[kept], rank[kept], texts.take(pa.array(kept))


def _resolve_links(
    links: Links, rows: np.ndarray, settings: ExtractionSettings, receipt: Receipt
) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Return uid, absolute URL and the number of the drop reason of some links."""
    rules, version, pages = settings.urls, settings.rules, links.page[rows]
    given, bases = links.urls.take(pa.array(rows)), urls.join_bases(links.page_urls, links.bases, version)
    absolute, reasons = urls.resolve_urls(given, bases, pages, rules, version)
    if version >= urls.BROWSER_SLASHES:
        count(receipt.facts, BACKSLASHES, urls.count_slashed(given, bases, pages, absolute, reasons))
    uids = uids_of(absolute)
    if links.image_uids is not None:  # an image at hand needs no URL
        without_url = reasons == EMPTY
        reasons[without_url] = KEPT
        uids = pc.if_else(pa.array(without_url), links.image_uids.take(pa.array(rows)), uids)
    reasons[(reasons == KEPT) & removals_of(rules.removals).mask({"uid": uids})] = REMOVED
    return uids, absolute, reasons


def count(drops: Counter[str], reason: str, rows: int) -> None:
    """Count rows under a reason, which stays unknown where there are none."""
    if rows:
        drops[reason] += rows


def count_reasons(drops: Counter[str], names: tuple[str, ...], reasons: np.ndarray) -> None:
    """Count rows by the number of their reason; KEPT is none."""
    for number, rows in enumerate(np.bincount(reasons, minlength=len(names)).tolist()):
        if number != KEPT:
            count(drops, names[number], rows)

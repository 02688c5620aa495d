"""The careful rule over the candidates of a file: the evidence of whole pages, and the decision beside each candidate.

The decision is one number, so that of the same text of one image the strongest evidence wins whatever the order: the
highest score, then the smallest code. `distinct.py` keeps the largest number of repeats.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.extraction.distinct import EVIDENCE
from curation.extraction.language_model import LanguageModel
from curation.extraction.language_rule import (
    CODES,
    GIVEN,
    LANG_BY,
    NO_CODE,
    PAGE,
    UNKNOWN,
    Classified,
    Decided,
    decide,
    declared_number,
)
from curation.extraction.page_evidence import PageLanguages
from curation.sources.links import Links

_DECLARED, _DOCUMENT = "#declared", "#document"
_CODE_BITS, _SCORE_BITS = np.uint64(16), np.uint64(32)
_LAST = np.uint64(0xFFFF)

ReadRows = Callable[[Links], Iterator[tuple[pa.RecordBatch, Classified]]]


def decided_candidates(
    links: Links, model: LanguageModel, max_links: int, read: ReadRows, look_ahead: ReadRows
) -> Iterator[pa.RecordBatch]:
    """Yield the candidates of a batch of whole pages, with the column EVIDENCE.

    `read` returns the candidates of at most `max_links` links, and what they say themselves. Where the batch has more
    links, `look_ahead` reads them once before, without counting them, because the evidence of a page is that of all its
    candidates.
    """
    slices = list(_with_columns(links).slices(max_links))
    pages = PageLanguages() if links.documents is not None else None
    if len(slices) > 1 and pages is not None:
        for part in slices:
            for rows, texts in look_ahead(part):
                pages.add(texts, rows[_DOCUMENT].to_numpy())
    for part in slices:
        batches = list(read(part))
        if len(slices) == 1 and pages is not None:
            for rows, texts in batches:
                pages.add(texts, rows[_DOCUMENT].to_numpy())
        for rows, texts in batches:
            yield _with_evidence(rows, texts, model, pages)


def _with_columns(links: Links) -> Links:
    """Return the links with the numbers of declared languages and of pages among the columns that candidates keep."""
    declared = pa.array(np.full(len(links), NO_CODE, np.int16))
    if links.languages is not None:
        is_encoded = pa.types.is_dictionary(links.languages.type)
        tags = links.languages if is_encoded else links.languages.dictionary_encode()
        numbers = [NO_CODE if tag is None else declared_number(tag) for tag in tags.dictionary.to_pylist()]
        declared = pa.array([*numbers, NO_CODE], pa.int16()).take(tags.indices.fill_null(len(numbers)))
    carry = links.carry | {_DECLARED: declared}
    if links.documents is not None:
        carry |= {_DOCUMENT: pa.array(links.documents)}
    return replace(links, carry=carry, languages=None, documents=None)


def _with_evidence(
    rows: pa.RecordBatch, texts: Classified, model: LanguageModel, pages: PageLanguages | None
) -> pa.RecordBatch:
    declared = rows[_DECLARED].to_numpy()
    longer = np.full(len(declared), NO_CODE, np.int16)
    if pages is not None:
        longer = pages.of(rows[_DOCUMENT].to_numpy())
    found = decide(texts, model, declared, longer, GIVEN if pages is None else PAGE)
    columns = {name: rows[name] for name in rows.schema.names if name not in (_DECLARED, _DOCUMENT)}
    return pa.record_batch(columns | {EVIDENCE: pa.array(packed(found))})


def packed(found: Decided) -> np.ndarray:
    """Return decisions as numbers (uint64), the largest of the strongest evidence.

    >>> found = Decided(np.array([7, -1], np.int16), np.array([0.5, 0], np.float32), np.array([2, 4], np.uint8))
    >>> [values.tolist() for values in unpacked(packed(found))]
    [[7, -1], [0.5, 0.0], [2, 4]]
    """
    scores = found.scores.view(np.uint32).astype(np.uint64) << _SCORE_BITS
    codes = (_LAST - (found.codes.astype(np.int64) + 1).astype(np.uint64)) << _CODE_BITS
    return scores | codes | found.by.astype(np.uint64)


class Languages(NamedTuple):
    """Languages as `Decided` has them, of distinct candidates."""

    codes: np.ndarray
    scores: np.ndarray
    by: np.ndarray

    @property
    def are_unknown(self) -> np.ndarray:
        """Whether a language is undecided."""
        return self.by == UNKNOWN

    def code_strings(self, unknown: str) -> pa.Array:
        """Return the list codes; `unknown` for undecided ones."""
        places = np.where(self.codes == NO_CODE, len(CODES), self.codes)
        return pa.array([*CODES, unknown]).take(pa.array(places))

    def by_strings(self) -> pa.Array:
        """Return how the languages were decided, as words of LANG_BY."""
        return pa.array(LANG_BY).take(pa.array(self.by))


def unpacked(evidence: np.ndarray) -> Languages:
    """Return the languages of numbers of `packed`."""
    scores = (evidence >> _SCORE_BITS).astype(np.uint32).view(np.float32)
    codes = (_LAST - (evidence >> _CODE_BITS & _LAST)).astype(np.int64) - 1
    return Languages(codes.astype(np.int16), scores, (evidence & _LAST).astype(np.uint8))

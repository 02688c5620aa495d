"""Extraction: one input file becomes its image-text pairs, distinct within the file, each drop with a reason.

The unit that balances is a candidate: a text of an image link, one per text key that is present (alt, title); a link
without any text counts once.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import text_rules, urls
from curation.archives import ReadLog
from curation.distinct import Distinct
from curation.language import LanguageRules, detect_languages
from curation.links import Links
from curation.receipts import Receipt
from curation.schemas import PAIRS
from curation.storage import ParquetSink, open_input
from curation.text_rules import TextRules
from curation.uids import uids_of
from curation.urls import UrlRules
from curation.warc import WarcReader
from curation.wat import WatReader

LOGIC_VERSION = 1
"""Raised when the same settings and inputs give other rows."""
HELD_BYTES = 96 << 20
"""Pairs of a file are held until its end, so that a later alt can replace an earlier title; more are passed on."""
_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")


class Reader(Protocol):
    """What reads one input file: its image links, then what was counted, and the crawl that the file names."""

    counts: Counter[str]
    crawl: str

    def __iter__(self) -> Iterator[Links]: ...


@dataclass(frozen=True)
class ExtractionSettings:
    """Everything that decides the rows of a file.

    `source` is wat or warc; `entities` auto, always or never decodes HTML entities of WATs, auto by the file's date;
    `crawl` names the crawl where the path does not.
    """

    source: str = "wat"
    entities: str = "auto"
    crawl: str = ""
    urls: UrlRules = field(default_factory=UrlRules)
    texts: TextRules = field(default_factory=TextRules)
    language: LanguageRules = field(default_factory=LanguageRules)


def extract_file(task: dict, settings: ExtractionSettings) -> Receipt:
    """Write the pairs of `task["input"]` to the Parquet file `task["output"]` and account for every candidate."""
    receipt = Receipt(task["input"])
    with ParquetSink(task["output"], PAIRS) as sink:
        for batch in iter_pairs(task["input"], settings, receipt):
            sink.write(batch)
    receipt.outputs.append(sink.output())
    return receipt.check()


def iter_pairs(path: str, settings: ExtractionSettings, receipt: Receipt) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of one input file (schema PAIRS), and account for them in `receipt`.

    What can be read is yielded; where reading ends early or parts are damaged, `receipt.failures` tells.
    """
    started = time.perf_counter()
    log = ReadLog()
    try:
        file = open_input(path)
    except OSError as error:
        receipt.failures.append(_failure(path, 0, error, receipt))
        return
    with file:
        reader = _reader(file, log, settings)
        distinct = Distinct()
        for links in reader:
            _count(receipt.drops, "same_text", distinct.add(candidates(links, settings, receipt)))
            if distinct.held_bytes > HELD_BYTES:
                yield from _finish(distinct.take(), reader, path, settings, receipt)
        receipt.facts.update(reader.counts)
        receipt.facts["bytes_read"] += log.bytes_read
        yield from _finish(distinct.take(), reader, path, settings, receipt)
    receipt.failures += [_failure(path, offset, error, receipt) for offset, error in log.faults]
    if log.more_faults:
        receipt.failures.append(_failure(path, log.bytes_read, f"and {log.more_faults} more faults", receipt))
    receipt.seconds += time.perf_counter() - started


def _reader(file: BinaryIO, log: ReadLog, settings: ExtractionSettings) -> Reader:
    if settings.source == "warc":
        return WarcReader(file, log)
    return WatReader(file, log, {"auto": None, "always": True, "never": False}[settings.entities])


def candidates(links: Links, settings: ExtractionSettings, receipt: Receipt) -> pa.RecordBatch:
    """The texts of links that the URL and text rules let through: uid, url, text, text_key, page_url.

    In the order of links, within a link by text key. Counts every candidate into `receipt`.
    """
    keys = sorted(links.texts)
    present = np.array([links.texts[key].is_valid().to_numpy(zero_copy_only=False) for key in keys])
    receipt.facts["image_links"] += len(links)
    receipt.rows_in += int(np.maximum(present.sum(axis=0), 1).sum())
    _count(receipt.drops, "no_text", int((~present.any(axis=0)).sum()))

    link, rank = np.nonzero(present.T)
    flat = pa.concat_arrays([links.texts[key] for key in keys])
    texts, text_reason = text_rules.clean_texts(flat.take(pa.array(rank * len(links) + link)), settings.texts)
    _count_reasons(receipt.drops, text_rules.REASONS, text_reason)
    keep = np.flatnonzero(text_reason == text_rules.KEPT)
    link, rank, texts = link[keep], rank[keep], texts.take(pa.array(keep))

    wanted, back = np.unique(link, return_inverse=True)
    absolute, url_reason = urls.resolve_urls(
        links.urls.take(pa.array(wanted)), links.bases, links.page[wanted], settings.urls
    )
    _count_reasons(receipt.drops, urls.REASONS, url_reason[back])
    keep = np.flatnonzero(url_reason[back] == urls.KEPT)
    at = pa.array(back[keep])
    return pa.record_batch(
        {
            "uid": uids_of(absolute).take(at),
            "url": absolute.take(at),
            "text": texts.take(pa.array(keep)),
            "text_key": pa.DictionaryArray.from_arrays(pa.array(rank[keep].astype(np.int8)), pa.array(keys)),
            "page_url": pa.DictionaryArray.from_arrays(pa.array(links.page[link[keep]]), links.page_urls),
        }
    )


def _finish(
    batches: Iterator[pa.RecordBatch], reader: Reader, path: str, settings: ExtractionSettings, receipt: Receipt
) -> Iterator[pa.RecordBatch]:
    """Add language, crawl and file; drop what the language rules refuse."""
    rules = settings.language
    named = _CRAWL.search(path)
    crawl = settings.crawl or (named.group() if named else reader.crawl)
    for batch in batches:
        rows = batch.num_rows
        if rules.model == "none":
            lang, score = pa.repeat(rules.languages[0], rows), pa.nulls(rows, pa.float32())
        else:
            codes, scores = detect_languages(batch["text"], rules.model)
            lang, score = codes, pa.array(scores)
            wanted = (
                pc.is_in(lang, pa.array(rules.languages, pa.string())) if rules.languages else pa.repeat(True, rows)
            )
            sure = pa.array(scores >= rules.min_score)
            _count(receipt.drops, "language", rows - wanted.true_count)
            _count(receipt.drops, "lang_score", pc.and_not(wanted, sure).true_count)
            keep = pc.and_(wanted, sure)
            batch, lang, score = batch.filter(keep), lang.filter(keep), score.filter(keep)
            rows = batch.num_rows
        receipt.rows_out += rows
        if rows:
            columns = {name: batch[name] for name in batch.schema.names}
            columns |= {"page_url": batch["page_url"].dictionary_decode(), "lang": lang, "lang_score": score}
            columns |= {"crawl": pa.repeat(crawl, rows), "source_file": pa.repeat(os.path.basename(path), rows)}
            yield pa.record_batch([columns[name] for name in PAIRS.names], schema=PAIRS)


def _failure(path: str, offset: int, error: object, receipt: Receipt) -> dict:
    records = receipt.facts["records_read"]
    return {"file": path, "offset": offset, "error": str(error), "records_read": records}


def _count(drops: Counter[str], reason: str, count: int) -> None:
    if count:
        drops[reason] += count


def _count_reasons(drops: Counter[str], names: tuple[str, ...], reasons: np.ndarray) -> None:
    for number, count in enumerate(np.bincount(reasons, minlength=len(names)).tolist()):
        if number:
            _count(drops, names[number], count)

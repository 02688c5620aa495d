"""Extraction: one input file becomes its image-text pairs, distinct within the file, each drop with a reason.

The unit that balances is a candidate: a text of an image link, one per text key that is present (alt, title); a link
without any text counts once.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.attempts import receipt_of_given_up
from curation.core.beats import watch
from curation.core.choices import Entities, ImageAddresses, SourceKind
from curation.core.credentials import cut_path
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import added
from curation.core.record_errors import READER_ERROR, RecordClock, is_of_record, line_of_error
from curation.core.remote import open_patiently
from curation.core.schemas import PAIRS, STORED
from curation.core.storage import ParquetSink, is_local
from curation.core.uids import uids_of
from curation.extraction import drop_reasons, urls
from curation.extraction.careful_languages import decided_candidates, unpacked
from curation.extraction.distinct import EVIDENCE, distinct_rows
from curation.extraction.drop_reasons import EMPTY, KEPT, LANGUAGE_UNKNOWN, REMOVED
from curation.extraction.faulty_rows import without_faulty_rows
from curation.extraction.language import DROP, NO_MODEL, LanguageRules, detect_languages, load_model
from curation.extraction.language_rule import Classified, classify
from curation.extraction.text_rules import TextRules, are_free_of_listed_words, clean_texts
from curation.extraction.urls import UrlRules
from curation.extraction.user_lists import removals_of
from curation.sources.archives import ReadLog, crawl_of_path
from curation.sources.caption_tables import TableColumns, TableReader
from curation.sources.links import Links
from curation.sources.row_sample import RowSample
from curation.sources.warc import WarcReader
from curation.sources.wat import WatReader
from curation.sources.webdataset import ShardReader

LOGIC_VERSION = 1
RULES = {SourceKind.wat: 2, SourceKind.warc: 2, SourceKind.table: 2, SourceKind.webdataset: 2}
"""The version of each source's rules: raise it when the same settings and inputs give other rows. A run keeps the rules
by which it was begun (recipes.kept); docs/extraction.md has what each version means."""
BACKSLASHES = "backslash_urls"
"""A fact of the receipt: image links with a URL that is another one because backslashes are read as slashes."""
BATCH_LINKS = 100_000
MAX_FAULTY_SHARE = 0.05
"""A file counts as one that could not be read if a larger share of its records is faulty."""
WITH_COLUMNS = (SourceKind.table, SourceKind.webdataset)
LANG_BY_COLUMN = "lang_by"
WITH_IMAGES = SourceKind.webdataset
"""The source whose files hold the images, too."""


class Reader(Protocol):
    """The reader of one input file: it yields the image links, and fills the counts and the crawl meanwhile.

    `drops` counts rows of the input that gave no link at all, by reason.
    """

    counts: Counter[str]
    drops: Counter[str]
    crawl: str

    def __iter__(self) -> Iterator[Links]: ...


@dataclass(frozen=True)
class ExtractionSettings:
    """Everything that decides the rows of a file.

    `columns` apply to the sources table and webdataset, `entities` to WATs. `crawl` names the crawl of files whose path
    does not. Reading a file ends after `max_file_bytes`, uncompressed, that of a record after `record_seconds` of CPU
    time. `rules` is the version of the source's rules. `image_addresses` and `page_metadata` apply to WARCs; by the
    rules 1, an image has all its addresses.
    """

    source: SourceKind
    entities: Entities
    crawl: str
    max_file_bytes: int
    urls: UrlRules
    texts: TextRules
    language: LanguageRules
    columns: TableColumns
    record_seconds: float = added(60.0)
    rules: int = added(1, default=1)
    image_addresses: ImageAddresses = added(ImageAddresses.all, default=ImageAddresses.all)  # noqa: RUF009 a field
    page_metadata: bool = added(False, default=False)

    def __post_init__(self) -> None:
        if self.source != SourceKind.warc or self.rules == 1:
            object.__setattr__(self, "image_addresses", ImageAddresses.all)
        if self.source != SourceKind.warc:
            object.__setattr__(self, "page_metadata", False)
        own = {*PAIRS.names, LANG_BY_COLUMN, EVIDENCE, *(STORED.names if self.source == WITH_IMAGES else [])}
        if taken := sorted({name for name, _ in self.columns.carry} & own):
            raise HeadtailError(
                f"source.carry.{taken[0]}: pairs have a column {taken[0]} of their own; write another name, such as "
                f"source.carry.source_{taken[0]}"
            )
        if self.columns.lang and not self.language.is_careful:
            raise HeadtailError(
                f"source.lang_column={self.columns.lang} is evidence for language.rule=careful, but a classifier alone "
                f"or none decides the languages of this run (language.rule, language.model): leave the column out"
            )

    @property
    def schema(self) -> pa.Schema:
        """The schema of the pairs.

        It is PAIRS, LANG_BY_COLUMN under the careful rule of languages, the columns that are carried along, as strings,
        and where the image lies.
        """
        decided = [pa.field(LANG_BY_COLUMN, pa.string(), nullable=False)] if self.language.is_careful else []
        carried = [pa.field(name, pa.string()) for name, _ in self.columns.carry if self.source in WITH_COLUMNS]
        return pa.schema([*PAIRS, *decided, *carried, *(STORED if self.source == WITH_IMAGES else [])])


@dataclass(frozen=True)
class ExtractTask:
    """One input file, the Parquet file of its pairs, and the rows to read of it: None reads all rows."""

    input: str
    output: str
    sample: RowSample | None = None


def extract_file(task: ExtractTask, settings: ExtractionSettings) -> Receipt:
    """Write the pairs of an input file and account for every candidate."""
    receipt = Receipt(task.input)
    with ParquetSink(task.output, settings.schema) as sink:
        for batch in iter_pairs(task.input, settings, receipt, task.sample):
            sink.write(batch)
    receipt.outputs.append(sink.output())
    return receipt.check()


def give_up_file(task: ExtractTask, settings: ExtractionSettings) -> Receipt:
    """Write an empty file of pairs for an input file that has ended its process twice, and tell so in the receipt."""
    receipt = receipt_of_given_up(task.input)
    with ParquetSink(task.output, settings.schema) as sink:
        pass
    receipt.outputs.append(sink.output())
    return receipt


def iter_pairs(
    path: str, settings: ExtractionSettings, receipt: Receipt, sample: RowSample | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of one input file (schema PAIRS), and account for them in `receipt`.

    What can be read is yielded; where reading ends early or parts are damaged, `receipt.failures` tells.
    """
    started = time.perf_counter()
    log = ReadLog(settings.max_file_bytes, clock=RecordClock(settings.record_seconds))
    watch(receipt, log)
    try:
        file = open_patiently(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError) and is_local(path):
            raise  # the driver has listed it: this machine is at fault, not the file
        receipt.failures.append(_failure(path, 0, error, receipt))
        return
    with file, log.clock.running():
        reader = _reader(file, log, path, settings, sample)
        try:
            kept = _all_candidates(reader, settings, receipt, log)
            yield from _finish(distinct_rows(kept, receipt.drops), reader, path, settings, receipt, log)
        except Exception as error:  # of the reader itself, not of one of its records
            if not is_of_record(error):
                raise
            log.fault(log.bytes_read, f"{line_of_error(error)}; the rest of the file is not read")
            receipt.drops["reader_error"] += receipt.rows_in - receipt.rows_out - receipt.drops.total()
        receipt.rows_in += reader.drops.total()
        receipt.drops.update(reader.drops)
        receipt.facts.update(reader.counts)
        receipt.facts["bytes_read"] += log.bytes_read
    _account_for_faults(path, log, receipt)
    receipt.seconds += time.perf_counter() - started


def _account_for_faults(path: str, log: ReadLog, receipt: Receipt) -> None:
    """Add the faults of a file to its receipt; those of single records do not count as failures of the file."""
    if log.faulty_records:
        receipt.facts["reader_errors"] += log.faulty_records
        if log.faulty_records > MAX_FAULTY_SHARE * max(receipt.facts["records_read"], 1):
            log.fault(log.bytes_read, f"{log.faulty_records} of {receipt.facts['records_read']} records are faulty")
    receipt.failures += [_failure(path, offset, error, receipt) for offset, error in log.faults]
    if log.more_faults:
        receipt.failures.append(_failure(path, log.bytes_read, f"and {log.more_faults} more faults", receipt))
    told = log.record_faults
    if more := log.faulty_records - len(told):
        told = [*told, (log.bytes_read, f"{READER_ERROR}: and {more} more records")]
    receipt.failures += [_failure(path, at, error, receipt) | {"reason": READER_ERROR} for at, error in told]


def _reader(file: BinaryIO, log: ReadLog, path: str, settings: ExtractionSettings, sample: RowSample | None) -> Reader:
    match settings.source:
        case SourceKind.table:
            return TableReader(file, log, path, settings.columns, sample, settings.rules)
        case SourceKind.webdataset:
            return ShardReader(file, log, settings.columns, settings.rules)
        case SourceKind.warc:
            return WarcReader(
                file,
                log,
                settings.image_addresses,
                settings.page_metadata,
                settings.rules,
                settings.language.is_careful,
            )
        case SourceKind.wat:
            return WatReader(file, log, settings.entities, settings.language.is_careful)


def _all_candidates(
    reader: Reader, settings: ExtractionSettings, receipt: Receipt, log: ReadLog
) -> Iterator[pa.RecordBatch]:
    """Yield the candidates of all links, without those at which a rule raises an error.

    Under the careful rule of languages they have the column EVIDENCE.
    """

    def count_lost(links: Links) -> None:
        present = [values.is_valid().to_numpy(zero_copy_only=False) for values in links.texts.values()]
        lost = int(np.maximum(np.sum(present, axis=0), 1).sum())
        receipt.rows_in += lost
        receipt.drops["reader_error"] += lost

    def work(links: Links, counted: Receipt) -> pa.RecordBatch:
        return candidates(links, settings, counted)

    def halves(links: Links) -> list[Links]:
        return list(links.slices((len(links) + 1) // 2))

    def classified(links: Links, counted: Receipt) -> tuple[pa.RecordBatch, Classified]:
        rows = candidates(links, settings, counted)
        return rows, classify(rows["text"], load_model(settings.language.model))

    def read(links: Links) -> Iterator[tuple[pa.RecordBatch, Classified]]:
        log.clock.start()
        return without_faulty_rows(links, classified, halves, count_lost, receipt, log)

    def look_ahead(links: Links) -> Iterator[tuple[pa.RecordBatch, Classified]]:
        log.clock.start()
        unheard = ReadLog(clock=log.clock)
        return without_faulty_rows(links, classified, halves, lambda _: None, Receipt(receipt.task), unheard)

    for batch in reader:
        if settings.language.is_careful:
            model = load_model(settings.language.model)
            yield from decided_candidates(batch, model, BATCH_LINKS, read, look_ahead)
        else:
            for links in batch.slices(BATCH_LINKS):
                log.clock.start()
                yield from without_faulty_rows(links, work, halves, count_lost, receipt, log)


def candidates(links: Links, settings: ExtractionSettings, receipt: Receipt) -> pa.RecordBatch:
    """Return the candidates that the text and URL rules keep: uid, url, text, text_key, page_url, and `links.carry`.

    The order is that of links, within a link that of text keys. Every candidate is counted into `receipt`.
    """
    keys, link, rank, texts = _keep_texts(links, settings.texts, receipt)
    # Several candidates share a link: each link is resolved once, at `place_of_link` among the resolved ones.
    resolved_links, place_of_link = np.unique(link, return_inverse=True)
    uids, absolute, reasons = _resolve_links(links, resolved_links, settings, receipt)
    _count_reasons(receipt.drops, drop_reasons.URL_REASONS, reasons[place_of_link])
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


def _keep_texts(links: Links, rules: TextRules, receipt: Receipt) -> tuple[list[str], np.ndarray, np.ndarray, pa.Array]:
    """Return the sorted text keys, and of each candidate with a kept text its link, its key's rank, and the text."""
    keys = sorted(links.texts)
    present = np.array([links.texts[key].is_valid().to_numpy(zero_copy_only=False) for key in keys])  # (key, link)
    receipt.facts["image_links"] += len(links)
    receipt.rows_in += int(np.maximum(present.sum(axis=0), 1).sum())
    _count(receipt.drops, drop_reasons.NO_TEXT, int((~present.any(axis=0)).sum()))
    link, rank = np.nonzero(present.T)
    texts_by_key = pa.concat_arrays([links.texts[key] for key in keys])
    texts, reasons = clean_texts(texts_by_key.take(pa.array(rank * len(links) + link)), rules)
    _count_reasons(receipt.drops, drop_reasons.TEXT_REASONS, reasons)
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
        _count(receipt.facts, BACKSLASHES, urls.count_slashed(given, bases, pages, absolute, reasons))
    uids = uids_of(absolute)
    if links.image_uids is not None:  # an image at hand needs no URL
        without_url = reasons == EMPTY
        reasons[without_url] = KEPT
        uids = pc.if_else(pa.array(without_url), links.image_uids.take(pa.array(rows)), uids)
    reasons[(reasons == KEPT) & removals_of(rules.removals).mask({"uid": uids})] = REMOVED
    return uids, absolute, reasons


def _finish(
    batches: Iterator[pa.RecordBatch],
    reader: Reader,
    path: str,
    settings: ExtractionSettings,
    receipt: Receipt,
    log: ReadLog,
) -> Iterator[pa.RecordBatch]:
    """Add language, crawl and file; drop the rows that the language rules refuse, or at which they raise an error."""

    def count_lost(batch: pa.RecordBatch) -> None:
        receipt.drops["reader_error"] += batch.num_rows

    def work(batch: pa.RecordBatch, counted: Receipt) -> pa.RecordBatch:
        return _with_language(batch, reader, path, settings, counted)

    def halves(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        middle = batch.num_rows // 2
        return [part for part in (batch.slice(0, middle), batch.slice(middle)) if part.num_rows]

    for batch in batches:
        log.clock.start()
        for rows in without_faulty_rows(batch, work, halves, count_lost, receipt, log):
            if rows.num_rows:
                yield rows


def _with_language(
    batch: pa.RecordBatch, reader: Reader, path: str, settings: ExtractionSettings, receipt: Receipt
) -> pa.RecordBatch:
    """Return the rows of the settings' schema; the rows that go are counted into `receipt`."""
    rules, schema = settings.language, settings.schema
    crawl_in_path = crawl_of_path(path)
    rows = batch.num_rows
    if rules.model == NO_MODEL:
        lang, score = pa.repeat(rules.languages[0], rows), pa.nulls(rows, pa.float32())
    else:
        if rules.is_careful:
            found = unpacked(batch[EVIDENCE].to_numpy())
            batch = batch.append_column(LANG_BY_COLUMN, found.by_strings())
            lang, scores = found.code_strings(rules.unknown), found.scores
            _count(receipt.facts, LANGUAGE_UNKNOWN, int(found.are_unknown.sum()))
        else:
            lang, scores = detect_languages(batch["text"], rules.model)
        lang, score = rules.merged(lang), pa.array(scores)
        if rules.is_careful and rules.unknown == DROP:
            known = pa.array(~found.are_unknown)
            _count(receipt.drops, LANGUAGE_UNKNOWN, rows - known.true_count)
            batch, lang, score = batch.filter(known), lang.filter(known), score.filter(known)
            rows, scores = batch.num_rows, score.to_numpy()
        wanted = pc.is_in(lang, pa.array(rules.languages, pa.string())) if rules.languages else pa.repeat(True, rows)
        sure = pa.array(scores >= rules.min_score)
        _count(receipt.drops, drop_reasons.LANGUAGE, rows - wanted.true_count)
        _count(receipt.drops, drop_reasons.LANG_SCORE, pc.and_not(wanted, sure).true_count)
        keep = pc.and_(wanted, sure)
        batch, lang, score = batch.filter(keep), lang.filter(keep), score.filter(keep)
    if settings.texts.word_lists:
        clean = are_free_of_listed_words(batch["text"], lang, settings.texts.word_lists)
        _count(receipt.drops, drop_reasons.LISTED_WORD, batch.num_rows - clean.true_count)
        batch, lang, score = batch.filter(clean), lang.filter(clean), score.filter(clean)
    rows = batch.num_rows
    receipt.rows_out += rows
    if rules.is_careful:
        for counts in pc.value_counts(batch[LANG_BY_COLUMN]).to_pylist():
            receipt.facts[f"{LANG_BY_COLUMN}.{counts['values']}"] += counts["counts"]
    columns = {name: batch[name] for name in batch.schema.names}
    pages = batch["page_url"]
    pages = pc.if_else(pc.equal(pages, ""), pa.scalar(None, pa.string()), pages)
    columns |= {"page_url": pages, "lang": lang, "lang_score": score}
    crawl = settings.crawl or crawl_in_path or reader.crawl
    columns |= {"crawl": pa.repeat(crawl, rows), "source_file": pa.repeat(source_name(path), rows)}
    columns |= {"image_file": pa.repeat(path, rows)} if settings.source == WITH_IMAGES else {}
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def source_name(path: str) -> str:
    """Return the value of `source_file`: the name of a file, without the query of an address.

    >>> source_name("https://example.org/crawl/a.wat.gz?X-Signature=1/2")
    'a.wat.gz'
    """
    return os.path.basename(cut_path(path))


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

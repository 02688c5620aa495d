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
from curation.core.choices import SourceKind
from curation.core.credentials import cut_path
from curation.core.dropped import dropped_path, write_dropped
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.record_errors import READER_ERROR, RecordClock, is_of_record, line_of_error
from curation.core.remote import open_patiently
from curation.core.storage import is_local, remove
from curation.extraction import drop_reasons
from curation.extraction.candidates import candidates, count
from curation.extraction.careful_languages import decided_candidates, unpacked
from curation.extraction.distinct import EVIDENCE, distinct_rows
from curation.extraction.drop_reasons import LANGUAGE_UNKNOWN
from curation.extraction.dropped import DroppedCandidates
from curation.extraction.faulty_rows import without_faulty_rows
from curation.extraction.language import DROP, NO_MODEL, detect_languages, load_model
from curation.extraction.language_rule import Classified, classify
from curation.extraction.settings import LANG_BY_COLUMN, WITH_IMAGES, ExtractionSettings
from curation.extraction.text_rules import are_free_of_listed_words
from curation.sources.archives import ReadLog, crawl_of_path
from curation.sources.caption_tables import TableReader
from curation.sources.links import Links
from curation.sources.row_sample import RowSample
from curation.sources.warc import WarcReader
from curation.sources.wat import WatReader
from curation.sources.webdataset import ShardReader

BATCH_LINKS = 100_000
MAX_FAULTY_SHARE = 0.05
"""A file counts as one that could not be read if a larger share of its records is faulty."""


class Reader(Protocol):
    """The reader of one input file: it yields the image links, and fills the counts and the crawl meanwhile.

    `drops` counts rows of the input that gave no link at all, by reason.
    """

    counts: Counter[str]
    drops: Counter[str]
    crawl: str

    def __iter__(self) -> Iterator[Links]: ...


@dataclass(frozen=True)
class ExtractTask:
    """One input file, the Parquet file of its pairs, and the rows to read of it: None reads all rows."""

    input: str
    output: str
    sample: RowSample | None = None


def extract_file(task: ExtractTask, settings: ExtractionSettings, seed: int | None = None) -> Receipt:
    """Write the pairs of an input file and account for every candidate.

    With a seed, some of the dropped candidates are written beside the pairs, as examples for the report.
    """
    receipt = Receipt(task.input)
    dropped = None if seed is None else DroppedCandidates(settings, seed)
    with ParquetSink(task.output, settings.schema) as sink:
        for batch in iter_pairs(task.input, settings, receipt, task.sample, dropped):
            sink.write(batch)
    if dropped:
        write_dropped(dropped_path(task.output), dropped.examples)
    receipt.outputs.append(sink.output())
    return receipt.check()


def give_up_file(task: ExtractTask, settings: ExtractionSettings) -> Receipt:
    """Write an empty file of pairs for an input file that has ended its process twice, and tell so in the receipt."""
    receipt = receipt_of_given_up(task.input)
    remove(dropped_path(task.output))
    with ParquetSink(task.output, settings.schema) as sink:
        pass
    receipt.outputs.append(sink.output())
    return receipt


def iter_pairs(
    path: str,
    settings: ExtractionSettings,
    receipt: Receipt,
    sample: RowSample | None = None,
    dropped: DroppedCandidates | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of one input file (schema PAIRS), and account for them in `receipt`.

    What can be read is yielded; where reading ends early or parts are damaged, `receipt.failures` tells. The candidates
    that are dropped are offered to `dropped`.
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
            kept = _all_candidates(reader, settings, receipt, log, dropped)
            distinct = distinct_rows(kept, receipt.drops, see_repeats=dropped.add_repeats if dropped else None)
            yield from _finish(distinct, reader, path, settings, receipt, log, dropped)
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
    reader: Reader, settings: ExtractionSettings, receipt: Receipt, log: ReadLog, dropped: DroppedCandidates | None
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
        return candidates(links, settings, counted, dropped)

    def halves(links: Links) -> list[Links]:
        return list(links.slices((len(links) + 1) // 2))

    def classified(links: Links, counted: Receipt) -> tuple[pa.RecordBatch, Classified]:
        rows = candidates(links, settings, counted, dropped)
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


def _finish(
    batches: Iterator[pa.RecordBatch],
    reader: Reader,
    path: str,
    settings: ExtractionSettings,
    receipt: Receipt,
    log: ReadLog,
    dropped: DroppedCandidates | None,
) -> Iterator[pa.RecordBatch]:
    """Add language, crawl and file; drop the rows that the language rules refuse, or at which they raise an error."""

    def count_lost(batch: pa.RecordBatch) -> None:
        receipt.drops["reader_error"] += batch.num_rows

    def work(batch: pa.RecordBatch, counted: Receipt) -> pa.RecordBatch:
        return _with_language(batch, reader, path, settings, counted, dropped)

    def halves(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        middle = batch.num_rows // 2
        return [part for part in (batch.slice(0, middle), batch.slice(middle)) if part.num_rows]

    for batch in batches:
        log.clock.start()
        for rows in without_faulty_rows(batch, work, halves, count_lost, receipt, log):
            if rows.num_rows:
                yield rows


def _with_language(
    batch: pa.RecordBatch,
    reader: Reader,
    path: str,
    settings: ExtractionSettings,
    receipt: Receipt,
    dropped: DroppedCandidates | None,
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
            count(receipt.facts, LANGUAGE_UNKNOWN, int(found.are_unknown.sum()))
        else:
            lang, scores = detect_languages(batch["text"], rules.model)
        lang, score = rules.merged(lang), pa.array(scores)
        if rules.is_careful and rules.unknown == DROP:
            known = pa.array(~found.are_unknown)
            count(receipt.drops, LANGUAGE_UNKNOWN, rows - known.true_count)
            if dropped:
                dropped.add_of_language(LANGUAGE_UNKNOWN, batch, found.are_unknown, lang)
            batch, lang, score = batch.filter(known), lang.filter(known), score.filter(known)
            rows, scores = batch.num_rows, score.to_numpy()
        wanted = pc.is_in(lang, pa.array(rules.languages, pa.string())) if rules.languages else pa.repeat(True, rows)
        sure = pa.array(scores >= rules.min_score)
        count(receipt.drops, drop_reasons.LANGUAGE, rows - wanted.true_count)
        count(receipt.drops, drop_reasons.LANG_SCORE, pc.and_not(wanted, sure).true_count)
        if dropped:
            unwanted, unsure = ~np.asarray(wanted), np.asarray(pc.and_not(wanted, sure))
            dropped.add_of_language(drop_reasons.LANGUAGE, batch, unwanted, lang)
            dropped.add_of_language(drop_reasons.LANG_SCORE, batch, unsure, lang, scores)
        keep = pc.and_(wanted, sure)
        batch, lang, score = batch.filter(keep), lang.filter(keep), score.filter(keep)
    if settings.texts.word_lists:
        clean = are_free_of_listed_words(batch["text"], lang, settings.texts.word_lists)
        count(receipt.drops, drop_reasons.LISTED_WORD, batch.num_rows - clean.true_count)
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

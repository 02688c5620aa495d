"""A reader that raises, takes for ever or runs out of memory costs a record, not its file."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.extraction import extract, urls
from curation.extraction.extract import ExtractTask, extract_file, give_up_file
from curation.extraction.language import LanguageRules
from curation.sources import warc, wat
from curation.sources.html_images import image_links
from tests.unit.extraction.settings import ENGLISH, extraction_settings
from tests.unit.extraction.test_extract import image, wat_record
from tests.unit.sources.test_warc import HTML, PAGE, response

PAGES = b"".join(response(PAGE.format(f"kite {number}").encode(), HTML) for number in range(40))
ERRORS = (ValueError("no\nnumber"), MemoryError(), RecursionError("deep"), UnicodeError("x"), AssertionError("odd"))


def extracted(tmp_path: Path, data: bytes, **settings: Any) -> tuple[Receipt, list[str]]:
    (tmp_path / "in").write_bytes(data)
    task = ExtractTask(str(tmp_path / "in"), str(tmp_path / "out.parquet"))
    receipt = extract_file(task, extraction_settings(**{"source": SourceKind.warc, "language": ENGLISH, **settings}))
    return receipt.check(), pq.read_table(task.output)["text"].to_pylist()


@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
def test_a_page_at_which_the_reader_raises(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(text: str) -> Any:
        if "kite 7" in text:
            raise error
        return image_links(text)

    monkeypatch.setattr(warc, "image_links", read)
    receipt, texts = extracted(tmp_path, PAGES)
    assert len(texts) == 39
    (failure,) = receipt.failures
    assert failure["reason"] == "reader_error"
    assert failure["error"].startswith(f"reader_error: {type(error).__name__} in test_faulty_records.py:")
    assert "\n" not in failure["error"]
    assert receipt.facts["reader_errors"] == 1


def test_a_page_that_takes_too_long_loses_its_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pieces(text: str) -> Iterator[str]:
        yield text
        while "kite 7" in text and signal.getitimer(signal.ITIMER_PROF)[0] > 0.15:
            pass  # the limit of 0.2 seconds is over when as much is left of the timer, which is set to twice that
        yield text.replace("kite", "rest")

    extracted(tmp_path, PAGES)  # compiles the kernels
    monkeypatch.setattr(warc, "pieces_of", pieces)
    receipt, texts = extracted(tmp_path, PAGES, record_seconds=0.2)
    assert len(texts) == 40 + 40
    (failure,) = receipt.failures
    assert "more than 0.2 seconds for one record" in failure["error"]


def test_a_file_of_faulty_records_counts_as_one_that_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(warc, "image_links", fail)
    receipt, texts = extracted(tmp_path, PAGES * 3)
    assert not texts
    assert [failure["error"] for failure in receipt.failures if "reason" not in failure] == [
        "120 of 120 records are faulty"
    ]
    assert receipt.failures[-1]["error"] == "reader_error: and 70 more records"
    assert receipt.facts["reader_errors"] == 120


def test_an_error_of_the_reader_itself_keeps_the_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = warc.WarcReader._records

    def broken(reader: warc.WarcReader) -> Iterator[Any]:
        for number, record in enumerate(records(reader)):
            if number == 30:
                raise IndexError("out of range")
            yield record

    monkeypatch.setattr(warc.WarcReader, "_records", broken)
    monkeypatch.setattr(warc, "BATCH_LINKS", 10)
    receipt, texts = extracted(tmp_path, PAGES)
    assert len(texts) in (0, 30)
    assert receipt.rows_in == 30
    (failure,) = receipt.failures
    assert "IndexError" in failure["error"]
    assert "reason" not in failure


def test_a_wat_record_at_which_the_reader_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any, page_url: pa.Array) -> Any:
        raise TypeError(f"at {page_url[0]}")

    monkeypatch.setattr(wat, "_links_of_page", fail)
    good = wat_record("http://h.org/", [image("a.jpg", alt="kite")])
    odd = wat_record("http://odd.org/", [image("b.jpg", alt="kite")]).replace(b"IMG@/src", b"IMG@\\u002fsrc")
    odd = odd.replace(
        f"Content-Length: {len(odd.split(bytes([13, 10, 13, 10]))[1]) - 5}".encode(), b"Content-Length: 0"
    )
    receipt, texts = extracted(tmp_path, good + odd + good, source=SourceKind.wat)
    assert "kite" in texts
    assert [failure["error"].partition(" in ")[0] for failure in receipt.failures if "reason" in failure] == [
        "reader_error: TypeError"
    ]


@pytest.mark.parametrize("rule", ["resolve_urls", "detect_languages"])
def test_a_row_at_which_a_rule_raises(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = urls if rule == "resolve_urls" else extract
    real = getattr(place, rule)

    def work(values: pa.Array, *others: Any) -> Any:
        if any("7" in value for value in values.to_pylist()):
            raise ZeroDivisionError("7")
        return real(values, *others)

    monkeypatch.setattr(place, rule, work)
    pages = b"".join(
        response(f"<img src={number}.jpg alt='a red kite {number}'>".encode(), HTML) for number in range(40)
    )
    receipt, texts = extracted(
        tmp_path, pages, language=LanguageRules(languages=(), model="lid.176.ftz", min_score=0.0)
    )
    assert sorted(texts) == sorted(f"a red kite {number}" for number in range(40) if "7" not in str(number))
    assert receipt.drops == {"reader_error": 4}
    assert receipt.facts["reader_errors"] == 4


def test_what_a_user_must_mend_is_no_fault_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> Any:
        raise HeadtailError("language.model=x does not exist")

    monkeypatch.setattr(warc, "image_links", fail)
    with pytest.raises(HeadtailError):
        extracted(tmp_path, PAGES)


def test_a_file_that_is_given_up_is_an_empty_file_of_pairs(tmp_path: Path) -> None:
    task = ExtractTask("/a.warc.gz", str(tmp_path / "out.parquet"))
    receipt = give_up_file(task, extraction_settings(source=SourceKind.warc, language=ENGLISH)).check()
    assert [failure["reason"] for failure in receipt.failures] == ["given_up"]
    assert pq.read_table(task.output).num_rows == 0

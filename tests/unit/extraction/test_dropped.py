"""Examples of the candidates that extraction drops: of each reason, never of images and texts that must stay unseen."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.core.choices import Emails
from curation.core.dropped import EXAMPLES, DroppedRow, dropped_path, read_dropped, smallest_rows
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.uids import uid_of
from curation.extraction import extract
from curation.extraction.extract import ExtractTask, extract_file, give_up_file
from tests.unit.extraction.settings import ENGLISH, extraction_settings, language_rules, text_rules, url_rules
from tests.unit.extraction.test_extract import image, wat_record

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e"
PAGE = "https://example.org/x/"


def write_wat(path: Path, *pages: list[dict[str, Any]]) -> Path:
    records = [wat_record(f"{PAGE}{number}", links) for number, links in enumerate(pages)]
    path.write_bytes(b"".join(gzip.compress(record, mtime=0) for record in records))
    return path


def extracted(path: Path, seed: int | None = 0, **settings: Any) -> tuple[dict[str, list[DroppedRow]], Receipt]:
    output = str(path.with_suffix(".parquet"))
    receipt = extract_file(
        ExtractTask(str(path), output), extraction_settings(**{"language": ENGLISH, **settings}), seed
    )
    return read_dropped(dropped_path(output)), receipt


def shown(examples: dict[str, list[DroppedRow]]) -> dict[str, list[tuple[str, str]]]:
    return {reason: sorted((row.url, row.text) for row in rows) for reason, rows in examples.items()}


def test_each_reason_has_its_candidates(tmp_path: Path) -> None:
    links = [
        image("a.jpg", alt="red kite", title="red kite"),
        image("b.jpg"),
        image("c.jpg", alt=" "),
        image("d.jpg", alt="ab"),
        image("e.jpg", alt=HOSTILE + "x" * 9_000),
        image("f.jpg", alt="\ufffd" * 9),
        image("data:image/gif;base64,R0", alt="pixel"),
        image("", alt="empty"),
        image("ftp://example.org/a.jpg", alt="scheme"),
        image("http://[1/a.jpg", alt="host"),
        image("https://ads.test/a.jpg", alt="blocked"),
    ]
    rules = text_rules(min_chars=3, max_chars=200, max_replacement_share=0.5)
    examples, receipt = extracted(
        write_wat(tmp_path / "a.wat.gz", links), texts=rules, urls=url_rules(block_hosts=("ads.test",))
    )
    assert shown(examples) == {
        "bad_url": [("http://[1/a.jpg", "host")],
        "blank_text": [(f"{PAGE}c.jpg", " ")],
        "blocked_host": [("https://ads.test/a.jpg", "blocked")],
        "broken_text": [(f"{PAGE}f.jpg", "\ufffd" * 9)],
        "data_url": [("data:", "pixel")],
        "empty_url": [("", "empty")],
        "long_text": [(f"{PAGE}e.jpg", (HOSTILE + "x" * 9_000)[:2_000])],
        "no_text": [(f"{PAGE}b.jpg", "")],
        "same_text": [(f"{PAGE}a.jpg", "red kite")],
        "scheme": [("ftp://example.org/a.jpg", "scheme")],
        "short_text": [(f"{PAGE}d.jpg", "ab")],
    }
    assert set(examples) == set(receipt.drops)
    assert examples["short_text"][0].uid == uid_of(f"{PAGE}d.jpg")
    assert examples["scheme"][0].uid == ""


def test_examples_change_neither_rows_nor_receipts(tmp_path: Path) -> None:
    path = write_wat(tmp_path / "a.wat.gz", [image(f"{k % 30}.jpg", alt="kite" * (k % 3)) for k in range(100)])
    plain = extracted(path, None)
    rows = pq.read_table(path.with_suffix(".parquet"))
    examples, receipt = extracted(path)
    assert (plain[0], set(examples)) == ({}, {"blank_text", "same_text"})
    assert pq.read_table(path.with_suffix(".parquet")).equals(rows)
    assert vars(receipt) | {"seconds": 0} == vars(plain[1]) | {"seconds": 0}


def test_languages_are_told(tmp_path: Path) -> None:
    links = [image("a.jpg", alt="the house on the hill"), image("b.jpg", alt="das Haus auf dem Hügel")]
    path = write_wat(tmp_path / "a.wat.gz", links)
    (only,) = extracted(path, language=language_rules(languages=("de",)))[0]["language"]
    assert (only.text, only.lang, only.note) == ("the house on the hill", "en", "")
    unsure = extracted(path, language=language_rules(min_score=1.0))[0]["lang_score"]
    assert {row.lang for row in unsure} == {"de", "en"}
    assert all(0 < float(row.note) <= 1 for row in unsure)


@pytest.mark.parametrize("word", ["", "a.jpg", "http://10.0.0.1/a.jpg"], ids=["words", "removed", "private"])
@pytest.mark.parametrize("text", ["rude", "me@example.org", "x", ""], ids=["listed", "email", "short", "blank"])
def test_nothing_is_kept_of_what_must_stay_unseen(tmp_path: Path, word: str, text: str) -> None:
    """Neither for its own reason nor for any other; the link beside it, which may be seen, is an example."""
    (tmp_path / "en.txt").write_text("rude\n")
    (tmp_path / "gone.txt").write_text(uid_of(f"{PAGE}a.jpg") + "\n")
    rules = text_rules(min_chars=2, emails=Emails.drop, word_lists=f"{tmp_path}/{{lang}}.txt")
    hidden = image(word or "b.jpg", alt=text or " ") if word else image("b.jpg", alt=f"rude {text}", title="r" + "ude")
    path = write_wat(tmp_path / "a.wat.gz", [hidden, hidden, image("c.jpg", alt="y"), image("d.jpg", alt=" ")])
    examples, receipt = extracted(path, texts=rules, urls=url_rules(removals=(f"{tmp_path}/gone.txt",)))
    assert shown(examples) == {"short_text": [(f"{PAGE}c.jpg", "y")], "blank_text": [(f"{PAGE}d.jpg", " ")]}
    assert receipt.drops.total() > 2


@pytest.mark.parametrize("batch", [7, 100_000], ids=["small batches", "one batch"])
def test_examples_are_the_smallest_draws_whatever_the_files(
    tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [[image(f"{page}-{k % 25}.jpg", alt=" ") for k in range(50)] for page in range(4)]
    whole = extracted(write_wat(tmp_path / "whole.wat.gz", *pages))[0]["blank_text"]
    monkeypatch.setattr(extract, "BATCH_LINKS", batch)
    empty: list[dict[str, Any]] = []
    cut = [
        extracted(write_wat(tmp_path / f"{k}.wat.gz", *[empty] * k, page))[0]["blank_text"]
        for k, page in enumerate(pages)
    ]
    assert smallest_rows([row for rows in cut for row in rows]) == whole
    assert len({row.url for row in whole}) == len(whole) == EXAMPLES
    every = [row for page in range(4) for row in cut[page]]
    assert [row.draw for row in whole] == sorted(row.draw for row in every)[:EXAMPLES]
    assert extracted(tmp_path / "whole.wat.gz", 1)[0]["blank_text"] != whole


def test_a_file_that_is_given_up_has_no_examples(tmp_path: Path) -> None:
    path = write_wat(tmp_path / "a.wat.gz", [image("a.jpg")])
    assert extracted(path)[0]
    task = ExtractTask(str(path), str(path.with_suffix(".parquet")))
    give_up_file(task, extraction_settings(language=ENGLISH))
    assert read_dropped(dropped_path(task.output)) == {}


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"a": 7}', '{"a": [[]]}', '{"a": [{"uid": "x"}]}', '{"a": [{"draw": 0.5, "uid": 7}]}',
     '{"a": [{"draw": 0.5, "uid": "x", "href": "y"}]}', "[" * 100_000, "\xff"],
    ids=["nothing", "list", "number", "rows", "without draw", "no text", "further", "deep", "bytes"],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "_dropped-0.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(HeadtailError, match="holds no examples of dropped rows"):
        read_dropped(str(path))

"""Examples of the candidates that extraction drops: of each reason, never of images and texts that must stay unseen."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.core.choices import Emails
from curation.core.dropped import (
    EXAMPLES,
    LOOKED_AT,
    DroppedExamples,
    DroppedRow,
    dropped_path,
    read_dropped,
    smallest_rows,
)
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


@pytest.fixture(scope="module")
def word_lists(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("words")
    (folder / "en.txt").write_text("rude\n")
    (folder / "de.txt").write_text("dirty thing\nstraße\n")
    return f"{folder}/{{lang}}.txt"


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
        "bad_url": [("http:", "host")],
        "blank_text": [(f"{PAGE}c.jpg", " ")],
        "blocked_host": [("https://ads.test/a.jpg", "blocked")],
        "broken_text": [(f"{PAGE}f.jpg", "\ufffd" * 9)],
        "data_url": [("data:", "pixel")],
        "empty_url": [("", "empty")],
        "long_text": [(f"{PAGE}e.jpg", (HOSTILE + "x" * 9_000)[:2_000])],
        "no_text": [(f"{PAGE}b.jpg", "")],
        "same_text": [(f"{PAGE}a.jpg", "red kite")],
        "scheme": [("ftp:", "scheme")],
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
def test_nothing_is_kept_of_what_must_stay_unseen(tmp_path: Path, word_lists: str, word: str, text: str) -> None:
    """Neither for its own reason nor for any other; the link beside it, which may be seen, is an example."""
    (tmp_path / "gone.txt").write_text(uid_of(f"{PAGE}a.jpg") + "\n")
    rules = text_rules(min_chars=2, emails=Emails.drop, word_lists=word_lists)
    hidden = image(word or "b.jpg", alt=text or " ") if word else image("b.jpg", alt=f"rude {text}", title="r" + "ude")
    path = write_wat(tmp_path / "a.wat.gz", [hidden, hidden, image("c.jpg", alt="y"), image("d.jpg", alt=" ")])
    examples, receipt = extracted(path, texts=rules, urls=url_rules(removals=(f"{tmp_path}/gone.txt",)))
    assert shown(examples) == {"short_text": [(f"{PAGE}c.jpg", "y")], "blank_text": [(f"{PAGE}d.jpg", " ")]}
    assert receipt.drops.total() > 2


@pytest.mark.parametrize("url", [
    "https://ads.test/gone.jpg", "https://ads.test/gone.jpg?width=9", "https://ads.test/jane@example.org.jpg",
    "https://ads.test/jane%2540example.org.jpg", "https://ads.test/dirty-thing.jpg", "https://ads.test/password=abc/a",
    "https://ads.test/fetch/10.0.0.1/a.jpg", "http://nas.local/a.jpg", "http://intranet:80/a.jpg",
    "https://ads.test/" + "x" * 10_001, "https://ads.test/jane%25252540example.org.jpg", "https://127.0.0.1../a.jpg",
    "https://LocalHost../a.jpg", "https://ads.test/dirty%252D%E2%80%8Bthing.jpg", "https://xn--strae-oqa.ads.test/a.jpg",
], ids=["removed", "removed with a query", "email", "escaped email", "listed word", "secret", "private within", "local",
        "no domain", "long", "escapes of escapes", "two dots", "two dots behind a name", "invisible in a word",
        "punycode"])  # fmt: skip
def test_an_address_is_hidden_whichever_rule_came_first(tmp_path: Path, word_lists: str, url: str) -> None:
    """Of links without a text, of blocked hosts and of repeats."""
    rules = url_rules(block_hosts=("ads.test",), removals=("https://ads.test/gone.jpg",))
    links = [image(url), *[image(url, alt="kite", title="kite")] * 2, image("b.jpg")]
    texts = text_rules(word_lists=word_lists)
    examples, receipt = extracted(write_wat(tmp_path / "a.wat.gz", links), texts=texts, urls=rules)
    assert shown(examples) == {"no_text": [(f"{PAGE}b.jpg", "")]}
    assert receipt.drops.total() > 2


@pytest.mark.parametrize(("url", "reason", "kept"), [
    ("ftp://192.168.0.1/a.jpg", "scheme", "ftp:"),
    ("file:///C:/Users/Jane%20Doe/a.jpg", "scheme", "file:"),
    ("nas.local:80/a.jpg", "scheme", ""),
    ("http://10.0.0.1:999999/x.jpg", "bad_url", "http:"),
    ("//user:secret@[1/b.jpg?token=1", "bad_url", ""),
    ("http:/user:pw@h/x?sig=SECRET", "bad_url", "http:"),
    ("https://user:pw@ads.test/x.jpg?sig=SECRET", "blocked_host", "https://ads.test/x.jpg"),
], ids=["private", "file", "host as scheme", "port", "user", "one slash", "resolved"])  # fmt: skip
def test_of_an_address_that_cannot_be_resolved_the_scheme_is_kept(
    tmp_path: Path, url: str, reason: str, kept: str
) -> None:
    path = write_wat(tmp_path / "a.wat.gz", [image(url, alt="kite")])
    assert shown(extracted(path, urls=url_rules(block_hosts=("ads.test",)))[0]) == {reason: [(kept, "kite")]}


@pytest.mark.parametrize("emails", Emails)
@pytest.mark.parametrize("text", [
    "write to jane.doe@example.org", "jane&#64;example.org", "jane\uff20example.org", "dirty\tthing xxx",
    "a dirty \n thing", "see https://h.org/?token=1", "at 192.168.0.1 now", "password=abc of me", "kite " * 2_001,
    "jane\uff0540example.org", "jane&amp;#64;example.org", "jane%252540example.org", "dir\u00adty th\u200bing xxx",
], ids=["email", "entity", "full width", "tab", "blanks", "url", "host", "secret", "long",
        "full width escape", "entity of an entity", "escapes", "invisible"])  # fmt: skip
def test_a_text_is_hidden_whichever_rule_came_first(tmp_path: Path, word_lists: str, text: str, emails: Emails) -> None:
    """Also with the word list of another language than its own."""
    rules = text_rules(max_chars=4, emails=emails, word_lists=word_lists)
    links = [image("a.jpg", alt=text), image("ftp://h.org/", alt=text), image("b.jpg", alt="kites")]
    path = write_wat(tmp_path / "a.wat.gz", links)
    assert shown(extracted(path, texts=rules)[0]) == {"long_text": [(f"{PAGE}b.jpg", "kites")]}


def test_words_of_any_language_hide_what_is_dropped_for_its_language(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("house\n")
    path = write_wat(tmp_path / "a.wat.gz", [image("a.jpg", alt="the house"), image("b.jpg", alt="the tree")])
    rules = text_rules(word_lists=f"{tmp_path}/{{lang}}.txt")
    examples, _ = extracted(path, language=language_rules(languages=("fr",)), texts=rules)
    assert shown(examples) == {"language": [(f"{PAGE}b.jpg", "the tree")]}


def test_repeats_do_not_crowd_out_others() -> None:
    draws = np.array([0.1] * 2 * LOOKED_AT + [0.2, 0.3])
    dropped = DroppedExamples(0)
    dropped.offer("same_text", draws, lambda at: [DroppedRow(draws[k], str(draws[k])) for k in at.tolist()])
    assert [row.uid for row in dropped.rows()["same_text"]] == ["0.1", "0.2", "0.3"]


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

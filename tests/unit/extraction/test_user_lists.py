"""Rules by lists: hosts, opt-outs, words; and e-mail addresses."""

import time
from pathlib import Path

import pyarrow as pa
import pytest

from curation.core.choices import Emails
from curation.core.input_files import FileInfo
from curation.extraction.drop_reasons import TEXT_REASONS
from curation.extraction.inputs import draw_files, list_paths
from curation.extraction.text_rules import clean_texts, word_pattern
from curation.extraction.user_lists import read_hosts
from tests.conftest import SHARED, needs_shared
from tests.unit.extraction.settings import extraction_settings, text_rules, url_rules
from tests.unit.extraction.test_extract import extract_records, image, wat_record


def test_hosts_of_lists_and_hosts_files(tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("# ads\n0.0.0.0 Ads.example.org\n*.tracker.net # all\n\nplain.com.\n")
    assert read_hosts((str(path), "x.org")) == {"ads.example.org", "tracker.net", "plain.com", "x.org"}


def test_lists_drop_with_reasons_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "words_en.txt").write_text("bad word\nRotten\n")
    (tmp_path / "opt-outs.txt").write_text("http://h.org/out.jpg\n")
    links = [
        image("http://h.org/1.jpg", alt="a Bad Word here"),
        image("http://h.org/2.jpg", alt="unrotten, badword"),
        image("http://h.org/out.jpg", alt="kite", title="the kite"),
        image("http://x.ads.org/3.jpg", alt="ad"),
        image("http://h.org/4.jpg", alt="write to me@h.org"),
    ]
    settings = extraction_settings(
        urls=url_rules(block_hosts=("ads.org",), removals=(str(tmp_path / "opt-outs.txt"),)),
        texts=text_rules(word_lists=str(tmp_path / "words_{lang}.txt"), emails=Emails.mask),
    )
    receipt, rows = extract_records(
        tmp_path, wat_record("http://h.org/", links), urls=settings.urls, texts=settings.texts
    )
    assert [row["text"] for row in rows] == ["unrotten, badword", "write to [email]"]
    assert receipt.drops == {"listed_word": 1, "removed": 2, "blocked_host": 1}
    assert list_paths(settings) == [str(tmp_path / "opt-outs.txt"), str(tmp_path / "words_*.txt")]


@needs_shared
def test_words_of_languages_without_blanks() -> None:
    lists = str(SHARED / "safety" / "ldnoobw_{lang}")
    word = (SHARED / "safety" / "ldnoobw_ja").read_text().split()[0]
    assert word_pattern(lists, "ja").search(f"前{word}後")
    assert word_pattern(lists, "de").search("klassisch") is None
    assert word_pattern(lists, "xx") is None
    assert word_pattern(lists, "../../x") is None


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("me@example.org", "[email]"),
        ("Mail: a.b+c@mail.example.co.uk, thanks", "Mail: [email], thanks"),
        ("two@h.org and three@h.org", "[email] and [email]"),
        pytest.param("müller@bücher.de.", "[email].", id="umlauts"),
        ("@handle", "@handle"),
        ("a@b", "a@b"),
        ("price @ 5.99", "price @ 5.99"),
        ("x@1.5", "x@1.5"),
    ],
)
def test_emails(text: str, masked: str) -> None:
    texts = pa.array(["plain", text])
    assert clean_texts(texts, text_rules(emails=Emails.mask))[0].to_pylist() == ["plain", masked]
    reasons = clean_texts(texts, text_rules(emails=Emails.drop))[1]
    assert [TEXT_REASONS[reason] for reason in reasons] == ["", "email" if text != masked else ""]
    assert clean_texts(texts, text_rules())[0].to_pylist() == ["plain", text]


def test_emails_take_linear_time() -> None:
    hostile = [
        "a" * 200_000 + "@",
        "@a" * 100_000,
        "a@" + "a." * 100_000,
        "a@" + "a-" * 100_000,
        "." * 200_000 + "@b.c",
    ]
    started = time.process_time()
    clean_texts(pa.array(hostile), text_rules(emails=Emails.mask))
    assert time.process_time() - started < 5


def test_a_sample_of_files_is_nested_and_drawn_by_seed() -> None:
    files = [FileInfo(f"s3://b/{number}.wat.gz", 1, "") for number in range(100)]
    ten, twenty = draw_files(files, 10, 1).files, draw_files(files, 20, 1).files
    assert len(ten) == 10
    assert set(ten) < set(twenty)
    assert ten == sorted(ten, key=files.index)
    assert draw_files(files, 10, 2).files != ten
    assert draw_files(files, None, 1).files == draw_files(files, 100, 1).files == files

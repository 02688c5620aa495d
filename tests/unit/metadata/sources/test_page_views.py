"""Every row of a page-view file is counted or has a reason."""

import gzip
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest

from curation.core.languages import LANGUAGES
from curation.core.receipts import Receipt
from metadata.sources.page_views import MAX_LINE_BYTES, TitleSettings, ViewsTask, count_views
from tests.conftest import SHARED, needs_shared


def count(
    path: Path,
    *languages: str,
    least: int = 0,
    any_colon: bool = False,
    names: tuple[str, ...] = (),
) -> tuple[Counter[tuple[str, str]], Receipt]:
    output = str(path) + ".parquet"
    settings = TitleSettings(languages or ("en",), least, any_colon, {"ltg": names})
    receipt = count_views(ViewsTask(str(path), output), settings).check()
    sums: Counter[tuple[str, str]] = Counter()
    for row in pq.read_table(output).to_pylist():
        sums[row["lang"], row["title"]] += row["views"]
    return sums, receipt


ROWS = {
    "desktop": ("en Cat 5 0", ("en", "Cat", 5)),
    "mobile": ("en.m Cat 5 0", ("en", "Cat", 5)),
    "zero-rated": ("en.zero Cat 5 0", ("en", "Cat", 5)),
    "blank": ("en Red_panda 5 123", ("en", "Red panda", 5)),
    "percent signs": ("en Caf%C3%A9 5 0", ("en", "Café", 5)),
    "plain UTF-8": ("en Café 5 0", ("en", "Café", 5)),
    "lone percent sign": ("en 100%_(album) 5 0", ("en", "100% (album)", 5)),
    "colon of no namespace": ("en Star_Trek:_Voyager 5 0", ("en", "Star Trek: Voyager", 5)),
    "simple English": ("simple Cat 5 0", ("simple", "Cat", 5)),
    "language with a new code": ("be-x-old Кот 5 0", ("be_tarask", "Кот", 5)),
    "language with a hyphen": ("zh-yue 貓 5 0", ("zh_yue", "貓", 5)),
    "language not asked for": ("de Katze 5 0", "other_language"),
    "other project": ("en.b Cat 5 0", "other_project"),
    "mobile other project": ("en.m.b Cat 5 0", "other_project"),
    "commons": ("commons.m Cat 5 0", "other_project"),
    "wikidata": ("www.wd Q1 5 0", "other_project"),
    "special page": ("en Special:Search 5 0", "namespace"),
    "special page in small letters": ("en special:Search 5 0", "namespace"),
    "talk page": ("en User_talk:A 5 0", "namespace"),
    "talk page with a percent sign": ("en Talk%3ACat 5 0", "namespace"),
    "namespace of the wiki": ("ltg Fails:A.jpg 5 0", "namespace"),
    "no UTF-8": ("en Caf%E9 5 0", "bad_title"),
    "no title": ("en - 5 0", "bad_title"),
    "blank title": ("en _ 5 0", "bad_title"),
    "NUL": ("en a%00b 5 0", "bad_title"),
    "three cells": ("en Cat 5", "malformed"),
    "no number": ("en Cat five 0", "malformed"),
    "five cells": ("en Red panda 5 0", "malformed"),
    "empty line": ("", "malformed"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(tmp_path: Path, name: str) -> None:
    row, expected = ROWS[name]
    path = tmp_path / "pageviews-20260101-000000.gz"
    path.write_bytes(gzip.compress(f"{row}\n".encode(), mtime=0))
    languages = ("en", "simple", "be_tarask", "zh_yue", "ltg")
    sums, receipt = count(path, *languages, names=("fails",))
    if isinstance(expected, str):
        assert (dict(sums), dict(receipt.drops)) == ({}, {expected: 1})
    else:
        assert dict(sums) == {expected[:2]: expected[2]}


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "pageviews-20260101-000000"
    path.write_bytes(b"\xef\xbb\xbfen Cat 5 0\r\nen Dog 6 0\r\n")
    sums, receipt = count(path)
    assert sums == {("en", "Cat"): 5, ("en", "Dog"): 6}
    assert not receipt.drops


def test_the_first_papers_rules(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("en Cat 49 0\nen Cat 50 0\nen A:_B 99 0\nen.m Cat 60 0\n")
    sums, receipt = count(path, least=50, any_colon=True)
    assert sums == {("en", "Cat"): 110}
    assert receipt.drops == {"few_views": 1, "namespace": 1}


def test_a_cut_off_file_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "p.gz"
    data = b"".join(b"en T%d 1 0\n" % number for number in range(20_000))
    path.write_bytes(gzip.compress(data, mtime=0)[:-5000])
    sums, receipt = count(path)
    assert 0 < len(sums) < 20_000
    assert len(receipt.failures) == 1
    assert receipt.failures[0]["records_read"] == receipt.rows_in


@needs_shared
@pytest.mark.parametrize(
    ("name", "rows"), [("pageviews-hourly-sample.txt", 3667), ("pagecounts-raw-2016-06-sample.txt", 1001)]
)
def test_every_row_of_the_real_samples_is_accounted_for(tmp_path: Path, name: str, rows: int) -> None:
    path = SHARED / "pageviews" / name
    target = tmp_path / name
    target.write_bytes(path.read_bytes())
    sums, receipt = count(target, *LANGUAGES)
    assert receipt.rows_in == rows
    assert receipt.drops["malformed"] == sum(not line.strip() for line in path.read_text().split("\n")[:-1])
    # The same by hand, for the desktop rows of one language without any code or namespace in them.
    plain = Counter()
    for line in path.read_text().splitlines():
        cells = line.split(" ")
        if cells[0] in ("en", "en.m", "af", "af.m") and ":" not in cells[1] and cells[1] != "-":
            plain[cells[0][:2], unquote(cells[1]).replace("_", " ").strip()] += int(cells[2])
    assert plain
    assert all(sums[key] == views for key, views in plain.items())


def test_lines_and_numbers_are_bounded(tmp_path: Path) -> None:
    rows = [
        b"en " + b"x" * (3 * MAX_LINE_BYTES) + b" 5 0",
        b"en Cat 999999999999999 0",
        b"en Cat 5 0",
        b"en " + b"y" * 200_000,
    ]
    path = tmp_path / "pageviews.gz"
    path.write_bytes(gzip.compress(b"\n".join(rows), mtime=0))
    found, receipt = count(path)
    assert found == {("en", "Cat"): 5}
    assert (receipt.rows_in, receipt.drops) == (4, {"malformed": 3})

"""Every row of a page-view file is counted or has a reason."""

import gzip
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest

from curation.receipts import Receipt
from metadata.languages import LANGUAGES
from metadata.titles import TitleSettings, count_views
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
    receipt = count_views({"input": str(path), "output": output}, settings).check()
    sums: Counter[tuple[str, str]] = Counter()
    for row in pq.read_table(output).to_pylist():
        sums[row["lang"], row["title"]] += row["views"]
    return sums, receipt


ROWS = {
    "en Cat 5 0": ("en", "Cat", 5),
    "en.m Cat 5 0": ("en", "Cat", 5),
    "en.zero Cat 5 0": ("en", "Cat", 5),
    "en Red_panda 5 123": ("en", "Red panda", 5),
    "en Caf%C3%A9 5 0": ("en", "Café", 5),
    "en Café 5 0": ("en", "Café", 5),
    "en 100%_(album) 5 0": ("en", "100% (album)", 5),
    "en Star_Trek:_Voyager 5 0": ("en", "Star Trek: Voyager", 5),
    "simple Cat 5 0": ("simple", "Cat", 5),
    "be-x-old Кот 5 0": ("be_tarask", "Кот", 5),
    "zh-yue 貓 5 0": ("zh_yue", "貓", 5),
    "de Katze 5 0": "other_language",
    "en.b Cat 5 0": "other_project",
    "en.m.b Cat 5 0": "other_project",
    "commons.m Cat 5 0": "other_project",
    "www.wd Q1 5 0": "other_project",
    "en Special:Search 5 0": "namespace",
    "en special:Search 5 0": "namespace",
    "en User_talk:A 5 0": "namespace",
    "en Talk%3ACat 5 0": "namespace",
    "ltg Fails:A.jpg 5 0": "namespace",
    "en Caf%E9 5 0": "bad_title",
    "en - 5 0": "bad_title",
    "en _ 5 0": "bad_title",
    "en a%00b 5 0": "bad_title",
    "en Cat 5": "malformed",
    "en Cat five 0": "malformed",
    "en Red panda 5 0": "malformed",
    "": "malformed",
}


@pytest.mark.parametrize("row", ROWS)
def test_rows(tmp_path: Path, row: str) -> None:
    path = tmp_path / "pageviews-20260101-000000.gz"
    path.write_bytes(gzip.compress(f"{row}\n".encode(), mtime=0))
    languages = ("en", "simple", "be_tarask", "zh_yue", "ltg")
    sums, receipt = count(path, *languages, names=("fails",))
    expected = ROWS[row]
    if isinstance(expected, str):
        assert (dict(sums), dict(receipt.drops)) == ({}, {expected: 1})
    else:
        assert dict(sums) == {expected[:2]: expected[2]}


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

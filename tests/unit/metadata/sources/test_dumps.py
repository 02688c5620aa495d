"""A dump is read once, whole or in ranges, truncated or damaged; every page is accounted for."""

import bz2
import gzip
import io
import random
import re
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core import bounded_parquet
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.table_reader import read_foreign_batches
from metadata.lists.inputs import list_articles
from metadata.sources import dumps
from metadata.sources.articles import CountTask, articles_schema, count_file, read_articles
from metadata.sources.dumps import Site, plan_ranges, read_pages, read_site
from tests.dump_data import article, dump, multistream
from tests.unit.metadata.settings import dump_settings

LARGEST = 1 << 20


def titles(path: Path, ranges: list[tuple[int, int | None]] | None = None) -> tuple[list[str], Receipt]:
    site = read_site(str(path))
    found, total = [], Receipt("all")
    for start, end in ranges or [(0, None)]:
        receipt = Receipt("range")
        pages = [page.title for page in read_pages(str(path), start, end, LARGEST, site, receipt)]
        receipt.rows_out = len(pages)
        found += pages
        total = total.merge(receipt.check())
    return found, total


@pytest.mark.parametrize("ending", [".xml", ".xml.gz", ".xml.bz2"])
def test_every_packing_gives_the_same_pages(tmp_path: Path, ending: str) -> None:
    data = dump([(f"Page {number}", f"text {number}") for number in range(50)])
    path = tmp_path / f"d{ending}"
    packings = {".xml": bytes, ".xml.gz": partial(gzip.compress, mtime=0), ".xml.bz2": bz2.compress}
    path.write_bytes(packings[ending](data))
    found, receipt = titles(path)
    assert found == [f"Page {number}" for number in range(50)]
    assert receipt.failures == []


def test_ranges_give_every_page_once_wherever_streams_and_ranges_are_cut(tmp_path: Path) -> None:
    rng = random.Random(7)
    data = dump((f"Page {number}", "".join(rng.choices("abcde ", k=rng.randrange(1, 200)))) for number in range(100))
    tags = [match.start() for match in re.finditer(b"<page>", data)]
    path = tmp_path / "d.xml.bz2"
    for trial in range(20):
        cuts = rng.sample(range(1, len(data)), 40) if trial % 2 else [tag + rng.randrange(-2, 8) for tag in tags[5::3]]
        path.write_bytes(multistream(data, cuts))
        ranges = plan_ranges(str(path), path.stat().st_size, rng.choice([200, 500, 1500]))
        assert len(ranges) > 1
        found, receipt = titles(path, ranges)
        assert found == [f"Page {number}" for number in range(100)], trial
        assert receipt.failures == []


def test_a_cut_off_file_gives_what_came_before(tmp_path: Path) -> None:
    data = dump([(f"Page {number}", "a b c") for number in range(100)])
    whole = multistream(data, range(1000, len(data), 1000))
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(whole[: len(whole) // 2])
    found, receipt = titles(path)
    assert found == [f"Page {number}" for number in range(len(found))]
    assert 30 < len(found) < 60
    assert receipt.drops == {"cut_off": 1}
    assert receipt.failures[0]["error"] == "the file ends within a stream"


def test_a_dump_without_its_end_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(bz2.compress(dump([("A", "a")], closed=False)))
    found, receipt = titles(path)
    assert found == ["A"]
    assert "without </mediawiki>" in receipt.failures[0]["error"]


def test_reading_goes_on_after_damage(tmp_path: Path) -> None:
    rng = random.Random(1)
    data = dump([(f"Page {number}", rng.randbytes(500).hex()) for number in range(100)])
    packed = bytearray(multistream(data, range(10_000, len(data), 10_000)))
    middle = len(packed) // 2
    packed[middle : middle + 40] = bytes(40)
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(packed)
    found, receipt = titles(path)
    assert 75 < len(found) < 99
    assert "Page 0" in found
    assert "Page 99" in found
    assert len(receipt.failures) == 1
    assert receipt.drops["cut_off"] <= 1


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        pytest.param("<ns>0</ns><revision><text>broken & bare</text></revision>", "bad_xml", id="bare ampersand"),
        pytest.param("<ns>0</ns><revision><text>\x02</text></revision>", "bad_xml", id="control character"),
        pytest.param("<ns>0</ns><revision><text>&bomb;</text></revision>", "bad_xml", id="unknown entity"),
        pytest.param(f"<ns>{'9' * 5000}</ns><revision><text /></revision>", "no_text", id="huge namespace"),
        pytest.param("<ns>0</ns><revision><text deleted='deleted' /></revision>", "no_text", id="deleted text"),
        pytest.param("<ns>0</ns><revision><model>json</model><text>{}</text></revision>", "no_text", id="json"),
        pytest.param(article("word " * 300_000), "too_large", id="too large"),
        pytest.param(article("{{" * 100), "too_deep", id="too deep"),
        pytest.param(article("talk", namespace=1), "other_namespace", id="talk page"),
        pytest.param(article("#REDIRECT [[A]]", more='<redirect title="A" />'), "redirect", id="redirect element"),
        pytest.param(article("#ПЕРЕНАПРАВЛЕНИЕ [[А]]"), "redirect", id="Russian redirect"),
        pytest.param(article("#redirect: [[A]]"), "redirect", id="redirect with a colon"),
    ],
)
def test_drops_have_reasons(tmp_path: Path, rest: str, reason: str) -> None:
    path = tmp_path / "d.xml"
    path.write_bytes(dump([("Before", "one"), ("Odd", rest), ("After", "two")]))
    receipt = Receipt("r")
    texts = list(read_articles(str(path), 0, None, dump_settings(max_page_bytes=LARGEST), receipt))
    assert [text.strip() for text in texts] == ["one", "two"]
    assert receipt.check().drops == {reason: 1}


def test_old_dumps_tell_the_namespace_by_the_title(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    rest = "<revision><text>a</text></revision>"
    path.write_bytes(dump([("Talk:A", rest), ("Star Trek: Voyager", rest), ("category:B", rest)]))
    site = read_site(str(path))
    pages = list(read_pages(str(path), 0, None, LARGEST, site, Receipt("r")))
    assert [page.namespace for page in pages] == [1, 0, 14]


def test_the_last_revision_counts(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    revisions = "".join(f"<revision><text>{text}</text></revision>" for text in ("old", "new"))
    path.write_bytes(dump([("A", f"<ns>0</ns>{revisions}")]))
    site = read_site(str(path))
    assert [page.wikitext for page in read_pages(str(path), 0, None, LARGEST, site, Receipt("r"))] == ["new"]


@pytest.mark.parametrize(
    ("wiki", "code"), [("be_x_oldwiki", "be_tarask"), ("enwiktionary", None), ("zh_yuewiki", "zh_yue")]
)
def test_the_head_tells_the_language(tmp_path: Path, wiki: str, code: str | None) -> None:
    path = tmp_path / "d.xml"
    path.write_bytes(dump([], wiki))
    site = read_site(str(path))
    assert (site.language and site.language.code) == code
    assert site.link_names == ["Media", "File", "Category"]


def test_what_is_no_dump(tmp_path: Path) -> None:
    for name, data in (("empty.xml.bz2", b""), ("noise.xml.bz2", b"BZh9 noise"), ("text.xml", b"hello")):
        path = tmp_path / name
        path.write_bytes(data)
        found, receipt = titles(path)
        assert found == []
        assert read_site(str(path)).language is None
        assert receipt.rows_in == 0


@pytest.mark.parametrize("size", [10, 60, 200])
def test_a_dump_with_a_damaged_head_has_no_language(tmp_path: Path, size: int) -> None:
    path = tmp_path / "enwiki.xml.bz2"
    path.write_bytes(bz2.compress(dump([("A", "a")]))[:size])
    assert read_site(str(path)) == Site(None, {})


def test_false_streams_are_read_once_and_their_failures_are_bounded(tmp_path: Path) -> None:
    # Each mark of a stream made a reader start over, and read a megabyte again.
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(b"BZh91AY&SY" * 20_000 + bz2.compress(dump([("A", "a")])))
    reads = 0

    class Counted(io.BytesIO):
        def read(self, *size: int) -> bytes:
            nonlocal reads
            reads += 1
            return super().read(*size)

    receipt = Receipt("r")
    found = [data for _, data in dumps._decompressed(Counted(path.read_bytes()), str(path), 0, receipt) if data]
    assert b"<title>A</title>" in b"".join(found)
    assert reads < 10
    assert len(receipt.failures) == dumps.MAX_FAILURES + 1
    assert receipt.failures[-1]["error"] == "and 19950 more failures"


def test_a_stream_that_expands_without_measure_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "_FREE_BYTES", 1 << 20)
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(bz2.compress(bytes(4 << 20)) + bz2.compress(dump([("A", "a")])))
    found, receipt = titles(path)
    assert found == ["A"]
    assert "more than 1000 times its compressed size" in receipt.failures[0]["error"]


def test_heads_that_repeat_take_linear_work(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_bytes(b"<mediawiki " * 300_000)
    assert read_site(str(path)) == Site(None, {})  # quadratic: hours


def test_many_namespaces_are_looked_up(tmp_path: Path) -> None:
    site = Site(None, {number: f"Name {number}" for number in range(2000)} | {5000: "NAME 7"})
    path = tmp_path / "d.xml"
    path.write_bytes(dump([(f"Name {number}:x", "<revision><text>a</text></revision>") for number in range(2000)]))
    pages = list(read_pages(str(path), 0, None, LARGEST, site, Receipt("r")))
    assert [page.namespace for page in pages] == list(range(2000))
    assert site.numbers is site.numbers


@pytest.mark.parametrize(
    "text", ["#REDIRECT" + " " * 300_000, "#" + "R" * 300_000, "\n" * 300_000 + "#R" + " " * 300_000]
)
def test_redirects_without_a_link_take_linear_work(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.xml"
    path.write_bytes(dump([("A", text)]))
    receipt = Receipt("r")
    assert len(list(read_pages(str(path), 0, None, LARGEST, Site(None, {}), receipt))) == 1  # quadratic: minutes


def test_tables_of_plain_articles(tmp_path: Path) -> None:
    path, output = str(tmp_path / "articles.parquet"), str(tmp_path / "out.parquet")
    rows = {"url": ["u"] * 4, "title": ["t"] * 4, "text": ["a cat", None, " ", "a dog"]}
    pq.write_table(pa.table(rows), path)
    task = CountTask(path, "en", 0, None, output)
    receipt = count_file(task, dump_settings()).check()
    assert (receipt.rows_in, receipt.rows_out, receipt.drops) == (4, 2, {"no_text": 2})
    counts = {(row["first"], row["second"]): row["count"] for row in pq.read_table(output).to_pylist()}
    assert counts == {("a", None): 2, ("cat", None): 1, ("dog", None): 1, ("a", "cat"): 1, ("a", "dog"): 1}
    pq.write_table(
        pa.table(rows).cast(pa.schema([("url", pa.string()), ("title", pa.string()), ("text", pa.large_string())])),
        path,
    )
    assert count_file(task, dump_settings()).check().rows_out == 2


def test_hostile_tables_of_articles_are_refused_or_read_in_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_parquet, "BATCH_BYTES", 8 << 20)
    monkeypatch.setattr(bounded_parquet, "STEP_BYTES", 4 << 20)
    path, output = str(tmp_path / "articles.parquet"), str(tmp_path / "out.parquet")
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 50, pa.int32()), pa.array(["cat " * 200_000]))
    pq.write_table(pa.table({"text": texts}), path, store_schema=False, compression="zstd")
    step = max(batch.nbytes for batch in read_foreign_batches(path, articles_schema(path), ["text"], 1024, None))
    assert step <= 2 * bounded_parquet.BATCH_BYTES  # all rows would be 40 MB
    pq.write_table(pa.table({"text": pa.array([b"a cat\xff"]).view(pa.string())}), path)
    assert count_file(CountTask(path, "en", 0, None, output), dump_settings()).check().rows_out == 1
    as_one_page = {"use_dictionary": False, "write_statistics": False}
    pq.write_table(pa.table({"text": ["x" * (70 << 20)]}), path, compression="zstd", **as_one_page)
    with pytest.raises(HeadtailError, match=r"articles.parquet is not a Parquet file, or is damaged: a page of 73,400"):
        count_file(CountTask(path, "en", 0, None, output), dump_settings())


@pytest.mark.parametrize(
    ("table", "fault"),
    [({"body": ["a"]}, "text is missing"), ({"text": [1]}, "text is int64, expected string")],
    ids=["missing", "mistyped"],
)
def test_a_table_without_texts_is_refused(tmp_path: Path, table: dict[str, list], fault: str) -> None:
    path = str(tmp_path / "articles.parquet")
    pq.write_table(pa.table(table), path)
    expected = f"{path} has other columns than expected: {fault}"
    with pytest.raises(HeadtailError, match=expected):
        count_file(CountTask(path, "en", 0, None, str(tmp_path / "out.parquet")), dump_settings())
    with pytest.raises(HeadtailError, match=expected):
        list_articles([f"en:{path}"], ["en"])

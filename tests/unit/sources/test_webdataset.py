"""Shards of others as a source: what is read of them, where their images lie, and what damage costs."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.core.uids import uid_of
from curation.extraction.extract import ExtractTask, extract_file
from curation.extraction.settings import ExtractionSettings
from curation.sources import webdataset
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import read_members
from curation.sources.webdataset import MAX_TEXT_BYTES, ShardReader
from tests.sample_tars import img2dataset_sample, picture, sample, write_tar
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns, url_rules

COLUMNS = table_columns(texts=(("caption", "caption"), ("txt", "txt")), carry=(("datacomp_uid", "uid"),))
SETTINGS = extraction_settings(source=SourceKind.webdataset, language=ENGLISH, columns=COLUMNS)


def joined(samples: list[list[tuple]]) -> list[tuple]:
    return [member for members in samples for member in members]


def extract(path: Path, settings: ExtractionSettings = SETTINGS) -> tuple[Receipt, list[dict]]:
    output = path.parent / "out.parquet"
    receipt = extract_file(ExtractTask(str(path), str(output)), settings)
    assert pq.read_schema(output).equals(settings.schema)
    rows = pq.read_table(output).to_pylist()
    data = path.read_bytes()
    for row in rows:  # every pair knows its image
        image = data[row["image_offset"] :][: row["image_bytes"]]
        assert hashlib.sha256(image).hexdigest() == row["image_sha256"]
        assert row["image_file"] == str(path)
        assert row["uid"] == (uid_of(row["url"]) if row["url"] else row["image_sha256"][:24])
    return receipt, rows


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "GNU", "pax"]
)
def test_shards_of_img2dataset(tmp_path: Path, form: int) -> None:
    members = [img2dataset_sample(n, f"http://h.org/{n}.jpg", f"kite {n}") for n in range(5)]
    write_tar(tmp_path / "00000.tar", joined(members), form)
    receipt, rows = extract(tmp_path / "00000.tar")
    assert [(row["url"], row["text"], row["text_key"], row["datacomp_uid"]) for row in rows] == [
        (f"http://h.org/{n}.jpg", f"kite {n}", "caption", None) for n in range(5)
    ]
    assert (receipt.rows_in, receipt.drops) == (10, {"same_text": 5})  # txt and json say the same
    assert not receipt.failures


def test_own_shards_give_the_same_pairs_in_both_forms(tmp_path: Path) -> None:
    url, texts = "http://h.org/1.jpg", [{"text": "a kite", "kept": True}]
    old = {"uid": "0" * 24, "url": url, "text": "a kite", "texts": texts}
    new = {"uid": "0" * 24, "url": url, "caption": "a kite", "text": "a kite", "texts": ["a kite"]}
    new |= {"matched_texts": texts, "entries": ["kite"], "caption_recap": ""}
    found = []
    for name, meta in {"old": old, "new": new}.items():
        write_tar(tmp_path / name / "a.tar", sample("0" * 24, picture(1), "a kite", meta))
        receipt, rows = extract(tmp_path / name / "a.tar")
        assert (receipt.rows_in, receipt.rows_out, dict(receipt.drops)) == (1, 1, {})
        found.append([{key: row[key] for key in ("url", "text", "text_key", "datacomp_uid")} for row in rows])
    assert found[0] == found[1] == [{"url": url, "text": "a kite", "text_key": "txt", "datacomp_uid": "0" * 24}]
    columns = replace(COLUMNS, texts=(("alt", "texts"), ("synthetic", "caption_recap"), ("caption", "caption")))
    write_tar(tmp_path / "a.tar", sample("0" * 24, picture(1), "x", new | {"texts": ["one", "two"]}))
    _, rows = extract(tmp_path / "a.tar", replace(SETTINGS, columns=columns))
    assert [(row["text"], row["text_key"]) for row in rows] == [("one", "alt"), ("a kite", "caption"), ("two", "alt")]


def test_what_a_sample_can_lack(tmp_path: Path) -> None:
    image, uid = picture(1), "0" * 32
    write_tar(
        tmp_path / "a.tar",
        [
            ("readme", b"no member of a sample"),
            *sample("a", image, "only a text"),
            *sample("dir.d/b", picture(2), None, {"caption": "only in the json", "uid": uid, "url": None}),
            *sample("c", picture(3), "text", {"caption": "another", "url": "http://h.org/c.jpg#x", "uid": 7}),
            *sample("d", picture(4), None, {"url": "http://h.org/d.jpg"}),
            *sample("e", None, "no image", {"url": "http://h.org/e.jpg"}),
            *sample("f", b"", "an empty image"),
            *sample("g", picture(5), "broken", b'{"url": "http://h.org/g'),
            *sample("h", picture(6), "no object", b"[3]"),
            *sample("i", picture(7), "x" * (MAX_TEXT_BYTES + 1)),
            *sample("j", picture(8), "private", {"url": "http://10.0.0.1/j.jpg"}),
            *sample("k", picture(9), "the same image", kind="PNG"),
            *sample("l", picture(9), "the same image", kind="webp"),
            *sample("m", picture(10), "twice"),
            *sample("m", picture(11), "twice"),
            *sample("n", picture(12), None, {"caption": "a lone \ud800 surrogate"}),
        ],
    )
    receipt, rows = extract(tmp_path / "a.tar")
    assert [(row["url"], row["text"], row["text_key"], row["datacomp_uid"]) for row in rows] == [
        ("", "only a text", "txt", None),
        ("", "only in the json", "caption", uid),
        ("http://h.org/c.jpg", "another", "caption", "7"),
        ("http://h.org/c.jpg", "text", "txt", "7"),
        ("", "the same image", "txt", None),
        ("", "twice", "txt", None),
        ("", "twice", "txt", None),
        ("", "a lone \ufffd surrogate", "caption", None),
    ]
    assert rows[0]["uid"] == hashlib.sha256(image).hexdigest()[:24]
    assert receipt.drops == {"no_text": 1, "no_image": 2, "bad_sample": 3, "private_host": 1, "same_text": 1}
    assert receipt.facts["other_members"] == 1
    assert not receipt.failures


def test_rules_of_urls_and_removals_hold(tmp_path: Path) -> None:
    members = [img2dataset_sample(n, f"http://h{n}.org/a.jpg", f"kite {n}") for n in range(3)]
    write_tar(tmp_path / "a.tar", joined(members) + sample("x", picture(9), "no URL"))
    gone = hashlib.sha256(picture(9)).hexdigest()[:24]
    rules = url_rules(block_hosts=("h0.org",), removals=(gone, "http://h1.org/a.jpg"))
    settings = replace(SETTINGS, urls=rules)
    receipt, rows = extract(tmp_path / "a.tar", settings)
    assert [row["url"] for row in rows] == ["http://h2.org/a.jpg"]
    assert receipt.drops == {"removed": 3, "blocked_host": 2, "same_text": 1}


@pytest.mark.parametrize("end", ["in the image", "in the json", "in a header", "at a member"])
def test_a_tar_that_is_cut_off(tmp_path: Path, end: str) -> None:
    members = [img2dataset_sample(n, f"http://h.org/{n}.jpg", f"kite {n}") for n in range(3)]
    data = write_tar(tmp_path / "a.tar", joined(members))
    last = data.index(b"000000002.jpg")
    json_at = data.index(b"000000002.json")
    cut = {"in the image": last + 600, "in the json": json_at + 600, "in a header": last + 100, "at a member": json_at}
    (tmp_path / "a.tar").write_bytes(data[: cut[end]])
    receipt, rows = extract(tmp_path / "a.tar")
    assert [row["text"] for row in rows] == ["kite 0", "kite 1"]
    assert len(receipt.failures) == 1
    # A json that is lost in the damage may have held the URL: no sample without it.
    assert receipt.drops["bad_sample"] == (end != "in a header")


def test_reading_goes_on_behind_damage(tmp_path: Path) -> None:
    members = [img2dataset_sample(n, f"http://h.org/{n}.jpg", f"kite {n}") for n in range(4)]
    data = bytearray(write_tar(tmp_path / "a.tar", joined(members)))
    at = data.index(b"000000001.json")
    data[at + 124 : at + 136] = b"777777777777"  # a size of 64 GB, with a checksum that does not agree
    (tmp_path / "a.tar").write_bytes(data)
    receipt, rows = extract(tmp_path / "a.tar")
    assert [row["text"] for row in rows] == ["kite 0", "kite 2", "kite 3"]
    assert [failure["error"] for failure in receipt.failures] == ["no tar header"]
    assert receipt.failures[0]["offset"] == at


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", "no tar", id="empty"),
        pytest.param(b"x" * 5000, "no tar header", id="text"),
        pytest.param(gzip.compress(bytes(10_240), mtime=0), "unpack it", id="gzip"),
        pytest.param(bytes(1024), "", id="tar without members"),
    ],
)
def test_what_is_no_tar(tmp_path: Path, data: bytes, error: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    receipt, rows = extract(path)
    assert rows == []
    assert [error in failure["error"] for failure in receipt.failures][:1] == [True] * bool(error)


def test_hostile_headers(tmp_path: Path) -> None:
    long = "../" * 60 + "n" * 300
    good = sample(long, picture(1), "long name", {"url": "http://h.org/a.jpg"})
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        write_tar(tmp_path / "a.tar", good, form)
        assert [row["text"] for row in extract(tmp_path / "a.tar")[1]] == ["long name"]
    huge = tarfile.TarInfo("b.jpg")
    huge.size = 1 << 62
    linked = tarfile.TarInfo("b.json")
    linked.type, linked.linkname = tarfile.SYMTYPE, "/etc/passwd"
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = tarfile.XHDTYPE, 1 << 40
    tail = linked.tobuf(tarfile.GNU_FORMAT) + pax.tobuf(tarfile.GNU_FORMAT)
    for head in (huge.tobuf(tarfile.GNU_FORMAT), tail):
        whole = write_tar(tmp_path / "b.tar", good, tarfile.PAX_FORMAT).rstrip(b"\0")
        (tmp_path / "b.tar").write_bytes(whole + bytes(-len(whole) % 512) + head + b"end")
        receipt, rows = extract(tmp_path / "b.tar")
        assert [row["text"] for row in rows] == ["long name"]
        assert "ends within a member" in receipt.failures[0]["error"]


def test_places_are_those_of_tarfile(tmp_path: Path) -> None:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        members = [(f"{'d' * n}/{'ö' * n}.jpg", bytes([n]) * (n * 97)) for n in range(1, 160)]
        if form == tarfile.USTAR_FORMAT:
            members = members[:45]
        data = write_tar(tmp_path / "a.tar", members, form)
        log = ReadLog()
        found = [(m.name, m.offset, m.size, m.read(1 << 20)) for m in read_members(io.BytesIO(data), log) if m]
        with tarfile.open(tmp_path / "a.tar") as tar:
            expected = [(m.name, m.offset_data, m.size, tar.extractfile(m).read()) for m in tar]
        assert found == expected
        assert not log.faults
        assert log.bytes_read == len(data)


def test_a_sample_of_endless_members_takes_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "MAX_KINDS", 20)
    kept: list[int] = []
    real = ShardReader._take
    monkeypatch.setattr(
        ShardReader, "_take", lambda self, sample, **how: (kept.append(len(sample.members)), real(self, sample, **how))
    )
    write_tar(tmp_path / "a.tar", [*((f"a.x{n}", b"") for n in range(100)), *sample("a", picture(1), "kite")])
    assert [row["text"] for row in extract(tmp_path / "a.tar")[1]] == ["kite"]
    assert kept == [22]  # and the image and its text
